//! How the text of a setting becomes a value, type by type.
//!
//! Upstream parses everything but text, flags, lists and durations as JSON (`setValue` in `typed_config.go`): an
//! integer is `5`, never `+5`, `05`, `5.0` or `0x5`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Secret;

/// What the text of a setting is parsed as; printed in the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// `true` or `false` in one of Go's spellings.
    Flag,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A length of time.
    Duration,
    /// One of a few words.
    OneOf(&'static [&'static str]),
    /// Texts between commas.
    List,
    /// Words between commas, each one of a few.
    ListOf(&'static [&'static str]),
    /// Whole numbers and ranges between commas.
    Integers,
    /// `key=value` pairs between commas.
    Map,
    /// Pairs in the encoding of a URL's query.
    UrlQuery,
}

/// A type that a setting can have.
pub trait Value: Sized {
    /// What its text is parsed as.
    const KIND: Kind;
    /// Whether it has a value for an absent setting.
    const OPTIONAL: bool = false;
    /// Whether it is a credential, which is never quoted in a message.
    const SECRET: bool = false;

    /// Parses a trimmed text that is not empty. The error says what the text must be, in the manner of "must be …".
    fn parse(text: &str) -> Result<Self, String>;

    /// The value of an absent setting.
    fn absent() -> Option<Self> {
        None
    }

    /// Parses the elements between commas.
    fn parse_list(text: &str) -> Result<Vec<Self>, String> {
        text.split(',')
            .map(|element| Self::parse(element.trim()))
            .collect()
    }

    /// What a list of these is documented as.
    const LIST_KIND: Kind = Kind::List;

    /// Whether the value is zero, which counts as absent for a target.
    fn is_zero(&self) -> bool {
        false
    }
}

impl Value for String {
    const KIND: Kind = Kind::Text;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Value for bool {
    const KIND: Kind = Kind::Flag;

    /// Go's `strconv.ParseBool`.
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
            _ => Err("must be `true` or `false`".to_owned()),
        }
    }
}

impl Value for i64 {
    const KIND: Kind = Kind::Integer;
    const LIST_KIND: Kind = Kind::Integers;

    fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|_| match text.parse::<i128>() {
            Ok(_) if !text.starts_with('+') => format!("must be between {} and {}", i64::MIN, i64::MAX),
            _ => "must be a whole number".to_owned(),
        })
    }

    /// Also reads `a-b` as every number from `a` to `b`; a reversed range is empty.
    fn parse_list(text: &str) -> Result<Vec<Self>, String> {
        // DEVIATION: upstream has no limit.
        let mut all = Vec::new();
        for element in text.split(',').map(str::trim) {
            match element.split_once('-').filter(|(low, _)| !low.is_empty()) {
                Some((low, high)) => {
                    let (low, high) = (Self::parse(low.trim())?, Self::parse(high.trim())?);
                    if !fits(all.len(), low, high) {
                        return Err(format!("must not hold more than {MOST_NUMBERS} numbers"));
                    }
                    all.extend(low..=high);
                }
                None => all.push(Self::parse(element)?),
            }
        }
        Ok(all)
    }

    fn is_zero(&self) -> bool {
        *self == 0
    }
}

/// More numbers than any list of partitions holds. What is larger is a slip, and a few letters of ranges would cost all the
/// memory there is.
pub(crate) const MOST_NUMBERS: usize = 100_000;

/// Whether a range still fits into a list of numbers.
pub(crate) fn fits(already: usize, low: i64, high: i64) -> bool {
    let size = usize::try_from(high.saturating_sub(low).saturating_add(1)).unwrap_or_default();
    already.saturating_add(size) <= MOST_NUMBERS
}

impl Value for f64 {
    const KIND: Kind = Kind::Number;

    fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|_| "must be a number".to_owned())
    }

    fn is_zero(&self) -> bool {
        *self == 0.0
    }
}

impl Value for Duration {
    const KIND: Kind = Kind::Duration;

    fn parse(text: &str) -> Result<Self, String> {
        parse_duration(text)
    }
}

/// Pairs in the encoding of a URL's query, such as `audience=api&tier=2`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UrlQuery(pub Vec<(String, String)>);

impl Value for UrlQuery {
    const KIND: Kind = Kind::UrlQuery;

    /// Go's `url.ParseQuery`: a semicolon and a broken escape are refused.
    fn parse(text: &str) -> Result<Self, String> {
        let mut pairs = Vec::new();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            if part.contains(';') {
                return Err("must separate its pairs with `&`, not `;`".to_owned());
            }
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            pairs.push((unescape(key)?, unescape(value)?));
        }
        Ok(Self(pairs))
    }
}

impl Value for BTreeMap<String, String> {
    const KIND: Kind = Kind::Map;

    fn parse(text: &str) -> Result<Self, String> {
        let pair = |part: &str| {
            let (key, value) = part.split_once('=')?;
            Some((key.trim().to_owned(), value.trim().to_owned()))
        };
        let pairs: Option<Self> = text.split(',').map(pair).collect();
        pairs.ok_or_else(|| "must be `key=value` pairs between commas".to_owned())
    }
}

