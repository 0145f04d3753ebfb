//! Triggers of every type behind one: what the framework asks of a trigger whose type it no longer needs to know.

use std::fmt::{self, Debug};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jiff::Timestamp;

use super::{History, Metric, Offer, Pushed, Reading, Source, Span, Timed, Trigger};
use crate::ScalerError;
use crate::observer::Asker;
use crate::pool::{Moment, Pool, Read, Way};

/// A trigger whose type the framework no longer needs to know.
pub(crate) trait ErasedTrigger: Debug + Send + Sync {
    fn metrics(&self) -> Option<Vec<Metric>>;
    /// Who it asks, without credentials.
    fn endpoint(&self) -> String;
    /// Equal for triggers that ask the same of the same source with the same credentials.
    fn mark(&self, marks: &RandomState) -> u64;
    fn specs<'a>(
        &'a self,
        pool: &'a Pool,
        asker: &'a Arc<Asker>,
    ) -> BoxFuture<'a, Result<Vec<Metric>, ScalerError>>;
    fn inventory<'a>(
        &'a self,
        pool: &'a Pool,
        asker: &'a Arc<Asker>,
    ) -> BoxFuture<'a, Result<Vec<Offer>, ScalerError>>;
    /// What it would have read at moments of the past; `None` where nobody remembers.
    fn history<'a>(
        &'a self,
        pool: &'a Pool,
        asker: &'a Arc<Asker>,
        span: &'a Span,
    ) -> BoxFuture<'a, Result<Option<History>, ScalerError>>;
    fn ask<'a>(
        &'a self,
        pool: &'a Pool,
        asker: &'a Arc<Asker>,
        metric: &'a str,
        moment: Moment,
    ) -> BoxFuture<'a, Result<Vec<Reading>, ScalerError>>;
    /// As [`ErasedTrigger::ask`], with the answer itself, for people.
    fn show<'a>(
        &'a self,
        pool: &'a Pool,
        asker: &'a Arc<Asker>,
        metric: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Shown, ScalerError>>;
    fn push(&self, pool: &Pool, asker: &Asker) -> Option<BoxStream<'static, Pushed>>;
}

/// An answer, and what was read out of it.
pub(crate) struct Shown {
    /// The answer as people read it; a trigger that asks nobody has none.
    pub(crate) raw: Option<String>,
    /// The values in it, or why there are none.
    pub(crate) readings: Result<Vec<Reading>, ScalerError>,
}

/// A trigger that asks a source, and remembers the way there.
pub(super) struct Asking<T: Trigger>(T, Way<T::Source>);

impl<T: Trigger> Debug for Asking<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Trigger> Asking<T> {
    pub(super) fn new(trigger: T) -> Self {
        Self(trigger, Way::default())
    }

    async fn put(
        &self,
        pool: &Pool,
        question: <T::Source as Source>::Question,
        read: Read<'_>,
    ) -> Result<<T::Source as Source>::Answer, ScalerError> {
        let within = self.0.timeout();
        pool.put(&self.1, || self.0.source(), question, Read { within, ..read })
            .await
    }

    /// What the source says about one metric.
    async fn answer(
        &self,
        pool: &Pool,
        asker: &Arc<Asker>,
        metric: &str,
        Moment { now, since }: Moment,
    ) -> Result<<T::Source as Source>::Answer, ScalerError> {
        let read = Read {
            metric,
            now: Some(now),
            since,
            ..listing(asker)
        };
        let answer = self
            .put(pool, self.0.question_at(metric, now)?, read)
            .await
            .map_err(|error| self.0.explain(error))?;
        if let Some(nulls) = self.0.found_nothing(&answer) {
            pool.found_nothing(read, nulls);
        }
        Ok(answer)
    }
}

/// A read of nothing in particular: what the source has, which metrics there are.
fn listing(asker: &Arc<Asker>) -> Read<'_> {
    Read {
        asker,
        metric: "",
        now: None,
        since: None,
        within: None,
    }
}

impl<T: Trigger> ErasedTrigger for Asking<T> {
    fn metrics(&self) -> Option<Vec<Metric>> {
        self.0.metrics()
    }

    fn endpoint(&self) -> String {
        T::Source::endpoint(&self.0.source())
    }

    fn mark(&self, marks: &RandomState) -> u64 {
        // The question for metrics holds what a stream is opened with, where there is one.
        marks.hash_one((T::Source::PROTOCOL, self.0.source(), self.0.specs_question()))
    }

