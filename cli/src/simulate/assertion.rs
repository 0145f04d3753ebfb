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

    /// How far it is from holding, by shares of what it compares with; 0 exactly where it holds.
    pub(crate) fn shortfall(&self, look: &dyn Fn(&str) -> Option<f64>) -> f64 {
        self.rule.shortfall(look, false)
    }

    /// The first figure that it compares with a number, the number, and whether the figure should be less.
    pub(crate) fn bound(&self) -> Option<Bound<'_>> {
        self.rule.bound(false)
    }
}

/// A figure and the number that it is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bound<'a> {
    /// The figure.
    pub(crate) figure: &'a str,
    /// The number.
    pub(crate) limit: f64,
    /// Whether less of the figure is better.
    pub(crate) below: bool,
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

/// What a figure without a value, or one that must not be what it is, is from holding.
const OUT_OF_REACH: f64 = 1e6;

impl Rule {
    fn shortfall(&self, look: &dyn Fn(&str) -> Option<f64>, negated: bool) -> f64 {
        let each =
            |rules: &[Self]| -> Vec<f64> { rules.iter().map(|rule| rule.shortfall(look, negated)).collect() };
        match (self, negated) {
            (Self::Not(rule), _) => rule.shortfall(look, !negated),
            (Self::All(rules), false) | (Self::Any(rules), true) => each(rules).into_iter().sum(),
            (Self::Any(rules), false) | (Self::All(rules), true) => {
                each(rules).into_iter().fold(f64::INFINITY, f64::min)
            }
            (Self::Compare(left, comparison, right), _) => {
                if self.holds(look) != negated {
                    return 0.0;
                }
                let number = |value: &Value| match value {
                    Value::Number(number) => Some(*number),
                    Value::Figure(name) => look(name),
                };
                let (Some(first), Some(second)) = (number(left), number(right)) else {
                    return OUT_OF_REACH;
                };
                let scale = match (left, right) {
                    (_, Value::Number(limit)) | (Value::Number(limit), _) => limit.abs(),
                    _ => first.abs().max(second.abs()),
                };
                // Of two broken rules the one that is far off does not hide the other.
                let gap = ((first - second).abs() / scale.max(1.0)).ln_1p();
                match comparison {
                    // Whatever differs is as far from being equal as it differs; what is equal is not nearly different.
                    Comparison::Equal if negated => OUT_OF_REACH,
                    Comparison::Unequal if !negated => OUT_OF_REACH,
                    // A limit that is just met, where it must not be, is a shortfall too.
                    _ => gap.max(f64::MIN_POSITIVE),
                }
            }
        }
    }

    fn bound(&self, negated: bool) -> Option<Bound<'_>> {
        match self {
            Self::Any(rules) | Self::All(rules) => rules.iter().find_map(|rule| rule.bound(negated)),
            Self::Not(rule) => rule.bound(!negated),
            Self::Compare(left, comparison, right) => {
                let (figure, limit, turned) = match (left, right) {
                    (Value::Figure(figure), Value::Number(limit)) => (figure, *limit, false),
                    (Value::Number(limit), Value::Figure(figure)) => (figure, *limit, true),
                    _ => return None,
                };
                let below = !matches!(comparison, Comparison::More | Comparison::AtLeast);
                Some(Bound {
                    figure,
                    limit,
                    below: below != (turned != negated),
                })
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
    fn a_shortfall_is_what_is_missing() {
        let (one, half) = (1.0_f64.ln_1p(), 0.52_f64.ln_1p());
        for (text, want) in [
            ("flaps <= 4", 0.0),
            ("flaps <= 2", one),
            ("2 >= flaps", one),
            ("max(backlog) < 1000", half),
            ("replica-hours > 25", 0.5_f64.ln_1p()),
            ("!(flaps > 2)", one),
            ("flaps <= 2 && max(backlog) < 1000", one + half),
            ("flaps <= 2 || max(backlog) < 1000", half),
            ("!(flaps > 2 || max(backlog) >= 1000)", one + half),
            ("flaps == 2", one),
            ("flaps != 4", OUT_OF_REACH),
            ("p95(mails) < 1", OUT_OF_REACH),
            ("!(p95(mails) < 1)", 0.0),
        ] {
            let assertion: Assertion = text.parse().expect(text);
            let found = assertion.shortfall(&look);
            assert!((found - want).abs() < 1e-9, "{text}: {found}");
            assert_eq!(found <= 0.0, assertion.holds(&look), "{text}");
        }
        let strict: Assertion = "flaps < 4".parse().expect("parses");
        assert!(strict.shortfall(&look) > 0.0);
    }

    #[test]
    fn the_first_limit_is_told() {
        for (text, want) in [
            (
                "max(backlog) < 1000 && flaps <= 4",
                Some(("max(backlog)", 1000.0, true)),
            ),
            ("4 >= flaps", Some(("flaps", 4.0, true))),
            ("time-at-zero > 1m", Some(("time-at-zero", 60.0, false))),
            ("!(flaps > 4)", Some(("flaps", 4.0, true))),
            ("flaps < changes", None),
        ] {
            let assertion: Assertion = text.parse().expect(text);
            let found = assertion
                .bound()
                .map(|found| (found.figure, found.limit, found.below));
            assert_eq!(found, want, "{text}");
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
