//! The one place where connections live.
//!
//! ```text
//! Built ──ask──▶ Pool ──▶ Shelf<S>: Key ──▶ Held<S> ──▶ Source (opened once, closed when idle)
//!                                              ├─▶ Breaker: a source that answers nobody is probed, not asked
//!                                              ├─▶ Flights: equal questions become one, shared by all who ask meanwhile
//!                                              └─▶ Batches: different ones travel together, where the protocol has that
//! ```
//!
//! **Invariants.** A reading never takes longer than its deadline. Nothing older than the moment of asking is ever
//! reused: a read shares a request that is still in flight, a poll also what was asked since the moment that it is the poll
//! of. A source that hangs delays nobody else's.

mod batch;
mod breaker;
mod flight;
mod held;
mod opener;
mod probe;
mod rate;
mod report;
mod shelf;

use std::hash::RandomState;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use engine::metric::{MetricName, Sample, TriggerMetrics};
use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::built::Built;
use crate::connect::Connect;
use crate::observer::{Asker, Errand, Nulls};
use crate::scaler::{Checked, History, Offer, Pushed, Reading, Source, Span};
use crate::source::amqp::Amqp;
use crate::source::external::ExternalScaler;
use crate::source::http::Http;
use crate::source::kafka::Kafka;
use crate::source::kubernetes::Kubernetes;
use crate::source::mysql::MySql;
use crate::source::nats::Nats;
use crate::source::nats_monitoring::Monitoring;
use crate::source::postgresql::PostgreSql;
use crate::source::redis::Redis;
use crate::{ScalerError, tls};

pub use breaker::BreakerState;
use held::Held;
pub(crate) use opener::Opener;
use opener::Put;
pub use report::ConnectionReport;
pub(crate) use shelf::Shelf;

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
    amqp: Amqp,
    external: ExternalScaler,
    http: Http,
    kafka: Kafka,
    kubernetes: Kubernetes,
    mysql: MySql,
    nats: Nats,
    nats_monitoring: Monitoring,
    postgresql: PostgreSql,
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
    marks: RandomState,
    sweeper: Mutex<Option<JoinHandle<()>>>,
}

/// When a question is put, and since when an equal one may have been.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time of day.
    pub now: Timestamp,
    /// Polls of one moment share one answer, however quickly it came: that to an equal question which was put since. Without
    /// it, only a request that is in flight is shared.
    pub since: Option<Instant>,
}

