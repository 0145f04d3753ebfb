//! Bytes from a broker: how a stream is cut into frames, and how the primitives of Kafka's protocol are read.
//!
//! Nothing here trusts a broker: no number that it sends is ever allocated before that many bytes have arrived.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest reply that is read. The offsets of a million partitions fit into it.
pub(super) const LONGEST: usize = 64 << 20;
/// Bytes of the length before each frame.
const LENGTH: usize = 4;
/// How much room is made for the next bytes.
const CHUNK: usize = 16 << 10;

/// Bytes that are no reply of Kafka.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// The reply ended in the middle of something.
    #[error("a reply that ends too early")]
    Truncated,
    /// The length before a frame is none.
    #[error("a reply of {0} bytes")]
    Length(i32),
    /// The bytes are an alert of TLS.
    #[error("an alert of TLS, so the port wants TLS")]
    Tls,
    /// A text that is no text, or a number that is no count.
    #[error("a reply with {0}")]
    Value(&'static str),
    /// The reply belongs to another request.
    #[error("a reply to a request that was not made")]
    Correlation,
}

/// Takes the first frame off the buffer; `None` while it has not arrived wholly.
pub(super) fn split(buffer: &mut BytesMut) -> Result<Option<Bytes>, Malformed> {
    let Some((head, _)) = buffer.split_first_chunk::<LENGTH>() else {
        return Ok(None);
    };
    if head[0] == 0x15 && head[1] == 0x03 {
        return Err(Malformed::Tls);
    }
    let length = i32::from_be_bytes(*head);
    let size = usize::try_from(length)
        .ok()
        .filter(|size| (LENGTH..=LONGEST).contains(size));
    let size = size.ok_or(Malformed::Length(length))?;
    if buffer.len() < LENGTH + size {
        return Ok(None);
    }
    buffer.advance(LENGTH);
    Ok(Some(buffer.split_to(size).freeze()))
}

/// Cuts a stream into frames. Waiting for the next frame may be given up and taken up again.
pub(super) struct Frames<R> {
    stream: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(super) fn new(stream: R) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
        }
    }

    /// The next frame.
    pub(super) async fn next(&mut self) -> io::Result<Bytes> {
        loop {
            let found = split(&mut self.buffer);
            if let Some(frame) = found.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))? {
                return Ok(frame);
            }
            self.buffer.reserve(CHUNK);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                let text = "the broker closed the connection";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
            }
        }
    }
}

/// Reads one reply. From some version on, an API is flexible: lengths are variable, and fields may be added.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    bytes: Bytes,
    flexible: bool,
}

impl Reader {
    pub(super) fn new(bytes: Bytes, flexible: bool) -> Self {
        Self { bytes, flexible }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let head = self.bytes.first_chunk::<N>().ok_or(Malformed::Truncated)?;
        let head = *head;
        self.bytes.advance(N);
        Ok(head)
    }

    pub(super) fn skip(&mut self, count: usize) -> Result<(), Malformed> {
        if self.bytes.len() < count {
            return Err(Malformed::Truncated);
        }
        self.bytes.advance(count);
        Ok(())
    }

    /// A flag.
    pub(super) fn flag(&mut self) -> Result<bool, Malformed> {
        self.array::<1>().map(|byte| byte != [0])
    }

