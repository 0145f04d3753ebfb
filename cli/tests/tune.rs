//! `tune` as a user runs it: what it proposes holds when it is applied and simulated.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const ORDERS: &str = "\
# Scales the workers of the shop.
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: orders, namespace: shop}
spec:
  scaleTargetRef: {name: worker}
  cooldownPeriod: 600 # quiet nights
  maxReplicaCount: 40
  triggers:
  - type: redis
    name: orders
    metadata:
      address: \"redis.shop:6379\"
      listName: jobs # from the shop
      listLength: \"20\"
";

const LOAD: &str = "arrivals=day(peak=40,base=1,at=12h)+burst(height=30,at=3h,lasts=20m,every=7h)";

/// A closed loop on the synthetic day.
const WORLD: [&str; 8] = [
    "--load",
    LOAD,
    "--service-rate",
    "2",
    "--pod-startup",
    "30s",
    "--replicas",
    "1",
];

fn keda(folder: &Path, verb: &str, world: &[&str], arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kubectl-keda"))
        .args([verb, "-f", "orders.yaml"])
        .args(world)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .expect("the binary was built for this test")
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    fs::write(folder.path().join("orders.yaml"), ORDERS).expect("the manifest can be written");
    folder
}

#[track_caller]
fn ended(output: &Output, code: i32) -> String {
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{talk}");
    talk
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

#[test]
fn a_proposal_that_is_written_keeps_the_rules() {
    let folder = folder();
    let (backlog, flaps) = ("p95(backlog) < 2000", "flaps <= 100");
    let rules = [
        "--subject-to",
        backlog,
        "--subject-to",
        flaps,
        "--evaluations",
        "200",
    ];
    let output = keda(
        folder.path(),
        "tune",
        &WORLD,
        &[&rules[..], &["-o", "json", "--write"]].concat(),
    );
    let talk = ended(&output, 0);
    assert!(talk.contains("orders.yaml is changed"), "{talk}");
    let report = json(&output);
    assert_eq!(report["outcome"], "better", "{report}");
    let (now, proposed) = (&report["baseline"]["objective"], &report["proposal"]["objective"]);
    assert!(
        proposed.as_f64() < now.as_f64(),
        "{proposed} is not less than {now}"
    );
    // What is in the file now is what was proposed, comments included.
    let text = fs::read_to_string(folder.path().join("orders.yaml")).expect("it is there");
    for comment in ["# Scales the workers of the shop.", "# from the shop"] {
        assert!(text.contains(comment), "{text}");
    }
    let asserted = ["--assert", backlog, "--assert", flaps, "-o", "json"];
    let simulated = keda(folder.path(), "simulate", &WORLD, &asserted);
    ended(&simulated, 0);
    let simulated = json(&simulated);
    assert_eq!(&simulated["summary"]["replicaHours"], proposed);
    assert_eq!(
        simulated["summary"]["backlog"],
        report["proposal"]["summary"]["backlog"]
    );
    let again = keda(folder.path(), "validate", &[], &[]);
    ended(&again, 0);
}

#[test]
fn the_difference_can_be_applied() {
    let folder = folder();
    let rules = [
        "--subject-to",
        "p95(backlog) < 2000",
        "--evaluations",
        "60",
        "-o",
        "diff",
    ];
    let output = keda(folder.path(), "tune", &WORLD, &rules);
    ended(&output, 0);
    let before = fs::read_to_string(folder.path().join("orders.yaml")).expect("it is there");
    assert_eq!(before, ORDERS, "nothing is written unless it is asked for");
    fs::write(folder.path().join("tuned.diff"), &output.stdout).expect("can be written");
    let applied = Command::new("git")
        .args(["apply", "tuned.diff"])
        .current_dir(folder.path())
        .output()
        .expect("git is there");
    ended(&applied, 0);
    let other = self::folder();
    let written = keda(
        other.path(),
        "tune",
        &WORLD,
        &[&rules[..4], &["--write"]].concat(),
    );
    ended(&written, 0);
    let text = |folder: &tempfile::TempDir| {
        fs::read_to_string(folder.path().join("orders.yaml")).expect("it is there")
    };
    assert_eq!(text(&folder), text(&other));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let folder = folder();
    let arguments = [
        "--subject-to",
        "p95(backlog) < 2000",
        "--evaluations",
        "60",
        "-o",
        "json",
    ];
    let one = keda(folder.path(), "tune", &WORLD, &arguments);
    let other = keda(folder.path(), "tune", &WORLD, &arguments);
    ended(&one, 0);
    assert!(!one.stdout.is_empty() && one.stdout == other.stdout);
    let seed = keda(
        folder.path(),
        "tune",
        &WORLD,
        &[&arguments[..], &["--seed", "2"]].concat(),
    );
    ended(&seed, 0);
    assert_ne!(json(&one)["points"], json(&seed)["points"]);
}

#[test]
fn pictures_are_files_that_fetch_nothing() {
    let folder = folder();
    let arguments = [
        "--subject-to",
        "p95(backlog) < 2000",
        "--evaluations",
        "30",
        "--svg",
        "t.svg",
        "--html",
        "t.html",
    ];
    let output = keda(folder.path(), "tune", &WORLD, &arguments);
    ended(&output, 0);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("it was written");
    let (svg, page) = (read("t.svg"), read("t.html"));
    assert!(svg.starts_with("<svg") && svg.contains("p95(backlog)") && svg.contains("replica-hours"));
    assert!(page.contains("<svg") && page.contains("trade-off") && page.contains("proposed"));
    for sign in ["src=", "href=", "import ", "fetch(", "url("] {
        assert!(!page.contains(sign), "{sign}");
    }
}

#[test]
fn another_day_is_shown_beside() {
    let folder = folder();
    fs::write(
        folder.path().join("other.csv"),
        "t,arrivals\n0,5\n3600,60\n7200,5\n10800,0\n",
    )
    .expect("can be written");
    let arguments = [
        "--subject-to",
        "p95(backlog) < 2000",
        "--evaluations",
        "30",
        "--holdout",
        "other.csv",
        "-o",
        "json",
    ];
    let output = keda(folder.path(), "tune", &WORLD, &arguments);
    ended(&output, 0);
    let report = json(&output);
    let day = |of: &str| report["holdout"][of]["summary"]["seconds"].as_f64();
    assert_eq!(
        (day("baseline"), day("proposal")),
        (Some(10_800.0), Some(10_800.0))
    );
}
