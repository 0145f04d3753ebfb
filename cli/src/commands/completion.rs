//! `kubectl keda completion`: the completion script of a shell, made from the command tree.

use clap::ValueEnum;
use clap_complete::Shell as Generator;

use crate::context::Context;
use crate::exit::{self, Failure};

/// Arguments of `completion`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Shell to print the script for
    #[arg(value_enum)]
    pub shell: Shell,
}

/// A shell that has completion scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU bash
    Bash,
    /// Z shell
    Zsh,
    /// fish
    Fish,
    /// PowerShell
    Powershell,
}

/// The script as text; the files in `completions/` are exactly this.
pub(crate) fn render_script(shell: Shell) -> String {
    let generator = match shell {
        Shell::Bash => Generator::Bash,
        Shell::Zsh => Generator::Zsh,
        Shell::Fish => Generator::Fish,
        Shell::Powershell => Generator::PowerShell,
    };
    let mut script = Vec::new();
    clap_complete::generate(generator, &mut crate::command(), "kubectl-keda", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Prints the script.
pub(crate) fn run(args: &Args, cx: &Context) -> Result<u8, Failure> {
    cx.ui.data(&render_script(args.shell))?;
    Ok(exit::OK)
}
