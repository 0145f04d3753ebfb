//! From text to rule.

use super::{Comparison, Rule, Value};

/// How deep parentheses may be nested.
const DEEPEST: usize = 64;

/// Reads a whole rule.
pub(super) fn rule(text: &str) -> Result<Rule, String> {
    if text.trim().is_empty() {
        return Err("it is empty: a rule is a comparison, as in `flaps <= 4`".to_owned());
    }
    let mut parser = Parser { rest: text, depth: 0 };
    let rule = parser.any()?;
    parser.blanks();
    if !parser.rest.is_empty() {
        return Err(match parser.rest.as_bytes()[0] {
            b'&' => format!("`{}` is not understood: both is `&&`", parser.rest),
            b'|' => format!("`{}` is not understood: either is `||`", parser.rest),
            _ => format!(
                "`{}` comes after its end: join rules by `&&` or `||`",
                parser.rest
            ),
        });
    }
    let mut figures = Vec::new();
    rule.figures(&mut figures);
    if figures.is_empty() {
        return Err("it speaks of no figure of the run, as `flaps <= 4` does".to_owned());
    }
    Ok(rule)
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes a sign if it comes next.
    fn takes(&mut self, sign: &str) -> bool {
        self.blanks();
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expected(&self, what: &str) -> String {
        if self.rest.is_empty() {
            format!("{what} must come at its end")
        } else {
            format!("{what} must come at `{}`", self.rest)
        }
    }

    fn any(&mut self) -> Result<Rule, String> {
        let mut rules = vec![self.all()?];
        while self.takes("||") {
            rules.push(self.all()?);
        }
        Ok(Rule::Any(rules))
    }

    fn all(&mut self) -> Result<Rule, String> {
        let mut rules = vec![self.one()?];
        while self.takes("&&") {
            rules.push(self.one()?);
        }
        Ok(Rule::All(rules))
    }

    fn one(&mut self) -> Result<Rule, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("it is more than {DEEPEST} parentheses deep"));
        }
        let rule = self.inner();
        self.depth -= 1;
        rule
    }

    fn inner(&mut self) -> Result<Rule, String> {
        if self.takes("!") {
            return Ok(Rule::Not(Box::new(self.one()?)));
        }
        if self.takes("(") {
            let rule = self.any()?;
            return if self.takes(")") {
                Ok(rule)
            } else {
                Err(self.expected("`)`"))
            };
        }
        let left = self.value()?;
        let comparison = self.comparison()?;
        Ok(Rule::Compare(left, comparison, self.value()?))
    }

    fn comparison(&mut self) -> Result<Comparison, String> {
        let signs = [
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("==", Comparison::Equal),
            ("!=", Comparison::Unequal),
            ("<", Comparison::Less),
            (">", Comparison::More),
        ];
        for (sign, comparison) in signs {
            if self.takes(sign) {
                return Ok(comparison);
            }
        }
        if self.rest.starts_with('=') {
            return Err(format!("`{}` is not understood: equality is `==`", self.rest));
        }
        Err(self.expected("a comparison such as `<`"))
    }

    fn word(&mut self) -> &'a str {
        self.blanks();
        let inside = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.' | '/' | ':');
        let end = self
            .rest
            .find(|letter| !inside(letter))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn value(&mut self) -> Result<Value, String> {
        let word = self.word();
        if word.is_empty() {
            return Err(self.expected("a number or a figure"));
        }
        if word.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.' || letter == '-') {
            return number(word)
                .map(Value::Number)
                .ok_or_else(|| format!("`{word}` is no number; one may end in s, m, h or d, as in `90s`"));
        }
        if !self.takes("(") {
            return Ok(Value::Figure(word.to_owned()));
        }
        let what = self.word();
        if what.is_empty() {
            return Err(self.expected("a name such as `backlog`"));
        }
        if !self.takes(")") {
            return Err(self.expected("`)`"));
        }
        Ok(Value::Figure(format!("{word}({what})")))
    }
}

/// A number, or a duration in seconds.
fn number(word: &str) -> Option<f64> {
    let (digits, unit) = match word.as_bytes().last() {
        Some(b's') => (&word[..word.len() - 1], 1.0),
        Some(b'm') => (&word[..word.len() - 1], 60.0),
        Some(b'h') => (&word[..word.len() - 1], 3600.0),
        Some(b'd') => (&word[..word.len() - 1], 86_400.0),
        _ => (word, 1.0),
    };
    let number: f64 = digits.parse().ok()?;
    let number = number * unit;
    number.is_finite().then_some(number)
}
