//! The binary `kubectl-keda`, which kubectl runs for `kubectl keda`; everything is in the library beside it.

fn main() -> std::process::ExitCode {
    cli::main()
}
