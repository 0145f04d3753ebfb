//! What every verb is given: the cluster flags and the terminal. A client is built only when asked for.

use kube::Client;

use crate::args::KubeArgs;
use crate::exit::Failure;
use crate::kubeconfig::{self, Cluster};
use crate::ui::Ui;

/// The surroundings of one run.
#[derive(Debug)]
pub(crate) struct Context {
    /// Flags that say which cluster and who.
    pub(crate) kube: KubeArgs,
    /// Standard output and standard error.
    pub(crate) ui: Ui,
}

impl Context {
    /// Looks at the terminal; touches neither files nor network.
    pub(crate) fn new(kube: KubeArgs) -> Self {
        Self {
            kube,
            ui: Ui::detect(),
        }
    }

    /// Reads the kubeconfig and builds a client. Nothing is sent yet.
    pub(crate) async fn cluster(&self) -> Result<Cluster, Failure> {
        kubeconfig::connect(&self.kube).await
    }
}

/// A client for callers that need nothing else of the cluster.
impl From<Cluster> for Client {
    fn from(cluster: Cluster) -> Self {
        cluster.client
    }
}
