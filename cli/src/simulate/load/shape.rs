//! One shape of a load.

use std::f64::consts::TAU;
use std::str::FromStr;

use crate::args::parse_duration;
use crate::manifest::schema::likeliest;

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;
/// The largest value: more digits than this are no load.
const LARGEST: f64 = 1e12;

/// The names, as they are written.
const NAMES: [&str; 7] = ["constant", "day", "steps", "ramp", "burst", "noise", "outage"];

/// A value over time; times are milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// The same value always.
    Constant(f64),
    /// From the base up to the peak and back, once a day.
    Day { base: f64, peak: f64, at: i64 },
    /// One value after the other, and again from the first.
    Steps { values: Vec<f64>, each: i64 },
    /// From one value to another, which then stays.
    Ramp { from: f64, to: f64, over: i64 },
    /// More for a while, once or again and again.
    Burst { height: f64, span: Span },
    /// Up to so much more or less.
    Noise { amount: f64, seed: u64 },
    /// The source fails for a while.
    Outage(Span),
}

/// A while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    at: i64,
    lasts: i64,
    every: Option<i64>,
}

impl Span {
    fn contains(self, at: i64) -> bool {
        let since = at - self.at;
        let since = match self.every {
            Some(every) if since >= 0 => since % every,
            _ => since,
        };
        (0..self.lasts).contains(&since)
    }
}

impl Shape {
    /// The value at a moment; `None` while the source fails.
    pub(super) fn at(&self, at: i64) -> Option<f64> {
        Some(match self {
            Self::Constant(value) => *value,
            Self::Day { base, peak, at: top } => {
                let angle = TAU * ((at - top) as f64 / DAY as f64);
                // The square makes a day of it: a long quiet night and a short peak.
                let height = f64::midpoint(1.0, angle.cos());
                base + (peak - base) * height * height
            }
            Self::Steps { values, each } => {
                let step = usize::try_from(at / each).unwrap_or(0);
                values[step % values.len()]
            }
            Self::Ramp { from, to, over } => from + (to - from) * (at as f64 / *over as f64).min(1.0),
            Self::Burst { height, span } => {
                if span.contains(at) {
                    *height
                } else {
                    0.0
                }
            }
            Self::Noise { amount, seed } => amount * (2.0 * random(*seed, at) - 1.0),
            Self::Outage(span) if span.contains(at) => return None,
            Self::Outage(_) => 0.0,
        })
    }
}

/// A number from 0 to 1 that the moment decides. The constants are those of `SplitMix64`.
fn random(seed: u64, at: i64) -> f64 {
    let mut bits = seed
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(at.unsigned_abs().wrapping_mul(0xBF58_476D_1CE4_E5B9));
    for (shift, factor) in [(30, 0xBF58_476D_1CE4_E5B9_u64), (27, 0x94D0_49BB_1331_11EB)] {
        bits = (bits ^ (bits >> shift)).wrapping_mul(factor);
    }
    bits ^= bits >> 31;
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rule = || "a load must be a shape, as in `day(peak=500,base=20)`".to_owned();
        let (name, rest) = text.split_once('(').ok_or_else(rule)?;
        let inside = rest
            .strip_suffix(')')
            .ok_or_else(|| format!("`{text}` must end with `)`"))?;
        let mut arguments = Arguments::of(name.trim(), inside)?;
        let shape = arguments.shape()?;
        arguments.done()?;
        Ok(shape)
    }
}

/// The arguments of a shape that were not taken yet.
struct Arguments<'a> {
    shape: &'a str,
    named: Vec<(&'a str, &'a str)>,
    plain: Vec<&'a str>,
}

