//! Reads of a real HTTP server that wants a key.

use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use engine::metric::TriggerMetrics;
use scalers::{Connect, TriggerInput};

use super::*;

/// A server, the key it takes, and the keys it was shown. Without a key it never answers.
struct Server {
    url: String,
    shared: Arc<Mutex<Shown>>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

#[derive(Default)]
struct Shown {
    wanted: Option<&'static str>,
    keys: Vec<String>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(wanted: Option<&'static str>) -> Self {
        let shared = Arc::new(Mutex::new(Shown {
            wanted,
            keys: Vec::new(),
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/", get(answer))
            .with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, shared, task }
    }

    fn wants(&self, key: &'static str) {
        self.shared.lock().unwrap().wanted = Some(key);
    }

    /// The keys that were shown since this was called last.
    fn shown(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().unwrap().keys)
    }

    fn trigger(&self, key: &str) -> Built {
        let mut input = TriggerInput {
            type_: "metrics-api".to_owned(),
            ..TriggerInput::default()
        };
        let settings = [
            ("url", self.url.as_str()),
            ("targetValue", "5"),
            ("valueLocation", "depth"),
            ("authMode", "apiKey"),
        ];
        for (name, value) in settings {
            input.metadata.insert(name.to_owned(), value.to_owned());
        }
        input.auth.insert("apiKey", key);
        scalers::read(&input).unwrap()
    }

    fn slot(&self, key: &str) -> Slot {
        let none = TriggerMetrics::External(Vec::new());
        Slot::new(self.trigger(key), none, false, "metricsAPIScaler".to_owned())
    }
}

async fn answer(State(shared): State<Arc<Mutex<Shown>>>, headers: HeaderMap) -> (StatusCode, &'static str) {
    let key = headers
        .get("x-api-key")
        .map_or("", |key| key.to_str().unwrap_or_default());
    let wanted = {
        let mut shared = shared.lock().unwrap();
        shared.keys.push(key.to_owned());
        shared.wanted
    };
    match wanted {
        None => std::future::pending().await,
        Some(wanted) if wanted == key => (StatusCode::OK, r#"{"depth": 4}"#),
        Some(_) => (StatusCode::UNAUTHORIZED, ""),
    }
}

/// Reads as the scale loop does; what is built anew has that key.
async fn read(pool: &Pool, server: &Server, slot: &Slot, key: &str) -> Result<f64, String> {
    let metric = MetricName::new("s0-metric-api-depth");
    let anew = async {
        let built = server.trigger(key);
        let elsewhere = pool.mark(&built) != pool.mark(&slot.built());
        Ok(slot.replace(built, elsewhere))
    };
    let samples = twice(
        pool,
        slot,
        (&metric, Timestamp::UNIX_EPOCH),
        Caller::Loop(None),
        anew,
    )
    .await?;
    Ok(samples[0].value)
}

#[tokio::test]
async fn former_credentials_serve_until_the_new_ones_do() {
    let (server, pool) = (Server::start(Some("old")).await, Pool::new(Connect::default()));
    let slot = server.slot("old");
    assert_eq!(read(&pool, &server, &slot, "old").await, Ok(4.0));
    // The Secret changes before the server knows the new key.
    slot.replace(server.trigger("new"), true);
    server.shown();
    assert_eq!(read(&pool, &server, &slot, "new").await, Ok(4.0));
    assert_eq!(server.shown(), ["new", "new", "old"]);
    server.wants("new");
    assert_eq!(read(&pool, &server, &slot, "new").await, Ok(4.0));
    assert_eq!(server.shown(), ["new"]);
    assert!(slot.former().is_none());
}

#[tokio::test]
async fn a_rotated_credential_is_found_by_the_read_that_fails() {
    let (server, pool) = (Server::start(Some("old")).await, Pool::new(Connect::default()));
    let slot = server.slot("old");
    assert_eq!(read(&pool, &server, &slot, "old").await, Ok(4.0));
    server.wants("new");
    server.shown();
    assert_eq!(read(&pool, &server, &slot, "new").await, Ok(4.0));
    assert_eq!(server.shown(), ["old", "new"]);
    // Neither key is taken: the second error counts, and nothing old is tried.
    server.wants("newest");
    server.shown();
    let error = read(&pool, &server, &slot, "newer").await.unwrap_err();
    assert!(error.contains("refused the credentials"), "{error}");
    assert_eq!(server.shown(), ["new", "newer"]);
}

#[tokio::test]
async fn a_read_of_the_hpa_waits_for_one_deadline_only() {
    let server = Server::start(Some("old")).await;
    let pool = Pool::new(Connect {
        timeout: Duration::from_millis(200),
        ..Connect::default()
    });
    let slot = server.slot("old");
    // The connection stands before the server falls silent, so that every read reaches it.
    let stands = async {
        while read(&pool, &server, &slot, "old").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), stands)
        .await
        .unwrap();
    server.shared.lock().unwrap().wanted = None;
    server.shown();
    let metric = MetricName::new("s0-metric-api-depth");
    for (caller, requests) in [(Caller::Hpa, 1), (Caller::Loop(None), 2)] {
        let anew = async { Ok(slot.built()) };
        let read = twice(&pool, &slot, (&metric, Timestamp::UNIX_EPOCH), caller, anew).await;
        assert!(read.unwrap_err().starts_with("no answer from "));
        assert_eq!(server.shown().len(), requests, "{caller:?}");
    }
    // By now it is known to be silent: nobody waits, and nobody asks.
    let read = twice(
        &pool,
        &slot,
        (&metric, Timestamp::UNIX_EPOCH),
        Caller::Hpa,
        async { Ok(slot.built()) },
    )
    .await;
    let error = read.unwrap_err();
    assert!(error.contains("has not been answering since"), "{error}");
    assert_eq!(server.shown().len(), 0);
}
