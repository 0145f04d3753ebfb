//! Reads one external metric through the API server, as the HPA controller does, and keeps account of the answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use harness::cluster::Cluster;
use harness::namespace::Namespace;
use harness::wait::{look, wait_for};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::DEADLINE;

/// Reads under way at once.
const COUNT: usize = 2;
/// The rate of each: what it reads in a fail-over must fit into what an adapter remembers.
const PACE: Duration = Duration::from_millis(50);

/// Readers that read until they are stopped.
pub(super) struct Readers {
    account: Arc<Account>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Account {
    over: AtomicBool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The value that the source has.
    right: String,
    /// Right answers since the last failure.
    row: u64,
    failed: u64,
    /// Answers with a value that the source had neither when the read began nor when it ended.
    wrong: Vec<String>,
    /// What the last failure said.
    error: String,
}

impl Account {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Readers {
    /// Starts to read the metric of the ScaledObject `web`, whose value is `right`.
    pub(super) fn start(ns: &Namespace, right: &str) -> Self {
        let account = Arc::new(Account::default());
        right.clone_into(&mut account.seen().right);
        let path = format!(
            "/apis/external.metrics.k8s.io/v1beta1/namespaces/{}/s0-metric-api-value?labelSelector=scaledobject.keda.sh%2Fname%3Dweb",
            ns.name()
        );
        let one = |_| tokio::spawn(read(ns.cluster().clone(), path.clone(), Arc::clone(&account)));
        Self {
            tasks: (0..COUNT).map(one).collect(),
            account,
        }
    }

    /// Says which value is right from now on.
    pub(super) fn expect(&self, right: &str) {
        right.clone_into(&mut self.account.seen().right);
    }

    /// Waits for that many right answers in a row, counted from now.
    pub(super) async fn row(&self, count: u64) -> Result<()> {
        self.account.seen().row = 0;
        wait_for(format!("{count} reads in a row"), DEADLINE, || async {
            let seen = self.account.seen();
            look(seen.row >= count, || {
                format!(
                    "{} after {} failures, the last: {}",
                    seen.row, seen.failed, seen.error
                )
            })
        })
        .await?;
        self.none_wrong()
    }

    /// Fails if a read has.
    pub(super) fn none_failed(&self) -> Result<()> {
        let seen = self.account.seen();
        ensure!(seen.failed == 0, "{} reads failed: {}", seen.failed, seen.error);
        Ok(())
    }

    /// Ends the readers.
    pub(super) async fn stop(mut self) -> Result<()> {
        self.account.over.store(true, Ordering::Relaxed);
        for task in std::mem::take(&mut self.tasks) {
            task.await?;
        }
        self.none_wrong()
    }

    fn none_wrong(&self) -> Result<()> {
        let seen = self.account.seen();
        ensure!(
            seen.wrong.is_empty(),
            "wrong values were served: {:?}",
            seen.wrong
        );
        Ok(())
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.account.over.store(true, Ordering::Relaxed);
    }
}

async fn read(cluster: Cluster, path: String, account: Arc<Account>) {
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !account.over.load(Ordering::Relaxed) {
        pace.tick().await;
        let before = account.seen().right.clone();
        let answer = cluster.read(&path).await;
        let mut seen = account.seen();
        match answer {
            Ok(answer) if answer.status == 200 => {
                let values: Vec<&str> = answer.body["items"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|item| item["value"].as_str())
                    .collect();
                if values == [before.as_str()] || values == [seen.right.as_str()] {
                    seen.row += 1;
                } else {
                    let told = format!("{} instead of {}", answer.body, seen.right);
                    seen.wrong.push(told);
                }
            }
            Ok(answer) => seen.fail(format!("{} {}", answer.status, answer.body)),
            Err(error) => seen.fail(format!("{error:#}")),
        }
    }
}

impl Seen {
    fn fail(&mut self, error: String) {
        self.row = 0;
        self.failed += 1;
        self.error = error;
    }
}
