//! Tests on real servers and a real control plane.

mod cluster;
mod definitions;
mod golden;
mod install;
mod node;
mod oracle;
mod scenario;
mod servers;

use std::process::ExitCode;

fn main() -> ExitCode {
    harness::tier::run(vec![
        servers::tier(),
        servers::kafka::tier(),
        definitions::tier(),
        golden::tier(),
        cluster::tier(),
        cluster::faults(),
        cluster::many(),
        cluster::recorded(),
        install::tier(),
        node::tier(),
        oracle::recorded(),
        oracle::tier(),
    ])
}
