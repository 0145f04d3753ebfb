//! Packets of the MySQL protocol, and how values lie in them. Whatever the server sends, reading ends in a value or an
//! error: a packet has a limit, and nothing is taken that is not there.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest packet that is read: far more than a number, a name or a message takes.
const LONGEST: usize = 1 << 20;

/// The longest packet that the protocol sends in one piece.
const PIECE: usize = 0xff_ffff;

/// A connection that reads and writes packets.
pub(super) struct Wire<S> {
    pub(super) stream: S,
    /// The number of the next packet.
    pub(super) sequence: u8,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S, sequence: u8) -> Self {
        Self { stream, sequence }
    }

    /// The next packet.
    pub(super) async fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut header = [0_u8; 4];
        self.stream.read_exact(&mut header).await?;
        let [a, b, c, sequence] = header;
        let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
        if length > LONGEST {
            return Err(garbled("sent a packet that is too long"));
        }
        if sequence != self.sequence {
            return Err(garbled("sent a packet out of order"));
        }
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = vec![0; length];
        self.stream.read_exact(&mut packet).await?;
        Ok(packet)
    }

    /// Sends a packet.
    pub(super) async fn write(&mut self, packet: &[u8]) -> io::Result<()> {
        if packet.len() >= PIECE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the statement is too long",
            ));
        }
        let mut framed = Vec::with_capacity(packet.len() + 4);
        framed.extend_from_slice(&(packet.len() as u32).to_le_bytes()[..3]);
        framed.push(self.sequence);
        framed.extend_from_slice(packet);
        self.sequence = self.sequence.wrapping_add(1);
        self.stream.write_all(&framed).await?;
        self.stream.flush().await
    }
}

/// What the server sent is not the protocol.
pub(super) fn garbled(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server {what}"))
}

/// Takes values off the front of a packet.
pub(super) struct Packet<'a>(pub(super) &'a [u8]);

impl<'a> Packet<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let Some((taken, rest)) = self.0.split_at_checked(count) else {
            return Err(garbled("sent a packet that ends too early"));
        };
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> io::Result<u8> {
        Ok(self.number(1)? as u8)
    }

    /// A whole number of some bytes, the lowest first.
    pub(super) fn number(&mut self, bytes: usize) -> io::Result<u64> {
        let taken = self.bytes(bytes)?;
        Ok(taken
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// Text up to a zero byte, or to the end where there is none.
    pub(super) fn text(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == 0);
        let text = &self.0[..end.unwrap_or(self.0.len())];
        self.0 = &self.0[end.map_or(self.0.len(), |end| end + 1)..];
        text
    }

    /// A number whose first byte says how long it is; `None` for NULL.
    pub(super) fn length(&mut self) -> io::Result<Option<u64>> {
        match self.byte()? {
            0xfb => Ok(None),
            0xfc => self.number(2).map(Some),
            0xfd => self.number(3).map(Some),
            0xfe => self.number(8).map(Some),
            0xff => Err(garbled("sent a length that there is not")),
            small => Ok(Some(u64::from(small))),
        }
    }

    /// A value behind its length; `None` for NULL.
    pub(super) fn value(&mut self) -> io::Result<Option<&'a [u8]>> {
        let Some(length) = self.length()? else {
            return Ok(None);
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.bytes(length).map(Some)
    }
}

/// An error that the server reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: u16,
    pub(super) message: String,
}

impl Refusal {
    /// Reads a packet that begins with `0xff`.
    pub(super) fn read(packet: &[u8]) -> io::Result<Self> {
        let mut packet = Packet(packet.get(1..).unwrap_or_default());
        let code = packet.number(2)? as u16;
        let text = match packet.0 {
            // A state of five characters comes first, but for errors before the login.
            [b'#', rest @ ..] if rest.len() >= 5 => &rest[5..],
            other => other,
        };
        Ok(Self {
            code,
            message: String::from_utf8_lossy(text).into_owned(),
        })
    }
}

/// What the server says of itself when a connection begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) mariadb: bool,
    pub(super) capabilities: u32,
    pub(super) nonce: Vec<u8>,
    pub(super) plugin: String,
}

