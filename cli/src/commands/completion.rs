//! `kubectl keda completion`: the completion script of a shell, made from the command tree.

use clap::ValueEnum;
use clap_complete::Shell as Generator;

use super::complete::SCRIPT;
use crate::context::Context;
use crate::exit::{self, Failure};

/// Name of the executable.
const BINARY: &str = "kubectl-keda";

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
    /// kubectl itself, which runs the script as `kubectl_complete-keda` on the PATH
    Kubectl,
}

/// The script as text; the files in `completions/` are exactly this.
pub(crate) fn render_script(shell: Shell) -> String {
    let generator = match shell {
        Shell::Bash => Generator::Bash,
        Shell::Zsh => Generator::Zsh,
        Shell::Fish => Generator::Fish,
        Shell::Powershell => Generator::PowerShell,
        Shell::Kubectl => return SCRIPT.to_owned(),
    };
    // The generator for bash writes the hyphen of a name in two ways that do not meet, so it is given a name without
    // one; what bash is to complete is put right afterwards.
    let name = if shell == Shell::Bash {
        "kubectl_keda"
    } else {
        BINARY
    };
    let mut script = Vec::new();
    clap_complete::generate(generator, &mut crate::command(), name, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    if shell == Shell::Bash {
        script.replace("default kubectl_keda\n", "default kubectl-keda\n")
    } else {
        script
    }
}

/// Prints the script.
pub(crate) fn run(args: &Args, cx: &Context) -> Result<u8, Failure> {
    cx.ui.data(&render_script(args.shell))?;
    Ok(exit::OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the function of the script as bash does when the tab key is pressed after these words.
    fn complete(words: &[&str]) -> String {
        let script = format!(
            "{}\nCOMP_WORDS=(\"$@\")\nCOMP_CWORD=$(($# - 1))\n_kubectl_keda \"$1\" \"${{@: -1}}\" \"${{@: -2:1}}\"\necho \"${{COMPREPLY[*]}}\"",
            render_script(Shell::Bash)
        );
        let output = std::process::Command::new("bash")
            .args(["-c", &script, "bash"])
            .args(words)
            .output();
        let output = output.expect("bash is there");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    #[test]
    fn bash_completes_verbs_flags_and_values() {
        assert_eq!(complete(&["kubectl-keda", "st"]), "status");
        assert_eq!(complete(&["kubectl-keda", "status", "--all"]), "--all-namespaces");
        assert_eq!(complete(&["kubectl-keda", "completion", "z"]), "zsh");
        assert_eq!(complete(&["kubectl-keda", "status", "--debug-token", "o"]), "own");
    }
}