impl<'a> Arguments<'a> {
    fn of(shape: &'a str, inside: &'a str) -> Result<Self, String> {
        let (mut named, mut plain) = (Vec::new(), Vec::new());
        for argument in inside.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            match argument.split_once('=') {
                Some((name, value)) => named.push((name.trim(), value.trim())),
                None => plain.push(argument),
            }
        }
        for (position, (name, _)) in named.iter().enumerate() {
            if named[..position].iter().any(|(other, _)| other == name) {
                return Err(format!("`{name}` is given twice"));
            }
        }
        Ok(Self { shape, named, plain })
    }

    fn shape(&mut self) -> Result<Shape, String> {
        Ok(match self.shape {
            "constant" => Shape::Constant(match self.plain.pop() {
                Some(text) => number("the value", text)?,
                None => return Err("`constant` needs a value, as in `constant(20)`".to_owned()),
            }),
            "day" => Shape::Day {
                peak: self.number("peak")?.ok_or_else(|| self.needs("peak"))?,
                base: self.number("base")?.unwrap_or(0.0),
                at: self.duration("at", 0)?.unwrap_or(14 * 3_600_000),
            },
            "steps" => self.steps()?,
            "ramp" => Shape::Ramp {
                from: self.number("from")?.unwrap_or(0.0),
                to: self.number("to")?.ok_or_else(|| self.needs("to"))?,
                over: self.duration("over", 1)?.ok_or_else(|| self.needs("over"))?,
            },
            "burst" => Shape::Burst {
                height: self.number("height")?.ok_or_else(|| self.needs("height"))?,
                span: self.span()?,
            },
            "noise" => Shape::Noise {
                amount: self.number("amount")?.ok_or_else(|| self.needs("amount"))?,
                seed: self.number("seed")?.unwrap_or(0.0) as u64,
            },
            "outage" => Shape::Outage(self.span()?),
            other => {
                let help = likeliest(other, NAMES.into_iter()).map_or_else(
                    || format!("there are {}", NAMES.join(", ")),
                    |name| format!("did you mean `{name}`?"),
                );
                return Err(format!("there is no shape `{other}`; {help}"));
            }
        })
    }

    fn steps(&mut self) -> Result<Shape, String> {
        let values = self.plain.drain(..).map(|text| number("a step", text));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        if values.is_empty() {
            return Err("`steps` needs values, as in `steps(0,100,50,each=10m)`".to_owned());
        }
        let each = self.duration("each", 1)?.unwrap_or(3_600_000);
        Ok(Shape::Steps { values, each })
    }

    fn span(&mut self) -> Result<Span, String> {
        Ok(Span {
            at: self.duration("at", 0)?.unwrap_or(0),
            lasts: self.duration("lasts", 1)?.ok_or_else(|| self.needs("lasts"))?,
            every: self.duration("every", 1)?,
        })
    }

    fn needs(&self, name: &str) -> String {
        format!("`{}` needs `{name}`", self.shape)
    }

    fn take(&mut self, name: &str) -> Option<&'a str> {
        let position = self.named.iter().position(|(own, _)| *own == name)?;
        Some(self.named.remove(position).1)
    }

    fn number(&mut self, name: &str) -> Result<Option<f64>, String> {
        self.take(name)
            .map(|text| number(&format!("`{name}`"), text))
            .transpose()
    }

    /// Milliseconds of at least so many seconds.
    fn duration(&mut self, name: &str, least: u64) -> Result<Option<i64>, String> {
        let Some(text) = self.take(name) else {
            return Ok(None);
        };
        let found = parse_duration(text).ok().filter(|found| found.as_secs() >= least);
        let milliseconds = found.and_then(|found| i64::try_from(found.as_millis()).ok());
        let milliseconds = milliseconds.filter(|found| *found <= 3660 * DAY);
        milliseconds.map(Some).ok_or_else(|| {
            format!("`{name}` must be a duration from {least}s, such as `10m` or `1h30m`, not `{text}`")
        })
    }

    fn done(&self) -> Result<(), String> {
        if let Some((name, _)) = self.named.first() {
            return Err(format!("`{}` has no argument `{name}`", self.shape));
        }
        if let Some(text) = self.plain.first() {
            return Err(format!(
                "`{}` does not take `{text}`: its arguments have names",
                self.shape
            ));
        }
        Ok(())
    }
}

fn number(what: &str, text: &str) -> Result<f64, String> {
    let found = text.parse().ok().filter(|found| (0.0..=LARGEST).contains(found));
    found.ok_or_else(|| format!("{what} must be a number from 0 to {LARGEST:e}, not `{text}`"))
}
