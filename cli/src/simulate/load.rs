//! `--load`: a series that is made up, the same each time.
//!
//! ```text
//! LOAD   = [TRIGGER=]SHAPE{+SHAPE}
//! SHAPE  = NAME(ARGUMENT{,ARGUMENT})
//! ```
//!
//! Shapes of one load are added up; a sum below 0 counts as 0.

mod shape;

use std::str::FromStr;

use crate::exit::Failure;
use crate::simulate::series::{Row, Series};

use shape::Shape;

/// Milliseconds between two rows.
const STEP: i64 = 15_000;

/// What `--load` says of one trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// The trigger that it is for; the only one where it names none.
    pub trigger: Option<String>,
    shapes: Vec<Shape>,
}

impl FromStr for Load {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (head, _) = text.split_once('(').unwrap_or((text, ""));
        let (trigger, rest) = match head.rsplit_once('=') {
            Some((trigger, _)) => (Some(trigger.trim().to_owned()), &text[trigger.len() + 1..]),
            None => (None, text),
        };
        if trigger.as_deref() == Some("") {
            return Err("a trigger must have a name before the `=`".to_owned());
        }
        let shapes = pieces(rest)?.into_iter().map(str::parse);
        Ok(Self {
            trigger,
            shapes: shapes.collect::<Result<_, String>>()?,
        })
    }
}

/// The shapes between the plus signs outside of parentheses.
fn pieces(text: &str) -> Result<Vec<&str>, String> {
    let (mut found, mut depth, mut begin) = (Vec::new(), 0_u32, 0);
    for (position, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1).ok_or("`)` comes before its `(`")?,
            '+' if depth == 0 => {
                found.push(text[begin..position].trim());
                begin = position + 1;
            }
            _ => {}
        }
    }
    found.push(text[begin..].trim());
    Ok(found)
}

impl Load {
    /// The value at a moment, in milliseconds from the start; `None` while the source fails.
    fn at(&self, at: i64) -> Option<f64> {
        let sum = self
            .shapes
            .iter()
            .map(|shape| shape.at(at))
            .sum::<Option<f64>>()?;
        // Three decimals are what a metric has.
        Some((sum.max(0.0) * 1000.0).round() / 1000.0)
    }
}

/// The series of all loads: a row every 15 seconds, from the start to the end. Shapes count from the start.
pub(crate) fn series(
    loads: &[Load],
    columns: Vec<String>,
    start: i64,
    length: i64,
) -> Result<Series, Failure> {
    let loads = loads.to_vec();
    let moments = (0..).map(|step| step * STEP).take_while(move |at| *at <= length);
    let rows = moments.map(move |at| Row {
        at: start + at,
        values: loads.iter().map(|load| load.at(at)).collect(),
    });
    Series::made("--load", columns, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, seconds: i64) -> Option<f64> {
        let load: Load = text.parse().expect("can be read");
        load.at(seconds * 1000)
    }

    #[test]
    fn shapes_are_added_up() {
        for (text, seconds, want) in [
            ("constant(7)", 0, Some(7.0)),
            ("day(peak=500,base=20)", 14 * 3600, Some(500.0)),
            ("day(peak=500,base=20)", 2 * 3600, Some(20.0)),
            ("day(peak=500,base=20,at=1h)", 3600 + 86_400, Some(500.0)),
            ("steps(0,100,50,each=10m)", 599, Some(0.0)),
            ("steps(0,100,50,each=10m)", 600, Some(100.0)),
            ("steps(0,100,50,each=10m)", 1800, Some(0.0)),
            ("ramp(from=0,to=100,over=100s)", 25, Some(25.0)),
            ("ramp(from=0,to=100,over=100s)", 500, Some(100.0)),
            (
                "constant(1) + burst(height=300,at=1h,lasts=5m)",
                3600,
                Some(301.0),
            ),
            ("constant(1)+burst(height=300,at=1h,lasts=5m)", 3900, Some(1.0)),
            ("burst(height=2,at=1m,lasts=10s,every=1m)", 181, Some(2.0)),
            ("burst(height=2,at=1m,lasts=10s,every=1m)", 1, Some(0.0)),
            ("constant(1)+outage(at=10s,lasts=5s)", 14, None),
            ("constant(1)+outage(at=10s,lasts=5s)", 15, Some(1.0)),
        ] {
            assert_eq!(value(text, seconds), want, "{text} at {seconds}");
        }
    }

    #[test]
    fn shapes_count_from_the_start() {
        let load: Load = "steps(1,2,each=15s)".parse().expect("can be read");
        let made = series(&[load], vec!["orders".to_owned()], 3_600_000, STEP).expect("has a column");
        let rows: Vec<Row> = made.map(|row| row.expect("is made")).collect();
        let want = [(3_600_000, 1.0), (3_615_000, 2.0)].map(|(at, value)| Row {
            at,
            values: vec![Some(value)],
        });
        assert_eq!(rows, want);
    }

    #[test]
    fn noise_is_the_same_each_time_and_never_below_zero() {
        let noise: Load = "constant(1)+noise(amount=5,seed=3)".parse().expect("can be read");
        let other: Load = "constant(1)+noise(amount=5,seed=4)".parse().expect("can be read");
        let values = |load: &Load| (0..200).map(|step| load.at(step * STEP)).collect::<Vec<_>>();
        assert_eq!(values(&noise), values(&noise.clone()));
        assert_ne!(values(&noise), values(&other));
        let inside = values(&noise)
            .into_iter()
            .flatten()
            .all(|value| (0.0..=6.0).contains(&value));
        assert!(inside);
    }

    #[test]
    fn a_trigger_may_be_named() {
        let named: Load = "orders=day(peak=5)".parse().expect("can be read");
        assert_eq!(named.trigger.as_deref(), Some("orders"));
        let alone: Load = "day(peak=5)".parse().expect("can be read");
        assert_eq!(alone.trigger, None);
    }

    #[test]
    fn mistakes_say_what_there_is() {
        for (text, want) in [
            ("", "a load must be a shape"),
            ("=constant(1)", "a trigger must have a name"),
            ("dayy(peak=5)", "did you mean `day`?"),
            ("day(base=5)", "`day` needs `peak`"),
            ("day(peak=5,hight=3)", "`day` has no argument `hight`"),
            ("day(peak=-5)", "`peak` must be a number from 0"),
            ("day(peak=NaN)", "`peak` must be a number from 0"),
            ("steps(each=1h)", "`steps` needs values"),
            ("steps(1,2,each=0s)", "`each` must be a duration from 1s"),
            ("constant(1)+", "a load must be a shape"),
            ("constant(1", "must end with `)`"),
            ("constant)1(", "comes before its"),
        ] {
            let message = text.parse::<Load>().expect_err(text);
            assert!(message.contains(want), "{text}: {message}");
        }
    }
}