    pub(super) fn i16(&mut self) -> Result<i16, Malformed> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_be_bytes)
    }

    fn unsigned(&mut self) -> Result<u32, Malformed> {
        let mut value = 0_u64;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value).map_err(|_| Malformed::Value("a length that is none"));
            }
        }
        Err(Malformed::Value("a length that is none"))
    }

    /// A length as it stands before texts; `None` is written for an absent one.
    fn length(&mut self) -> Result<Option<usize>, Malformed> {
        if self.flexible {
            return Ok(self.unsigned()?.checked_sub(1).map(|length| length as usize));
        }
        match self.i16()? {
            -1 => Ok(None),
            length => usize::try_from(length)
                .map(Some)
                .map_err(|_| Malformed::Value("a length that is none")),
        }
    }

    /// A number of elements; `None` is written for an absent list.
    fn count(&mut self) -> Result<Option<usize>, Malformed> {
        if self.flexible {
            return Ok(self.unsigned()?.checked_sub(1).map(|count| count as usize));
        }
        match self.i32()? {
            -1 => Ok(None),
            count => usize::try_from(count)
                .map(Some)
                .map_err(|_| Malformed::Value("a count that is none")),
        }
    }

    fn slice(&mut self, length: usize) -> Result<Bytes, Malformed> {
        if self.bytes.len() < length {
            return Err(Malformed::Truncated);
        }
        Ok(self.bytes.split_to(length))
    }

    /// A text that may be absent.
    pub(super) fn text_or_none(&mut self) -> Result<Option<String>, Malformed> {
        let Some(length) = self.length()? else {
            return Ok(None);
        };
        let bytes = self.slice(length)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Malformed::Value("a text that is none"))?;
        Ok(Some(text.to_owned()))
    }

    /// A text.
    pub(super) fn text(&mut self) -> Result<String, Malformed> {
        let absent = Malformed::Value("no text where there must be one");
        self.text_or_none()?.ok_or(absent)
    }

    /// Bytes; their length is written as that of a list.
    pub(super) fn blob(&mut self) -> Result<Bytes, Malformed> {
        let length = self.count()?.unwrap_or_default();
        self.slice(length)
    }

    /// A list. Each element takes at least a byte, so its count is bounded by what has arrived.
    pub(super) fn list<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.count()?.unwrap_or_default();
        if count > self.bytes.len() {
            return Err(Malformed::Truncated);
        }
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(element(self)?);
        }
        Ok(all)
    }

    /// Passes over a list of 32-bit numbers.
    pub(super) fn skip_numbers(&mut self) -> Result<(), Malformed> {
        let count = self.count()?.unwrap_or_default();
        self.skip(count.checked_mul(4).ok_or(Malformed::Truncated)?)
    }

    /// Passes over the fields that later versions may add to the end of anything flexible.
    pub(super) fn end(&mut self) -> Result<(), Malformed> {
        if self.flexible {
            for _ in 0..self.unsigned()? {
                self.unsigned()?;
                let length = self.unsigned()?;
                self.skip(length as usize)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(bodies: &[Vec<u8>]) -> Vec<u8> {
        let mut all = Vec::new();
        for body in bodies {
            all.extend_from_slice(&(i32::try_from(body.len()).expect("short")).to_be_bytes());
            all.extend_from_slice(body);
        }
        all
    }

    #[track_caller]
    fn refused(head: [u8; 4], wanted: &Malformed) {
        assert_eq!(split(&mut BytesMut::from(&head[..])).as_ref(), Err(wanted));
    }

    #[test]
    fn lengths_that_are_none_are_refused_at_once() {
        refused([0xff; 4], &Malformed::Length(-1));
        refused([0, 0, 0, 3], &Malformed::Length(3));
        refused([0x7f, 0xff, 0xff, 0xff], &Malformed::Length(i32::MAX));
        refused(*b"HTTP", &Malformed::Length(0x4854_5450));
        refused([0x15, 3, 3, 0], &Malformed::Tls);
    }

    #[test]
    fn a_list_is_not_allocated_before_it_has_arrived() {
        let mut reader = Reader::new(Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff, 0, 1]), false);
        assert_eq!(reader.list(Reader::i16), Err(Malformed::Truncated));
        let mut reader = Reader::new(Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x0f]), true);
        assert_eq!(reader.list(Reader::i16), Err(Malformed::Truncated));
        let mut reader = Reader::new(Bytes::from_static(&[0xff; 6]), true);
        assert_eq!(reader.end(), Err(Malformed::Value("a length that is none")));
    }

    #[tokio::test]
    async fn an_early_end_of_the_stream_is_said() {
        let whole = framed(&[vec![7; 9]]);
        let mut frames = Frames::new(&whole[..12]);
        let error = frames.next().await.expect_err("one byte is missing");
        assert_eq!(error.to_string(), "the broker closed the connection");
    }

    proptest! {
        /// However a stream is cut up on its way, the frames are the same.
        #[test]
        fn frames_come_out_as_they_went_in(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 4..80), 0..6),
            step in 1..40_usize,
        ) {
            let stream = framed(&bodies);
            let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
            for piece in stream.chunks(step) {
                buffer.extend_from_slice(piece);
                while let Some(frame) = split(&mut buffer).expect("right lengths") {
                    found.push(frame.to_vec());
                }
            }
            prop_assert_eq!(found, bodies);
            prop_assert!(buffer.is_empty());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), flexible in any::<bool>()) {
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = split(&mut buffer) {}
            let reader = || Reader::new(Bytes::from(bytes.clone()), flexible);
            let _ = (reader().text_or_none(), reader().blob(), reader().end(), reader().skip_numbers());
            if let Ok(texts) = reader().list(Reader::text) {
                prop_assert!(texts.iter().map(String::len).sum::<usize>() <= bytes.len());
            }
        }
    }
}
