//! What the API server's watches said, in order: replicas of the Deployment, desired replicas of its HPA.

use std::io::BufReader;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use super::place::Place;
use super::scenario;

/// What the demo must see, in this order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// No replica before the jobs.
    Zero,
    /// The controller activated the worker.
    One,
    /// The HPA went beyond one.
    Many,
    /// All jobs are done and the worker is at zero again.
    ZeroAgain,
}

impl Phase {
    /// The phases after the first, in order.
    const AFTER_PUSH: [Phase; 3] = [Phase::One, Phase::Many, Phase::ZeroAgain];

    fn title(self) -> &'static str {
        match self {
            Self::Zero => "0 replicas before the jobs",
            Self::One => "0 → 1, the controller's activation",
            Self::Many => "1 → N, the HPA's scaling",
            Self::ZeroAgain => "N → 0, back to zero",
        }
    }

    fn reached(self, replicas: i64) -> bool {
        match self {
            Self::Zero | Self::ZeroAgain => replicas == 0,
            Self::One => replicas >= 1,
            Self::Many => replicas >= 2,
        }
    }
}

/// One row: the state after something changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    /// Seconds since the watch began.
    pub(crate) at: f64,
    /// `spec.replicas` of the Deployment.
    pub(crate) wanted: i64,
    /// `status.readyReplicas` of the Deployment.
    pub(crate) ready: i64,
    /// `status.desiredReplicas` of the HPA, once there is one.
    pub(crate) hpa: Option<i64>,
}

/// The watches and what they said so far.
pub(crate) struct Timeline {
    started: Instant,
    points: Vec<Point>,
    phases: Vec<(Phase, f64)>,
    pushed: Option<f64>,
    changes: Receiver<Value>,
    watches: Vec<Child>,
}

impl Timeline {
    /// Starts a watch on the Deployment and one on the HPA.
    pub(crate) fn watch(place: &Place) -> anyhow::Result<Self> {
        let (sender, changes) = channel();
        let watches = ["deployments.apps", "horizontalpodautoscalers.v2.autoscaling"]
            .into_iter()
            .map(|kind| follow(place.kubectl(), kind, sender.clone()))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            started: Instant::now(),
            points: Vec::new(),
            phases: Vec::new(),
            pushed: None,
            changes,
            watches,
        })
    }

    /// Notes that the jobs are being pushed now.
    pub(crate) fn mark_push(&mut self) {
        self.pushed = Some(self.started.elapsed().as_secs_f64());
    }

    /// Waits until `phase` is reached.
    pub(crate) fn wait_for(&mut self, phase: Phase, deadline: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + deadline;
        loop {
            if let Some(last) = self.points.last()
                && phase.reached(last.wanted)
                && (phase != Phase::ZeroAgain || last.ready == 0)
            {
                self.phases.push((phase, last.at));
                return Ok(());
            }
            match self
                .changes
                .recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                Ok(object) => self.add(&object),
                Err(RecvTimeoutError::Timeout) => {
                    bail!("not seen within {} s: {}", deadline.as_secs(), phase.title())
                }
                Err(RecvTimeoutError::Disconnected) => bail!("the watches ended before: {}", phase.title()),
            }
        }
    }

    /// Waits for every phase that follows the push, each within `deadline`.
    pub(crate) fn wait_for_all(&mut self, deadline: Duration) -> anyhow::Result<()> {
        Phase::AFTER_PUSH
            .into_iter()
            .try_for_each(|phase| self.wait_for(phase, deadline))
    }

    /// The most replicas that were wanted at once.
    pub(crate) fn peak(&self) -> i64 {
        self.points.iter().map(|point| point.wanted).max().unwrap_or(0)
    }

    pub(crate) fn points(&self) -> &[Point] {
        &self.points
    }

    /// Second at which the jobs were pushed.
    pub(crate) fn pushed(&self) -> Option<f64> {
        self.pushed
    }

    /// The rows as a table, times counted from the push.
    pub(crate) fn table(&self) -> String {
        let zero = self.pushed.unwrap_or(0.0);
        let mut lines = vec![format!(
            "{:>9}  {:>6}  {:>5}  {:>11}  {}",
            "TIME", "WANTED", "READY", "HPA DESIRED", "PHASE"
        )];
        for point in &self.points {
            let phase = self
                .phases
                .iter()
                .rfind(|(_, at)| (at - point.at).abs() < f64::EPSILON);
            let hpa = point.hpa.map_or_else(|| "-".to_owned(), |n| n.to_string());
            let title = phase.map_or("", |(phase, _)| phase.title());
            let time = format!("{:+.1} s", point.at - zero);
            let line = format!(
                "{time:>9}  {:>6}  {:>5}  {hpa:>11}  {title}",
                point.wanted, point.ready
            );
            lines.push(line.trim_end().to_owned());
        }
        lines.join("\n")
    }

    /// Adds a row where `object` changed something that the table shows.
    fn add(&mut self, object: &Value) {
        let mut next = self.points.last().cloned().unwrap_or(Point {
            at: 0.0,
            wanted: 0,
            ready: 0,
            hpa: None,
        });
        let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
        if object["kind"] == "Deployment" {
            next.wanted = number("/spec/replicas").unwrap_or(1);
            next.ready = number("/status/readyReplicas").unwrap_or(0);
        } else {
            next.hpa = Some(number("/status/desiredReplicas").unwrap_or(0));
        }
        next.at = self.points.last().map_or(0.0, |last| last.at);
        if self.points.last() != Some(&next) {
            next.at = self.started.elapsed().as_secs_f64();
            self.points.push(next);
        }
    }
}

impl Drop for Timeline {
    fn drop(&mut self) {
        for watch in &mut self.watches {
            // A watch that ended by itself is as good as one ended here.
            let _ = watch.kill();
            let _ = watch.wait();
        }
    }
}

/// Streams the objects of one watch into `sender` from a thread that ends with the watch.
fn follow(mut kubectl: Command, kind: &str, sender: Sender<Value>) -> anyhow::Result<Child> {
    let mut child = kubectl
        .args([
            "get",
            kind,
            "--namespace",
            scenario::NAMESPACE,
            "--watch",
            "--output",
            "json",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot watch {kind}"))?;
    let output = child.stdout.take().context("the watch has no output")?;
    let worker = scenario::WORKER;
    thread::spawn(move || {
        let objects = serde_json::Deserializer::from_reader(BufReader::new(output)).into_iter::<Value>();
        for object in objects.map_while(Result::ok) {
            let target = object
                .pointer("/spec/scaleTargetRef/name")
                .unwrap_or(&object["metadata"]["name"]);
            if target == worker && sender.send(object).is_err() {
                return;
            }
        }
    });
    Ok(child)
}
