//! The distribution of a quantity in constant memory.

/// Buckets an octave, as a power of two: a bucket is less than 0.1 % wide, and whole numbers below 2048 have one of their own.
const DETAIL: u32 = 10;
/// Values below 2^-10 count as zero: metrics have three decimals.
const LOWEST: u64 = (1023 - 10) << DETAIL;
/// Values from 2^63 on, beyond the range of a metric, share the last bucket.
const BUCKETS: usize = (73 << DETAIL) + 1;
/// The bits of a float that its bucket does not show.
const HIDDEN: u32 = f64::MANTISSA_DIGITS - 1 - DETAIL;

/// Counts of values in buckets whose width is in proportion to the value, each with its largest value. The maximum is exact.
#[derive(Debug, Default)]
pub(super) struct Sketch {
    buckets: Vec<(u64, f64)>,
    zeros: u64,
    total: u64,
    max: f64,
}

impl Sketch {
    /// Counts a value; what is not above zero counts as zero.
    pub(super) fn add(&mut self, value: f64) {
        self.total += 1;
        self.max = self.max.max(value);
        match bucket(value) {
            None => self.zeros += 1,
            Some(index) => {
                if self.buckets.is_empty() {
                    self.buckets = vec![(0, 0.0); BUCKETS];
                }
                let (count, most) = &mut self.buckets[index];
                (*count, *most) = (*count + 1, most.max(value));
            }
        }
    }

    /// How many values were counted.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The largest value.
    pub(super) fn max(&self) -> f64 {
        self.max
    }

    /// The value that so many percent of the values do not exceed: the nearest rank, up to the width of a
    /// bucket too high. It is one of the values.
    pub(super) fn percentile(&self, percent: u64) -> f64 {
        let rank = (u128::from(self.total) * u128::from(percent))
            .div_ceil(100)
            .max(1);
        let mut below = u128::from(self.zeros);
        if below >= rank {
            return 0.0;
        }
        for (count, most) in &self.buckets {
            below += u128::from(*count);
            if below >= rank {
                return *most;
            }
        }
        0.0
    }
}

fn bucket(value: f64) -> Option<usize> {
    if value.is_nan() || value <= 0.0 {
        return None;
    }
    let index = (value.to_bits() >> HIDDEN).checked_sub(LOWEST)?;
    Some((index as usize).min(BUCKETS - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: impl IntoIterator<Item = f64>, p50: f64, p95: f64, max: f64) {
        let mut sketch = Sketch::default();
        values.into_iter().for_each(|value| sketch.add(value));
        assert_eq!(
            (sketch.percentile(50), sketch.percentile(95), sketch.max()),
            (p50, p95, max)
        );
    }

    #[test]
    fn whole_numbers_are_exact() {
        check([], 0.0, 0.0, 0.0);
        check([7.0], 7.0, 7.0, 7.0);
        check((1..=100).map(f64::from), 50.0, 95.0, 100.0);
        check((1..=2000).map(f64::from), 1000.0, 1900.0, 2000.0);
        check([0.0, 0.0, 0.0, 3.0], 0.0, 3.0, 3.0);
        check([f64::NAN, -3.0, 0.0], 0.0, 0.0, 0.0);
        check([0.5, 0.25, f64::INFINITY], 0.5, f64::INFINITY, f64::INFINITY);
    }

    #[test]
    fn other_numbers_are_a_thousandth_high_at_most() {
        check([1.6; 20], 1.6, 1.6, 1.6);
        let mut values: Vec<f64> = (0..1000).map(|step| 3000.7 * 1.03_f64.powi(step)).collect();
        let near: Vec<f64> = values.iter().map(|value| value * 1.0005).collect();
        values.extend(near);
        let mut sketch = Sketch::default();
        for value in &values {
            sketch.add(*value);
        }
        values.sort_by(f64::total_cmp);
        for percent in [1, 10, 50, 90, 95, 99, 100] {
            let exact = values[values.len() * percent as usize / 100 - 1];
            let found = sketch.percentile(percent);
            assert!(
                found >= exact && found < exact * 1.001,
                "{percent}: {found}, not {exact}"
            );
        }
    }
}
