//! What a scaler is: a checked trigger, the question it puts to a source, and how it reads the answer.
//!
//! ```text
//! TriggerInput ─read─▶ Trigger ─source()─▶ Key ──▶ Source (shared, owned by the pool)
//!                         └────question()─▶ Question ──ask──▶ Answer ──read()──▶ Reading
//! ```
//!
//! A scaler sees no metric index, no `metricType`, no deadline and no connection: the framework owns them.

mod erased;
mod metric;

use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use engine::metric::ResourceMetric;
use futures::stream::BoxStream;
use jiff::Timestamp;

use crate::connect::Connect;
use crate::metadata::{Field, Reader, TriggerMetadata};
use crate::observer::{Asker, Nulls};
use crate::pool::{Opener, Pool, Shelf, Shelves};
use crate::{ScalerError, TriggerInput};

pub(crate) use erased::ErasedTrigger;
use erased::{Asking, Clockwork};
pub(crate) use metric::{Metric, Target};

/// What a metric was at moments of the past, in their order.
pub type History = Vec<(Timestamp, f64)>;

/// Moments of the past: the first, and one every step until the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub from: Timestamp,
    /// No moment is later.
    pub to: Timestamp,
    /// Time between two moments, in whole seconds.
    pub step: Duration,
}

/// One value as a scaler reads it out of an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reading {
    /// The value.
    pub(crate) value: f64,
    /// Whether the source itself says it is active; `None` compares the value with the activation threshold.
    pub(crate) active: Option<bool>,
}

impl From<f64> for Reading {
    fn from(value: f64) -> Self {
        Self { value, active: None }
    }
}

/// Something that a live source has and a trigger could name; `kubectl keda scaffold --live` offers it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer {
    /// The setting that would name it, such as `topic`.
    pub parameter: &'static str,
    /// What to write there.
    pub value: String,
    /// What the source says about it, such as `12 partitions`; may be empty.
    pub note: String,
}

/// What a push source says without being asked.
#[derive(Clone, Debug)]
pub(crate) enum Pushed {
    /// The trigger is active now.
    Active,
    /// The metrics are now these.
    Metrics(Vec<Metric>),
    /// The stream broke; it is tried again.
    Error(ScalerError),
}