impl<T: Value> Value for Vec<T> {
    const KIND: Kind = T::LIST_KIND;
    const SECRET: bool = T::SECRET;

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Ok(Self::new())
        } else {
            T::parse_list(text)
        }
    }
}

impl<T: Value> Value for Option<T> {
    const KIND: Kind = T::KIND;
    const OPTIONAL: bool = true;
    const SECRET: bool = T::SECRET;

    fn parse(text: &str) -> Result<Self, String> {
        T::parse(text).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Value> Value for Secret<T> {
    const KIND: Kind = T::KIND;
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        T::parse(text).map(Self::new)
    }
}

/// Declares an enumeration of the words that a setting understands, and how they are spelt.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $crate::metadata::Value for $name {
            const KIND: $crate::metadata::Kind = $crate::metadata::Kind::OneOf(&[$($text),+]);
            const LIST_KIND: $crate::metadata::Kind = $crate::metadata::Kind::ListOf(&[$($text),+]);

            fn parse(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(concat!("must be one of" $(, " `", $text, "`")+).to_owned()),
                }
            }
        }
    };
}
pub(crate) use word;

/// Go's `time.ParseDuration`, or a whole number of milliseconds; never negative.
fn parse_duration(text: &str) -> Result<Duration, String> {
    const RULE: &str = "must be a duration such as `1m30s`, or a whole number of milliseconds";
    if let Ok(milliseconds) = text.parse::<i64>() {
        return u64::try_from(milliseconds)
            .map(Duration::from_millis)
            .map_err(|_| "must not be negative".to_owned());
    }
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut nanoseconds = 0_f64;
    if rest.is_empty() {
        return Err(RULE.to_owned());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(|| RULE.to_owned())?;
        let number: f64 = rest[..digits].parse().map_err(|_| RULE.to_owned())?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return Err(RULE.to_owned()),
        };
        nanoseconds += number * unit;
        rest = &rest[letters..];
    }
    if nanoseconds > i64::MAX as f64 {
        return Err("must be shorter than 292 years".to_owned());
    }
    if negative && nanoseconds > 0.0 {
        return Err("must not be negative".to_owned());
    }
    Ok(Duration::from_nanos(nanoseconds as u64))
}

/// Undoes the escapes of a URL's query.
fn unescape(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err("must not hold a broken `%` escape".to_owned());
                };
                bytes.push((high * 16 + low) as u8);
            }
            other => bytes.push(other),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads<T: Value + PartialEq + std::fmt::Debug>(text: &str, wanted: &T) {
        assert_eq!(T::parse(text).as_ref(), Ok(wanted), "{text}");
    }

    #[track_caller]
    fn refuses<T: Value + std::fmt::Debug>(texts: &[&str]) {
        for text in texts {
            T::parse(text).expect_err(text);
        }
    }

    #[test]
    fn numbers_are_json_numbers() {
        reads("-5", &-5_i64);
        reads("9223372036854775807", &i64::MAX);
        refuses::<i64>(&[
            "+1",
            "010",
            "0x1",
            "1.5",
            "1e3",
            "",
            "null",
            "many",
            "9223372036854775808",
        ]);
        reads("1.5", &1.5_f64);
        reads("1e3", &1000.0_f64);
        refuses::<f64>(&["+1", ".5", "1.", "NaN", "null", "\"1\""]);
    }

    #[test]
    fn flags_are_spelt_as_in_go() {
        reads("True", &true);
        reads("0", &false);
        refuses::<bool>(&["yes", "on", "tRUE"]);
    }

    #[test]
    fn durations_are_go_durations_or_milliseconds() {
        reads("2500", &Duration::from_millis(2500));
        reads("1h2m3s4ms", &Duration::from_millis(3_723_004));
        reads("1.5s", &Duration::from_millis(1500));
        reads("0", &Duration::ZERO);
        refuses::<Duration>(&["-1", "-3s", "3 s", "3x", "s", "1.2", ".s", "9999999999h"]);
    }

    #[test]
    fn lists_and_maps_are_split_and_trimmed() {
        reads("a, b ,c", &vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]);
        reads("1,3-5,9-3", &vec![1_i64, 3, 4, 5]);
        reads("-1,2", &vec![-1_i64, 2]);
        refuses::<Vec<i64>>(&["1,", "5-", "a-b", "0-9999999999"]);
        // Many ranges are as many numbers as one large one.
        refuses::<Vec<i64>>(&["0-60000,5-60000", "0-100000"]);
        assert_eq!(
            Vec::<i64>::parse("1-50000,1-50000").map(|all| all.len()),
            Ok(100_000)
        );
        reads(
            "a=1, b=2=3",
            &BTreeMap::from([("a".into(), "1".into()), ("b".into(), "2=3".into())]),
        );
        refuses::<BTreeMap<String, String>>(&["a", "a=1,"]);
    }

    #[test]
    fn queries_are_unescaped() {
        reads(
            "a=1&b=x%20y+z",
            &UrlQuery(vec![("a".into(), "1".into()), ("b".into(), "x y z".into())]),
        );
        refuses::<UrlQuery>(&["a=%2", "a=%zz", "a;b"]);
    }
}
