//! Watches certificate files and keeps the last good contents.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::{CertFiles, Certificate, Material, Policy, TlsError};

/// How often the files are looked at. A mounted Secret changes minutes after the object does, so a second adds nothing.
const POLL: Duration = Duration::from_secs(1);
/// How often a missing folder is mentioned again.
const REMIND: u32 = 30;

/// Certificate files with their last good contents. Changes are picked up within about a second; contents that cannot be used are
/// reported once and leave the last good ones in force.
#[derive(Debug)]
pub struct CertFolder {
    files: CertFiles,
    policy: Policy,
    current: ArcSwap<Material>,
    changed: watch::Sender<u64>,
    progress: Mutex<Progress>,
}

/// What the poller remembers between two looks.
#[derive(Debug, Default)]
struct Progress {
    seen: Vec<Vec<u8>>,
    last_error: Option<String>,
}

/// What status outputs show of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderState {
    /// Own certificate.
    pub own: Option<Certificate>,
    /// Certificate authorities.
    pub authorities: Vec<Certificate>,
    /// Reloads since start.
    pub reloads: u64,
    /// Why the newest contents are not in force.
    pub last_error: Option<String>,
}

impl CertFolder {
    /// Reads the files now and watches them from then on. Must be called within a tokio runtime.
    pub fn load(files: CertFiles, policy: Policy) -> Result<Arc<Self>, TlsError> {
        let folder = Arc::new(Self::read(files, policy)?);
        tokio::spawn(poll(Arc::downgrade(&folder)));
        Ok(folder)
    }

    /// Waits until the files of a `--cert-dir` are there and usable, then watches them. The controller creates them on first start,
    /// so their absence is a reason to wait and to say so, not to fail.
    pub async fn open(path: &Path, policy: Policy) -> Arc<Self> {
        Self::wait_for(CertFiles::in_folder(path), policy).await
    }

    /// Waits until the files are there and usable, then watches them.
    pub async fn wait_for(files: CertFiles, policy: Policy) -> Arc<Self> {
        let mut attempt = 0;
        loop {
            match Self::load(files.clone(), policy.clone()) {
                Ok(folder) => return folder,
                Err(error) if attempt % REMIND == 0 => tracing::warn!(
                    error = %chain(&error),
                    "waiting for certificates; the controller writes them when certificate rotation is on, else mount a Secret with ca.crt, tls.crt and tls.key there"
                ),
                Err(_) => {}
            }
            attempt += 1;
            tokio::time::sleep(POLL).await;
        }
    }

    fn read(files: CertFiles, policy: Policy) -> Result<Self, TlsError> {
        let seen = files.contents()?;
        let material = Material::parse(&files, &seen, &policy, 1)?;
        Ok(Self {
            files,
            policy,
            current: ArcSwap::from_pointee(material),
            changed: watch::Sender::new(1),
            progress: Mutex::new(Progress {
                seen,
                last_error: None,
            }),
        })
    }

    /// The contents in force.
    pub fn current(&self) -> Arc<Material> {
        self.current.load_full()
    }

    /// Tells of every reload; the value is the generation of the new contents.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The TLS policy the files are used under.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What status outputs show.
    pub fn state(&self) -> FolderState {
        let current = self.current();
        FolderState {
            own: current.own(),
            authorities: current
                .authorities()
                .iter()
                .filter_map(|der| Certificate::parse(der))
                .collect(),
            reloads: current.generation() - 1,
            last_error: self.progress().last_error.clone(),
        }
    }

    /// Looks at the files once; true when new contents are in force. The poller calls it; tests that wait for nothing may too.
    pub fn refresh(&self) -> bool {
        let contents = self.files.contents();
        let mut progress = self.progress();
        let parsed = match contents {
            Ok(contents) if contents == progress.seen => return false,
            Ok(contents) => {
                let generation = self.current.load().generation() + 1;
                let parsed = Material::parse(&self.files, &contents, &self.policy, generation);
                // A half-written set is looked at again even if it stays the same length: only good contents are remembered.
                parsed.map(|material| (material, contents))
            }
            Err(error) => Err(error),
        };
        match parsed {
            Ok((material, contents)) => {
                let generation = material.generation();
                *progress = Progress {
                    seen: contents,
                    last_error: None,
                };
                self.current.store(Arc::new(material));
                drop(progress);
                tracing::info!(generation, files = ?self.files, "certificates reloaded");
                self.changed.send_replace(generation);
                true
            }
            Err(error) => {
                let text = chain(&error);
                if progress.last_error.as_ref() != Some(&text) {
                    tracing::warn!(error = %text, "certificates not reloaded; the last good ones stay in force");
                }
                progress.last_error = Some(text);
                false
            }
        }
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Polls as long as somebody uses the folder.
async fn poll(folder: Weak<CertFolder>) {
    let mut ticks = tokio::time::interval(POLL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(folder) = folder.upgrade() else { return };
        // Reading three small files may still block on a slow mount.
        let _ = tokio::task::spawn_blocking(move || folder.refresh()).await;
    }
}

/// An error with its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
