//! The one connection of a source that listens, and those it wakes.
//!
//! ```text
//! NOTIFY ──▶ Hub (one connection, LISTEN on every wanted channel) ──▶ Subscription, one a trigger
//! ```
//!
//! No task runs it: of the subscriptions that wait, one drives the connection, and another takes over when that one
//! leaves. While nobody waits, notifications wait in the socket.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_postgres::AsyncMessage;

use super::client::{Client, Peer};
use crate::ScalerError;
use crate::connect::Connect;
use crate::source::sql::next_wake;

/// How long a subscription waits before it looks whether its source is still the one that is held.
const LOOK: Duration = Duration::from_mins(1);

/// Listens for a source.
pub(super) struct Hub {
    peer: Peer,
    connect: Connect,
    /// The wanted channels.
    channels: Mutex<BTreeMap<String, Channel>>,
    /// A channel came or went.
    changed: Notify,
    trouble: watch::Sender<Option<ScalerError>>,
    /// Held by the one who drives.
    line: tokio::sync::Mutex<Line>,
}

/// A channel that subscriptions want.
#[derive(Default)]
struct Channel {
    /// The last notification that came on it.
    last: watch::Sender<u64>,
    subscriptions: usize,
}

/// The connection, and how it fares.
#[derive(Default)]
struct Line {
    open: Option<Client>,
    /// The channels that the server was told.
    told: BTreeSet<String>,
    retry_at: Option<Instant>,
    pause: Option<Duration>,
}

/// A wish to be woken by one channel.
pub(super) struct Subscription {
    hub: Arc<Hub>,
    channel: String,
    heard: watch::Receiver<u64>,
    trouble: watch::Receiver<Option<ScalerError>>,
}

/// What a subscription is woken by.
pub(super) enum Woken {
    /// A notification, or a connection that was made anew and may have missed one.
    Heard(u64),
    Trouble(ScalerError),
    /// It is time to look at the source.
    Look,
}

impl Hub {
    pub(super) fn new(peer: Peer, connect: Connect) -> Self {
        Self {
            peer,
            connect,
            channels: Mutex::default(),
            changed: Notify::new(),
            trouble: watch::Sender::new(None),
            line: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn subscribe(self: &Arc<Self>, channel: &str) -> Subscription {
        let mut channels = lock(&self.channels);
        let wanted = channels.entry(channel.to_owned()).or_default();
        wanted.subscriptions += 1;
        let heard = wanted.last.subscribe();
        drop(channels);
        self.changed.notify_one();
        Subscription {
            hub: Arc::clone(self),
            channel: channel.to_owned(),
            heard,
            trouble: self.trouble.subscribe(),
        }
    }

    fn wake(&self, channel: &str) {
        if let Some(wanted) = lock(&self.channels).get(channel) {
            wanted.last.send_replace(next_wake());
        }
    }

    fn heard(&self, message: &AsyncMessage) {
        if let AsyncMessage::Notification(notification) = message {
            self.wake(notification.channel());
        }
    }

    /// Keeps the connection going for as long as it is polled by the one whose turn it is. It can be dropped anywhere.
    async fn drive(&self) -> Infallible {
        let mut line = self.line.lock().await;
        loop {
            if let Some(at) = line.retry_at {
                sleep_until(at).await;
                line.retry_at = None;
            }
            let error = match self.listen(&mut line).await {
                Err(error) => error,
                Ok(never) => match never {},
            };
            let retry = self.connect.push_retry;
            let pause = line.pause.unwrap_or(retry.first);
            *line = Line {
                retry_at: Some(Instant::now() + pause),
                pause: Some((pause * 2).min(retry.most)),
                ..Line::default()
            };
            self.trouble.send_replace(Some(error));
        }
    }

    async fn listen(&self, line: &mut Line) -> Result<Infallible, ScalerError> {
        loop {
            if line.open.is_none() {
                line.told.clear();
                line.open = Some(self.in_time(self.peer.connect(&self.connect)).await?);
            }
            self.tell(line).await?;
            line.pause = None;
            let Some(client) = &mut line.open else { continue };
            // The list is not looked at again for every notification: there may be a storm of them.
            loop {
                tokio::select! {
                    () = self.changed.notified() => break,
                    message = client.next() => self.heard(&message?),
                }
            }
        }
    }

    /// Brings the server's list of channels up to date.
    async fn tell(&self, line: &mut Line) -> Result<(), ScalerError> {
        let wanted: BTreeSet<String> = lock(&self.channels).keys().cloned().collect();
        let Some(client) = line.open.as_mut().filter(|_| wanted != line.told) else {
            return Ok(());
        };
        let mut sql = String::new();
        for channel in line.told.difference(&wanted) {
            let _ = write!(sql, "UNLISTEN {};", quoted(channel));
        }
        for channel in wanted.difference(&line.told) {
            let _ = write!(sql, "LISTEN {};", quoted(channel));
        }
        self.in_time(client.run(&sql, |message| self.heard(&message)))
            .await?;
        // What was notified before anybody listened is found by asking once.
        for channel in wanted.difference(&line.told) {
            self.wake(channel);
        }
        line.told = wanted;
        Ok(())
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, ScalerError>>) -> Result<T, ScalerError> {
        let after = self.connect.timeout;
        timeout(after, work).await.unwrap_or_else(|_| {
            Err(ScalerError::TimedOut {
                endpoint: self.peer.endpoint.to_string(),
                after,
            })
        })
    }
}

impl Subscription {
    /// The next reason to look at something.
    pub(super) async fn next(&mut self) -> Woken {
        tokio::select! {
            biased;
            // The senders live as long as the hub, which this subscription holds.
            Ok(()) = self.heard.changed() => Woken::Heard(*self.heard.borrow_and_update()),
            Ok(()) = self.trouble.changed() => match self.trouble.borrow_and_update().clone() {
                Some(error) => Woken::Trouble(error),
                None => Woken::Look,
            },
            never = self.hub.drive() => match never {},
            () = tokio::time::sleep(LOOK) => Woken::Look,
        }
    }

    /// The last notification, if one came since [`Subscription::next`] told of the one before.
    pub(super) fn latest(&mut self) -> Option<u64> {
        let changed = self.heard.has_changed().unwrap_or_default();
        changed.then(|| *self.heard.borrow_and_update())
    }
}

impl Drop for Subscription {
    /// The last one closes the connection.
    fn drop(&mut self) {
        let mut channels = lock(&self.hub.channels);
        if let Some(wanted) = channels.get_mut(&self.channel) {
            wanted.subscriptions -= 1;
            if wanted.subscriptions == 0 {
                channels.remove(&self.channel);
            }
        }
        let last = channels.is_empty();
        drop(channels);
        self.hub.changed.notify_one();
        if last && let Ok(mut line) = self.hub.line.try_lock() {
            *line = Line::default();
        }
    }
}

/// A name as SQL takes it, letter by letter.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that runs under this lock can leave the table half-changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
