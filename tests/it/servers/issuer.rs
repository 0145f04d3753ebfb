//! Gives out tokens for client credentials: nobody signs them, and they end soon.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Seconds that a token is good for. Ten before its end it is replaced, so it is kept for one.
const LIFETIME: i64 = 11;

#[derive(Default)]
struct Book {
    issued: AtomicUsize,
    refusing: AtomicBool,
    form: Mutex<String>,
}

/// The server.
pub(crate) struct Issuer {
    address: SocketAddr,
    book: Arc<Book>,
}

impl Issuer {
    /// Serves on a free loopback port for as long as the test process lives.
    pub(crate) async fn start() -> Result<Self> {
        let book = Arc::new(Book::default());
        let app = Router::new()
            .route("/token", post(issue))
            .with_state(Arc::clone(&book));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        harness::runtime().spawn(async move { axum::serve(listener, app).await });
        Ok(Self { address, book })
    }

    /// Where tokens are asked for.
    pub(crate) fn uri(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// How many were given out.
    pub(crate) fn issued(&self) -> usize {
        self.book.issued.load(Ordering::Relaxed)
    }

    /// The last request.
    pub(crate) fn form(&self) -> String {
        self.book
            .form
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Gives out no more.
    pub(crate) fn refuse(&self) {
        self.book.refusing.store(true, Ordering::Relaxed);
    }
}

async fn issue(State(book): State<Arc<Book>>, form: String) -> Response {
    *book.form.lock().unwrap_or_else(PoisonError::into_inner) = form;
    if book.refusing.load(Ordering::Relaxed) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    book.issued.fetch_add(1, Ordering::Relaxed);
    let now = jiff::Timestamp::now().as_second();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"sub": "alice", "iat": now, "exp": now + LIFETIME});
    let token = format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims));
    Json(json!({"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME})).into_response()
}
