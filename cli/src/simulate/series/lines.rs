//! The lines of a text, of which only one is held at a time.

use std::io::{BufRead, BufReader, Read};

use super::wrong;
use crate::exit::{self, Failure};

/// The longest line that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// What some programs put before a text, to say that it is UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// Reads a text line by line.
pub(super) struct Lines {
    /// What the text is called in messages.
    pub(super) name: String,
    input: BufReader<Box<dyn Read>>,
    number: u64,
    held: Vec<u8>,
}

impl Lines {
    pub(super) fn new(name: &str, input: Box<dyn Read>) -> Self {
        Self {
            name: name.to_owned(),
            input: BufReader::with_capacity(64 << 10, input),
            number: 0,
            held: Vec::new(),
        }
    }

    /// The next line that is not blank, without blanks around it, and its number.
    pub(super) fn next_line(&mut self) -> Result<Option<(u64, &str)>, Failure> {
        loop {
            self.held.clear();
            let mut input = (&mut self.input).take(LONGEST);
            let read = input.read_until(b'\n', &mut self.held);
            let read = read.map_err(|error| {
                Failure::new(exit::USAGE, format!("cannot read {}", self.name)).because(error)
            })?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.number == 1 && self.held.starts_with(MARK) {
                self.held.drain(..MARK.len());
            }
            if self.held.len() as u64 >= LONGEST {
                return Err(wrong(
                    &self.name,
                    self.number,
                    None,
                    "it is longer than a megabyte",
                ));
            }
            if !self.held.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        let text = std::str::from_utf8(&self.held)
            .map_err(|_| wrong(&self.name, self.number, None, "it is not UTF-8"))?;
        let text = text.trim();
        if text.contains('\r') {
            let message = "a carriage return stands inside it";
            return Err(wrong(&self.name, self.number, None, message).help("lines must end in LF or CRLF"));
        }
        Ok(Some((self.number, text)))
    }
}
