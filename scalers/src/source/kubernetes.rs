//! The cluster that the process is in, as far as scalers may know of it: how many pods there are.

use std::sync::Arc;

use futures::future::join_all;

use crate::ScalerError;
use crate::connect::{Connect, PodQuery, PodSource};
use crate::pool::{Shelf, Shelves};
use crate::scaler::Source;

/// The one cluster there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ThisCluster;

/// The way to its pods.
pub(crate) struct Kubernetes(Arc<dyn PodSource>);

impl Source for Kubernetes {
    type Key = ThisCluster;
    type Question = PodQuery;
    type Answer = u64;
    const PROTOCOL: &'static str = "kubernetes";

    fn shelf(shelves: &Shelves) -> &Shelf<Self> {
        &shelves.kubernetes
    }

    fn endpoint(_key: &ThisCluster) -> String {
        "the API server".to_owned()
    }

    async fn open(_key: &ThisCluster, connect: &Connect) -> Result<Self, ScalerError> {
        let Some(pods) = &connect.pods else {
            let reason = "counting pods needs a cluster to count them in";
            return Err(ScalerError::Setting(reason.to_owned()));
        };
        Ok(Self(Arc::clone(pods)))
    }

    async fn ask(&self, questions: &[PodQuery]) -> Vec<Result<u64, ScalerError>> {
        join_all(questions.iter().map(|query| self.0.count(query))).await
    }
}