    fn specs<'a>(
        &'a self,
        pool: &'a Pool,
        asker: &'a Arc<Asker>,
    ) -> BoxFuture<'a, Result<Vec<Metric>, ScalerError>> {
        Box::pin(async move {
            let Some(question) = self.0.specs_question() else {
                return Ok(self.0.metrics().unwrap_or_default());
            };
            let answer = self.put(pool, question, listing(asker)).await?;
            self.0.read_specs(&answer)
        })
    }

    fn inventory<'a>(
        &'a self,
        pool: &'a Pool,
        asker: &'a Arc<Asker>,
    ) -> BoxFuture<'a, Result<Vec<Offer>, ScalerError>> {
        Box::pin(async move {
            let Some(question) = self.0.inventory_question() else {
                return Ok(Vec::new());
            };
            let answer = self.put(pool, question, listing(asker)).await?;
            let mut offers = self.0.read_inventory(&answer)?;
            offers.sort();
            offers.dedup();
            Ok(offers)
        })
    }

    fn history<'a>(
        &'a self,
        pool: &'a Pool,
        asker: &'a Arc<Asker>,
        span: &'a Span,
    ) -> BoxFuture<'a, Result<Option<History>, ScalerError>> {
        Box::pin(async move {
            let Some(question) = self.0.history_question(span) else {
                return Ok(None);
            };
            let answer = self.put(pool, question?, listing(asker)).await;
            let answer = answer.map_err(|error| self.0.explain(error))?;
            self.0.read_history(&answer).map(Some)
        })
    }

    fn ask<'a>(
        &'a self,
        pool: &'a Pool,
        asker: &'a Arc<Asker>,
        metric: &'a str,
        moment: Moment,
    ) -> BoxFuture<'a, Result<Vec<Reading>, ScalerError>> {
        Box::pin(async move {
            let answer = self.answer(pool, asker, metric, moment).await?;
            self.0.read_answer(&answer)
        })
    }

    fn show<'a>(
        &'a self,
        pool: &'a Pool,
        asker: &'a Arc<Asker>,
        metric: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Shown, ScalerError>> {
        Box::pin(async move {
            let answer = self.answer(pool, asker, metric, now.into()).await?;
            Ok(Shown {
                raw: Some(T::Source::describe(&answer)),
                readings: self.0.read_answer(&answer),
            })
        })
    }

    fn push(&self, pool: &Pool, asker: &Asker) -> Option<BoxStream<'static, Pushed>> {
        self.0.push(pool, asker)
    }
}

/// A trigger that follows the time.
#[derive(Debug)]
pub(super) struct Clockwork<T>(pub(super) T);

impl<T: Timed> ErasedTrigger for Clockwork<T> {
    fn metrics(&self) -> Option<Vec<Metric>> {
        Some(vec![self.0.metric()])
    }

    fn endpoint(&self) -> String {
        "the clock".to_owned()
    }

    fn mark(&self, _marks: &RandomState) -> u64 {
        0
    }

    fn specs<'a>(
        &'a self,
        _pool: &'a Pool,
        _asker: &'a Arc<Asker>,
    ) -> BoxFuture<'a, Result<Vec<Metric>, ScalerError>> {
        Box::pin(async move { Ok(vec![self.0.metric()]) })
    }

    fn inventory<'a>(
        &'a self,
        _pool: &'a Pool,
        _asker: &'a Arc<Asker>,
    ) -> BoxFuture<'a, Result<Vec<Offer>, ScalerError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn history<'a>(
        &'a self,
        _pool: &'a Pool,
        _asker: &'a Arc<Asker>,
        _span: &'a Span,
    ) -> BoxFuture<'a, Result<Option<History>, ScalerError>> {
        Box::pin(async { Ok(None) })
    }

    fn ask<'a>(
        &'a self,
        _pool: &'a Pool,
        _asker: &'a Arc<Asker>,
        _metric: &'a str,
        moment: Moment,
    ) -> BoxFuture<'a, Result<Vec<Reading>, ScalerError>> {
        Box::pin(async move { self.0.at(moment.now).map(|reading| vec![reading]) })
    }

    fn show<'a>(
        &'a self,
        _pool: &'a Pool,
        _asker: &'a Arc<Asker>,
        _metric: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Shown, ScalerError>> {
        Box::pin(async move {
            Ok(Shown {
                raw: None,
                readings: self.0.at(now).map(|reading| vec![reading]),
            })
        })
    }

    fn push(&self, _pool: &Pool, _asker: &Asker) -> Option<BoxStream<'static, Pushed>> {
        None
    }
}
