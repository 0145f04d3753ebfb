//! Container images of what this repository builds, one small image a binary.
//!
//! An image is a root file system with the binary, the shared libraries it names, public root certificates and a
//! user table; `install/Containerfile.*` turns that folder into an image. Nothing is pulled.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use crate::lint::cargo;
use crate::steps::Steps;
use crate::{cluster, go, packages, test};

/// Registry part of the references where none is given: nothing is ever pulled from it.
pub(crate) const LOCAL_REGISTRY: &str = "registry.local/keda";
/// Tag of the images: the version of the workspace.
pub(crate) const TAG: &str = env!("CARGO_PKG_VERSION");

/// What goes into an image: its name, where its binary comes from.
const RECIPES: &[(&str, Binary)] = &[
    ("controller", Binary::Ours("keda-controller")),
    ("metrics-adapter", Binary::Ours("keda-metrics-adapter")),
    ("workload", Binary::Ours("keda-workload")),
    ("redis", Binary::Debian("/usr/bin/redis-server")),
];

enum Binary {
    /// Built from this repository.
    Ours(&'static str),
    /// Installed from Debian's packages.
    Debian(&'static str),
}

/// Root certificates of the build machine, which Debian's `ca-certificates` keeps.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The one user of an image.
const PASSWD: &str = "nonroot:x:65532:65532::/:/sbin/nologin\n";
/// Names are looked up in files first, then in DNS.
const NSSWITCH: &str = "hosts: files dns\n";

/// Arguments of `cargo xtask images`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ImagesArgs {
    /// Registry part of the images' references.
    #[arg(long, default_value = LOCAL_REGISTRY, value_name = "HOST/PATH")]
    registry: String,
    /// Push them there, too.
    #[arg(long)]
    push: bool,
}

/// Builds the binaries and the images, and prints where they are.
pub(crate) fn run(args: &ImagesArgs) -> anyhow::Result<()> {
    let steps = Steps::new();
    steps.run("Debian packages", packages::install_for_images)?;
    go::build_bed(&steps)?;
    steps.run("binaries", binaries)?;
    let images = steps.run("images", || build(&test::binaries(), &args.registry))?;
    for image in &images {
        println!("{}  {}", image.archive.display(), image.reference);
    }
    if args.push {
        steps.run("push", || images.iter().try_for_each(Image::push))?;
    }
    Ok(())
}

/// Builds the binaries of the images, and the command line.
pub(crate) fn binaries() -> anyhow::Result<()> {
    let packages = [
        "kubectl-keda",
        "kubectl-keda-controller",
        "kubectl-keda-metrics-adapter",
        "kubectl-keda-workload",
    ];
    let packages = packages.iter().flat_map(|package| ["--package", package]);
    let mut args = vec!["build", "--quiet", "--profile", "bed", "--bins"];
    args.extend(packages);
    cargo(&args)
}

/// One built image.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// The last part of its reference.
    pub(crate) name: &'static str,
    /// Registry, name and tag.
    pub(crate) reference: String,
    /// The OCI archive.
    pub(crate) archive: PathBuf,
}

/// Builds every image whose binary is newer than its archive.
pub(crate) fn build(binaries: &Path, registry: &str) -> anyhow::Result<Vec<Image>> {
    let folder = cluster::root().join("target/images");
    RECIPES
        .iter()
        .map(|(name, binary)| {
            let path = match binary {
                Binary::Ours(file) => binaries.join(file),
                Binary::Debian(file) => fs::canonicalize(file)
                    .with_context(|| format!("`{file}` is missing\nhelp: `apt-get install redis-server`"))?,
            };
            let image = Image {
                name,
                reference: format!("{registry}/{name}:{TAG}"),
                archive: folder.join(format!("{name}.tar")),
            };
            if !image.is_current(&path) {
                image
                    .build(&folder, &path)
                    .with_context(|| format!("cannot build the image `{name}`"))?;
            }
            Ok(image)
        })
        .collect()
}

impl Image {
    /// The archive is newer than the binary and holds the same reference.
    fn is_current(&self, binary: &Path) -> bool {
        let modified = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
        let reference = fs::read_to_string(self.stamp()).unwrap_or_default();
        reference == self.reference && modified(&self.archive) > modified(binary)
    }

    fn stamp(&self) -> PathBuf {
        self.archive.with_extension("reference")
    }

    fn build(&self, folder: &Path, binary: &Path) -> anyhow::Result<()> {
        let context = folder.join(self.name);
        if context.exists() {
            fs::remove_dir_all(&context)?;
        }
        let root = context.join("rootfs");
        place(binary, &root.join(self.name))?;
        for library in libraries(binary)? {
            place(
                &library,
                &root.join(library.strip_prefix("/").unwrap_or(&library)),
            )?;
        }
        if Path::new(CERTIFICATES).is_file() {
            place(
                Path::new(CERTIFICATES),
                &root.join("etc/ssl/certs/ca-certificates.crt"),
            )?;
        }
        fs::create_dir_all(root.join("etc"))?;
        fs::write(root.join("etc/passwd"), PASSWD)?;
        fs::write(root.join("etc/nsswitch.conf"), NSSWITCH)?;
        let containerfile = cluster::root().join(format!("install/Containerfile.{}", self.name));
        cluster::build_image(&context, &containerfile, &self.reference, &self.archive)?;
        fs::write(self.stamp(), &self.reference)?;
        Ok(())
    }

    /// Pushes the archive to the registry of its reference.
    pub(crate) fn push(&self) -> anyhow::Result<()> {
        let store = cluster::root().join("target/images/store");
        let source = format!("oci-archive:{}", self.archive.display());
        let pulled = buildah(&store, &["pull", "--quiet", &source])?;
        buildah(
            &store,
            &["push", pulled.trim(), &format!("docker://{}", self.reference)],
        )
        .with_context(|| {
            format!(
                "cannot push `{}`\nhelp: log in with `buildah login`",
                self.reference
            )
        })?;
        buildah(&store, &["rmi", pulled.trim()])?;
        Ok(())
    }
}

fn buildah(store: &Path, args: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("buildah")
        .args(["--storage-driver", "vfs", "--root"])
        .arg(store.join("root"))
        .arg("--runroot")
        .arg(store.join("run"))
        .args(args)
        .output()
        .context("cannot run buildah")?;
    if !output.status.success() {
        bail!(
            "`buildah {}`: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Copies a file, without its symbols where it is a binary of ours, readable by every user.
fn place(from: &Path, to: &Path) -> anyhow::Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).with_context(|| format!("cannot copy `{}`", from.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// The shared libraries that a binary names, the loader among them, as `ldd` finds them.
fn libraries(binary: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let output = Command::new("ldd")
        .arg(binary)
        .output()
        .context("cannot run ldd")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() && !text.contains("statically linked") {
        bail!(
            "ldd {}: {}",
            binary.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(library_paths(&text))
}

/// Reads `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)` and `/lib64/ld-linux-x86-64.so.2 (0x…)`.
fn library_paths(ldd: &str) -> Vec<PathBuf> {
    let path = |line: &str| {
        let found = line.split_once("=> ").map_or(line, |(_, right)| right).trim();
        let path = found.split(" (").next()?;
        path.starts_with('/').then(|| PathBuf::from(path))
    };
    ldd.lines().filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_libraries_and_the_loader() {
        let ldd = "\tlinux-vdso.so.1 (0x7ffd)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x7f)\n\t/lib64/ld-linux-x86-64.so.2 (0x7f)\n";
        let expected = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(library_paths(ldd), expected.map(PathBuf::from));
    }
}
