//! `push`: a trigger that becomes active at once.
//!
//! ```text
//! listen ──▶ ask ──above the threshold?──▶ Pushed::Active
//!             ▲                     │
//!             └── a change is told ◀┘
//! ```
//!
//! A notification says that something changed, never how much there is: the length is asked for anew, through the pool, so
//! that it is the value a poll would see. Changes that come while a question is under way become one further question.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::listen::Listening;
use super::{Answer, Question, Redis};
use crate::ScalerError;
use crate::pool::Opener;
use crate::scaler::Pushed;

/// At most this often a busy key is asked about that is not above the threshold.
const GAP: Duration = Duration::from_millis(50);
/// At most this often a key is asked about that is: only its fall matters then.
const CALM: Duration = Duration::from_secs(1);
/// A trigger that stays active is told again after this long: the fall in between may not have been told, as a server can
/// be set up to tell some commands only.
const AGAIN: Duration = Duration::from_secs(10);

/// Listens for as long as the stream is polled.
pub(crate) fn watch<F>(opener: Opener<Redis>, question: Question, active: F) -> BoxStream<'static, Pushed>
where
    F: Fn(&Answer) -> Result<bool, ScalerError> + Send + 'static,
{
    let now = Instant::now();
    let watch = Watch {
        opener,
        question,
        active,
        state: State::Closed,
        pause: None,
        complaint: None,
        next: now,
        told: None,
    };
    stream::unfold(watch, Watch::next).boxed()
}

struct Watch<F> {
    opener: Opener<Redis>,
    question: Question,
    /// Whether an answer is above the threshold.
    active: F,
    state: State,
    /// How long the next pause is; the first if none was made since an answer came.
    pause: Option<Duration>,
    /// What was told last about not working, so that it is told once.
    complaint: Option<String>,
    /// Not asked before.
    next: Instant,
    /// When the trigger was said to be active, unless it was seen inactive since.
    told: Option<Instant>,
}

enum State {
    Closed,
    /// The length is to be asked for.
    Due(Receiver<()>),
    /// Until something changes.
    Waiting(Receiver<()>),
    Pausing,
}

impl<F> Watch<F>
where
    F: Fn(&Answer) -> Result<bool, ScalerError> + Send + 'static,
{
    async fn next(mut self) -> Option<(Pushed, Self)> {
        loop {
            let said = match std::mem::replace(&mut self.state, State::Closed) {
                State::Closed => self.open().await,
                State::Due(news) => self.ask(news).await,
                State::Waiting(mut news) => {
                    self.state = if news.changed().await.is_ok() {
                        State::Due(news)
                    } else {
                        // The connection broke or was replaced; what changes meanwhile is not told.
                        self.told = None;
                        State::Pausing
                    };
                    None
                }
                State::Pausing => {
                    self.rest().await;
                    None
                }
            };
            if let Some(pushed) = said {
                return Some((pushed, self));
            }
        }
    }

    async fn open(&mut self) -> Option<Pushed> {
        let source = match self.opener.source().await {
            Ok(source) => source,
            Err(error) => return self.broken(error),
        };
        match source.listen(&self.question).await {
            Ok(Listening { news, note }) => {
                // What changed before the subscription was not told.
                self.state = State::Due(news);
                note.and_then(|note| self.complain(note))
            }
            Err(error) => {
                if error.is_connection_lost() {
                    self.opener.lost(&source);
                }
                self.broken(error)
            }
        }
    }

    async fn ask(&mut self, mut news: Receiver<()>) -> Option<Pushed> {
        tokio::time::sleep_until(self.next).await;
        // Changes up to here are covered by the question that is put now.
        news.mark_unchanged();
        let answer = self.opener.put(self.question.clone()).await;
        let active = match answer.and_then(|answer| (self.active)(&answer)) {
            Ok(active) => active,
            Err(error) => return self.broken(error),
        };
        let now = Instant::now();
        self.pause = None;
        self.complaint = None;
        self.next = now + if active { CALM } else { GAP };
        self.state = State::Waiting(news);
        if !active {
            self.told = None;
            return None;
        }
        if self.told.is_some_and(|told| now - told < AGAIN) {
            return None;
        }
        self.told = Some(now);
        Some(Pushed::Active)
    }

    /// Goes back to the start after a pause; tells why, unless it was told.
    fn broken(&mut self, error: ScalerError) -> Option<Pushed> {
        self.state = State::Pausing;
        self.told = None;
        self.complain(error)
    }

    fn complain(&mut self, error: ScalerError) -> Option<Pushed> {
        let text = error.chain();
        if self.complaint.as_ref() == Some(&text) {
            return None;
        }
        self.complaint = Some(text);
        Some(Pushed::Error(error))
    }

    async fn rest(&mut self) {
        let retry = self.opener.connect().push_retry;
        let pause = self.pause.unwrap_or(retry.first);
        self.pause = Some((pause * 2).min(retry.most));
        tokio::time::sleep(pause).await;
    }
}
