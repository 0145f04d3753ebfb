//! Finds out whether a text is a label selector, so that a slip is found before the API server is asked.
//!
//! Upstream: `labels.Parse` of `k8s.io/apimachinery`.

/// The signs that stand for themselves.
const SIGNS: &[&str] = &["==", "!=", "=", "!", ",", "(", ")", "<", ">"];
/// The longest name, and the longest value.
const LONGEST: usize = 63;
/// The longest prefix of a name.
const LONGEST_PREFIX: usize = 253;

/// A text cut into words and signs.
struct Tokens<'a>(&'a str);

/// Says what is wrong with a selector.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut tokens = Tokens(text);
    loop {
        requirement(&mut tokens)?;
        match tokens.take() {
            "" => return Ok(()),
            "," => {}
            other => return Err(format!("`{other}` where `,` or the end is due")),
        }
    }
}

fn requirement(tokens: &mut Tokens<'_>) -> Result<(), String> {
    let absent = tokens.peek() == "!";
    if absent {
        tokens.take();
    }
    key(tokens.take())?;
    if absent {
        return Ok(());
    }
    match tokens.peek() {
        "" | "," => Ok(()),
        "=" | "==" | "!=" => {
            tokens.take();
            // An empty value is a value.
            if matches!(tokens.peek(), "" | ",") {
                return Ok(());
            }
            value(tokens.take())
        }
        "<" | ">" => {
            tokens.take();
            let bound = tokens.take();
            bound
                .parse::<i64>()
                .map(drop)
                .map_err(|_| format!("`{bound}` where a whole number is due"))
        }
        "in" | "notin" => {
            tokens.take();
            values(tokens)
        }
        other => Err(format!("`{other}` where an operator is due")),
    }
}

/// The values between brackets; empty ones count.
fn values(tokens: &mut Tokens<'_>) -> Result<(), String> {
    if tokens.take() != "(" {
        return Err("`(` is due after `in` and `notin`".to_owned());
    }
    loop {
        if !matches!(tokens.peek(), "," | ")") {
            value(tokens.take())?;
        }
        match tokens.take() {
            "," => {}
            ")" => return Ok(()),
            _ => return Err("a `)` is missing".to_owned()),
        }
    }
}

impl<'a> Tokens<'a> {
    fn peek(&self) -> &'a str {
        let rest = self.0.trim_start();
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            return &rest[..sign.len()];
        }
        let ends = |letter: char| letter.is_whitespace() || "=!,()<>".contains(letter);
        &rest[..rest.find(ends).unwrap_or(rest.len())]
    }

    /// The next word or sign; empty at the end.
    fn take(&mut self) -> &'a str {
        let token = self.peek();
        self.0 = &self.0.trim_start()[token.len()..];
        token
    }
}

/// A name with or without a prefix that is a domain.
fn key(text: &str) -> Result<(), String> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    let domain = |prefix: &str| {
        let label = |label: &str| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && framed(label)
        };
        prefix.len() <= LONGEST_PREFIX && prefix.split('.').all(label)
    };
    if name.is_empty() || !plain(name) || prefix.is_some_and(|prefix| !domain(prefix)) {
        return Err(format!("`{text}` where the key of a label is due"));
    }
    Ok(())
}

fn value(text: &str) -> Result<(), String> {
    if plain(text) && !text.is_empty() {
        return Ok(());
    }
    Err(format!("`{text}` where the value of a label is due"))
}

/// Letters, digits, `-`, `_` and `.`, with a letter or a digit at either end.
fn plain(text: &str) -> bool {
    text.len() <= LONGEST
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && framed(text)
}

fn framed(text: &str) -> bool {
    let end = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    end(text.as_bytes().first()) && end(text.as_bytes().last())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equality_and_set_forms_are_read() {
        for text in [
            "app=shop",
            "app==shop , tier!=db",
            "app",
            "!legacy",
            "tier in (web, api),app notin (x)",
            "tier in (,web)",
            "tier in ()",
            "app=",
            "app=,tier",
            "cpus > 4,cpus<8",
            "shop.example.org/part=north-1",
            "in in (in)",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, wrong) in [
            ("app=shop,", "`` where the key of a label is due"),
            ("app shop", "`shop` where an operator is due"),
            ("=shop", "`=` where the key of a label is due"),
            ("app=sh/op", "`sh/op` where the value of a label is due"),
            ("app=-x", "`-x` where the value of a label is due"),
            (
                "Example.org/app",
                "`Example.org/app` where the key of a label is due",
            ),
            ("a/b/c", "`a/b/c` where the key of a label is due"),
            ("tier in web", "`(` is due after `in` and `notin`"),
            ("tier in (web", "a `)` is missing"),
            ("cpus > many", "`many` where a whole number is due"),
            ("!a=b", "`=` where `,` or the end is due"),
        ] {
            assert_eq!(check(text), Err(wrong.to_owned()), "{text}");
        }
        check(&"a".repeat(64)).expect_err("a long name");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}", signs in "[a-z!=<>(), ./-]{0,40}") {
            let _ = (check(&text), check(&signs));
        }
    }
}
