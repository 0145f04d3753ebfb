//! Go's arithmetic and formatting, where results depend on them.

use std::fmt::Write as _;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// Go's `int32(f)` on amd64: cut towards zero; what does not fit, NaN too, is the smallest number.
pub(super) fn int32(value: f64) -> i32 {
    if value > -2_147_483_649.0 && value < 2_147_483_648.0 {
        value as i32
    } else {
        i32::MIN
    }
}

/// Go's `int64(f)` on amd64.
pub(super) fn int64(value: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value) {
        value as i64
    } else {
        i64::MIN
    }
}

/// Go's `int64(len(…))`.
pub(super) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A selector as `%+v` prints it.
///
/// Upstream: `LabelSelector.String`.
pub(super) fn selector(selector: Option<&LabelSelector>) -> String {
    let Some(selector) = selector else {
        return "nil".to_owned();
    };
    let mut text = "&LabelSelector{MatchLabels:map[string]string{".to_owned();
    for (key, value) in selector.match_labels.iter().flatten() {
        let _ = write!(text, "{key}: {value},");
    }
    text.push_str("},MatchExpressions:[]LabelSelectorRequirement{");
    for expression in selector.match_expressions.iter().flatten() {
        let values = expression.values.as_deref().unwrap_or_default().join(" ");
        let _ = write!(
            text,
            "LabelSelectorRequirement{{Key:{},Operator:{},Values:[{values}],}},",
            expression.key, expression.operator
        );
    }
    text.push_str("},}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement;

    #[test]
    fn floats_become_integers_as_on_amd64() {
        for (value, wanted) in [
            (2.9, 2),
            (-2.9, -2),
            (2_147_483_647.9, i32::MAX),
            (2_147_483_648.0, i32::MIN),
            (-2_147_483_648.9, i32::MIN),
            (f64::NAN, i32::MIN),
            (f64::INFINITY, i32::MIN),
            (f64::NEG_INFINITY, i32::MIN),
        ] {
            assert_eq!(int32(value), wanted, "{value}");
        }
        for (value, wanted) in [
            (-0.5, 0),
            (9_223_372_036_854_774_784.0, 9_223_372_036_854_774_784),
            (9_223_372_036_854_775_808.0, i64::MIN),
            (f64::NAN, i64::MIN),
        ] {
            assert_eq!(int64(value), wanted, "{value}");
        }
    }

    #[test]
    fn selectors_print_as_in_go() {
        assert_eq!(selector(None), "nil");
        let labels = LabelSelector {
            match_labels: Some([("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())].into()),
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: "k".to_owned(),
                operator: "In".to_owned(),
                values: Some(vec!["x".to_owned(), "y".to_owned()]),
            }]),
        };
        assert_eq!(
            selector(Some(&labels)),
            "&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},MatchExpressions:[]LabelSelectorRequirement\
             {LabelSelectorRequirement{Key:k,Operator:In,Values:[x y],},},}"
        );
    }
}
