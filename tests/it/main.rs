//! Tests on real servers and a real control plane.

mod golden;

use std::process::ExitCode;

fn main() -> ExitCode {
    harness::tier::run(vec![golden::tier()])
}
