//! Numbers, moments and texts in few bytes: what the codec of the ledger is made of.

use jiff::Timestamp;

use crate::event::cut;

/// Ends a text of which the rest was cut off.
const CUT: &str = "…";

/// Writes bytes. Small numbers take few of them.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// What was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// One byte as it is.
    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// Bytes as they are, without their number.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Seven bits a byte, the lowest first; the high bit says that more follow.
    pub(super) fn number(&mut self, mut number: u128) {
        while number > 0x7f {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// A number whose magnitude is small.
    pub(super) fn signed(&mut self, number: i128) {
        self.number(zigzag(number));
    }

    /// A number of replicas that may be unknown.
    pub(super) fn optional(&mut self, number: Option<i32>) {
        self.number(number.map_or(0, |number| 1 + zigzag(number.into())));
    }

    /// A float, bit by bit. Numbers of few digits end in zero bits, which are turned to where they cost nothing.
    pub(super) fn float(&mut self, number: f64) {
        self.number(number.to_bits().reverse_bits().into());
    }

    /// A moment, to the nanosecond.
    pub(super) fn time(&mut self, time: Timestamp) {
        self.signed(time.as_nanosecond());
    }

    /// Bytes after their number.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u128);
        self.raw(bytes);
    }

    /// A text, or as much of it as fits into so many bytes.
    pub(super) fn text(&mut self, text: &str, most: usize) {
        if text.len() <= most {
            return self.bytes(text.as_bytes());
        }
        let kept = cut(text, most.saturating_sub(CUT.len()));
        self.number((kept.len() + CUT.len()) as u128);
        self.raw(kept.as_bytes());
        self.raw(CUT.as_bytes());
    }
}

/// Numbers near zero on either side become small ones.
fn zigzag(number: i128) -> u128 {
    ((number << 1) ^ (number >> 127)).cast_unsigned()
}

fn zagzig(number: u128) -> i128 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// Reads what a `Writer` wrote; `None` where it does not go on as it should.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Begins with the first byte.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn number(&mut self) -> Option<u128> {
        let mut number = 0;
        for shift in (0..u128::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn signed(&mut self) -> Option<i128> {
        self.number().map(zagzig)
    }

    /// A number of replicas.
    pub(super) fn count(&mut self) -> Option<i32> {
        i32::try_from(self.signed()?).ok()
    }

    #[expect(
        clippy::option_option,
        reason = "the outer one says whether there are bytes for the inner one"
    )]
    pub(super) fn optional(&mut self) -> Option<Option<i32>> {
        match self.number()?.checked_sub(1) {
            None => Some(None),
            Some(number) => i32::try_from(zagzig(number)).ok().map(Some),
        }
    }

    pub(super) fn float(&mut self) -> Option<f64> {
        let bits = u64::try_from(self.number()?).ok()?;
        Some(f64::from_bits(bits.reverse_bits()))
    }

    pub(super) fn time(&mut self) -> Option<Timestamp> {
        Timestamp::from_nanosecond(self.signed()?).ok()
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.bytes()?).ok()
    }
}