/// A checked trigger that asks a shared source.
pub(crate) trait Trigger: TriggerMetadata + Clone + Debug + Send + Sync + 'static {
    /// The source it asks.
    type Source: Source;

    /// Takes what is no setting of its own from the trigger.
    fn bind(&mut self, _input: &TriggerInput) {}

    /// Rules between settings. Reports, never changes.
    fn check(&self, _reader: &mut Reader<'_>) {}

    /// Its metrics; `None` where the source has to be asked for them.
    fn metrics(&self) -> Option<Vec<Metric>>;

    /// Which source it asks: equal keys share one.
    fn source(&self) -> <Self::Source as Source>::Key;

    /// What it wants to know: equal questions in flight are asked once.
    fn question(&self, metric: &str) -> Result<<Self::Source as Source>::Question, ScalerError>;

    /// The same for a source that is told the time. Questions that differ in the time only must be equal.
    fn question_at(
        &self,
        metric: &str,
        _now: Timestamp,
    ) -> Result<<Self::Source as Source>::Question, ScalerError> {
        self.question(metric)
    }

    /// Reads the answer; pure, so that recorded replies test it.
    fn read_answer(&self, answer: &<Self::Source as Source>::Answer) -> Result<Vec<Reading>, ScalerError>;

    /// The question that yields its metrics, where [`Trigger::metrics`] does not know them.
    fn specs_question(&self) -> Option<<Self::Source as Source>::Question> {
        None
    }

    /// Reads the answer to [`Trigger::specs_question`].
    fn read_specs(&self, _answer: &<Self::Source as Source>::Answer) -> Result<Vec<Metric>, ScalerError> {
        Ok(Vec::new())
    }

    /// The question that lists what the source has, for those who are still writing the trigger.
    fn inventory_question(&self) -> Option<<Self::Source as Source>::Question> {
        None
    }

    /// Reads the answer to [`Trigger::inventory_question`].
    fn read_inventory(&self, _answer: &<Self::Source as Source>::Answer) -> Result<Vec<Offer>, ScalerError> {
        Ok(Vec::new())
    }

    /// The question for what the source would have answered over a span of time; `None` where it remembers nothing.
    fn history_question(
        &self,
        _span: &Span,
    ) -> Option<Result<<Self::Source as Source>::Question, ScalerError>> {
        None
    }

    /// Reads the answer to [`Trigger::history_question`]: moments, and values that may be no number.
    fn read_history(&self, _answer: &<Self::Source as Source>::Answer) -> Result<History, ScalerError> {
        Ok(Vec::new())
    }

    /// What an answer that holds nothing counts as; `None` for one that holds something. Only counted, for people.
    fn found_nothing(&self, _answer: &<Self::Source as Source>::Answer) -> Option<Nulls> {
        None
    }

    /// The way to the source it asks, for streams; from then on the source counts as used.
    fn opener(&self, pool: &Pool, asker: &Asker) -> Opener<Self::Source> {
        pool.opener(&self.source(), asker)
    }

    /// How long a reading may take, where the trigger says so itself.
    fn timeout(&self) -> Option<Duration> {
        None
    }

    /// What tells of activity without being asked, through the source it asks or another; it ends only when it is dropped.
    fn push(&self, _pool: &Pool, _asker: &Asker) -> Option<BoxStream<'static, Pushed>> {
        None
    }

    /// Says what a failure means for this trigger, where the source cannot know.
    fn explain(&self, error: ScalerError) -> ScalerError {
        error
    }
}

/// A checked trigger that asks nobody: its value follows from the time.
pub(crate) trait Timed: TriggerMetadata + Clone + Debug + Send + Sync + 'static {
    /// Rules between settings. Reports, never changes.
    fn check(&self, _reader: &mut Reader<'_>) {}

    /// Its metric.
    fn metric(&self) -> Metric;

    /// Its value at a time.
    fn at(&self, now: Timestamp) -> Result<Reading, ScalerError>;
}

/// A checked trigger that the HPA reads by itself.
pub(crate) trait Measured: TriggerMetadata + Clone + Debug + Send + Sync + 'static {
    /// The metric, or `None` after a mistake was reported.
    fn resource(&self, reader: &mut Reader<'_>) -> Option<ResourceMetric>;
}

/// A connection that triggers share: the only place that does I/O.
pub(crate) trait Source: Sized + Send + Sync + 'static {
    /// Endpoint, credentials and TLS settings.
    type Key: Clone + Debug + Eq + Hash + Send + Sync + 'static;
    /// Something to ask.
    type Question: Clone + Debug + Eq + Hash + Send + Sync + 'static;
    /// What comes back; cheap to clone, as several triggers may share it.
    type Answer: Clone + Debug + Send + Sync + 'static;
    /// The protocol, as `kubectl keda connections` prints it.
    const PROTOCOL: &'static str;
    /// Whether it drops each connection whose answer did not come by itself, so that it outlives a passed deadline.
    const SHEDS: bool = false;

    /// Where the pool keeps sources of this type.
    fn shelf(shelves: &Shelves) -> &Shelf<Self>;

    /// The endpoint as text, without credentials.
    fn endpoint(key: &Self::Key) -> String;

    /// How many questions one call of [`Source::ask`] takes. More than one only where a request of the protocol holds many
    /// and the slowest does not hold up the others, since they are all answered when the call ends.
    fn together(_key: &Self::Key) -> usize {
        1
    }

    /// An answer as people read it; dry runs show it.
    fn describe(answer: &Self::Answer) -> String {
        format!("{answer:?}")
    }

    /// Connects.
    fn open(key: &Self::Key, connect: &Connect) -> impl Future<Output = Result<Self, ScalerError>> + Send;

    /// Asks all questions, in one request where the protocol has one; one answer or error each, same order.
    fn ask(
        &self,
        questions: &[Self::Question],
    ) -> impl Future<Output = Vec<Result<Self::Answer, ScalerError>>> + Send;
}

