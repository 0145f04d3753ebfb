//! Sources that answer nobody.

use engine::fallback::{self, Outcome};
use futures::future::join_all;

use super::super::BreakerState;
use super::*;

/// Reads until the breaker is open: three reads, each begun after the one before it failed.
pub(super) async fn silence(bench: &Bench) {
    for _ in 0..3 {
        assert_eq!(bench.report_state(), BreakerState::Closed);
        assert!(bench.ask(1).await.is_err());
        tokio::time::sleep(ms(1)).await;
    }
    assert_eq!(bench.report_state(), BreakerState::Open);
}

impl Bench {
    pub(super) fn report_state(&self) -> BreakerState {
        let mut reports = Vec::new();
        self.shelf.report(&mut reports);
        reports
            .first()
            .map_or(BreakerState::Closed, |report| report.breaker)
    }
}

#[tokio::test(start_paused = true)]
async fn reads_of_a_silent_source_wait_until_it_is_known_then_fail_at_once() {
    let bench = Bench::new(1);
    bench.world.set(Mode::Hangs);
    for _ in 0..3 {
        let (answer, took) = bench.timed(1).await;
        assert_eq!(answer, Err("no answer from fake:1 within 3s".to_owned()));
        assert_eq!(took, DEADLINE);
        tokio::time::sleep(ms(1)).await;
    }
    let (answer, took) = bench.timed(1).await;
    assert_eq!(took, ms(0));
    assert_eq!(
        answer,
        Err(
            "fake:1 has not been answering since 2026-01-01T09:59:59Z; it is probed again within 1s: \
             no answer from fake:1 within 3s"
                .to_owned()
        )
    );
    let report = bench.report();
    assert_eq!(
        (report.breaker, report.refused, report.asked),
        (BreakerState::Open, 1, 3)
    );
    let next = report.next_probe_seconds.expect("a probe is due");
    assert!((0.7..=1.0).contains(&next), "{next}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_comes_back_is_found_by_a_probe() {
    let bench = Bench::new(1);
    bench.world.set(Mode::Hangs);
    silence(&bench).await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert!(bench.ask(1).await.is_err());
    bench.world.set(Mode::Answers);
    let mut seconds = 0;
    while bench.report_state() != BreakerState::Closed {
        tokio::time::sleep(Duration::from_secs(1)).await;
        seconds += 1;
        // The longest pause, and a probe that began before the source came back.
        assert!(seconds <= 14, "it is not noticed");
    }
    let probed = bench.world.requests().len();
    assert_eq!(bench.timed(1).await, (Ok(10), ms(0)));
    assert_eq!(
        bench.world.requests().len(),
        probed + 1,
        "the value is live, not the probe's"
    );
}

#[tokio::test(start_paused = true)]
async fn probes_come_with_pauses_that_double_up_to_a_bound() {
    let bench = Bench::new(1);
    bench.world.set(Mode::Hangs);
    silence(&bench).await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    let probes: Vec<Duration> = bench.world.state().requests[3..]
        .iter()
        .map(|(at, _)| *at)
        .collect();
    let opened = bench.world.state().requests[2].0 + DEADLINE;
    let mut ended = opened;
    for (probe, pause) in probes.iter().zip([1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]) {
        let waited = probe.saturating_sub(ended).as_secs_f64();
        assert!(
            (pause * 0.75..=pause + 0.01).contains(&waited),
            "{waited} s instead of {pause}"
        );
        ended = *probe + DEADLINE;
    }
    assert!(
        (7..=14).contains(&probes.len()),
        "{} probes in two minutes",
        probes.len()
    );
}

#[tokio::test(start_paused = true)]
async fn a_probe_ends_with_its_source() {
    let bench = Bench::new(1);
    bench.world.set(Mode::Hangs);
    silence(&bench).await;
    bench.shelf.close_idle(Duration::ZERO);
    let before = bench.world.requests().len();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(bench.world.requests().len(), before);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_refuses_connections_is_not_asked_either() {
    let bench = Bench::new(1);
    bench.world.set(Mode::Refuses);
    silence(&bench).await;
    let opened = bench.world.opened.load(Ordering::Relaxed);
    let error = bench.ask(1).await.expect_err("it is not asked");
    assert!(
        error.ends_with("cannot reach fake:1: connection refused"),
        "{error}"
    );
    assert_eq!(bench.world.opened.load(Ordering::Relaxed), opened);
    bench.world.set(Mode::Answers);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(bench.ask(1).await, Ok(10));
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_questions_is_one_failure() {
    let bench = Bench::new(1);
    bench.world.set(Mode::Hangs);
    let answers = join_all((0..50).map(|question| bench.ask(question))).await;
    assert!(answers.iter().all(Result::is_err));
    assert_eq!(bench.report_state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_question_keeps_no_other_from_being_asked() {
    let bench = Bench::new(1);
    bench.world.state().wrong = [7].into();
    for _ in 0..10 {
        assert_eq!(
            bench.ask(7).await,
            Err("fake:1 answered that it has no 7".to_owned())
        );
        tokio::time::sleep(ms(1)).await;
    }
    assert_eq!(bench.report_state(), BreakerState::Closed);
    // One that is too slow, beside others that are answered.
    bench.world.state().slow = [8].into();
    for _ in 0..10 {
        let beside = async {
            tokio::time::sleep(ms(100)).await;
            bench.ask(1).await
        };
        let (slow, quick) = tokio::join!(bench.ask(8), beside);
        assert!(slow.is_err() && quick.is_ok());
    }
    assert_eq!(bench.report_state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_did_not_fail_is_let_through() {
    let bench = Bench::new(1);
    // Only one question was asked for a long time, and it is too slow.
    bench.world.state().slow = [1].into();
    silence(&bench).await;
    assert!(bench.ask(1).await.is_err());
    assert_eq!(bench.timed(2).await, (Ok(20), ms(0)));
    assert_eq!(bench.report_state(), BreakerState::Closed);
    // A source that really is silent is asked one at a time.
    bench.world.set(Mode::Hangs);
    silence(&bench).await;
    let answers = join_all((10..20).map(|question| bench.timed(question))).await;
    let asked = bench.world.asked_of(10..20);
    assert!(asked <= 1, "{asked} were asked");
    assert!(
        answers
            .iter()
            .all(|(answer, took)| answer.is_err() && *took <= DEADLINE)
    );
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_delays_no_other() {
    let bench = Bench::new(64);
    let hung = world(64);
    hung.set(Mode::Hangs);
    for _ in 0..4 {
        let silent = join_all((0..20).map(|question| bench.timed_on(&hung, question)));
        let live = join_all((0..200).map(|question| bench.timed(question)));
        let (silent, live) = tokio::join!(silent, live);
        assert!(
            silent
                .iter()
                .all(|(answer, took)| answer.is_err() && *took <= DEADLINE)
        );
        for (question, (answer, took)) in (0..200).zip(live) {
            assert_eq!(answer, Ok(question * 10));
            assert!(took <= ms(3), "{took:?}");
        }
        tokio::time::sleep(ms(1)).await;
    }
}

/// Reads every so often while the source answers (`.`) or hangs (`x`), and gives the failures of the metric after each read,
/// as `fallback` counts them.
async fn failures(after: u32, world: &str) -> Vec<i32> {
    let mut bench = Bench::new(1);
    let mut connect = Connect::default();
    connect.probing.after = after;
    bench.connect = Arc::new(connect);
    let mut health = None;
    let mut counts = Vec::new();
    for moment in world.chars() {
        let mode = if moment == '.' { Mode::Answers } else { Mode::Hangs };
        bench.world.set(mode);
        // A source that is back is noticed by a probe before the next poll.
        tokio::time::sleep(Duration::from_secs(30)).await;
        let outcome = if bench.ask(1).await.is_ok() {
            Outcome::Answered
        } else {
            Outcome::Failed
        };
        let now = fallback::count(health.as_ref(), outcome);
        counts.extend(now.number_of_failures);
        health = Some(now);
    }
    counts
}

#[tokio::test(start_paused = true)]
async fn failures_are_counted_read_by_read_as_without_a_breaker() {
    for world in ["....", "xxxxxxxx", ".xxxxx..", "x.xx.xxx.xxxx.", "xxxxxx.xxxxxx."] {
        let (ours, upstreams) = (failures(3, world).await, failures(u32::MAX, world).await);
        assert_eq!(ours, upstreams, "{world}");
    }
}

#[tokio::test(start_paused = true)]
async fn failed_questions_are_remembered_within_bounds_and_for_a_time() {
    let bench = Bench::new(1);
    bench.world.set(Mode::Hangs);
    let answers = join_all((0..5000).map(|question| bench.ask(question))).await;
    assert!(answers.iter().all(Result::is_err));
    let remembered = |bench: &Bench| {
        let opener = bench.shelf.get(
            &Key(Arc::clone(&bench.world)),
            &"shop/orders[0]".into(),
            &bench.connect,
        );
        opener.remembered()
    };
    assert_eq!(remembered(&bench), 1024);
    assert_eq!(bench.report().in_flight, 0);
    tokio::time::sleep(Duration::from_mins(11)).await;
    let _ = remembered(&bench);
    bench.shelf.close_idle(Duration::from_mins(10));
    assert_eq!(remembered(&bench), 0);
}
