//! The trade-off between two figures.

/// The positions of the points that no other point beats in both figures, where less is better; in the order of the first
/// figure. Of points that are the same, the first counts; what is no number never does.
pub fn front(points: &[(f64, f64)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len())
        .filter(|&position| !points[position].0.is_nan() && !points[position].1.is_nan())
        .collect();
    order.sort_by(|&a, &b| {
        let (one, other) = (points[a], points[b]);
        one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1))
    });
    let mut best: Option<f64> = None;
    order.retain(|&position| {
        let second = points[position].1;
        let kept = best.is_none_or(|best| second < best);
        if kept {
            best = Some(second);
        }
        kept
    });
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beaten_in_both_is_left_out() {
        for (points, want) in [
            (vec![], vec![]),
            (vec![(1.0, 1.0), (1.0, 1.0)], vec![0]),
            (
                vec![(2.0, 1.0), (1.0, 2.0), (2.0, 2.0), (3.0, 0.5)],
                vec![1, 0, 3],
            ),
            (vec![(1.0, 5.0), (1.0, 4.0)], vec![1]),
            (vec![(f64::NAN, 0.0), (1.0, f64::INFINITY)], vec![1]),
        ] {
            assert_eq!(front(&points), want, "{points:?}");
        }
    }
}
