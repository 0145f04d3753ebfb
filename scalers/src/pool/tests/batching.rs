//! Different questions that travel together.

use futures::future::join_all;

use super::super::batch::WINDOW;
use super::*;

#[tokio::test(start_paused = true)]
async fn a_lone_question_waits_for_nobody() {
    let bench = Bench::new(64);
    for question in 0..5 {
        tokio::time::sleep(ms(10)).await;
        assert_eq!(bench.timed(question).await, (Ok(question * 10), ms(0)));
    }
    assert_eq!(bench.world.requests().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn questions_of_one_moment_travel_together_at_once() {
    let bench = Bench::new(64);
    let answers = join_all((0..20).map(|question| bench.timed(question))).await;
    for (question, answer) in (0..20).zip(answers) {
        assert_eq!(answer, (Ok(question * 10), ms(0)));
    }
    assert_eq!(bench.world.requests(), [(0..20).collect::<Vec<_>>()]);
    let report = bench.report();
    assert_eq!((report.asked, report.batches, report.shared), (20, 1, 0));
    assert!((report.questions_per_batch() - 20.0).abs() < f64::EPSILON);
}

/// How many requests carry a question a millisecond, for 200 ms, when an answer takes so long; and the longest any waited.
async fn trickle(latency: Duration) -> (usize, Duration) {
    let bench = Bench::new(64);
    bench.world.state().latency = latency;
    let asked = (0..200).map(|question| {
        let bench = &bench;
        async move {
            tokio::time::sleep(ms(u64::from(question))).await;
            bench.timed(question).await
        }
    });
    let answers = join_all(asked).await;
    let longest = answers.iter().map(|(_, took)| *took).max().unwrap_or_default();
    assert!(answers.iter().all(|(answer, _)| answer.is_ok()));
    (bench.world.requests().len(), longest)
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_questions_shares_requests_and_waits_one_window_at_most() {
    // An answer that is there before the next question leaves nothing to wait for.
    for (latency, most) in [(ms(0), 100), (ms(1), 200), (ms(5), 100), (ms(50), 100)] {
        let (requests, longest) = trickle(latency).await;
        println!("200 questions in 200 ms, {latency:?} an answer: {requests} requests, {longest:?} at most");
        assert!(requests <= most, "{requests} requests at {latency:?}");
        // The timer counts whole milliseconds.
        assert!(longest <= latency + WINDOW + ms(1), "{longest:?} at {latency:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_leaves_when_the_one_before_it_is_answered() {
    let bench = Bench::new(64);
    bench.world.state().latency = ms(1);
    let late = |question, after: Duration| {
        let bench = &bench;
        async move {
            tokio::time::sleep(after).await;
            bench.timed(question).await
        }
    };
    let (first, second) = tokio::join!(late(1, ms(0)), late(2, Duration::from_micros(1)));
    assert_eq!(first, (Ok(10), ms(1)));
    assert_eq!(second.0, Ok(20));
    assert!(second.1 <= ms(3), "{:?}", second.1);
    assert_eq!(bench.world.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_a_bound() {
    let bench = Bench::new(4);
    let answers = join_all((0..10).map(|question| bench.ask(question))).await;
    assert!(answers.iter().all(Result::is_ok));
    let sizes: Vec<usize> = bench.world.requests().iter().map(Vec::len).collect();
    assert_eq!(sizes, [4, 4, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_source_without_batches_is_asked_at_once_for_each() {
    let bench = Bench::new(1);
    let answers = join_all((0..10).map(|question| bench.timed(question))).await;
    assert!(answers.iter().all(|(_, took)| took.is_zero()));
    assert_eq!(bench.world.requests().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_fails_does_not_fail_the_others() {
    let bench = Bench::new(64);
    bench.world.state().wrong = [2].into();
    let (one, two, three) = tokio::join!(bench.ask(1), bench.ask(2), bench.ask(3));
    assert_eq!((one, three), (Ok(10), Ok(30)));
    assert_eq!(two, Err("fake:1 answered that it has no 2".to_owned()));
    assert_eq!(bench.world.requests(), [[1, 2, 3]]);
}

#[tokio::test(start_paused = true)]
async fn a_short_answer_is_a_failure_of_the_rest() {
    let bench = Bench::new(64);
    bench.world.set(Mode::AnswersShort);
    let (one, two) = tokio::join!(bench.ask(1), bench.ask(2));
    assert_eq!(one, Ok(10));
    assert_eq!(two, Err("the source gave no answer".to_owned()));
    assert_eq!(bench.ask(1).await, Err("the source gave no answer".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_does_not_end_the_batch_of_the_others() {
    let bench = Bench::new(64);
    bench.world.state().latency = ms(100);
    // The first opens the batch and drives it, then goes.
    let first = tokio::time::timeout(ms(50), bench.ask(1));
    let (first, second) = tokio::join!(first, bench.timed(2));
    assert!(first.is_err());
    assert_eq!(second, (Ok(20), ms(100)));
    assert_eq!(bench.world.requests(), [[1, 2]]);
}

#[tokio::test(start_paused = true)]
async fn equal_questions_are_asked_once_also_in_a_batch() {
    let bench = Bench::new(64);
    let answers = join_all([1, 2, 1, 2, 1].map(|question| bench.ask(question))).await;
    assert_eq!(answers, [Ok(10), Ok(20), Ok(10), Ok(20), Ok(10)]);
    assert_eq!(bench.world.requests(), [[1, 2]]);
    assert_eq!(bench.report().shared, 3);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_too_slow_holds_up_its_batch_only_once() {
    let bench = Bench::new(64);
    bench.world.state().slow = [2].into();
    let all = || join_all((1..=3).map(|question| bench.timed(question)));
    assert!(
        all()
            .await
            .iter()
            .all(|(answer, took)| answer.is_err() && *took == DEADLINE)
    );
    // From now on it is asked alone, and so are the others until they are answered.
    for _ in 0..3 {
        let answers = all().await;
        assert_eq!(answers[0], (Ok(10), ms(0)));
        assert!(answers[1].0.is_err());
        assert_eq!(answers[2], (Ok(30), ms(0)));
        assert_eq!(bench.report().breaker, super::super::BreakerState::Closed);
    }
    assert_eq!(bench.world.requests().last(), Some(&vec![1, 3]));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_broke_is_replaced_once_for_the_whole_batch() {
    let bench = Bench::new(64);
    assert_eq!(bench.ask(1).await, Ok(10));
    bench.world.set(Mode::Refuses);
    let (one, two) = tokio::join!(bench.ask(1), bench.ask(2));
    assert_eq!(
        (one.clone(), one),
        (two, Err("cannot reach fake:1: connection refused".to_owned()))
    );
    assert_eq!(bench.world.opened.load(Ordering::Relaxed), 2);
    bench.world.set(Mode::Answers);
    assert_eq!(bench.ask(1).await, Ok(10));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_questions_leave_nothing_behind() {
    let bench = Bench::new(64);
    let answers = join_all((0..1000).map(|question| bench.ask(question))).await;
    assert!(answers.iter().all(Result::is_ok));
    let report = bench.report();
    assert_eq!((report.in_flight, report.asked, report.users.len()), (0, 1000, 1));
    assert!(report.batches <= 16, "{} requests", report.batches);
}
