//! Thousandths of a float without going through a text: a simulation reads a value at each step.

/// The thousandths of a positive finite number below 2^52, rounded as `%.3f` does: exactly, ties to even; `None` for other numbers.
pub(super) fn milli(value: f64) -> Option<i64> {
    const FRACTION: u32 = f64::MANTISSA_DIGITS - 1;
    let bits = value.to_bits();
    let exponent = (bits >> FRACTION) as u32;
    let mantissa = (bits & ((1 << FRACTION) - 1)) | 1 << FRACTION;
    // value = mantissa / 2^down, as long as the number has a fraction at all.
    let down = (1023 + FRACTION).checked_sub(exponent).filter(|down| *down > 0)?;
    // Below 2^63, as the mantissa is below 2^53.
    let scaled = mantissa * 1000;
    if exponent == 0 || down > 63 {
        return Some(0);
    }
    let (whole, rest, half) = (scaled >> down, scaled & ((1 << down) - 1), 1 << (down - 1));
    let up = rest > half || rest == half && whole % 2 == 1;
    i64::try_from(whole + u64::from(up)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::quantity::Quantity;

    fn check(value: f64) -> Result<(), TestCaseError> {
        let text: Quantity = format!("{value:.3}").parse().unwrap();
        prop_assert_eq!(Quantity::from_f64_milli(value), text, "{}", value);
        Ok(())
    }

    proptest! {
        #[test]
        fn rounds_as_the_text_does(bits in any::<u64>(), number in 0.0..1e7_f64, sixteenths in any::<u32>()) {
            let any = f64::from_bits(bits).abs();
            check(if any.is_finite() { any } else { 0.0 })?;
            check(number)?;
            // Ties: 1/16 has a 5 as its last decimal, the fourth.
            check(f64::from(sixteenths) / 16.0)?;
        }
    }
}
