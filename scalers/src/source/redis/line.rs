//! Lines: connections that only listen, one a server, shared by every key that is listened to there.
//!
//! A line opens with the first key and closes when nobody listens any more, or with the source that owns it. Whoever listens
//! then sees the end of its channel.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use redis::RedisError;
use redis::aio::{PubSub, PubSubSink, PubSubStream};
use tokio::sync::watch::{self, Receiver, Sender};
use tokio::task::JoinSet;

use crate::ScalerError;

/// How often a line is looked after: a peer that is gone without a word is found, keys that nobody listens to are given up.
const ROUND: Duration = Duration::from_secs(30);
/// How long the peer may take to answer then.
const PATIENCE: Duration = Duration::from_secs(10);

/// The lines of one source, by the address of the server; a source with one server has one without an address.
#[derive(Default)]
pub(super) struct Lines(tokio::sync::Mutex<HashMap<String, Line>>);

struct Line {
    wire: Wire,
    /// Ends with the line.
    _reader: JoinSet<()>,
}

/// What subscribers and the reader of a line share.
#[derive(Clone)]
struct Wire {
    sink: PubSubSink,
    topics: Arc<Mutex<Topics>>,
}

#[derive(Default)]
struct Topics {
    closed: bool,
    /// Who is told, by channel.
    senders: HashMap<String, Sender<()>>,
}

impl Lines {
    /// Subscribes to a channel at a server, over a line that `open` opens if there is none.
    pub(super) async fn listen(
        &self,
        node: String,
        open: impl Future<Output = Result<PubSub, ScalerError>>,
        channel: String,
    ) -> Result<Result<Receiver<()>, RedisError>, ScalerError> {
        let wire = {
            // Held while a line opens, so that it opens once.
            let mut lines = self.0.lock().await;
            let standing = lines.get(&node).filter(|line| !line.wire.topics().closed);
            if let Some(line) = standing {
                line.wire.clone()
            } else {
                let line = Line::new(open.await?);
                let wire = line.wire.clone();
                lines.insert(node, line);
                wire
            }
        };
        Ok(wire.subscribe(channel).await)
    }
}

impl Line {
    fn new(pubsub: PubSub) -> Self {
        let (sink, stream) = pubsub.split();
        let wire = Wire {
            sink,
            topics: Arc::default(),
        };
        let mut reader = JoinSet::new();
        reader.spawn(wire.clone().read(stream));
        Self {
            wire,
            _reader: reader,
        }
    }
}

impl Wire {
    fn topics(&self) -> MutexGuard<'_, Topics> {
        // A panic while the lock was held cannot leave the table half-written.
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Subscribes, and returns once the server has confirmed it: what changes from then on is told.
    async fn subscribe(mut self, channel: String) -> Result<Receiver<()>, RedisError> {
        let receiver = self
            .topics()
            .senders
            .entry(channel.clone())
            .or_insert_with(|| watch::channel(()).0)
            .subscribe();
        match tokio::time::timeout(PATIENCE, self.sink.subscribe(channel)).await {
            Ok(confirmed) => confirmed.map(|()| receiver),
            Err(_) => Err((redis::ErrorKind::Io, "the subscription was not confirmed").into()),
        }
    }

    /// Tells what comes, until the connection ends or nobody listens.
    async fn read(mut self, mut stream: PubSubStream) {
        let mut round = tokio::time::interval(ROUND);
        // The first tick comes at once.
        round.tick().await;
        loop {
            tokio::select! {
                message = stream.next() => match message {
                    Some(message) => self.tell(message.get_channel_name()),
                    None => break,
                },
                _ = round.tick() => if !self.look_after().await {
                    break;
                },
            }
        }
        let mut topics = self.topics();
        topics.closed = true;
        topics.senders.clear();
    }

    fn tell(&self, channel: &str) {
        if let Some(sender) = self.topics().senders.get(channel) {
            sender.send_replace(());
        }
    }

    /// Gives up channels that nobody listens to; says whether the line is still of use.
    async fn look_after(&mut self) -> bool {
        let unused: Vec<String> = {
            let mut topics = self.topics();
            let gone = topics
                .senders
                .extract_if(|_, sender| sender.receiver_count() == 0)
                .map(|(channel, _)| channel)
                .collect();
            if topics.senders.is_empty() {
                topics.closed = true;
                return false;
            }
            gone
        };
        for channel in unused {
            if !within(self.sink.unsubscribe(&channel)).await {
                return false;
            }
            // Somebody may have come back meanwhile, and the server took the two in the other order.
            if self.topics().senders.contains_key(&channel) {
                if !within(self.sink.subscribe(&channel)).await {
                    return false;
                }
                self.tell(&channel);
            }
        }
        within(self.sink.ping::<redis::Value>()).await
    }
}

async fn within<T>(asked: impl Future<Output = Result<T, RedisError>>) -> bool {
    matches!(tokio::time::timeout(PATIENCE, asked).await, Ok(Ok(_)))
}
