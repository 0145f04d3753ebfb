//! Why the process cannot start or go on: what happened, why, and what to do next.

use std::process::ExitCode;

/// A reason to end, with the remedy beside it.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Failure {
    /// What could not be done.
    pub(crate) what: String,
    /// What the reader can do about it.
    pub(crate) help: String,
    /// The exit code, one of the constants of this module.
    pub(crate) code: u8,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Something nobody foresaw.
pub(crate) const UNEXPECTED: u8 = 1;
/// The command line or the machine does not allow it (a port in use, an unreadable file).
pub(crate) const USAGE: u8 = 2;
/// The API server does not answer.
pub(crate) const UNREACHABLE: u8 = 4;
/// The API server refuses.
pub(crate) const NOT_PERMITTED: u8 = 5;
/// Something that must be in the cluster is not.
pub(crate) const MISSING: u8 = 6;

impl Failure {
    /// A failure without a cause of its own.
    pub(crate) fn new(code: u8, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            help: help.into(),
            code,
            source: None,
        }
    }

    /// Adds the error that led here.
    #[must_use]
    pub(crate) fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The exit code for the process.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    /// Reads an error of the Kubernetes client that ends the process.
    pub(crate) fn of_kube(what: impl Into<String>, error: kube::Error) -> Self {
        let (code, help) = match &error {
            kube::Error::Api(status) if status.code == 401 => (
                NOT_PERMITTED,
                "the API server does not know these credentials: check the kubeconfig or the service account's token".to_owned(),
            ),
            kube::Error::Api(status) if status.code == 403 => (
                NOT_PERMITTED,
                "grant it with the ClusterRole `keda-operator` (`kubectl keda install` writes it) and start again".to_owned(),
            ),
            kube::Error::Api(status) if status.code == 404 => (
                MISSING,
                "install the custom resource definitions with `kubectl keda install` or `kubectl apply -f crds/yaml`".to_owned(),
            ),
            kube::Error::Service(_) | kube::Error::HyperError(_) if chain(&error).contains("certificate") => (
                UNREACHABLE,
                "the certificate of the API server and `certificate-authority` in the kubeconfig do not belong together: \
                 fetch the kubeconfig anew"
                    .to_owned(),
            ),
            kube::Error::Service(_) | kube::Error::HyperError(_) => (
                UNREACHABLE,
                "check that the API server runs and that the address in the kubeconfig (--kubeconfig, KUBECONFIG) is right"
                    .to_owned(),
            ),
            _ => (UNEXPECTED, "run again with --zap-log-level=debug for more detail".to_owned()),
        };
        Self::new(code, what, help).because(error)
    }
}

/// Writes an error with its causes, once each: `what: cause: cause`.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Some libraries repeat the cause in their own text; saying it twice helps nobody.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
