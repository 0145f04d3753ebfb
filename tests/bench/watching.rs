//! Watches that outlive a hiccup of the API server: a run of minutes does not end for one.

use std::collections::BTreeSet;
use std::fmt::Debug;

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use serde::de::DeserializeOwned;

use crate::field::Field;

/// The objects of a kind as they come and change.
pub(crate) struct Changes<K>(BoxStream<'static, Result<Event<K>, watcher::Error>>);

impl<K: kube::Resource + Clone + Debug + DeserializeOwned + Send + 'static> Changes<K> {
    pub(crate) fn of(api: Api<K>) -> Self {
        Self(watcher(api, watcher::Config::default()).default_backoff().boxed())
    }

    /// Reads to the end of the list that a watch begins with: what comes after are changes.
    pub(crate) async fn caught_up(&mut self) -> Result<()> {
        while !matches!(self.event().await?, Event::InitDone) {}
        Ok(())
    }

    /// The next object that is there or has changed.
    pub(crate) async fn next(&mut self) -> Result<K> {
        loop {
            if let Event::Apply(object) | Event::InitApply(object) = self.event().await? {
                return Ok(object);
            }
        }
    }

    async fn event(&mut self) -> Result<Event<K>> {
        loop {
            // After an error the watcher begins anew with a list.
            if let Ok(event) = self.0.next().await.context("the watch ended")? {
                return Ok(event);
            }
        }
    }
}

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
