//! `record` as a user runs it, where its output goes somewhere that a folder of `cases/` cannot name.

use std::fs;
use std::process::Command;

const ORDERS: &str = "
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: orders, namespace: shop}
spec:
  scaleTargetRef: {name: worker}
  triggers:
  - type: redis
    name: orders
    metadata: {address: \"127.0.0.1:1\", listName: jobs}
";

/// What a recording says whose standard output goes on as the shell is told, and the code that the shell ends with.
fn recorded(output: &str) -> (String, Option<i32>) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    fs::write(folder.path().join("orders.yaml"), ORDERS).expect("the manifest can be written");
    let script = format!(
        "{} record -f orders.yaml --every 1s {output}",
        env!("CARGO_BIN_EXE_kubectl-keda")
    );
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .expect("there is a shell");
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    (talk, output.status.code())
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let (talk, code) = recorded("| head -n 2");
    assert_eq!(code, Some(0), "{talk}");
    assert!(!talk.contains("error:") && !talk.contains("left out"), "{talk}");
    assert!(talk.contains(" of 1 column in standard output"), "{talk}");
}

#[test]
fn rows_that_cannot_be_written_are_told_as_that() {
    let (talk, code) = recorded("> /dev/full");
    assert_eq!(code, Some(1), "{talk}");
    assert!(
        talk.contains("error: cannot write to standard output: No space left"),
        "{talk}"
    );
    assert!(!talk.contains("no row was due"), "{talk}");
}