/// A checked trigger of any type.
#[derive(Clone, Debug)]
pub(crate) enum Checked {
    /// The metrics adapter reports its value.
    External(Arc<dyn ErasedTrigger>),
    /// The HPA measures it.
    Resource(ResourceMetric),
}

impl Checked {
    /// A trigger that asks a source.
    pub(crate) fn asking(trigger: impl Trigger) -> Self {
        Self::External(Arc::new(Asking::new(trigger)))
    }
}

/// How a scaler type treats keys that are none of its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherKeys {
    /// They are most likely slips.
    Unknown,
    /// They are passed on to the scaler.
    PassedOn,
}

/// An entry of the catalog.
#[derive(Debug)]
pub struct ScalerType {
    /// `triggers[].type`.
    pub name: &'static str,
    /// The first line of its documentation.
    pub summary: &'static str,
    /// Metadata of a trigger that works, as a flow mapping in YAML.
    pub example: &'static str,
    /// Every setting.
    pub fields: &'static [Field],
    /// What keys that are none of its settings mean.
    pub other_keys: OtherKeys,
    /// Whether it reports activity without being asked.
    pub push: bool,
    /// Whether the HPA measures it by itself.
    pub measured: bool,
    /// What the documentation says beyond its settings.
    pub notes: &'static str,
    pub(crate) read: fn(&mut Reader<'_>) -> Option<Checked>,
}

impl ScalerType {
    /// A type whose triggers ask a source.
    pub(crate) const fn new<T: Trigger>(
        name: &'static str,
        summary: &'static str,
        example: &'static str,
    ) -> Self {
        Self::with(name, summary, example, T::FIELDS, |reader| {
            let mut trigger = T::read(reader)?;
            trigger.bind(reader.input());
            trigger.check(reader);
            Some(Checked::asking(trigger))
        })
    }

    /// A type whose triggers follow the time.
    pub(crate) const fn timed<T: Timed>(
        name: &'static str,
        summary: &'static str,
        example: &'static str,
    ) -> Self {
        Self::with(name, summary, example, T::FIELDS, |reader| {
            let trigger = T::read(reader)?;
            trigger.check(reader);
            Some(Checked::External(Arc::new(Clockwork(trigger))))
        })
    }

    /// A type whose triggers the HPA measures.
    pub(crate) const fn measured<T: Measured>(
        name: &'static str,
        summary: &'static str,
        example: &'static str,
    ) -> Self {
        Self::with(name, summary, example, T::FIELDS, |reader| {
            let trigger = T::read(reader)?;
            trigger.resource(reader).map(Checked::Resource)
        })
        .by_hpa()
    }

    const fn by_hpa(mut self) -> Self {
        self.measured = true;
        self
    }

    /// A type whose triggers are made by hand, for those that ask one source or another.
    pub(crate) const fn with(
        name: &'static str,
        summary: &'static str,
        example: &'static str,
        fields: &'static [Field],
        read: fn(&mut Reader<'_>) -> Option<Checked>,
    ) -> Self {
        Self {
            name,
            summary,
            example,
            fields,
            other_keys: OtherKeys::Unknown,
            push: false,
            measured: false,
            notes: "",
            read,
        }
    }

    /// The same type with text for its documentation page.
    pub(crate) const fn noting(mut self, notes: &'static str) -> Self {
        self.notes = notes;
        self
    }

    /// The same type, passing unknown keys on.
    pub(crate) const fn open_ended(mut self) -> Self {
        self.other_keys = OtherKeys::PassedOn;
        self
    }

    /// The same type, reporting activity without being asked.
    pub(crate) const fn pushing(mut self) -> Self {
        self.push = true;
        self
    }
}
