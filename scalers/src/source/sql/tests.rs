use std::future::{Ready, ready};

use tokio::sync::Notify;

use super::*;

#[track_caller]
fn number(columns: usize, rows: &[&[Option<&str>]]) -> Result<f64, String> {
    let reply = Reply {
        columns,
        rows: rows
            .iter()
            .map(|row| row.iter().map(|value| value.map(str::to_owned)).collect())
            .collect(),
    };
    reply.number().map_err(|error| error.to_string())
}

#[test]
fn the_first_row_holds_one_number() {
    for (text, want) in [
        ("7", 7.0),
        ("-2.5", -2.5),
        ("1e3", 1000.0),
        ("007", 7.0),
        ("+4", 4.0),
        (".5", 0.5),
    ] {
        assert_eq!(number(1, &[&[Some(text)]]), Ok(want), "{text}");
    }
    assert_eq!(number(1, &[&[Some("1")], &[Some("2")]]), Ok(1.0));
    assert_eq!(number(1, &[&[Some("Infinity")]]), Ok(f64::INFINITY));
    assert!(number(1, &[&[Some("NaN")]]).is_ok_and(f64::is_nan));
}

#[test]
fn what_holds_no_number_is_an_error() {
    assert_eq!(number(1, &[]).expect_err("no row"), "the query returned no row");
    assert_eq!(number(0, &[]).expect_err("no row"), "the query returned no row");
    assert_eq!(
        number(1, &[&[None]]).expect_err("NULL"),
        "the query returned NULL"
    );
    assert_eq!(
        number(2, &[&[Some("1"), Some("2")]]).expect_err("two"),
        "the query returned 2 columns where one is read"
    );
    for text in ["many", "", "1 ", "t", "$1.00", "0x1", "1,5", "1e400"] {
        assert_eq!(
            number(1, &[&[Some(text)]]).expect_err(text),
            format!("the query returned `{text}`, which is no number")
        );
    }
    let long = number(1, &[&[Some(&"x\n".repeat(500))]]).expect_err("text");
    assert!(long.chars().count() < 90 && !long.contains('\n'), "{long}");
}

#[test]
fn what_a_server_says_is_kept_short_and_clean() {
    assert_eq!(said("no\nsuch\ttable", None), "no such table");
    assert_eq!(
        said("the password hunter22 is wrong", Some("hunter22")),
        "the password [redacted] is wrong"
    );
    assert_eq!(said(&"x".repeat(1000), None).chars().count(), 301);
}

#[test]
fn escapes_are_undone() {
    assert_eq!(unescape("a%20b+c", true).as_deref(), Some("a b c"));
    assert_eq!(unescape("a%20b+c", false).as_deref(), Some("a b+c"));
    for broken in ["%", "%2", "%zz", "%ff"] {
        assert_eq!(unescape(broken, true), None, "{broken}");
    }
}

/// A connection whose queries end when the bench says so; `break` ends it.
struct Line {
    bench: Arc<Bench>,
    number: u64,
}

#[derive(Default)]
struct Bench {
    opened: AtomicU64,
    running: AtomicU64,
    most: AtomicU64,
    gate: Notify,
}

impl Bench {
    fn open(self: &Arc<Self>) -> Ready<Result<Line, ScalerError>> {
        ready(Ok(Line {
            number: self.opened.fetch_add(1, Ordering::Relaxed) + 1,
            bench: Arc::clone(self),
        }))
    }

    /// Lanes whose first connection counts as opened.
    async fn lanes(self: &Arc<Self>) -> Lanes<Line> {
        Lanes::new(self.open().await.expect("a line"))
    }
}

/// One query under way.
struct Running<'a>(&'a Bench);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Client for Line {
    async fn query(&mut self, sql: &str, _keep: usize) -> Result<Reply, ScalerError> {
        let now = self.bench.running.fetch_add(1, Ordering::Relaxed) + 1;
        self.bench.most.fetch_max(now, Ordering::Relaxed);
        let _running = Running(&self.bench);
        match sql {
            "break" if self.number == 1 => {
                return Err(ScalerError::unreachable("line", std::io::Error::other("broken")));
            }
            "wrong" => return Err(ScalerError::Value("wrong".to_owned())),
            _ if sql.starts_with("wait") => self.bench.gate.notified().await,
            _ => tokio::task::yield_now().await,
        }
        Ok(Reply {
            columns: 1,
            rows: vec![vec![Some(self.number.to_string())]],
        })
    }
}

async fn ask(bench: &Arc<Bench>, lanes: &Lanes<Line>, sql: &str) -> Result<f64, ScalerError> {
    lanes.query(sql, 1, || bench.open()).await?.number()
}

#[tokio::test]
async fn many_queries_share_few_connections() {
    let bench = Arc::new(Bench::default());
    let lanes = bench.lanes().await;
    let texts: Vec<String> = (0..50).map(|index| format!("q{index}")).collect();
    let asked = futures::future::join_all(texts.iter().map(|sql| ask(&bench, &lanes, sql))).await;
    assert!(asked.iter().all(Result::is_ok));
    assert_eq!(bench.most.load(Ordering::Relaxed), LANES as u64);
    assert_eq!(bench.opened.load(Ordering::Relaxed), LANES as u64);
}

#[tokio::test]
async fn a_broken_connection_is_replaced_and_a_refused_query_keeps_its_own() {
    let bench = Arc::new(Bench::default());
    let lanes = bench.lanes().await;
    ask(&bench, &lanes, "wrong").await.expect_err("refused");
    assert_eq!(ask(&bench, &lanes, "q").await.ok(), Some(1.0));
    assert_eq!(ask(&bench, &lanes, "break").await.ok(), Some(2.0));
    assert_eq!(ask(&bench, &lanes, "q").await.ok(), Some(2.0));
}

#[tokio::test]
async fn queries_that_were_given_up_leave_a_lane_to_the_others() {
    let bench = Arc::new(Bench::default());
    let lanes = bench.lanes().await;
    let slow: Vec<String> = (0..4).map(|index| format!("wait{index}")).collect();
    for sql in &slow {
        // Polled until it waits, and dropped as a reading is that passed its deadline.
        assert!(futures::poll!(Box::pin(ask(&bench, &lanes, sql))).is_pending());
    }
    assert_eq!(bench.running.load(Ordering::Relaxed), 0);
    let mut again = Box::pin(futures::future::join_all(
        slow.iter().map(|sql| ask(&bench, &lanes, sql)),
    ));
    assert!(futures::poll!(&mut again).is_pending());
    assert_eq!(
        bench.running.load(Ordering::Relaxed),
        1,
        "one lane for all that were slow"
    );
    ask(&bench, &lanes, "q").await.expect("the other lane is free");
    // Those that end in time are slow no longer.
    for _ in &slow {
        bench.gate.notify_one();
        assert!(futures::poll!(&mut again).is_pending() || bench.running.load(Ordering::Relaxed) == 0);
    }
    drop(again);
    assert!(lock(&lanes.slow).len() < slow.len());
}
