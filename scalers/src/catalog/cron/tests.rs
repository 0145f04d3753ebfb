#![expect(clippy::float_cmp, reason = "the values are whole numbers")]

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;

fn cron(start: &str, end: &str, timezone: &str) -> Cron {
    Cron {
        start: start.into(),
        end: end.into(),
        timezone: timezone.into(),
        desired_replicas: 4,
    }
}

#[track_caller]
fn at(trigger: &Cron, now: &str) -> f64 {
    let reading = trigger.at(now.parse().expect("a time")).expect("a value");
    assert_eq!(reading.active, Some(reading.value > 0.0));
    reading.value
}

#[track_caller]
fn fires(schedule: &str, zone: &str, now: &str, wanted: &str) {
    let next = Schedule::parse(schedule).expect("a schedule").next(
        now.parse().expect("a time"),
        &TimeZone::get(zone).expect("a zone"),
    );
    assert_eq!(
        next.map(|at| at.to_string()).as_deref().unwrap_or("never"),
        wanted,
        "{schedule}"
    );
}

#[test]
fn inside_from_the_start_up_to_the_end() {
    let office = cron("30 7 * * *", "45 18 * * *", "Europe/Oslo");
    assert_eq!(at(&office, "2026-01-10T06:29:59Z"), 0.0);
    assert_eq!(at(&office, "2026-01-10T06:30:00Z"), 4.0);
    assert_eq!(at(&office, "2026-01-10T17:44:59Z"), 4.0);
    assert_eq!(at(&office, "2026-01-10T17:45:00Z"), 0.0);
    // In summer the zone is an hour further ahead.
    assert_eq!(at(&office, "2026-07-10T05:30:00Z"), 4.0);
}

#[test]
fn a_window_may_span_midnight() {
    let night = cron("0 22 * * *", "0 4 * * *", "Etc/UTC");
    assert_eq!(at(&night, "2026-01-10T23:00:00Z"), 4.0);
    assert_eq!(at(&night, "2026-01-10T03:59:59Z"), 4.0);
    assert_eq!(at(&night, "2026-01-10T12:00:00Z"), 0.0);
}

#[test]
fn schedules_that_never_fire_count_as_long_ago() {
    assert_eq!(
        at(&cron("0 0 30 2 *", "0 1 * * *", "UTC"), "2026-01-10T12:00:00Z"),
        0.0
    );
    assert_eq!(
        at(&cron("0 1 * * *", "0 0 30 2 *", "UTC"), "2026-01-10T12:00:00Z"),
        4.0
    );
}

#[test]
fn an_unknown_zone_is_an_error_of_the_reading() {
    let error = cron("0 1 * * *", "0 2 * * *", "Mars/Base")
        .at(Timestamp::UNIX_EPOCH)
        .expect_err("no such zone");
    assert_eq!(
        error.to_string(),
        "the time zone `Mars/Base` is not in the IANA database"
    );
}

#[test]
fn next_firings() {
    fires(
        "30 7 * * *",
        "Etc/UTC",
        "2026-01-10T07:30:00Z",
        "2026-01-11T07:30:00Z",
    );
    fires(
        "30 7 * * *",
        "Etc/UTC",
        "2026-01-10T07:29:59.5Z",
        "2026-01-10T07:30:00Z",
    );
    fires(
        "0 0 29 2 *",
        "Etc/UTC",
        "2026-01-10T00:00:00Z",
        "2028-02-29T00:00:00Z",
    );
    fires(
        "0 0 31 12 *",
        "Etc/UTC",
        "2026-12-31T00:00:00Z",
        "2027-12-31T00:00:00Z",
    );
    fires("0 0 30 2 *", "Etc/UTC", "2026-01-10T00:00:00Z", "never");
    fires(
        "TZ=Asia/Tokyo 0 9 * * *",
        "Etc/UTC",
        "2026-01-10T01:00:00Z",
        "2026-01-11T00:00:00Z",
    );
    // 2026-01-10 is a Saturday.
    fires(
        "0 0 * * SUN",
        "Etc/UTC",
        "2026-01-10T00:00:00Z",
        "2026-01-11T00:00:00Z",
    );
}

