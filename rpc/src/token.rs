//! The token that a caller of the debug API shows.

use std::fmt;

use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

/// Audience that tokens of the debug API are bound to, so that they are worthless elsewhere.
pub const AUDIENCE: &str = "keda-debug";

/// A bearer token; prints redacted.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Token(String);

impl Token {
    /// Wraps a token; `None` when it is empty or has characters that no header can carry.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        (printable && !text.is_empty()).then_some(Self(text))
    }

    /// The token of a call, from `authorization: Bearer TOKEN`.
    pub fn of_call(metadata: &MetadataMap) -> Option<Self> {
        Self::of_header(metadata.get("authorization")?.to_str().ok()?)
    }

    /// The token in the value of an `Authorization` header.
    pub fn of_header(value: &str) -> Option<Self> {
        let (scheme, token) = value.trim().split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") {
            Self::new(token.trim())
        } else {
            None
        }
    }

    /// The token itself, to be reviewed or sent.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The value of the `authorization` entry that shows this token.
    pub fn to_metadata(&self) -> MetadataValue<Ascii> {
        let mut value =
            MetadataValue::try_from(format!("Bearer {}", self.0)).expect("a token is printable ASCII");
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, token: Option<&str>) {
        assert_eq!(
            Token::of_header(header).as_ref().map(Token::expose),
            token,
            "{header:?}"
        );
    }

    #[test]
    fn reads_bearer_tokens_only() {
        check("Bearer abc.def", Some("abc.def"));
        check("bearer  abc", Some("abc"));
        check("Basic abc", None);
        check("Bearer ", None);
        check("Bearer", None);
        check("Bearer a\u{e9}", None);
        check("Bearer a b", None);
    }

    #[test]
    fn travels_and_prints_redacted() {
        let token = Token::new("abc").expect("printable");
        let mut metadata = MetadataMap::new();
        metadata.insert("authorization", token.to_metadata());
        assert_eq!(Token::of_call(&metadata), Some(token.clone()));
        assert_eq!(format!("{token:?} {metadata:?}").matches("abc").count(), 0);
    }
}
