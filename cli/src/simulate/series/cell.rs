//! The two kinds of cell: a time and a value.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::ui::{cut, printable};

/// The end of the year 9999 in seconds since 1970: times after it are in another unit.
const LATEST: f64 = 253_402_300_799.0;

/// The highest value of a metric: the API counts thousandths in 64 bits.
pub(crate) const HIGHEST: f64 = (i64::MAX / 1000) as f64;
/// How a date is written.
const DATE: &str = "YYYY-MM-DD";
/// Characters of a text that are shown in a message.
const SHOWN: usize = 60;

/// A text of a file as a message may show it.
pub(crate) fn shown(text: &str) -> String {
    cut(&printable(&cut(text, SHOWN + 1)), SHOWN)
}

/// Milliseconds of a time: seconds, or RFC 3339.
pub(super) fn time(text: &str) -> Result<i64, String> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return number_of_seconds(seconds, text);
    }
    let parsed: Result<Timestamp, _> = text.parse();
    match parsed {
        Ok(at) if at.as_millisecond() >= 0 => Ok(at.as_millisecond()),
        Ok(_) => Err(format!("`{}` is before 1970", shown(text))),
        Err(_) => Err(format!(
            "a time must be seconds or RFC 3339, as in `2026-03-02T08:00:00Z`, not `{}`",
            shown(text)
        )),
    }
}

/// Milliseconds of a moment: a time, or a date, which begins at midnight in UTC.
pub(crate) fn moment(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let date: Result<Date, _> = text.parse();
    if let Ok(date) = date
        && text.len() == DATE.len()
    {
        return time(&format!("{date}T00:00:00Z"));
    }
    if text.parse::<f64>().is_err() && text.parse::<Timestamp>().is_err() {
        return Err(format!(
            "must be a date or RFC 3339, as in `2026-03-02` or `2026-03-02T08:00:00Z`, not `{}`",
            shown(text)
        ));
    }
    time(text)
}

/// Milliseconds of a number of seconds, which was written as `text`.
pub(super) fn number_of_seconds(seconds: f64, text: &str) -> Result<i64, String> {
    let text = shown(text);
    if !seconds.is_finite() {
        return Err(format!("`{text}` is no time"));
    }
    if seconds < 0.0 {
        return Err(format!(
            "`{text}` is before 0: seconds count from the start of the series, or from 1970"
        ));
    }
    if seconds > LATEST {
        return Err(format!(
            "`{text}` is after the year 9999: times are in seconds, not in milliseconds"
        ));
    }
    Ok((seconds * 1000.0).round() as i64)
}

/// A value; an empty cell is a source that fails.
pub(super) fn value(text: &str) -> Result<Option<f64>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let number: f64 = text.parse().map_err(|_| {
        format!(
            "a value must be a number, or empty where the source fails, not `{}`",
            shown(text)
        )
    })?;
    checked(number, text).map(Some)
}

/// A value that a metric can have, which was written as `text`.
pub(super) fn checked(number: f64, text: &str) -> Result<f64, String> {
    let text = shown(text);
    if !number.is_finite() {
        return Err(format!(
            "`{text}` is no value; a source that fails has none at all"
        ));
    }
    if number < 0.0 {
        return Err(format!("`{text}` is below 0, which no length and no rate is"));
    }
    if number > HIGHEST {
        return Err(format!(
            "`{text}` is more than 9.2e15, the most that a metric can be"
        ));
    }
    Ok(number)
}

/// Milliseconds as seconds are written.
pub(super) fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
