//! The one place where connections live.
//!
//! ```text
//! Built ──ask──▶ Pool ──▶ Shelf<S>: Key ──▶ Held<S> ──▶ Source (opened once, closed when idle)
//!                                              └─▶ Flights: Question ──▶ one request, shared by all who ask meanwhile
//! ```
//!
//! **Invariants.** A reading never takes longer than its deadline. Nothing older than the moment of asking is ever
//! reused: only a request that is still in flight is shared.
//!
//! Questions reach a source as a slice, so that collecting those of a few milliseconds into one request changes
//! [`Pool::put`] alone.

mod flight;
mod held;

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use engine::metric::{MetricName, Sample, TriggerMetrics};
use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;
use tokio::task::JoinHandle;

use crate::built::Built;
use crate::connect::Connect;
use crate::scaler::{Checked, ErasedTrigger, Offer, Pushed, Source};
use crate::source::external::ExternalScaler;
use crate::source::http::Http;
use crate::source::redis::Redis;
use crate::{ScalerError, tls};

pub use held::ConnectionReport;
pub(crate) use held::{Opener, Shelf};

/// Declares the shelves, one for each type of source.
macro_rules! shelves {
    ($($shelf:ident: $source:ty,)+) => {
        /// Every shelf, one for each type of source.
        #[derive(Default)]
        pub(crate) struct Shelves {
            $(pub(crate) $shelf: Shelf<$source>,)+
        }

        impl Shelves {
            fn report(&self, reports: &mut Vec<ConnectionReport>) {
                $(self.$shelf.report(reports);)+
            }

            fn close_idle(&self, idle: Duration) {
                $(self.$shelf.close_idle(idle);)+
            }
        }
    };
}

shelves! {
    external: ExternalScaler,
    http: Http,
    redis: Redis,
}

/// Asks sources on behalf of triggers. Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    connect: Arc<Connect>,
    shelves: Shelves,
    closed: AtomicBool,
    sweeper: Mutex<Option<JoinHandle<()>>>,
}

/// What a push trigger says without being asked.
#[derive(Clone, Debug)]
pub enum PushEvent {
    /// The trigger is active now.
    Active,
    /// The metrics are now these; the HPA must follow.
    MetricSpecs(TriggerMetrics),
    /// The stream broke; it is tried again, so this is for the ledger only.
    Error(ScalerError),
}

