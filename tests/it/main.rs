//! Tests on real servers and a real control plane.

mod definitions;
mod golden;
mod scenario;

use std::process::ExitCode;

fn main() -> ExitCode {
    harness::tier::run(vec![definitions::tier(), golden::tier()])
}