impl From<Timestamp> for Moment {
    fn from(now: Timestamp) -> Self {
        Self { now, since: None }
    }
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

/// An answer and the values in it.
#[derive(Clone, Debug)]
pub struct Look {
    /// The answer as people read it. It is the source's own text: whoever shows it takes the credentials out.
    pub raw: Option<String>,
    /// The values, or why the answer holds none.
    pub samples: Result<Vec<Sample>, ScalerError>,
}

/// The way to a source as a trigger remembers it, so that its key, which may hold certificates, is not made and hashed for
/// every read.
pub(crate) struct Way<S: Source>(Mutex<Option<Led<S>>>);

/// A pool, and the source in it.
type Led<S> = (Weak<Inner>, Weak<Held<S>>);

impl<S: Source> Default for Way<S> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

/// One read, as it reaches a source.
#[derive(Clone, Copy)]
pub(crate) struct Read<'a> {
    /// The trigger.
    pub(crate) asker: &'a Arc<Asker>,
    /// The metric, or nothing while the source is asked for its metrics.
    pub(crate) metric: &'a str,
    /// The time of day, where the caller has it.
    pub(crate) now: Option<Timestamp>,
    /// Since when an equal question may have been put whose answer will do.
    pub(crate) since: Option<Instant>,
    /// How long it may take, where the trigger says so itself.
    pub(crate) within: Option<Duration>,
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
            marks: RandomState::new(),
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
        moment: impl Into<Moment>,
    ) -> Result<Vec<Sample>, ScalerError> {
        let Checked::External(trigger) = &built.checked else {
            return Err(ScalerError::UnknownMetric(metric.to_string()));
        };
        let (own, activation) = built.own_metric(&**trigger, metric)?;
        self.check_open()?;
        let readings = trigger.ask(self, &built.asker, &own, moment.into()).await?;
        Ok(samples(metric, activation, readings))
    }

    /// As [`Pool::ask`], with the answer itself beside the values, for people.
    pub async fn look(
        &self,
        built: &Built,
        metric: &MetricName,
        now: Timestamp,
    ) -> Result<Look, ScalerError> {
        let Checked::External(trigger) = &built.checked else {
            return Err(ScalerError::UnknownMetric(metric.to_string()));
        };
        let (own, activation) = built.own_metric(&**trigger, metric)?;
        self.check_open()?;
        let shown = trigger.show(self, &built.asker, &own, now).await?;
        Ok(Look {
            raw: shown.raw,
            samples: shown
                .readings
                .map(|readings| samples(metric, activation, readings)),
        })
    }

    /// What a push trigger sends; `None` for every other type. The stream goes on until it is dropped.
    pub fn push(&self, built: &Built) -> Option<BoxStream<'static, PushEvent>> {
        let Checked::External(trigger) = &built.checked else {
            return None;
        };
        let pushed = trigger.push(self, &built.asker)?;
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
        trigger.inventory(self, &built.asker).await
    }

    /// What a trigger would have read over a span of the past, whether it is a number or not; `None` where its source does
    /// not remember. Moments without an answer are left out.
    pub async fn history(&self, built: &Built, span: &Span) -> Result<Option<History>, ScalerError> {
        let Checked::External(trigger) = &built.checked else {
            return Ok(None);
        };
        self.check_open()?;
        trigger.history(self, &built.asker, span).await
    }

    /// Tells a trigger's source and question apart from others: equal for two only if they ask the same of the same source
    /// with the same credentials. Says nothing about them, and nothing to another process.
    pub fn mark(&self, built: &Built) -> u64 {
        match &built.checked {
            Checked::External(trigger) => trigger.mark(&self.inner.marks),
            Checked::Resource(_) => 0,
        }
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

    fn check_open(&self) -> Result<(), ScalerError> {
        if self.inner.closed.load(Ordering::Acquire) {
            return Err(ScalerError::Closed);
        }
        Ok(())
    }

    /// Puts a question to a source: joins the request that is in flight for it, or starts one. Ends at the deadline.
    pub(crate) async fn put<S: Source>(
        &self,
        way: &Way<S>,
        key: impl FnOnce() -> S::Key,
        question: S::Question,
        read: Read<'_>,
    ) -> Result<S::Answer, ScalerError> {
        self.check_open()?;
        let connect = &self.inner.connect;
        let put = Put {
            within: read.within.unwrap_or(connect.timeout),
            now: read.now,
            since: read.since,
            errand: connect.observer.as_ref().map(|_| errand(read)),
        };
        self.follow(way, key, read.asker).ask(question, put).await
    }

    /// The way that is remembered, if it leads to a source of this pool that is still held.
    fn follow<S: Source>(&self, way: &Way<S>, key: impl FnOnce() -> S::Key, asker: &Asker) -> Opener<S> {
        let mut known = way.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((pool, held)) = &*known
            && std::ptr::eq(pool.as_ptr(), Arc::as_ptr(&self.inner))
            && let Some(held) = held.upgrade()
        {
            held.used_by(&asker.label);
            return Opener::new(held, &self.inner.connect);
        }
        let opener = self.opener::<S>(&key(), asker);
        *known = Some((Arc::downgrade(&self.inner), opener.held()));
        opener
    }

    /// Tells the observer that a query found nothing.
    pub(crate) fn found_nothing(&self, read: Read<'_>, nulls: Nulls) {
        if let Some(observer) = &self.inner.connect.observer {
            observer.empty_answer(&errand(read), nulls);
        }
    }

    /// The way to a source, opened when first needed.
    pub(crate) fn opener<S: Source>(&self, key: &S::Key, asker: &Asker) -> Opener<S> {
        S::shelf(&self.inner.shelves).get(key, &asker.label, &self.inner.connect)
    }
}

fn errand(read: Read<'_>) -> Errand {
    Errand {
        asker: Arc::clone(read.asker),
        metric: read.metric.to_owned(),
    }
}

/// Readings with their activity decided.
fn samples(metric: &MetricName, activation: f64, readings: Vec<Reading>) -> Vec<Sample> {
    let sample = |reading: Reading| Sample {
        metric: metric.clone(),
        value: reading.value,
        active: Some(reading.active.unwrap_or(reading.value > activation)),
    };
    readings.into_iter().map(sample).collect()
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

#[cfg(test)]
mod tests;