impl Pool {
    /// A pool without connections. Called inside a tokio runtime, it closes idle sources by itself.
    pub fn new(connect: Connect) -> Self {
        // The redis client takes the process's provider; a second call changes nothing.
        let _ = rustls::crypto::CryptoProvider::install_default((*tls::provider()).clone());
        let idle = connect.idle;
        let inner = Arc::new(Inner {
            connect: Arc::new(connect),
            shelves: Shelves::default(),
            closed: AtomicBool::new(false),
            sweeper: Mutex::new(None),
        });
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let task = runtime.spawn(sweep(Arc::downgrade(&inner), idle));
            *inner.sweeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        }
        Self { inner }
    }

    /// The current values of one metric of a trigger, each with its activity decided.
    pub async fn ask(
        &self,
        built: &Built,
        metric: &MetricName,
        now: Timestamp,
    ) -> Result<Vec<Sample>, ScalerError> {
        let Checked::External(trigger) = &built.checked else {
            return Err(ScalerError::UnknownMetric(metric.to_string()));
        };
        let asked = built.own_name(metric)?;
        let known = trigger.metrics();
        let (own, activation) = match &known {
            None => (asked, 0.0),
            Some(known) => {
                let found = known.iter().find(|known| known.name.eq_ignore_ascii_case(asked));
                let found = found.ok_or_else(|| ScalerError::UnknownMetric(metric.to_string()))?;
                (found.name.as_str(), found.activation)
            }
        };
        let readings = self
            .within(&**trigger, trigger.ask(self, &built.user, own, now))
            .await?;
        let sample = |reading: crate::scaler::Reading| Sample {
            metric: metric.clone(),
            value: reading.value,
            active: Some(reading.active.unwrap_or(reading.value > activation)),
        };
        Ok(readings.into_iter().map(sample).collect())
    }

    /// What a push trigger sends; `None` for every other type. The stream goes on until it is dropped.
    pub fn push(&self, built: &Built) -> Option<BoxStream<'static, PushEvent>> {
        let Checked::External(trigger) = &built.checked else {
            return None;
        };
        let pushed = trigger.push(self, &built.user)?;
        let built = built.clone();
        let events = pushed.map(move |pushed| match pushed {
            Pushed::Active => PushEvent::Active,
            Pushed::Metrics(metrics) => PushEvent::MetricSpecs(built.complete(&metrics)),
            Pushed::Error(error) => PushEvent::Error(error),
        });
        Some(events.boxed())
    }

    /// What the source of a trigger has that the trigger could name: topics, queues, lists. Empty for types that cannot say.
    pub async fn inventory(&self, built: &Built) -> Result<Vec<Offer>, ScalerError> {
        let Checked::External(trigger) = &built.checked else {
            return Ok(Vec::new());
        };
        self.within(&**trigger, trigger.inventory(self, &built.user))
            .await
    }

    /// Every source that is held, with its figures.
    pub fn connections(&self) -> Vec<ConnectionReport> {
        let mut reports = Vec::new();
        self.inner.shelves.report(&mut reports);
        reports.sort_by(|a, b| {
            (a.protocol, &a.endpoint, &a.credential).cmp(&(b.protocol, &b.endpoint, &b.credential))
        });
        reports
    }

    /// Refuses further questions and closes every source. Streams of push triggers end with their owners.
    pub async fn shutdown(&self) {
        self.inner.closed.store(true, Ordering::Release);
        let sweeper = self
            .inner
            .sweeper
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = sweeper {
            task.abort();
            // The only error is the abort itself.
            let _ = task.await;
        }
        self.inner.shelves.close_idle(Duration::ZERO);
    }

    /// Holds a reading to its deadline.
    pub(crate) async fn within<T>(
        &self,
        trigger: &dyn ErasedTrigger,
        reading: impl Future<Output = Result<T, ScalerError>>,
    ) -> Result<T, ScalerError> {
        if self.inner.closed.load(Ordering::Acquire) {
            return Err(ScalerError::Closed);
        }
        let after = trigger.timeout().unwrap_or(self.inner.connect.timeout);
        if let Ok(answer) = tokio::time::timeout(after, reading).await {
            return answer;
        }
        trigger.gave_up(self, after);
        Err(ScalerError::TimedOut {
            endpoint: trigger.endpoint(),
            after,
        })
    }

    /// Puts a question to a source: joins the request that is in flight for it, or starts one.
    pub(crate) async fn put<S: Source>(
        &self,
        key: S::Key,
        question: S::Question,
        user: &str,
    ) -> Result<S::Answer, ScalerError> {
        self.opener::<S>(&key, user).ask(question).await
    }

    /// Drops a source that passed a deadline and has not answered anybody meanwhile: its connection may be dead without
    /// either side knowing.
    pub(crate) fn gave_up<S: Source>(&self, key: &S::Key, after: Duration) {
        S::shelf(&self.inner.shelves).gave_up(key, after);
    }

    /// The way to a source, opened when first needed.
    pub(crate) fn opener<S: Source>(&self, key: &S::Key, user: &str) -> Opener<S> {
        S::shelf(&self.inner.shelves).get(key, user, &self.inner.connect)
    }
}

/// Closes sources that nobody has asked for a while; ends with the pool.
async fn sweep(pool: Weak<Inner>, idle: Duration) {
    let pause = (idle / 4).max(Duration::from_millis(10));
    loop {
        tokio::time::sleep(pause).await;
        let Some(inner) = pool.upgrade() else { return };
        inner.shelves.close_idle(idle);
    }
}
