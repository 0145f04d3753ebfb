//! What a trigger does with notifications: each is a reason to ask at once, and only the answer says whether the
//! trigger is active.
//!
//! Notifications that come while an answer is under way are answered by one more question, and a storm of them by one
//! question a second. One that came while the connection was away is made up for by asking when it is back.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};

use super::PostgreSql;
use super::listen::{Subscription, Woken};
use crate::ScalerError;
use crate::pool::Opener;
use crate::scaler::Pushed;
use crate::source::sql::{Answer, Question};

/// The least time between two questions that notifications cause.
const REST: Duration = Duration::from_secs(1);

/// Says whether an answer makes the trigger active.
type Judge = Box<dyn Fn(&Answer) -> Result<bool, ScalerError> + Send + Sync>;

/// Listens on a channel for as long as the stream is polled, and asks `sql` when it is notified.
pub(crate) fn watch(
    opener: Opener<PostgreSql>,
    channel: String,
    sql: String,
    judge: Judge,
) -> BoxStream<'static, Pushed> {
    let watch = Watch {
        opener,
        channel,
        sql,
        judge,
        on: None,
        pending: None,
        rest: None,
        pause: None,
    };
    stream::unfold(watch, Watch::next).boxed()
}

struct Watch {
    opener: Opener<PostgreSql>,
    channel: String,
    sql: String,
    judge: Judge,
    on: Option<(Arc<PostgreSql>, Subscription)>,
    /// The notification that has no answer yet.
    pending: Option<u64>,
    /// How long to wait before anything else.
    rest: Option<Duration>,
    /// How long the next wait after a failure is; the first if none came since an answer.
    pause: Option<Duration>,
}

impl Watch {
    async fn next(mut self) -> Option<(Pushed, Self)> {
        loop {
            if let Some(rest) = self.rest.take() {
                tokio::time::sleep(rest).await;
            }
            match self.turn().await {
                Ok(true) => return Some((Pushed::Active, self)),
                Ok(false) => {}
                Err(error) => return Some((Pushed::Error(error), self)),
            }
        }
    }

    /// Waits for a notification, or answers one; whether the trigger was found active.
    async fn turn(&mut self) -> Result<bool, ScalerError> {
        let source = match self.opener.source().await {
            Ok(source) => source,
            Err(error) => return Err(self.failed(error)),
        };
        // A source that was replaced takes its listeners along, so that there is one connection for all of them.
        let subscription = match &mut self.on {
            Some((of, subscription)) if Arc::ptr_eq(of, &source) => subscription,
            other => {
                let subscription = source.hub.subscribe(&self.channel);
                &mut other.insert((source, subscription)).1
            }
        };
        if let Some(newer) = subscription.latest() {
            self.pending = Some(newer);
        }
        let Some(wake) = self.pending else {
            match subscription.next().await {
                Woken::Heard(wake) => self.pending = Some(wake),
                Woken::Look => {}
                Woken::Trouble(error) => return Err(error),
            }
            return Ok(false);
        };
        let asked = self.ask(wake).await;
        match asked {
            Ok(active) => {
                self.pending = None;
                self.pause = None;
                self.rest = Some(REST);
                Ok(active)
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn ask(&self, wake: u64) -> Result<bool, ScalerError> {
        let question = Question::Row {
            sql: self.sql.clone(),
            wake,
        };
        (self.judge)(&self.opener.put(question).await?)
    }

    fn failed(&mut self, error: ScalerError) -> ScalerError {
        let retry = self.opener.connect().push_retry;
        let pause = self.pause.unwrap_or(retry.first);
        self.pause = Some((pause * 2).min(retry.most));
        self.rest = Some(pause);
        error
    }
}
