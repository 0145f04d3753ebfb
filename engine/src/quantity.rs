//! Kubernetes quantities: parsing, exact comparison and the canonical text.
//!
//! Upstream: `k8s.io/apimachinery/pkg/api/resource`. A quantity is a number with at most nine decimals and a
//! magnitude of at most 2^63-1; more decimals are rounded away from zero, larger numbers are capped.

mod rounding;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const NANO: i128 = 1_000_000_000;
const MAX: i128 = i64::MAX as i128 * NANO;

/// Which family of suffixes a quantity prints with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Format {
    /// `n`, `u`, `m`, none, `k`, `M`, `G`, `T`, `P`, `E`.
    Decimal,
    /// `Ki`, `Mi`, `Gi`, `Ti`, `Pi`, `Ei`.
    Binary,
    /// `e3`, `e-3`.
    Exponent,
}

/// An exact number as Kubernetes writes it: `10`, `2500m`, `1Gi`, `1e3`.
///
/// Equality and order are by value; the family of suffixes it was written with only shows when it is printed.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    nano: i128,
    format: Format,
}

/// A text that is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` must be a quantity such as `10`, `2.5`, `500m` or `1Gi`")]
pub struct ParseQuantityError {
    text: String,
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self {
        nano: 0,
        format: Format::Decimal,
    };

    /// A whole number; the sign is kept.
    pub const fn from_i64(value: i64) -> Self {
        Self {
            nano: value as i128 * NANO,
            format: Format::Decimal,
        }
    }

    /// A number of thousandths; the sign is kept.
    pub const fn from_milli(milli: i64) -> Self {
        Self {
            nano: milli as i128 * 1_000_000,
            format: Format::Decimal,
        }
    }

    /// A measured value, rounded to three decimals; NaN, infinities and negative values become zero.
    ///
    /// Upstream: `GenerateMetricInMili` and `GetMetricTargetMili` print with `%.3f` and parse the text.
    pub fn from_f64_milli(value: f64) -> Self {
        if !value.is_finite() || value <= 0.0 {
            return Self::ZERO;
        }
        // The text, like `%.3f`, rounds the exact binary value; multiplying by 1000 first would not.
        match rounding::milli(value) {
            Some(milli) => Self::from_milli(milli),
            None => format!("{value:.3}").parse().unwrap_or(Self::ZERO),
        }
    }

    /// The value as a float.
    pub fn to_f64(self) -> f64 {
        self.nano as f64 / NANO as f64
    }

    /// The value in thousandths, rounded up (away from zero), capped to the range of `i64`.
    ///
    /// Upstream: `Quantity.MilliValue`.
    pub fn milli(self) -> i64 {
        let milli = div_away(self.nano, 1_000_000);
        milli.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }

    /// The value in thousandths as Kubernetes' controllers reckon with it: rounded up, and past the range of `i64` it wraps
    /// or becomes 0, as the text's exponent has it.
    ///
    /// Upstream: `Quantity.MilliValue` of the canonical text.
    pub(crate) fn milli_value(self) -> i64 {
        let milli = div_away(self.nano, 1_000_000);
        i64::try_from(milli).unwrap_or_else(|_| {
            let (_, exponent) = self.canonical();
            // From 10^9 on upstream multiplies ten by ten, and gives up where that overflows.
            if exponent >= 9 && self.format != Format::Binary {
                0
            } else {
                milli as i64
            }
        })
    }

    /// The value as a float by way of its canonical text, so that the last bit is the same.
    ///
    /// Upstream: `Quantity.AsApproximateFloat64`.
    pub(crate) fn approximate_f64(self) -> f64 {
        let (number, exponent) = self.canonical();
        number as f64 * 10_f64.powi(exponent)
    }

    /// A whole number and the power of ten it is multiplied with, a multiple of three.
    fn canonical(self) -> (i128, i32) {
        let (mut number, mut exponent) = (self.nano, -9);
        while number != 0 && number % 1000 == 0 && exponent < 18 {
            number /= 1000;
            exponent += 3;
        }
        (number, exponent)
    }

    /// The same value, printed with binary suffixes where nothing is lost.
    pub(crate) fn binary(self) -> Self {
        Self {
            format: Format::Binary,
            ..self
        }
    }

    /// The value in billionths, exact.
    pub(crate) fn nano(self) -> i128 {
        self.nano
    }

    /// The value as a whole number, rounded up (away from zero).
    ///
    /// Upstream: `Quantity.Value`.
    pub fn value(self) -> i64 {
        div_away(self.nano, NANO) as i64
    }

    /// Whether the value is zero.
    pub fn is_zero(self) -> bool {
        self.nano == 0
    }

    /// Whether the value is above zero.
    pub fn is_positive(self) -> bool {
        self.nano > 0
    }
}

