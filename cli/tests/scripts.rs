//! Runs the binary as a user does: one folder of `cases/` a scenario, so that a new one adds no Rust.
//!
//! `cmd` holds the arguments, one a line; `stdin`, `stdout`, `stderr` and `code` what goes in and what must come out.
//! Absent files mean nothing in, nothing out, and code 0. With `INSTA_UPDATE=always` the expectations are written.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run says.
#[derive(Debug, PartialEq)]
struct Said {
    stdout: String,
    stderr: String,
    code: i32,
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut cases: Vec<_> = entries
        .map(|entry| entry.expect("can be listed").path())
        .collect();
    cases.sort();
    cases
}

fn text(case: &Path, name: &str) -> String {
    fs::read_to_string(case.join(name)).unwrap_or_default()
}

fn run(case: &Path) -> Said {
    let arguments = text(case, "cmd");
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-keda"))
        .args(arguments.lines())
        .current_dir(case)
        .env_clear()
        .env("HOME", case)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built for this test");
    let mut stdin = child.stdin.take().expect("it is piped");
    // A command that does not read its input may be gone already.
    let _ = stdin.write_all(text(case, "stdin").as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    Said {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code().expect("it was not killed"),
    }
}

fn expected(case: &Path) -> Said {
    Said {
        stdout: text(case, "stdout"),
        stderr: text(case, "stderr"),
        code: text(case, "code").trim().parse().unwrap_or(0),
    }
}

fn record(case: &Path, said: &Said) {
    let code = if said.code == 0 {
        String::new()
    } else {
        format!("{}\n", said.code)
    };
    for (name, text) in [
        ("stdout", &said.stdout),
        ("stderr", &said.stderr),
        ("code", &code),
    ] {
        let file = case.join(name);
        if text.is_empty() {
            let _ = fs::remove_file(file);
        } else {
            fs::write(file, text).expect("can be written");
        }
    }
}

#[test]
fn every_case_says_what_it_should() {
    let update = std::env::var_os("INSTA_UPDATE").is_some_and(|value| value == "always");
    let cases = cases();
    assert!(cases.len() >= 20, "cases are missing");
    let mut wrong = Vec::new();
    for case in cases {
        let said = run(&case);
        if update {
            record(&case, &said);
        } else if said != expected(&case) {
            let name = case
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            wrong.push(format!(
                "--- {name}: code {}\n--- stdout\n{}--- stderr\n{}",
                said.code, said.stdout, said.stderr
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "these cases say something else than expected:\n{}",
        wrong.join("\n")
    );
}
