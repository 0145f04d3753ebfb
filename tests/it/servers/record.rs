//! `kubectl keda record` at a terminal, beside a Redis that is filled, emptied, stopped and started; then `simulate` on the file.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::keda;
use harness::redis::{Access, Redis};
use harness::terminal::Terminal;
use harness::wait::{look, wait_for};
use serde_json::{Value, json};

use super::folder;

/// A bound for a recording that does not go on.
const DEADLINE: Duration = Duration::from_mins(1);
/// The exit code of what was interrupted, as the documentation of `kubectl keda` gives it.
const INTERRUPTED: i32 = 130;
/// The key that interrupts.
const CTRL_C: &str = "\x03";
const PASSWORD: &str = "open-sesame";

/// Two lists of one server, a schedule, and cpu that nobody measures; with the Secret in the file.
fn manifest(redis: &Redis) -> String {
    let list = |list: &str| {
        json!({
            "type": "redis", "authenticationRef": {"name": "redis"},
            "metadata": {"address": redis.address(), "listName": list, "listLength": "5"},
        })
    };
    let mut orders = list("jobs");
    orders["name"] = json!("orders");
    let night = json!({"timezone": "UTC", "start": "0 1 * * *", "end": "1 1 * * *", "desiredReplicas": "1"});
    let object = json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "orders", "namespace": "shop"},
        "spec": {
            "scaleTargetRef": {"name": "worker"}, "pollingInterval": 1, "maxReplicaCount": 10,
            "triggers": [orders, list("mails"), {"type": "cron", "metadata": night}],
        },
    });
    let authentication = json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication", "metadata": {"name": "redis", "namespace": "shop"},
        "spec": {"secretTargetRef": [{"parameter": "password", "name": "redis", "key": "password"}]},
    });
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "redis", "namespace": "shop"},
        "stringData": {"password": PASSWORD},
    });
    format!("{object}\n---\n{authentication}\n---\n{secret}\n")
}

/// Waits until as many rows end so: with one a second, the value was there for so long.
async fn rows(file: &Path, cells: &str, count: usize) -> Result<()> {
    wait_for(format!("{count} rows `{cells}`"), DEADLINE, || async {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let found = text
            .lines()
            .filter(|line| line.split_once(',').is_some_and(|(_, rest)| rest == cells));
        look(found.count() >= count, || text.clone())
    })
    .await
}

pub(super) async fn redis_recorded() -> Result<()> {
    let dir = folder("record")?;
    let access = Access {
        password: Some(PASSWORD.to_owned()),
        tls: None,
    };
    let mut redis = Redis::start(&dir, access).await?;
    std::fs::write(dir.join("orders.yaml"), manifest(&redis))?;
    let (cli, file) = (keda::cli_bin()?, dir.join("orders.csv"));
    let line = format!(
        "cd '{}' && exec '{}' record -f orders.yaml --series orders.csv --every 1s",
        dir.display(),
        cli.display()
    );
    let mut terminal = Terminal::run(&line)?;
    terminal
        .shows("recording `orders`, `s1-redis-mails` of shop/orders every 1s into orders.csv until Ctrl-C")
        .await?;
    terminal.shows("next row ").await?;
    rows(&file, "0,0", 1).await?;
    redis.push("jobs", 17)?;
    redis.push("mails", 2)?;
    rows(&file, "17,2", 3).await?;
    redis.pop("jobs", 10)?;
    rows(&file, "7,2", 3).await?;
    redis.kill();
    rows(&file, ",", 3).await?;
    terminal.shows("`orders` fails: ").await?;
    redis.restart().await?;
    rows(&file, "0,0", 3).await?;
    terminal.shows("`orders` answers again").await?;
    terminal.types(CTRL_C).await?;
    terminal.shows(" of 2 columns in orders.csv").await?;
    let code = terminal.ends().await?;
    ensure!(code == 0, "exit {code}");
    let text = std::fs::read_to_string(&file)?;
    ensure!(text.starts_with("t,orders,s1-redis-mails\n"), "{text}");
    ensure!(!text.contains(PASSWORD), "a credential is in the series");

    simulated(&cli, &dir)?;
    gone_on_with(&cli, &dir, &text)?;

    // Whoever leaves before the time is over has an unfinished recording, and its rows.
    let mut terminal = Terminal::run(&line.replace("orders.csv", "hour.csv --for 1h"))?;
    let file = dir.join("hour.csv");
    rows(&file, "0,0", 1).await?;
    terminal.types(CTRL_C).await?;
    terminal.shows(" of 2 columns in hour.csv").await?;
    let code = terminal.ends().await?;
    ensure!(code == INTERRUPTED && file.exists(), "exit {code}");
    Ok(())
}

fn run(cli: &Path, dir: &Path, args: &[&str]) -> Result<Output> {
    let mut command = Command::new(cli);
    command
        .args(args)
        .current_dir(dir)
        .env("KUBECONFIG", "/nowhere")
        .env("NO_COLOR", "1");
    command.output().context("cannot run kubectl-keda")
}

/// 17 and 7 jobs at 5 a replica ask for 4 and 2 replicas, which stay while nobody answers.
fn simulated(cli: &Path, dir: &Path) -> Result<()> {
    let rules = "peak == 4 && max(orders) == 17 && max(1) == 2 && failed-reads > 0 && cold-starts == 1 && mean(replicas) > 0";
    let series = ["simulate", "-f", "orders.yaml", "--series", "orders.csv"];
    let model = [
        "--replicas",
        "0",
        "--hpa-sync-period",
        "1s",
        "--assert",
        rules,
        "-o",
        "json",
    ];
    let output = run(cli, dir, &[&series[..], &model].concat())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    let told: Value = serde_json::from_slice(&output.stdout)?;
    let steps = told["steps"].as_array().context("there are steps")?;
    let replicas: Vec<&Value> = steps.iter().map(|step| &step["replicas"]).collect();
    ensure!(replicas == [&json!(0), &json!(1), &json!(4)], "{told:#}");
    Ok(())
}

/// The file is left alone unless it is told otherwise, and then rows come after those that are there.
fn gone_on_with(cli: &Path, dir: &Path, before: &str) -> Result<()> {
    let series = [
        "record",
        "-f",
        "orders.yaml",
        "--series",
        "orders.csv",
        "--every",
        "1s",
        "--for",
        "2s",
    ];
    let output = run(cli, dir, &series)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(2) && said.contains("orders.csv exists already"),
        "{said}"
    );
    let output = run(cli, dir, &[&series[..], &["--append"]].concat())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success() && output.stdout.is_empty(), "{said}");
    let text = std::fs::read_to_string(dir.join("orders.csv"))?;
    let added = text
        .strip_prefix(before)
        .with_context(|| format!("other rows than before: {text}"))?;
    ensure!(
        !added.is_empty() && added.lines().all(|row| row.ends_with(",0,0")),
        "{added}"
    );

    // The same to standard output, as JSON lines.
    let output = run(
        cli,
        dir,
        &[
            "record",
            "-f",
            "orders.yaml",
            "--every",
            "1s",
            "--for",
            "1s",
            "--format",
            "jsonl",
        ],
    )?;
    let row: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(row["orders"] == 0 && row["s1-redis-mails"] == 0, "{row}");
    Ok(())
}
