//! The verbs, one module each, and what starts them.

pub(crate) mod complete;
pub(crate) mod completion;
pub(crate) mod connections;
pub(crate) mod dry_run;
pub(crate) mod explain;
pub(crate) mod install;
pub(crate) mod record;
pub(crate) mod scaffold;
pub(crate) mod scalers;
pub(crate) mod simulate;
pub(crate) mod status;
pub(crate) mod tune;
pub(crate) mod uninstall;
pub(crate) mod upgrade;
pub(crate) mod validate;
pub(crate) mod version;

use std::future::Future;

use crate::args::{Args, Verb};
use crate::context::Context;
use crate::exit::{self, Failure};

/// Runs the verb and prints what made it fail, if anything did. Returns the exit code.
pub(crate) fn run(args: Args) -> u8 {
    let cx = Context::new(args.kube);
    let ended = match &args.verb {
        Verb::Install(args) => block_on(install::run(args, &cx)),
        Verb::Upgrade(args) => block_on(upgrade::run(args, &cx)),
        Verb::Uninstall(args) => block_on(uninstall::run(args, &cx)),
        Verb::Status(args) => block_on(status::run(args, &cx)),
        Verb::Explain(args) => block_on(explain::run(args, &cx)),
        Verb::Connections(args) => block_on(connections::run(args, &cx)),
        Verb::Validate(args) => block_on(validate::run(args, &cx)),
        Verb::DryRun(args) => block_on(dry_run::run(args, &cx)),
        Verb::Simulate(args) => simulate::run(args, &cx),
        Verb::Record(args) => to_its_end(record::run(args, &cx)),
        Verb::Tune(args) => tune::run(args, &cx),
        Verb::Scaffold(args) => block_on(scaffold::run(args, &cx)),
        Verb::Scalers(args) => scalers::run(args, &cx),
        Verb::Version(args) => block_on(version::run(args, &cx)),
        Verb::Completion(args) => completion::run(args, &cx),
    };
    ended.unwrap_or_else(|failure| {
        cx.ui.failure(&failure);
        failure.code
    })
}

/// Runs a verb that waits for things, until it is done or Ctrl-C is pressed.
fn block_on(verb: impl Future<Output = Result<u8, Failure>>) -> Result<u8, Failure> {
    to_its_end(async {
        tokio::select! {
            ended = verb => ended,
            _ = tokio::signal::ctrl_c() => Err(Failure::new(exit::INTERRUPTED, "")),
        }
    })
}

/// Runs a verb that looks after Ctrl-C itself.
fn to_its_end(verb: impl Future<Output = Result<u8, Failure>>) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(exit::UNEXPECTED, "cannot start").because(e))?;
    runtime.block_on(verb)
}
