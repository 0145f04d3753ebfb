//! Reads the world: scale targets, their pods' environment, secrets. It never writes.

pub(crate) mod replicas;
pub(crate) mod source;
pub(crate) mod target;

use crds::GroupVersionKindResource;
use kube::core::subresource::Scale;

use crate::live::Live;
use crate::operator::Operator;
use target::TargetError;

/// Reads `/scale` of an object's target. It is followed before, so that what happens to it after the answer was made shows.
pub(crate) async fn scale(
    operator: &Operator,
    live: &Live,
    gvkr: &GroupVersionKindResource,
    name: &str,
) -> Result<Scale, TargetError> {
    let followed = live.follow(&operator.replicas, gvkr, name);
    let scale = operator.targets.scale(gvkr, &live.key.namespace, name).await?;
    if let Some(followed) = followed {
        followed.saw(&scale);
    }
    Ok(scale)
}
