//! `simulate` as a user runs it, where more than a screen comes out of it: files, and series that do not fit into memory.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const ORDERS: &str = "
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: orders, namespace: shop}
spec:
  scaleTargetRef: {name: worker}
  maxReplicaCount: 10
  triggers:
  - type: redis
    name: orders
    metadata: {address: \"redis.shop:6379\", listName: jobs}
";

fn simulate(folder: &Path, arguments: &[&str]) -> Output {
    fs::write(folder.join("orders.yaml"), ORDERS).expect("the manifest can be written");
    Command::new(env!("CARGO_BIN_EXE_kubectl-keda"))
        .args(["simulate", "-f", "orders.yaml"])
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .expect("the binary was built for this test")
}

#[track_caller]
fn ended_well(output: &Output) {
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{talk}");
}

#[test]
fn a_plot_is_one_file_that_fetches_nothing() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let load = "orders=day(peak=40)+outage(at=15h,lasts=1h)";
    let output = simulate(
        folder.path(),
        &["--load", load, "--svg", "day.svg", "--html", "day.html"],
    );
    ended_well(&output);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("it was written");
    let (svg, page) = (read("day.svg"), read("day.html"));
    assert!(svg.starts_with("<svg") && svg.contains("replicas") && svg.contains("s0-redis-jobs"));
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains(&svg));
    for sign in ["src=", "href=", "import ", "fetch(", "@import", "url("] {
        assert!(!page.contains(sign), "{sign}");
    }
    let places = page.matches("http").count();
    assert_eq!(
        places,
        page.matches("http://www.w3.org/2000/svg").count(),
        "an address in the page"
    );
}

#[test]
fn a_series_is_kept_once_whatever_it_is_compared_with() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    // Without a name the load is for the only metric, which is called otherwise here: so is its column.
    let other = ORDERS.replace("listName: jobs", "listName: jobs-of-another-name");
    fs::write(folder.path().join("other.yaml"), other).expect("the manifest can be written");
    let compared = ["--compare", "other.yaml", "--load", "day(peak=40)", "-o", "json"];
    let plain = simulate(folder.path(), &compared);
    ended_well(&plain);
    let keeping = simulate(
        folder.path(),
        &[&compared[..], &["--write-series", "day.csv"]].concat(),
    );
    ended_well(&keeping);
    assert!(keeping.stdout == plain.stdout, "what is kept is not what is run");
    let kept = fs::read_to_string(folder.path().join("day.csv")).expect("it was written");
    assert!(kept.starts_with("t,s0-redis-jobs\n"), "{}", &kept[..60]);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let arguments = [
        "--load",
        "orders=day(peak=40)+noise(amount=9,seed=7)",
        "-o",
        "json",
        "--every-step",
    ];
    let (one, other) = (
        simulate(folder.path(), &arguments),
        simulate(folder.path(), &arguments),
    );
    ended_well(&one);
    assert!(!one.stdout.is_empty() && one.stdout == other.stdout);
}

#[test]
fn a_plot_that_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let output = simulate(
        folder.path(),
        &["--load", "constant(3)", "--svg", "nowhere/day.svg"],
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write nowhere/day.svg"));
}

/// Two million rows are 30 MB of text; the process gets less memory than the rows would take as numbers.
#[test]
fn a_long_series_needs_no_memory() {
    const ROWS: u32 = 2_000_000;
    const KILOBYTES: u32 = 150_000;
    let folder = tempfile::tempdir().expect("a folder can be made");
    fs::write(folder.path().join("orders.yaml"), ORDERS).expect("the manifest can be written");
    let script = format!(
        "ulimit -v {KILOBYTES}; exec {} simulate -f orders.yaml --series - -o json --every-step",
        env!("CARGO_BIN_EXE_kubectl-keda")
    );
    let mut child = Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the shell starts");
    let mut rows = BufWriter::new(child.stdin.take().expect("it is piped"));
    writeln!(rows, "t,orders").expect("it is read");
    for row in 0..ROWS {
        // A child that failed reads no more, and says why.
        if writeln!(rows, "{row},{}", row % 37).is_err() {
            break;
        }
    }
    drop(rows);
    let output = child.wait_with_output().expect("it ends");
    ended_well(&output);
}
