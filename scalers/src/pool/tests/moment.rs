//! Polls of one moment, which share an answer; reads, which do not.

use futures::future::join_all;
use tokio::time::{Instant, advance};

use super::{Bench, Mode, ms};

/// Loops that wake one after the other, each when the one before it has been answered.
async fn moment(bench: &Bench, polls: usize) {
    let moment = Instant::now();
    for _ in 0..polls {
        assert_eq!(bench.poll(7, moment).await, Ok(70));
        advance(ms(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn polls_of_one_moment_cost_one_question_however_quick_the_source() {
    for together in [1, 20] {
        let bench = Bench::new(together);
        for moments in 1..=5 {
            moment(&bench, 200).await;
            assert_eq!(bench.world.requests().len(), moments);
            advance(ms(4000)).await;
        }
        let report = bench.report();
        assert_eq!((report.asked, report.shared), (5, 5 * 199));
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_gets_an_answer_of_its_own() {
    let bench = Bench::new(1);
    moment(&bench, 3).await;
    assert_eq!(bench.ask(7).await, Ok(70));
    assert_eq!(bench.ask(7).await, Ok(70));
    assert_eq!(bench.world.requests().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn another_question_is_another_answer() {
    let bench = Bench::new(1);
    let moment = Instant::now();
    let answers = join_all((1..=3).map(|question| bench.poll(question, moment))).await;
    assert_eq!(answers, [Ok(10), Ok(20), Ok(30)]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_asked_about_again() {
    let bench = Bench::new(1);
    let moment = Instant::now();
    bench.world.set(Mode::AnswersShort);
    assert!(bench.poll(7, moment).await.is_err());
    bench.world.set(Mode::Answers);
    assert_eq!(bench.poll(7, moment).await, Ok(70));
}
