//! Runs the executable that kubectl asks what may follow `kubectl keda`, as kubectl runs it.

use std::path::Path;
use std::process::Command;

/// What the executable answers to these words, the last of which is to be completed.
fn complete(words: &[&str]) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_kubectl-keda"));
    let folder = binary.parent().expect("a binary lies in a folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../completions/kubectl_complete-keda");
    let output = Command::new(script)
        .args(words)
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .output()
        .expect("it may be executed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn kubectl_is_told_verbs_flags_and_values() {
    assert_eq!(complete(&["uni"]), "uninstall\tRemove an installation\n:4\n");
    assert_eq!(
        complete(&["install", "--dry-run", "c"]),
        "client\tOnly render; the cluster is not asked\n:4\n"
    );
    assert_eq!(complete(&["explain", "so/orders", "--output", "y"]), "yaml\n:4\n");
    assert_eq!(complete(&["validate", "-f", ""]), ":0\n");
    assert!(complete(&["status", "-"]).contains("--all-namespaces\tShow the objects of all namespaces\n"));
}