fn div_away(value: i128, unit: i128) -> i128 {
    let whole = value / unit;
    if value % unit == 0 {
        whole
    } else {
        whole + value.signum()
    }
}

/// Tells the multiplier of a suffix as (format, power of ten or of two).
fn suffix(text: &str) -> Option<(Format, Scale)> {
    use Format::{Binary, Decimal, Exponent};
    use Scale::{Ten, Two};
    Some(match text {
        "n" => (Decimal, Ten(-9)),
        "u" => (Decimal, Ten(-6)),
        "m" => (Decimal, Ten(-3)),
        "" => (Decimal, Ten(0)),
        "k" => (Decimal, Ten(3)),
        "M" => (Decimal, Ten(6)),
        "G" => (Decimal, Ten(9)),
        "T" => (Decimal, Ten(12)),
        "P" => (Decimal, Ten(15)),
        "E" => (Decimal, Ten(18)),
        "Ki" => (Binary, Two(10)),
        "Mi" => (Binary, Two(20)),
        "Gi" => (Binary, Two(30)),
        "Ti" => (Binary, Two(40)),
        "Pi" => (Binary, Two(50)),
        "Ei" => (Binary, Two(60)),
        _ => {
            let digits = text.strip_prefix(['e', 'E'])?;
            let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
            if unsigned.is_empty() || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            // An exponent too long for the type is as good as the largest: the value is capped or rounded.
            let power: i32 = unsigned.parse().unwrap_or(i32::MAX).min(1_000);
            (
                Exponent,
                Ten(if digits.starts_with('-') { -power } else { power }),
            )
        }
    })
}

#[derive(Clone, Copy)]
enum Scale {
    Ten(i32),
    Two(u32),
}

/// Multiplies a decimal text by a scale and gives nano units, rounded away from zero and capped.
fn scaled(whole: &str, fraction: &str, scale: Scale) -> i128 {
    let digits: Vec<u8> = whole
        .bytes()
        .chain(fraction.bytes())
        .map(|b| b - b'0')
        .skip_while(|d| *d == 0)
        .collect();
    // value = digits * 10^-fraction.len() * scale; in nano units the power of ten is this:
    let mut power = 9 - i64::try_from(fraction.len()).unwrap_or(i64::MAX / 2);
    let mut factor: i128 = 1;
    match scale {
        Scale::Ten(ten) => power += i64::from(ten),
        Scale::Two(two) => factor = 1 << two,
    }
    // More than 60 significant digits cannot matter: they are past the cap or past the ninth decimal.
    let mut number: i128 = 0;
    let mut inexact = false;
    let mut taken = 0;
    for (position, digit) in digits.iter().enumerate() {
        match number
            .checked_mul(10)
            .and_then(|n| n.checked_add(i128::from(*digit)))
        {
            // Room is left for the binary factor.
            Some(next) if next < i128::MAX / factor => number = next,
            _ => {
                inexact = digits[position..].iter().any(|d| *d != 0);
                break;
            }
        }
        taken = position + 1;
    }
    power += i64::try_from(digits.len() - taken).unwrap_or(i64::MAX / 2);
    number *= factor;
    while power > 0 && number != 0 {
        if number > MAX {
            return MAX;
        }
        number *= 10;
        power -= 1;
    }
    while power < 0 && number != 0 {
        inexact |= number % 10 != 0;
        number /= 10;
        power += 1;
    }
    (number + i128::from(inexact)).min(MAX)
}

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseQuantityError {
            text: text.to_owned(),
        };
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = unsigned.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, rest) = unsigned.split_at(end);
        let (fraction, unit) = match rest.strip_prefix('.') {
            Some(tail) => tail.split_at(tail.bytes().take_while(u8::is_ascii_digit).count()),
            None => ("", rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(error());
        }
        let (format, scale) = suffix(unit).ok_or_else(error)?;
        let magnitude = scaled(whole, fraction, scale);
        Ok(Self {
            nano: if negative { -magnitude } else { magnitude },
            format,
        })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KI: i128 = 1024;
        if self.nano == 0 {
            return f.write_str("0");
        }
        let whole = self.nano / NANO;
        // Upstream: small or fractional binary quantities print as decimal ones, so that nothing is rounded.
        if self.format == Format::Binary && self.nano % NANO == 0 && whole.abs() >= KI {
            let (mut number, mut step) = (whole, 0);
            while number % KI == 0 && step < 6 {
                number /= KI;
                step += 1;
            }
            return write!(f, "{number}{}", ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][step]);
        }
        let (mut number, mut step) = (self.nano, 0_u8);
        while number % 1000 == 0 && step < 9 {
            number /= 1000;
            step += 1;
        }
        if self.format == Format::Exponent {
            let power = (i16::from(step) - 3) * 3;
            return if power == 0 {
                write!(f, "{number}")
            } else {
                write!(f, "{number}e{power}")
            };
        }
        write!(
            f,
            "{number}{}",
            ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"][usize::from(step)]
        )
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nano == other.nano
    }
}

