//! `--assert`: what must hold of a run, as in `max(backlog) < 1000 && flaps <= 4`.
//!
//! ```text
//! any    = all { "||" all }
//! all    = one { "&&" one }
//! one    = "!" one | "(" any ")" | value COMPARISON value
//! value  = NUMBER[s|m|h|d] | FIGURE | FUNCTION "(" WHAT ")"
//! ```
//!
//! There is no arithmetic: `-` belongs to names, as in `replica-hours`.

mod parse;

use std::fmt;
use std::str::FromStr;

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    text: String,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq)]
enum Rule {
    Any(Vec<Rule>),
    All(Vec<Rule>),
    Not(Box<Rule>),
    Compare(Value, Comparison, Value),
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(f64),
    /// A figure as it is written, without blanks.
    Figure(String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Unequal,
}

impl FromStr for Assertion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rule = parse::rule(text)?;
        Ok(Self {
            text: text.trim().to_owned(),
            rule,
        })
    }
}

impl fmt::Display for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Assertion {
    /// The figures that it speaks of, each once.
    pub(crate) fn figures(&self) -> Vec<&str> {
        let mut found = Vec::new();
        self.rule.figures(&mut found);
        found
    }

    /// Whether it holds, where `look` knows every figure.
    pub(crate) fn holds(&self, look: &dyn Fn(&str) -> Option<f64>) -> bool {
        self.rule.holds(look)
    }
}

impl Rule {
    fn figures<'a>(&'a self, found: &mut Vec<&'a str>) {
        match self {
            Self::Any(rules) | Self::All(rules) => rules.iter().for_each(|rule| rule.figures(found)),
            Self::Not(rule) => rule.figures(found),
            Self::Compare(left, _, right) => {
                for value in [left, right] {
                    if let Value::Figure(name) = value
                        && !found.contains(&name.as_str())
                    {
                        found.push(name);
                    }
                }
            }
        }
    }

    fn holds(&self, look: &dyn Fn(&str) -> Option<f64>) -> bool {
        match self {
            Self::Any(rules) => rules.iter().any(|rule| rule.holds(look)),
            Self::All(rules) => rules.iter().all(|rule| rule.holds(look)),
            Self::Not(rule) => !rule.holds(look),
            Self::Compare(left, comparison, right) => {
                let value = |value: &Value| match value {
                    Value::Number(number) => Some(*number),
                    Value::Figure(name) => look(name),
                };
                let (Some(left), Some(right)) = (value(left), value(right)) else {
                    return false;
                };
                comparison.holds(left, right)
            }
        }
    }
}

impl Comparison {
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::More => left > right,
            Self::AtLeast => left >= right,
            Self::Equal => left.total_cmp(&right).is_eq(),
            Self::Unequal => left.total_cmp(&right).is_ne(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(name: &str) -> Option<f64> {
        Some(match name {
            "flaps" => 4.0,
            "replica-hours" => 12.5,
            "time-at-zero" => 5400.0,
            "max(backlog)" => 1520.0,
            "p95(s0-redis-jobs)" => 37.0,
            _ => return None,
        })
    }

    #[test]
    fn rules_are_comparisons_joined_by_and_or_and_not() {
        for (text, want) in [
            ("flaps <= 4", true),
            ("flaps<4", false),
            ("4 >= flaps", true),
            ("flaps == 4", true),
            ("flaps != 4", false),
            ("max(backlog) < 1000", false),
            ("max( backlog ) > 1000 && flaps <= 4", true),
            ("max(backlog) < 1000 || flaps <= 4", true),
            ("flaps < 4 || flaps < 4 && flaps <= 4", false),
            ("(flaps < 4 || flaps <= 4) && replica-hours < 12.6", true),
            ("!(flaps < 4)", true),
            ("time-at-zero >= 1.5h", true),
            ("time-at-zero > 90m", false),
            ("time-at-zero < 1d", true),
            ("p95(s0-redis-jobs) <= 3.7e1", true),
        ] {
            let assertion: Assertion = text.parse().expect(text);
            assert_eq!(assertion.holds(&look), want, "{text}");
        }
    }

    #[test]
    fn the_figures_are_told() {
        let assertion: Assertion = "flaps < 4 && (max(backlog) < 9 || flaps > 1)"
            .parse()
            .expect("parses");
        assert_eq!(assertion.figures(), ["flaps", "max(backlog)"]);
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, want) in [
            ("", "it is empty"),
            ("flaps", "a comparison such as `<` must come at its end"),
            ("flaps <", "a number or a figure must come at its end"),
            ("flaps = 4", "`= 4` is not understood: equality is `==`"),
            ("flaps < 4 &&", "a number or a figure must come at its end"),
            (
                "flaps < 4 & flaps > 1",
                "`& flaps > 1` is not understood: both is `&&`",
            ),
            ("flaps < 4 flaps", "`flaps` comes after its end"),
            ("(flaps < 4", "`)` must come at its end"),
            ("max(backlog < 4", "`)` must come at `< 4`"),
            ("flaps < 4x", "`4x` is no number"),
            ("1 < 2", "it speaks of no figure"),
            ("flaps < 1e999", "`1e999` is no number"),
        ] {
            let message = text.parse::<Assertion>().expect_err(text);
            assert!(message.contains(want), "{text}: {message}");
        }
        let deep = format!("{}flaps < 1", "!".repeat(10_000));
        assert!(deep.parse::<Assertion>().expect_err("too deep").contains("deep"));
    }
}
