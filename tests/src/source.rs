//! An HTTP source of metrics: `/v/KEY` answers `{"value": N}`, or 500 while the key fails.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::json;

/// What a key answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// `{"value": N}`.
    Value(f64),
    /// `{"value": N}` where N is how often the key was read, so that no two reads are alike.
    Reads,
    /// Status 500.
    Fails,
}

#[derive(Debug, Default)]
struct Keys {
    answers: BTreeMap<String, Answer>,
    reads: BTreeMap<String, u64>,
    plays: BTreeMap<String, Play>,
}

/// A key that answers by the clock.
#[derive(Debug)]
struct Play {
    /// Moments and what is answered from then on; the first one also before its moment.
    steps: Vec<(Timestamp, Answer)>,
    /// When it was read.
    moments: Vec<Timestamp>,
}

impl Play {
    fn answer(&self, now: Timestamp) -> Option<Answer> {
        let begun = self.steps.partition_point(|(moment, _)| *moment <= now);
        self.steps.get(begun.saturating_sub(1)).map(|(_, answer)| *answer)
    }
}

impl Keys {
    fn answer(&self, key: &str, now: Timestamp) -> Answer {
        let played = self.plays.get(key).and_then(|play| play.answer(now));
        played
            .or_else(|| self.answers.get(key).copied())
            .unwrap_or(Answer::Value(0.0))
    }
}

/// The server. A key that was never set answers 0.
#[derive(Clone, Debug)]
pub struct Source {
    address: SocketAddr,
    keys: Arc<Mutex<Keys>>,
}

impl Source {
    /// Serves on a free loopback port for as long as the test process lives.
    pub async fn start() -> Result<Self> {
        Self::start_at("127.0.0.1").await
    }

    /// The same on an address of this host, for those who cannot reach its loopback: pods.
    pub async fn start_at(host: &str) -> Result<Self> {
        let keys = Arc::new(Mutex::new(Keys::default()));
        let app = Router::new()
            .route("/v/{key}", get(answer))
            .with_state(Arc::clone(&keys));
        let listener = tokio::net::TcpListener::bind((host, 0)).await?;
        let address = listener.local_addr()?;
        crate::runtime().spawn(async move { axum::serve(listener, app).await });
        Ok(Self { address, keys })
    }

    /// `HOST:PORT` of the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address a trigger asks for a key.
    pub fn url(&self, key: &str) -> String {
        format!("http://{}/v/{key}", self.address)
    }

    /// Sets what a key answers from now on.
    pub fn set(&self, key: &str, answer: Answer) {
        self.lock().answers.insert(key.to_owned(), answer);
    }

    /// What a key answers now.
    pub fn answer(&self, key: &str) -> Answer {
        self.lock().answer(key, Timestamp::now())
    }

    /// Lets a key answer by the clock: what each step says, from its moment on. From now on its reads are noted.
    pub fn play(&self, key: &str, steps: Vec<(Timestamp, Answer)>) {
        let moments = Vec::new();
        self.lock().plays.insert(key.to_owned(), Play { steps, moments });
    }

    /// When a key that answers by the clock was read.
    pub fn moments(&self, key: &str) -> Vec<Timestamp> {
        let keys = self.lock();
        keys.plays
            .get(key)
            .map(|play| play.moments.clone())
            .unwrap_or_default()
    }

    /// How often a key was read.
    pub fn reads(&self, key: &str) -> u64 {
        self.lock().reads.get(key).copied().unwrap_or(0)
    }

    /// How often every key was read.
    pub fn all_reads(&self) -> BTreeMap<String, u64> {
        self.lock().reads.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(State(keys): State<Arc<Mutex<Keys>>>, Path(key): Path<String>) -> Response {
    let mut keys = keys.lock().unwrap_or_else(PoisonError::into_inner);
    let reads = keys.reads.entry(key.clone()).or_default();
    *reads += 1;
    let reads = *reads;
    let now = Timestamp::now();
    if let Some(play) = keys.plays.get_mut(&key) {
        play.moments.push(now);
    }
    match keys.answer(&key, now) {
        Answer::Value(value) => Json(json!({ "value": value })).into_response(),
        Answer::Reads => Json(json!({ "value": reads })).into_response(),
        Answer::Fails => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