impl Eq for Quantity {}

impl std::hash::Hash for Quantity {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.nano.hash(state);
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nano.cmp(&other.nano)
    }
}

impl Serialize for Quantity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, canonical: &str) {
        assert_eq!(text.parse::<Quantity>().unwrap().to_string(), canonical, "{text}");
    }

    #[test]
    fn canonical_texts() {
        check("0", "0");
        check("-0", "0");
        check("10", "10");
        check("10.0", "10");
        check("2.500", "2500m");
        check(".5", "500m");
        check("5.", "5");
        check("1000", "1k");
        check("1500", "1500");
        check("1000m", "1");
        check("0.001", "1m");
        check("0.1m", "100u");
        check("1Ki", "1Ki");
        check("1024Ki", "1Mi");
        check("0.5Gi", "512Mi");
        check("1.5Ki", "1536");
        check("512Ki", "512Ki");
        check("0.5Ki", "512");
        check("0.1Ki", "102400m");
        check("1e3", "1e3");
        check("1E3", "1e3");
        check("12e-3", "12e-3");
        check("1e1", "10");
        check("1E", "1E");
        check("-7", "-7");
        check("+7", "7");
        check("-1500m", "-1500m");
        check("0.0000000001", "1n");
        check("-0.0000000001", "-1n");
        check("9223372036854775807", "9223372036854775807");
        check("9223372036854775808", "9223372036854775807");
        check("100E", "9223372036854775807");
        check("1e999999999999", "9223372036854775807");
        check("1e-999999999999", "1e-9");
        check(
            "123456789012345678901234567890123456789012345",
            "9223372036854775807",
        );
        check("0.00000000000000000000000000000000000000000000000", "0");
    }

    #[test]
    fn refuses_other_texts() {
        for text in [
            "", "-", ".", "m", "1 ", " 1", "1K", "1ki", "1mm", "e3", "1e", "1e+", "0x1", "1.2.3", "--1", "é",
            "1é", "NaN",
        ] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }

    #[track_caller]
    fn measured(value: f64, text: &str) {
        assert_eq!(Quantity::from_f64_milli(value).to_string(), text, "{value}");
    }

    #[test]
    fn measured_values_have_three_decimals() {
        measured(0.0004, "0");
        measured(0.0006, "1m");
        measured(2.5, "2500m");
        measured(10.0, "10");
        measured(-3.0, "0");
        measured(f64::NAN, "0");
        measured(f64::INFINITY, "0");
        measured(f64::NEG_INFINITY, "0");
        measured(1e300, "9223372036854775807");
        measured(1234.5678, "1234568m");
    }

    #[test]
    fn whole_numbers_keep_their_sign() {
        assert_eq!(Quantity::from_i64(-5).to_string(), "-5");
        assert_eq!(Quantity::from_i64(i64::MIN).to_string(), "-9223372036854775808");
        assert_eq!(Quantity::from_i64(i64::MIN).value(), i64::MIN);
    }

    #[test]
    fn roundings_go_away_from_zero() {
        let q = |text: &str| text.parse::<Quantity>().unwrap();
        assert_eq!((q("1.5").value(), q("-1.5").value(), q("1u").milli()), (2, -2, 1));
        assert_eq!(q("9E").milli(), i64::MAX);
    }

    proptest! {
        #[test]
        fn prints_what_it_parses(nano in any::<i64>(), scale in 0..4_u32) {
            let written = Quantity { nano: i128::from(nano) * 1000_i128.pow(scale).min(NANO), format: Format::Decimal };
            prop_assert_eq!(written.to_string().parse::<Quantity>().unwrap(), written);
        }

        #[test]
        fn every_family_reads_back(text in "[+-]?[0-9]{1,12}(\\.[0-9]{0,6})?(n|u|m|k|M|G|Ki|Mi|Gi|e3|E-3)?") {
            let read: Quantity = text.parse().unwrap();
            let again: Quantity = read.to_string().parse().unwrap();
            prop_assert_eq!(again, read);
            prop_assert_eq!(again.to_string(), read.to_string());
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}") {
            let _ = text.parse::<Quantity>();
        }

        #[test]
        fn order_follows_value(a in any::<i32>(), b in any::<i32>()) {
            prop_assert_eq!(Quantity::from_milli(i64::from(a)).cmp(&Quantity::from_milli(i64::from(b))), a.cmp(&b));
        }
    }
}