#[test]
fn restricted_days_widen_each_other() {
    fires(
        "0 0 13 * FRI",
        "Etc/UTC",
        "2026-01-10T00:00:00Z",
        "2026-01-13T00:00:00Z",
    );
    fires(
        "0 0 13 * ?",
        "Etc/UTC",
        "2026-01-10T00:00:00Z",
        "2026-01-13T00:00:00Z",
    );
    fires(
        "0 0 */1 * FRI",
        "Etc/UTC",
        "2026-01-10T00:00:00Z",
        "2026-01-16T00:00:00Z",
    );
    // A star with a step restricts: odd days or Fridays.
    fires(
        "0 0 */2 * FRI",
        "Etc/UTC",
        "2026-01-15T00:00:00Z",
        "2026-01-16T00:00:00Z",
    );
}

#[test]
fn the_change_of_clocks() {
    // Oslo skips 02:00–03:00 on 2026-03-29, and repeats 02:00–03:00 on 2026-10-25.
    fires(
        "30 2 * * *",
        "Europe/Oslo",
        "2026-03-28T12:00:00Z",
        "2026-03-30T00:30:00Z",
    );
    fires(
        "30 2 * * *",
        "Europe/Oslo",
        "2026-10-24T12:00:00Z",
        "2026-10-25T00:30:00Z",
    );
    fires(
        "30 2 * * *",
        "Europe/Oslo",
        "2026-10-25T00:30:00Z",
        "2026-10-25T01:30:00Z",
    );
    fires(
        "0 3 * * *",
        "Europe/Oslo",
        "2026-10-25T01:30:00Z",
        "2026-10-25T02:00:00Z",
    );
}

#[test]
fn refused_schedules_say_why() {
    let check = |text: &str, wanted: &str| {
        let error = Schedule::parse(text).expect_err(text);
        assert!(error.to_string().contains(wanted), "{text}: {error}");
    };
    check("30 7 * *", "five fields, not 4");
    check("0 30 7 * * *", "five fields, not 6");
    check("@daily", "five fields");
    check("5 25 * * *", "between 0 and 23");
    check("20-10 5 * * *", "begins before it ends");
    check("*/0 5 * * *", "more than 0");
    check("1-9/3 5 L * *", "a number");
    check("0 0 * * 7", "between 0 and 6");
    check("1/2/3 * * * *", "one step");
    check("1-2-3 * * * *", "one hyphen");
    check("-1 * * * *", "a number");
    check("TZ=Mars/Base 0 0 * * *", "Mars/Base");
}

proptest! {
    #[test]
    fn never_panics(text in "[ -~]{0,40}", seconds in -2_000_000_000_i64..4_000_000_000) {
        if let Ok(schedule) = Schedule::parse(&text) {
            let now = Timestamp::from_second(seconds).expect("within range");
            let next = schedule.next(now, &TimeZone::UTC);
            prop_assert!(next.is_none_or(|next| next > now));
        }
    }

    #[test]
    fn fires_after_now(
        minute in 0..60_i8, hour in 0..24_i8, day in 1..=31_i8, seconds in 0_i64..4_000_000_000,
    ) {
        let zone = TimeZone::get("America/New_York").expect("a zone");
        let schedule = Schedule::parse(&format!("{minute} {hour} {day} * *")).expect("a schedule");
        let now = Timestamp::from_second(seconds).expect("within range");
        let next = schedule.next(now, &zone).expect("every day of the month comes");
        let wall = zone.to_datetime(next);
        prop_assert!(next > now);
        prop_assert_eq!((wall.minute(), wall.hour(), wall.day()), (minute, hour, day));
    }
}
