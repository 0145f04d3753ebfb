//! Questions that find out about a source whose breaker is open, and those that wait for them.

use futures::future::join_all;
use proptest::prelude::*;

use super::super::BreakerState;
use super::silence::silence;
use super::*;

/// A bench whose breaker is open because of one question, 1, that is never answered; every other is.
async fn slow() -> Bench {
    let bench = Bench::new(1);
    bench.world.state().slow = [1].into();
    silence(&bench).await;
    bench
}

impl Bench {
    async fn at(&self, begin: Duration, question: u32, within: Duration) -> (Result<u32, String>, Duration) {
        tokio::time::sleep(begin).await;
        self.within(&self.world, question, within).await
    }
}

#[tokio::test(start_paused = true)]
async fn quick_questions_that_come_together_behind_slow_ones_are_all_answered() {
    let bench = slow().await;
    bench.world.state().latency = ms(10);
    let answers = join_all((10..40).map(|question| bench.timed(question))).await;
    for (question, (answer, took)) in (10..40).zip(answers) {
        assert_eq!(answer, Ok(question * 10));
        let due = if question == 10 { ms(10) } else { ms(20) };
        assert_eq!(took, due, "one finds out, and then all are asked at once");
    }
    assert_eq!(bench.world.asked_of(10..), 30);
    assert_eq!(bench.report_state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_share_the_failure_of_the_trial() {
    let bench = slow().await;
    bench.world.set(Mode::Hangs);
    let before = bench.report().refused;
    let (trial, waiting) = tokio::join!(
        bench.timed(10),
        join_all((11..21).map(|question| bench.at(ms(500), question, DEADLINE)))
    );
    assert_eq!(
        trial,
        (Err("no answer from fake:1 within 3s".to_owned()), DEADLINE)
    );
    for (answer, took) in waiting {
        let error = answer.expect_err("nobody is answered");
        assert!(
            error.starts_with("fake:1 has not been answering since "),
            "{error}"
        );
        assert!(error.ends_with(": no answer from fake:1 within 3s"), "{error}");
        assert_eq!(took, ms(2500));
    }
    assert_eq!(bench.world.asked_of(10..), 1);
    assert_eq!(bench.report().refused - before, 10);
    // What was not asked did not fail: the next of them is a trial of its own.
    bench.world.set(Mode::Answers);
    assert_eq!(bench.timed(11).await, (Ok(110), ms(0)));
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_breaks_fails_those_who_wait_at_once() {
    let bench = slow().await;
    bench.world.set(Mode::Refuses);
    bench.world.state().latency = ms(100);
    let answers = join_all((10..20).map(|question| bench.timed(question))).await;
    for (answer, took) in answers {
        let error = answer.expect_err("nobody is answered");
        assert!(
            error.ends_with("cannot reach fake:1: connection refused"),
            "{error}"
        );
        assert!(took <= ms(200), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_is_given_up_leaves_the_next_its_turn() {
    let bench = slow().await;
    bench.world.state().slow.extend([10, 11]);
    let gives_up = |question| {
        let read = bench.timed(question);
        async move { tokio::time::timeout(ms(1000), read).await }
    };
    let (first, second, third) = tokio::join!(gives_up(10), gives_up(11), bench.timed(12));
    // The second had waited for the first; both are gone at the same time.
    assert!(first.is_err() && second.is_err());
    assert_eq!(third, (Ok(120), ms(1000)));
    assert_eq!(bench.report_state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_the_deadline_of_who_waits() {
    let bench = slow().await;
    bench.world.state().slow.insert(10);
    let long = Duration::from_mins(1);
    let (trial, hasty, patient) = tokio::join!(
        bench.within(&bench.world, 10, long),
        bench.at(ms(1), 11, ms(1500)),
        bench.at(ms(1), 12, Duration::from_mins(2)),
    );
    assert_eq!(trial.1, long);
    let error = hasty.0.expect_err("it has no time for the outcome");
    assert!(
        error.starts_with("fake:1 has not been answering since "),
        "{error}"
    );
    assert_eq!(hasty.1, ms(1500));
    assert!(patient.0.is_err());
    assert_eq!(patient.1, long.saturating_sub(ms(1)));
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_asked_once_anybody_is_answered() {
    let bench = slow().await;
    {
        let mut state = bench.world.state();
        (state.slow, state.latency) = ([10].into(), ms(2000));
    }
    // A probe is under way, which will be answered; the trial beside it will not.
    tokio::time::sleep(ms(1000)).await;
    bench.world.state().latency = ms(10);
    let (trial, (answer, took)) = tokio::join!(bench.timed(10), bench.at(ms(1), 11, DEADLINE));
    assert!(trial.0.is_err());
    assert_eq!(answer, Ok(110));
    assert!((ms(1700)..ms(2100)).contains(&took), "{took:?}");
    assert_eq!(bench.report_state(), BreakerState::Closed);
}

/// A read: when it begins, what it asks, how long it may take, and when its reader gives it up.
type Arrival = (u64, u32, u64, Option<u64>);

fn arrivals() -> impl Strategy<Value = Vec<Arrival>> {
    let arrival = (
        0..8_000_u64,
        2..30_u32,
        1..9_000_u64,
        prop::option::of(0..6_000_u64),
    );
    prop::collection::vec(arrival, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whoever comes and goes, and whatever the source does: every read ends in time, an open source is asked two things
    /// at a time at most, a probe and a trial, and it is never given up for good.
    #[test]
    fn a_silent_source_is_asked_little_and_never_forgotten(
        arrivals in arrivals(),
        mode in prop::sample::select(vec![Mode::Hangs, Mode::Refuses, Mode::NeverOpens]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let bench = Bench::new(1);
            bench.world.set(Mode::Hangs);
            silence(&bench).await;
            bench.world.set(mode);
            {
                let mut state = bench.world.state();
                (state.latency, state.most) = (ms(200), 0);
            }
            let reads = arrivals.iter().map(|(begin, question, within, gives_up)| {
                let (bench, within) = (&bench, ms(*within));
                async move {
                    let read = bench.at(ms(*begin), *question, within);
                    let ended = match gives_up {
                        None => Some(read.await),
                        Some(after) => tokio::time::timeout(ms(begin + after), read).await.ok(),
                    };
                    ended.map(|(answer, took)| (answer, took, within))
                }
            });
            for (answer, took, within) in join_all(reads).await.into_iter().flatten() {
                prop_assert!(answer.is_err(), "{answer:?}");
                prop_assert!(took <= within, "{took:?} of {within:?}");
            }
            let most = bench.world.state().most;
            prop_assert!(most <= 2, "{most} at a time");
            bench.world.set(Mode::Answers);
            // A probe may still wait for the source to open.
            tokio::time::sleep(DEADLINE).await;
            prop_assert_eq!(bench.ask(1000).await, Ok(10_000));
            prop_assert_eq!(bench.report_state(), BreakerState::Closed);
            Ok(())
        })?;
    }
}
