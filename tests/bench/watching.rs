//! Waits with a watch until many objects have come to a state.

use std::collections::BTreeSet;

use anyhow::Result;
use harness::watch::Changes;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};

use crate::field::Field;

/// Watches a kind in every namespace until each name was seen in the wanted state.
pub(crate) async fn seen(
    field: &Field,
    kind: GroupVersionKind,
    mut missing: BTreeSet<String>,
    wanted: impl Fn(&DynamicObject) -> bool,
) -> Result<()> {
    let api: Api<DynamicObject> = Api::all_with(field.bed.cluster().client(), &ApiResource::from_gvk(&kind));
    let mut objects = Changes::of(api);
    while !missing.is_empty() {
        let object = objects.next().await?;
        if wanted(&object) {
            missing.remove(object.metadata.name.as_deref().unwrap_or_default());
        }
    }
    Ok(())
}
