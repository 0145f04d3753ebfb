//! `%` escapes, as names stand in URLs.

use std::fmt::Write as _;

/// Escapes everything but letters, digits and `-_.~`: fit for a part of a path and for a query.
pub(crate) fn escaped(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            all.push(char::from(byte));
        } else {
            let _ = write!(all, "%{byte:02X}");
        }
    }
    all
}

/// Go's `url.QueryEscape`.
pub(crate) fn query_escaped(text: &str) -> String {
    escaped(text).replace("%20", "+")
}

/// Undoes escapes; what is none stays as it is.
pub(crate) fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (byte, digit(0), digit(1)) {
            bytes.push((high * 16 + low) as u8);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_escaped_whole() {
        assert_eq!(escaped("a/b c+é%"), "a%2Fb%20c%2B%C3%A9%25");
        assert_eq!(query_escaped("^or.* x"), "%5Eor.%2A+x");
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(unescaped("100%"), "100%");
        assert_eq!(unescaped("%zz%2"), "%zz%2");
        assert_eq!(unescaped("%2f%2F+"), "//+");
    }

    proptest! {
        #[test]
        fn escapes_are_undone(text in ".{0,30}") {
            prop_assert_eq!(unescaped(&escaped(&text)), text);
        }
    }
}
