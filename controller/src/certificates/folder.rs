//! The certificate files of this process, where it has to write them itself.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::authority::Bundle;

/// Finds a folder to write to: `--cert-dir` itself, or one of our own when that is a mounted volume.
///
/// A Secret's volume follows the Secret only after a minute or so; with a folder of our own the operator need not wait for it.
pub(super) fn writable(cert_dir: &Path) -> Option<PathBuf> {
    // Kubernetes writes a volume's content behind this link and keeps it read-only.
    let mounted = cert_dir.join("..data").exists();
    let own = std::env::temp_dir().join("keda-operator-certs");
    let candidates = [(!mounted).then(|| cert_dir.to_owned()), Some(own)];
    candidates
        .into_iter()
        .flatten()
        .find(|folder| try_write(folder).is_ok())
}

fn try_write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let probe = folder.join(".writable");
    fs::write(&probe, b"")?;
    fs::remove_file(probe)
}

/// Writes the files, the authority first: a reader that sees the new certificate then trusts it.
pub(super) fn write(folder: &Path, bundle: &Bundle) -> io::Result<()> {
    for (name, text) in [
        ("ca.crt", &bundle.ca_crt),
        ("tls.key", &bundle.tls_key),
        ("tls.crt", &bundle.tls_crt),
    ] {
        replace(folder, name, text.as_bytes())?;
    }
    Ok(())
}

/// Replaces a file at once, readable by its owner only.
fn replace(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let path = folder.join(name);
    if fs::read(&path).is_ok_and(|present| present == content) {
        return Ok(());
    }
    let fresh = folder.join(format!(".{name}.new"));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn files_are_complete_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = Bundle {
            ca_crt: "ca".into(),
            tls_crt: "crt".into(),
            tls_key: "key".into(),
            ca_key: "never".into(),
        };
        write(folder.path(), &bundle).unwrap();
        write(
            folder.path(),
            &Bundle {
                tls_crt: "crt2".into(),
                ..bundle
            },
        )
        .unwrap();
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["ca.crt", "tls.crt", "tls.key"]);
        assert_eq!(fs::read_to_string(folder.path().join("tls.crt")).unwrap(), "crt2");
        let mode = fs::metadata(folder.path().join("tls.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_mounted_folder_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(writable(folder.path()).unwrap(), folder.path());
        fs::create_dir(folder.path().join("..data")).unwrap();
        assert_ne!(writable(folder.path()).unwrap(), folder.path());
    }
}
