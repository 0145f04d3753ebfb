//! Listens for messages of a stream between two polls.
//!
//! DEVIATION: upstream has no such thing; it is off unless a trigger asks for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::JetStream;
use crate::ScalerError;
use crate::pool::Opener;
use crate::scaler::Pushed;
use crate::source::nats::{Ears, Nats};
use crate::source::nats_monitoring::{Answer, Monitoring};

/// How long one message is enough.
const PAUSE: Duration = Duration::from_secs(1);
/// A message may be heard before the consumer counts it, so it is looked at again after these.
const AGAIN: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(500),
];

/// One trigger that listens.
pub(super) struct Push {
    trigger: JetStream,
    opener: Opener<Nats>,
    monitoring: Opener<Monitoring>,
    open: Option<Open>,
    next: Next,
    /// How long the next pause after a failure is; the first if none was made since things went well.
    pause: Option<Duration>,
}

struct Open {
    source: Arc<Nats>,
    subjects: Vec<String>,
    ears: Ears,
}

/// What comes first when the stream is polled again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Listen,
    /// One message is enough for a while; the next is waiting already.
    Enough,
    /// Something failed.
    Rest,
}

impl Push {
    pub(super) fn new(trigger: JetStream, opener: Opener<Nats>, monitoring: Opener<Monitoring>) -> Self {
        Self {
            trigger,
            opener,
            monitoring,
            open: None,
            next: Next::Listen,
            pause: None,
        }
    }

    pub(super) async fn next(mut self) -> Option<(Pushed, Self)> {
        loop {
            match self.step().await {
                Ok(true) => return Some((Pushed::Active, self)),
                Ok(false) => {}
                Err(error) => {
                    self.broken(&error);
                    return Some((Pushed::Error(error), self));
                }
            }
        }
    }

    /// One message, and whether it activates.
    async fn step(&mut self) -> Result<bool, ScalerError> {
        match self.next {
            Next::Listen => {}
            Next::Enough => sleep(PAUSE).await,
            Next::Rest => self.rest().await,
        }
        self.next = Next::Listen;
        if self.open.is_none() {
            self.open = Some(self.open().await?);
            self.pause = None;
        }
        let Some(open) = &mut self.open else {
            return Ok(false);
        };
        open.ears.hear().await?;
        let (source, subjects) = (Arc::clone(&open.source), open.subjects.clone());
        let ears = self.listen(&source, &subjects).await?;
        if let Some(open) = &mut self.open {
            open.ears = ears;
        }
        self.next = Next::Enough;
        if self.trigger.activation_lag_threshold == 0 {
            return Ok(true);
        }
        for wait in AGAIN {
            sleep(wait).await;
            let lag = self.trigger.lag(&self.monitored().await?)?;
            if lag > self.trigger.activation_lag_threshold as f64 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn open(&self) -> Result<Open, ScalerError> {
        let mut subjects = self.trigger.push_subjects.clone();
        if subjects.is_empty() {
            subjects = self.trigger.listened(&self.monitored().await?)?;
        }
        let source = self.opener.source().await?;
        let ears = self.listen(&source, &subjects).await?;
        Ok(Open {
            source,
            subjects,
            ears,
        })
    }

    /// Subscribes, within the deadline of a reading.
    async fn listen(&self, source: &Nats, subjects: &[String]) -> Result<Ears, ScalerError> {
        let after = self.opener.connect().timeout;
        let late = |_| ScalerError::TimedOut {
            endpoint: source.address().to_owned(),
            after,
        };
        timeout(after, source.listen(subjects)).await.map_err(late)?
    }

    /// What the monitoring endpoint says, as for a poll.
    async fn monitored(&self) -> Result<Answer, ScalerError> {
        self.monitoring.put(self.trigger.asked()).await
    }

    fn broken(&mut self, error: &ScalerError) {
        if let Some(open) = self.open.take()
            && (error.is_connection_lost() || matches!(error, ScalerError::TimedOut { .. }))
        {
            self.opener.lost(&open.source);
        }
        self.next = Next::Rest;
    }

    async fn rest(&mut self) {
        let retry = self.opener.connect().push_retry;
        let pause = self.pause.unwrap_or(retry.first);
        self.pause = Some((pause * 2).min(retry.most));
        sleep(pause).await;
    }
}
