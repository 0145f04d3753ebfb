//! A trigger as a test asks it: read once, then asked through a pool of its own.

use std::error::Error as _;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use engine::metric::{MetricName, Sample};
use harness::wait::{look, wait_for};
use scalers::{Built, Connect, Pool, ScalerError, TriggerInput};

/// A bound for a server that does not come back.
const DEADLINE: Duration = Duration::from_mins(1);

/// One trigger and its pool.
pub(crate) struct Probe {
    pool: Pool,
    built: Built,
    metric: MetricName,
}

/// A trigger of a type; later pairs replace earlier ones.
pub(crate) fn trigger(type_: &str, metadata: &[(&str, &str)], auth: &[(&str, &str)]) -> TriggerInput {
    let mut input = TriggerInput {
        type_: type_.to_owned(),
        ..TriggerInput::default()
    };
    input.object = scalers::ObjectKey {
        namespace: "tests".to_owned(),
        name: "so".to_owned(),
    };
    input.metadata = metadata
        .iter()
        .map(|&(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    for &(parameter, value) in auth {
        input.auth.insert(parameter, value);
    }
    input
}

impl Probe {
    /// Reads a trigger, which must be right, and opens a pool.
    pub(crate) async fn new(input: &TriggerInput) -> Result<Self> {
        Self::on(&Pool::new(Connect::default()), input).await
    }

    /// Reads a trigger that shares a pool.
    pub(crate) async fn on(pool: &Pool, input: &TriggerInput) -> Result<Self> {
        let built = scalers::read(input).map_err(|found| anyhow!("the trigger is refused: {found:?}"))?;
        let metrics = built.specs(pool).await?;
        let metric = metrics
            .externals()
            .first()
            .context("the trigger has a metric")?
            .name
            .clone();
        Ok(Self {
            pool: pool.clone(),
            built,
            metric,
        })
    }

    /// One reading.
    pub(crate) async fn ask(&self) -> Result<Sample, ScalerError> {
        let mut samples = self
            .pool
            .ask(&self.built, &self.metric, jiff::Timestamp::now())
            .await?;
        Ok(samples.remove(0))
    }

    /// The value must be exactly this now.
    #[track_caller]
    pub(crate) fn is(&self, want: f64) -> impl Future<Output = Result<()>> {
        let place = std::panic::Location::caller();
        async move {
            let sample = self.ask().await.map_err(|e| anyhow!("{place}: {}", chain(&e)))?;
            ensure!(
                sample.quantity() == engine::quantity::Quantity::from_f64_milli(want),
                "{place}: {} instead of {want}",
                sample.value
            );
            Ok(())
        }
    }

    /// The reading must fail now, and the text of the error with its causes is returned.
    pub(crate) async fn fails(&self) -> Result<String> {
        match self.ask().await {
            Ok(sample) => bail!("answered {} although there is nobody to ask", sample.value),
            Err(error) => Ok(chain(&error)),
        }
    }

    /// The value must come, after errors if need be.
    pub(crate) async fn recovers(&self, want: f64) -> Result<()> {
        wait_for("the value after the failure", DEADLINE, || async {
            let sample = self.ask().await.map_err(|e| chain(&e))?;
            look((sample.value - want).abs() < f64::EPSILON, || {
                format!("{} instead of {want}", sample.value)
            })
        })
        .await
    }

    /// Who is asked.
    pub(crate) fn endpoint(&self) -> Option<String> {
        self.built.endpoint()
    }

    /// How many connections the pool holds.
    pub(crate) fn connections(&self) -> usize {
        self.pool.connections().len()
    }
}

/// An error and all its causes in one line.
fn chain(error: &ScalerError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let _ = write!(text, ": {next}");
        cause = next.source();
    }
    text
}
