//! `kubectl keda version`.

use crate::context::Context;
use crate::exit::Failure;

/// Arguments of `version`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub(crate) async fn run(_args: &Args, _cx: &Context) -> Result<u8, Failure> {
    Err(Failure::new(crate::exit::UNEXPECTED, "not built yet"))
}
