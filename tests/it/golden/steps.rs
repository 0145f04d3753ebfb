//! What was done in a case, and doing it again.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use harness::keda::{Keda, condition};
use harness::namespace::{Namespace, with_namespace};
use harness::source::{Answer, Source};
use harness::wait::{look, wait_for};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::compare::{self, Scene};
use super::snapshot;

/// A bound for a cluster that hangs; every recorded state was reached within 50 seconds at KEDA's pace.
const DEADLINE: Duration = Duration::from_mins(2);

/// One step of a recording.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    Create(Value),
    MergePatch {
        kind: String,
        name: String,
        patch: Value,
    },
    Delete {
        kind: String,
        name: String,
    },
    WaitedSeconds(f64),
    CompareWith(String),
    #[serde(untagged)]
    Source {
        source: String,
        value: Option<f64>,
        fails: Option<bool>,
    },
}

static SOURCE: OnceCell<Source> = OnceCell::const_new();

/// Runs a case in a namespace of its own on the shared cluster.
pub(crate) async fn run(name: String, steps: Vec<Step>, recordings: PathBuf) -> Result<()> {
    let (bed, keda) = Keda::shared().await?;
    let source = SOURCE.get_or_try_init(Source::start).await?;
    let prefix = format!("g-{name}");
    let played = with_namespace(bed, &prefix, async |ns| {
        Play::new(&name, ns, source, recordings).all(steps).await
    })
    .await;
    keda.check_alive()?;
    played
}

/// A case while it is played.
struct Play<'a> {
    scene: Scene,
    namespace: &'a Namespace,
    source: &'a Source,
    recordings: PathBuf,
    /// What each key answers when it does not fail.
    values: std::collections::BTreeMap<String, f64>,
    /// The API server's answers, in the form of the recording.
    log: Vec<Value>,
}

impl<'a> Play<'a> {
    fn new(name: &str, namespace: &'a Namespace, source: &'a Source, recordings: PathBuf) -> Self {
        let scene = Scene {
            case: name.to_owned(),
            namespace: namespace.name().to_owned(),
            source: source.address().to_string(),
        };
        Self {
            scene,
            namespace,
            source,
            recordings,
            values: std::collections::BTreeMap::new(),
            log: Vec::new(),
        }
    }

    async fn all(mut self, steps: Vec<Step>) -> Result<()> {
        let mut steps = steps.into_iter().peekable();
        while let Some(step) = steps.next() {
            match step {
                // A snapshot follows: its comparison does the waiting.
                Step::WaitedSeconds(_) if matches!(steps.peek(), Some(Step::CompareWith(_))) => {}
                Step::WaitedSeconds(seconds) => self.settled(seconds).await?,
                Step::Source { source, value, fails } => self.answer(&source, value, fails),
                Step::Create(object) => self.create(object).await?,
                Step::MergePatch { kind, name, patch } => self.patch(&kind, &name, patch).await?,
                Step::Delete { kind, name } => self.delete(&kind, &name).await?,
                Step::CompareWith(file) => self.compare(&file).await?,
            }
        }
        Ok(())
    }

    fn answer(&mut self, key: &str, value: Option<f64>, fails: Option<bool>) {
        if let Some(value) = value {
            self.values.insert(key.to_owned(), value);
        }
        let answer = match fails {
            Some(true) => Answer::Fails,
            _ => Answer::Value(self.values.get(key).copied().unwrap_or(0.0)),
        };
        self.source.set(key, answer);
    }

    async fn create(&mut self, object: Value) -> Result<()> {
        let object = self.scene.localise(object);
        let name = format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]));
        let answer = self
            .namespace
            .cluster()
            .try_create(self.namespace.name(), &object)
            .await?;
        self.log
            .push(json!({"create": name, "http": answer.status, "message": answer.message}));
        Ok(())
    }

    async fn patch(&mut self, kind: &str, name: &str, patch: Value) -> Result<()> {
        let patch = self.scene.localise(patch);
        let answer = self
            .namespace
            .cluster()
            .try_merge_patch(kind, self.namespace.name(), name, &patch)
            .await?;
        self.log.push(json!({"merge_patch": format!("{kind}/{name}"), "http": answer.status, "message": answer.message}));
        Ok(())
    }

    async fn delete(&mut self, kind: &str, name: &str) -> Result<()> {
        let answer = self
            .namespace
            .cluster()
            .delete(kind, self.namespace.name(), name)
            .await?;
        self.log
            .push(json!({"delete": format!("{kind}/{name}"), "http": answer.status}));
        Ok(())
    }

    /// Waits until every ScaledObject has its verdict: the state in which the recording went on after `seconds`.
    async fn settled(&self, seconds: f64) -> Result<()> {
        let deadline = DEADLINE.max(Duration::from_secs_f64(2.0 * seconds));
        wait_for("a verdict on every ScaledObject", deadline, || async {
            let objects = self
                .namespace
                .cluster()
                .list("ScaledObject", self.namespace.name())
                .await;
            let objects = objects.map_err(|e| format!("{e:#}"))?;
            let open = objects
                .iter()
                .find(|o| condition(o, "Ready").is_none_or(|c| c["status"] == "Unknown"));
            look(open.is_none(), || {
                open.map(|o| o["status"].to_string()).unwrap_or_default()
            })
        })
        .await
    }

    async fn compare(&self, file: &str) -> Result<()> {
        let path = self.recordings.join(file);
        let recorded = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let want = self.scene.localise(serde_json::from_str(&recorded)?);
        let answers = compare::answers(&want["log"], &self.log);
        if !answers.is_empty() {
            bail!(
                "{file}: the API server answered otherwise\n{}",
                answers.join("\n")
            );
        }
        let reached = wait_for(format!("the state of {file}"), DEADLINE, || async {
            let live = snapshot::take(self.namespace)
                .await
                .map_err(|e| format!("{e:#}"))?;
            let differences = compare::differences(&self.scene, &want, &live);
            look(differences.is_empty(), || {
                format!("it differs\n{}", differences.join("\n"))
            })
        });
        reached.await
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
