//! Lengths of time on the command line, in milliseconds.

use crate::args::parse_duration;

/// A duration, at most ten years; days count too.
pub(crate) fn milliseconds(text: &str) -> Result<i64, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok());
    let milliseconds = if let Some(days) = days {
        i64::from(days) * 86_400_000
    } else {
        let duration = parse_duration(text).map_err(|_| rule(text))?;
        i64::try_from(duration.as_millis()).map_err(|_| rule(text))?
    };
    if milliseconds > engine::simulate::MAX_LENGTH {
        return Err("is longer than ten years".to_owned());
    }
    Ok(milliseconds)
}

fn rule(text: &str) -> String {
    format!("must be a duration such as `10s`, `2m`, `1h30m` or `7d`, not `{text}`")
}

/// A duration above 0.
pub(crate) fn some(text: &str) -> Result<i64, String> {
    milliseconds(text).and_then(|length| match length {
        0 => Err("must be longer than nothing".to_owned()),
        length => Ok(length),
    })
}

/// Whole seconds, at least one.
pub(crate) fn whole_seconds(text: &str) -> Result<i64, String> {
    let step = milliseconds(text)?;
    if step < 1000 || step % 1000 != 0 {
        return Err("must be whole seconds, at least one".to_owned());
    }
    Ok(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_may_have_days() {
        for (text, want) in [
            ("7d", 604_800_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("90", 90_000),
        ] {
            assert_eq!(milliseconds(text), Ok(want), "{text}");
        }
        for text in ["", "d", "-1d", "1x", "4000d", "99999999999999h"] {
            assert!(milliseconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_must_be_some_is_not_nothing() {
        assert_eq!((some("1ms"), whole_seconds("2s")), (Ok(1), Ok(2000)));
        assert!(some("0s").is_err());
        for text in ["0", "999ms", "1500ms"] {
            assert!(whole_seconds(text).is_err(), "{text}");
        }
    }
}
