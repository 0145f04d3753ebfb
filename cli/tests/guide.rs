//! The guides of the documentation, run as a reader does: their files are written, their commands run in order, and what comes
//! out must be what the page shows, byte for byte.
//!
//! A fenced block whose info string has a second word, as in `yaml orders.yaml`, is a file of that name. In a block `console`,
//! a line that begins with `$ ` is a command, goes on after a `\` at its end, and is followed by its output. Pictures that the
//! commands draw lie beside the page. `KEDA_GEN=write`, as `cargo xtask gen` sets it, writes outputs and pictures.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What stands in the way of a command that reads a cluster by chance.
const NO_CLUSTER: &str = "/nonexistent";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// The pages that are run.
fn guides() -> Vec<PathBuf> {
    let entries = fs::read_dir(docs()).expect("the folder is there");
    let mut guides: Vec<PathBuf> = entries
        .map(|entry| entry.expect("can be listed").path())
        .filter(|path| {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            stem.starts_with("guide-") && path.extension().is_some_and(|end| end == "md")
        })
        .collect();
    guides.sort();
    guides
}

/// A folder in which a page's commands run, with `kubectl` in front of the plugin.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder can be made"));
        let kubectl = folder.programs().join("kubectl");
        fs::create_dir(folder.programs()).expect("it is new");
        fs::create_dir(folder.work()).expect("it is new");
        let plugin = env!("CARGO_BIN_EXE_kubectl-keda");
        let script = format!("#!/bin/sh\n[ \"$1\" = keda ] || exit 64\nshift\nexec '{plugin}' \"$@\"\n");
        fs::write(&kubectl, script).expect("can be written");
        fs::set_permissions(&kubectl, fs::Permissions::from_mode(0o755)).expect("it is ours");
        folder
    }

    fn programs(&self) -> PathBuf {
        self.0.path().join("bin")
    }

    fn work(&self) -> PathBuf {
        self.0.path().join("work")
    }

    /// Runs a command line; both outputs come as a terminal shows them, one after the other.
    fn run(&self, command: &str) -> String {
        let output = Command::new("sh")
            .arg("-c")
            .arg(format!("exec 2>&1\n{command}"))
            .current_dir(self.work())
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.programs().display()))
            .env("HOME", self.0.path())
            .env("KUBECONFIG", NO_CLUSTER)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .output()
            .expect("there is a shell");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The pictures that were drawn.
    fn pictures(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.work()).expect("it is ours");
        let paths = entries.map(|entry| entry.expect("can be listed").path());
        paths
            .filter(|path| path.extension().is_some_and(|end| end == "svg"))
            .collect()
    }
}

/// The page as its commands make it.
fn rendered(text: &str, folder: &Folder) -> String {
    let mut page = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        push(&mut page, line);
        let Some(info) = line.strip_prefix("```").filter(|info| !info.is_empty()) else {
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if info == "console" {
            page.push_str(&console(&block, folder));
        } else {
            for line in &block {
                push(&mut page, line);
            }
            if let Some((_, name)) = info.split_once(' ') {
                let text: String = block.iter().flat_map(|line| [*line, "\n"]).collect();
                fs::write(folder.work().join(name), text).expect("can be written");
            }
        }
        push(&mut page, "```");
    }
    page
}

/// The commands of a block, each with what it says.
fn console(block: &[&str], folder: &Folder) -> String {
    let mut out = String::new();
    let mut lines = block.iter().peekable();
    while let Some(line) = lines.next() {
        let Some(command) = line.strip_prefix("$ ") else {
            continue;
        };
        push(&mut out, line);
        let mut command = command.to_owned();
        while command.ends_with('\\')
            && let Some(more) = lines.next()
        {
            push(&mut out, more);
            push(&mut command, "");
            command.push_str(more);
        }
        for said in folder.run(&command).lines() {
            push(&mut out, said.trim_end());
        }
    }
    out
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// Compares a file of the documentation, or writes it.
fn settle(path: &Path, made: &str, wrong: &mut Vec<String>) {
    let write = std::env::var_os("KEDA_GEN").is_some_and(|mode| mode == "write");
    if write {
        fs::write(path, made).expect("can be written");
        return;
    }
    let there = fs::read_to_string(path).unwrap_or_default();
    if there == made {
        return;
    }
    let (line, (is, should)) = there
        .lines()
        .chain([""])
        .zip(made.lines().chain([""]))
        .enumerate()
        .find(|(_, (is, should))| is != should)
        .unwrap_or_default();
    let number = line + 1;
    wrong.push(format!(
        "{}:{number}\n  has  {is}\n  made {should}",
        path.display()
    ));
}

/// The numbers of a text; what a comma or a full stop ends is still a number.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|letter: char| !(letter.is_ascii_digit() || letter == '.'));
    words
        .map(|word| word.trim_matches('.'))
        .filter(|word| !word.is_empty())
}

/// Numbers between the blocks that no block has: nobody would notice when they are wrong.
fn unfounded(page: &str) -> Vec<String> {
    let mut parts: [String; 2] = Default::default();
    let mut inside = false;
    for line in page.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if !inside {
            // Where a link leads is no figure.
            let told = line
                .split("](")
                .enumerate()
                .map(|(position, part)| match position {
                    0 => part,
                    _ => part.split_once(')').map_or(part, |(_, rest)| rest),
                });
            push(&mut parts[0], &told.collect::<Vec<_>>().join(" "));
        } else {
            push(&mut parts[1], line);
        }
    }
    let founded: Vec<&str> = numbers(&parts[1]).collect();
    numbers(&parts[0])
        .filter(|number| !founded.contains(number))
        .map(str::to_owned)
        .collect()
}

#[test]
fn generated_guides_show_what_their_commands_say() {
    let guides = guides();
    assert!(!guides.is_empty(), "there are no guides");
    let mut wrong = Vec::new();
    for guide in guides {
        let text = fs::read_to_string(&guide).expect("can be read");
        assert!(text.contains("```console\n"), "{} runs nothing", guide.display());
        let folder = Folder::new();
        let page = rendered(&text, &folder);
        let unfounded = unfounded(&page);
        assert!(
            unfounded.is_empty(),
            "no block of {} has {unfounded:?}",
            guide.display()
        );
        settle(&guide, &page, &mut wrong);
        for picture in folder.pictures() {
            let name = picture.file_name().expect("it has a name");
            let drawn = fs::read_to_string(&picture).expect("can be read");
            settle(&docs().join(name), &drawn, &mut wrong);
        }
    }
    let help = "run `cargo xtask gen` and read what it changes";
    assert!(wrong.is_empty(), "out of date; {help}:\n{}", wrong.join("\n"));
}

#[test]
fn a_page_that_says_something_else_is_noticed() {
    let folder = Folder::new();
    let page = "text\n```yaml a.yaml\nkind: A\n```\n```console\n$ cat a.yaml; \\\n    echo done\nkind: B\n$ exit 6\n```\nend\n";
    let made = rendered(page, &folder);
    assert_eq!(made, page.replace("kind: B", "kind: A\ndone"));
    assert_eq!(rendered(&made, &folder), made);
    let prose = "It has 12.5, then 7.\n```console\n12.5\n```\n";
    assert_eq!(unfounded(prose), ["7"]);
}
