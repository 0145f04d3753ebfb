//! How deep the tables of a frame are. lapin reads a table in a table by calling itself, on a thread of its own: as many
//! of them as fit into a frame would take more stack than that has, which ends the process.

/// Tables in tables, at most. RabbitMQ's own go two deep, and the history of a dead letter three.
const DEEPEST: usize = 32;

/// Frames that may hold tables.
const METHOD: u8 = 1;
const HEADER: u8 = 2;

/// Methods with tables that only clients send, by class and number; lapin would read them all the same.
const OF_CLIENTS: [(u16, u16); 8] = [
    (10, 11),
    (40, 10),
    (40, 30),
    (40, 40),
    (50, 10),
    (50, 20),
    (50, 50),
    (60, 20),
];

/// Whether a frame has to be looked at.
pub(super) fn matters(kind: u8) -> bool {
    matches!(kind, METHOD | HEADER)
}

/// What is wrong with the payload of a frame, as far as tables are concerned.
pub(super) fn check(kind: u8, payload: &[u8]) -> Result<(), &'static str> {
    let mut bytes = Bytes(payload);
    let table = match kind {
        METHOD => match (bytes.number(), bytes.number()) {
            (Some(class), Some(method)) if OF_CLIENTS.contains(&(class, method)) => {
                return Err("it sent what only clients send");
            }
            // `Connection.Start`, with the version before the table.
            (Some(10), Some(10)) => bytes.skip(2),
            _ => None,
        },
        // Class, weight and size; then a flag each for the kind of content, its encoding, and the table.
        HEADER => bytes.skip(12).and_then(|()| bytes.properties()),
        _ => None,
    };
    // What ends too early, or is no table, lapin refuses by itself.
    match table {
        Some(()) if bytes.depth().is_none_or(|depth| depth <= DEEPEST) => Ok(()),
        Some(()) => Err("it sent tables in tables without end"),
        None => Ok(()),
    }
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from(self.byte()?) << 8 | u16::from(self.byte()?))
    }

    fn length(&mut self) -> Option<usize> {
        Some(usize::from(self.number()?) << 16 | usize::from(self.number()?))
    }

    fn short_text(&mut self) -> Option<()> {
        let length = self.byte()?;
        self.skip(usize::from(length))
    }

    /// Goes to the table of a message's properties, if there is one.
    fn properties(&mut self) -> Option<()> {
        let flags = self.number()?;
        for flag in [1 << 15, 1 << 14] {
            if flags & flag != 0 {
                self.short_text()?;
            }
        }
        (flags & 1 << 13 != 0).then_some(())
    }

    /// How deep the table that begins here is, counted no further than what is too deep; `None` where it is none.
    fn depth(&mut self) -> Option<usize> {
        // Where the tables and lists end that are open, as bytes that are left then, and whether each has names.
        let mut open = Vec::new();
        let mut deepest = 0;
        let mut begins = Some(true);
        loop {
            if let Some(named) = begins.take() {
                let length = self.length()?;
                open.push((self.0.len().checked_sub(length)?, named));
                deepest = deepest.max(open.len());
                if deepest > DEEPEST {
                    return Some(deepest);
                }
            }
            let Some((end, named)) = open.last().copied() else {
                return Some(deepest);
            };
            if self.0.len() <= end {
                open.pop();
                continue;
            }
            if named {
                self.short_text()?;
            }
            match self.byte()? {
                b'F' => begins = Some(true),
                b'A' => begins = Some(false),
                b'S' | b'x' => {
                    let length = self.length()?;
                    self.skip(length)?;
                }
                b'V' => {}
                b't' | b'b' | b'B' => self.skip(1)?,
                b's' | b'U' | b'u' => self.skip(2)?,
                b'I' | b'i' | b'f' => self.skip(4)?,
                b'D' => self.skip(5)?,
                b'L' | b'l' | b'd' | b'T' => self.skip(8)?,
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A table of tables of tables, or of lists of lists, so many deep.
    fn nested(depth: usize, kind: u8) -> Vec<u8> {
        let mut inner = vec![0, 0, 0, 0];
        for level in 2..=depth {
            // A name of no letters stands before each value of a table, and a table is what is outermost.
            let name = (kind == b'F' || level == depth).then_some(0);
            let content: Vec<u8> = name.into_iter().chain([kind]).chain(inner).collect();
            inner = (content.len() as u32).to_be_bytes().to_vec();
            inner.extend(content);
        }
        inner
    }

    fn start(table: &[u8]) -> Vec<u8> {
        [&[0, 10, 0, 10, 0, 9], table].concat()
    }

    fn header(flags: u16, texts: &[u8], table: &[u8]) -> Vec<u8> {
        let mut payload = vec![0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        payload.extend(flags.to_be_bytes());
        payload.extend(texts);
        payload.extend(table);
        payload
    }

    #[test]
    fn tables_are_as_deep_as_that_and_no_deeper() {
        let endless = Err("it sent tables in tables without end");
        for kind in *b"FA" {
            for (depth, want) in [
                (1, Ok(())),
                (DEEPEST, Ok(())),
                (DEEPEST + 1, endless),
                (1300, endless),
            ] {
                let table = nested(depth, kind);
                assert_eq!(check(METHOD, &start(&table)), want, "{depth}");
                assert_eq!(check(HEADER, &header(1 << 13, &[], &table)), want, "{depth}");
                let behind = header(0b111 << 13, b"\x01a\x02bc", &table);
                assert_eq!(check(HEADER, &behind), want, "{depth}");
            }
        }
        assert_eq!(check(HEADER, &header(0, &[], &nested(1300, b'F'))), Ok(()));
    }

    #[test]
    fn values_are_passed_over() {
        let mut table = Vec::new();
        for (kind, size) in [
            (b't', 1),
            (b'B', 1),
            (b's', 2),
            (b'I', 4),
            (b'D', 5),
            (b'l', 8),
            (b'T', 8),
            (b'V', 0),
        ] {
            table.extend([1, b'k', kind]);
            table.extend(vec![b'F'; size]);
        }
        table.extend(b"\x01kS\0\0\0\x02FF\x01kF");
        table.extend(nested(DEEPEST, b'F'));
        let mut whole = (table.len() as u32).to_be_bytes().to_vec();
        whole.extend(table);
        let endless = Err("it sent tables in tables without end");
        assert_eq!(check(METHOD, &start(&whole)), endless);
    }

    #[test]
    fn what_only_clients_send_is_refused() {
        let declare = [0, 50, 0, 10, 0, 0, 1, b'q', 0, 0, 0, 0, 0];
        assert_eq!(check(METHOD, &declare), Err("it sent what only clients send"));
    }

    proptest! {
        #[test]
        fn no_payload_panics(kind in 0..4_u8, payload in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = check(kind, &payload);
            let _ = check(METHOD, &start(&payload));
            let _ = check(HEADER, &header(1 << 13, &[], &payload));
        }
    }
}
