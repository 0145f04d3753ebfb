//! Sources that never get as far as being asked.

use futures::future::join_all;

use super::super::BreakerState;
use super::*;

#[tokio::test(start_paused = true)]
async fn an_opening_that_never_ends_is_given_up_however_many_join_it() {
    let bench = Bench::new(1);
    bench.world.set(Mode::NeverOpens);
    let read = async |number| {
        tokio::time::sleep(ms(900) * number).await;
        bench.within(&bench.world, number, Duration::from_secs(20)).await
    };
    let reads = (0..6).map(read);
    let told = join_all(reads).await;
    let late = Err("no answer from fake:1 within 3s".to_owned());
    // Four join the first opening, and two the second.
    let want = [3000, 2100, 1200, 300, 3000, 2100].map(|took| (late.clone(), ms(took)));
    assert_eq!(told, want);
    assert_eq!(bench.world.opened.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_opens_again_is_asked() {
    let bench = Bench::new(1);
    bench.world.set(Mode::NeverOpens);
    assert!(bench.ask(1).await.is_err());
    bench.world.set(Mode::Answers);
    assert_eq!(bench.timed(1).await, (Ok(10), ms(0)));
    assert_eq!(bench.world.opened.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_opens_counts_as_silent() {
    let bench = Bench::new(1);
    bench.world.set(Mode::NeverOpens);
    for _ in 0..3 {
        assert_eq!(bench.timed(1).await.1, DEADLINE);
        tokio::time::sleep(ms(1)).await;
    }
    assert_eq!(bench.report().breaker, BreakerState::Open);
    assert_eq!(bench.timed(1).await.1, ms(0));
}

#[tokio::test(start_paused = true)]
async fn a_stream_waits_no_longer_for_a_source_than_a_read() {
    let bench = Bench::new(1);
    bench.world.set(Mode::NeverOpens);
    let opener = bench.shelf.get(
        &Key(Arc::clone(&bench.world)),
        &"shop/orders[0]".into(),
        &bench.connect,
    );
    let begin = Instant::now();
    let error = opener.source().await.err().expect("it never opens");
    assert_eq!(error.to_string(), "no answer from fake:1 within 3s");
    assert_eq!(begin.elapsed(), DEADLINE);
}
