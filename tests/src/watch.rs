//! Watches that outlive a hiccup of the API server: a run of minutes does not end for one.

use std::fmt::Debug;

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use kube::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use serde::de::DeserializeOwned;

/// The objects of a kind as they come and change.
pub struct Changes<K>(BoxStream<'static, Result<Event<K>, watcher::Error>>);

impl<K: kube::Resource + Clone + Debug + DeserializeOwned + Send + 'static> Changes<K> {
    /// Watches what an API has; nothing is sent yet.
    pub fn of(api: Api<K>) -> Self {
        Self(watcher(api, watcher::Config::default()).default_backoff().boxed())
    }

    /// Reads to the end of the list that a watch begins with: what comes after are changes.
    pub async fn caught_up(&mut self) -> Result<()> {
        while !matches!(self.event().await?, Event::InitDone) {}
        Ok(())
    }

    /// The next object that is there or has changed.
    pub async fn next(&mut self) -> Result<K> {
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