impl Greeting {
    /// Reads a greeting of version 10, the only one since 1998.
    pub(super) fn read(packet: &[u8]) -> io::Result<Self> {
        let mut packet = Packet(packet);
        if packet.byte()? != 10 {
            return Err(garbled("does not speak version 10 of MySQL's protocol"));
        }
        let version = String::from_utf8_lossy(packet.text()).to_lowercase();
        packet.bytes(4)?;
        let mut nonce = packet.bytes(8)?.to_vec();
        packet.bytes(1)?;
        let low = packet.number(2)? as u32;
        packet.bytes(3)?;
        let high = packet.number(2)? as u32;
        packet.bytes(11)?;
        nonce.extend_from_slice(packet.text());
        let plugin = String::from_utf8_lossy(packet.text()).into_owned();
        Ok(Self {
            mariadb: version.contains("mariadb"),
            capabilities: low | high << 16,
            nonce,
            plugin,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A greeting as MariaDB 10.11 sends it.
    fn greeting() -> Vec<u8> {
        let mut packet = vec![10];
        packet.extend_from_slice(b"5.5.5-10.11.19-MariaDB\0");
        packet.extend_from_slice(&[7, 0, 0, 0]);
        packet.extend_from_slice(b"abcdefgh\0");
        packet.extend_from_slice(&[0xfe, 0xf7, 45, 2, 0, 0xff, 0x81, 21]);
        packet.extend_from_slice(&[0; 10]);
        packet.extend_from_slice(b"ijklmnopqrst\0mysql_native_password\0");
        packet
    }

    #[test]
    fn a_greeting_is_read() {
        let read = Greeting::read(&greeting()).expect("a greeting");
        assert_eq!(read.nonce, b"abcdefghijklmnopqrst");
        assert_eq!(
            (read.plugin.as_str(), read.mariadb),
            ("mysql_native_password", true)
        );
        assert_eq!(read.capabilities, 0x81ff_f7fe);
    }

    #[test]
    fn a_greeting_cut_anywhere_is_an_error_or_a_greeting() {
        let whole = greeting();
        for length in 0..whole.len() {
            let read = Greeting::read(&whole[..length]);
            assert!(read.is_err() || length > 43, "{length}: {read:?}");
        }
        Greeting::read(&[9, 0]).expect_err("another version");
    }

    #[test]
    fn lengths_are_read_in_every_size() {
        let length = |bytes: &[u8]| Packet(bytes).length();
        assert_eq!(length(&[250]).expect("a length"), Some(250));
        assert_eq!(length(&[0xfb]).expect("a length"), None);
        assert_eq!(length(&[0xfc, 1, 2]).expect("a length"), Some(0x201));
        assert_eq!(length(&[0xfd, 1, 2, 3]).expect("a length"), Some(0x3_0201));
        assert_eq!(
            length(&[0xfe, 1, 0, 0, 0, 0, 0, 0, 0x80]).expect("a length"),
            Some(0x8000_0000_0000_0001)
        );
        length(&[0xff]).expect_err("no length");
        length(&[0xfd, 1]).expect_err("too short");
        Packet(&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1])
            .value()
            .expect_err("too long");
        assert_eq!(
            Packet(&[2, b'4', b'2']).value().expect("a value"),
            Some(&b"42"[..])
        );
    }

    #[test]
    fn errors_are_read_with_and_without_a_state() {
        let refusal = |bytes: &[u8]| Refusal::read(bytes).map(|refusal| (refusal.code, refusal.message));
        assert_eq!(
            refusal(b"\xff\x15\x04#28000Access denied").expect("an error"),
            (1045, "Access denied".to_owned())
        );
        assert_eq!(
            refusal(b"\xff\x10\x04Too many").expect("an error"),
            (1040, "Too many".to_owned())
        );
        assert_eq!(
            refusal(b"\xff\x10\x04#1").expect("an error"),
            (1040, "#1".to_owned())
        );
        refusal(b"\xff\x10").expect_err("too short");
        refusal(b"").expect_err("too short");
    }

    #[tokio::test]
    async fn packets_have_a_limit_and_an_order() {
        let refused = async |bytes: &'static [u8]| {
            let (mut server, client) = tokio::io::duplex(64);
            server.write_all(bytes).await.expect("room");
            drop(server);
            Wire::new(client, 0)
                .read()
                .await
                .expect_err("refused")
                .to_string()
        };
        assert_eq!(
            refused(b"\xff\xff\xff\x00").await,
            "the server sent a packet that is too long"
        );
        assert_eq!(
            refused(b"\x01\x00\x00\x05x").await,
            "the server sent a packet out of order"
        );
        assert!(refused(b"\x02\x00\x00\x00x").await.contains("eof"));
        assert!(refused(b"\x02\x00").await.contains("eof"));
    }
}
