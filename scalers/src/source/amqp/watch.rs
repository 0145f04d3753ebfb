//! Notices messages of a queue between two polls, without taking one from its consumers.
//!
//! AMQP has nothing to wait for a queue with: a consumer takes messages out of their order and marks them as redelivered
//! when it gives them back, and a broker's events do not report publishes. So there are two ways. With an exchange named,
//! a queue of our own is bound to it, which gets a copy of each message; without, the queue is looked at every second.
//! Whatever is noticed, only the queue's own length activates.
//!
//! DEVIATION: upstream has no such thing; it is off unless a trigger asks for it.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Consumer, message::Delivery};
use tokio::time::{sleep, timeout};

use super::{Amqp, Question, short};
use crate::ScalerError;
use crate::pool::Opener;
use crate::scaler::{Pushed, Source};

/// How often a queue is looked at, and how long a notice is enough: a stream of messages costs one copy in that time.
const PAUSE: Duration = Duration::from_secs(1);
/// A copy may arrive before the queue counts its message, so it is looked at again after these.
const AGAIN: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(500),
];

/// The queue that is watched.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// Its name.
    pub(crate) queue: String,
    /// More messages than this are activity.
    pub(crate) above: f64,
    /// Where copies of its messages can be had.
    pub(crate) exchange: Option<Exchange>,
}

/// An exchange with the routing key of the messages in question.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) name: String,
    pub(crate) routing_key: String,
}

/// Watches for as long as the stream is polled; it never ends by itself.
pub(crate) fn watch(opener: Opener<Amqp>, subject: Subject) -> BoxStream<'static, Pushed> {
    let watch = Watch {
        opener,
        subject,
        open: None,
        next: Next::Look,
        pause: None,
    };
    stream::unfold(watch, Watch::next).boxed()
}

struct Watch {
    opener: Opener<Amqp>,
    subject: Subject,
    open: Option<Open>,
    next: Next,
    /// How long the next pause after a failure is; the first if none was made since things went well.
    pause: Option<Duration>,
}

struct Open {
    source: Arc<Amqp>,
    copies: Option<Copies>,
}

/// The queue of our own. It goes with the channel.
struct Copies {
    consumer: Consumer,
    /// The copy that was noticed last: the broker sends no other before this is acknowledged.
    last: Option<Delivery>,
    _channel: Channel,
}

/// What comes first when the stream is polled again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Look at once: nobody did since the stream was opened.
    Look,
    /// Wait for a notice.
    Wait,
    /// Something was noticed, and is enough for a while.
    Enough,
    /// Something failed.
    Rest,
}

impl Watch {
    async fn next(mut self) -> Option<(Pushed, Self)> {
        loop {
            let active = match self.step().await {
                Ok(active) => active,
                Err(error) => {
                    self.broken(&error);
                    return Some((Pushed::Error(error), self));
                }
            };
            if active {
                return Some((Pushed::Active, self));
            }
        }
    }

    /// One notice, and whether the queue says that it is active.
    async fn step(&mut self) -> Result<bool, ScalerError> {
        match self.next {
            Next::Rest => self.rest().await,
            Next::Enough => sleep(PAUSE).await,
            Next::Look | Next::Wait => {}
        }
        if self.open.is_none() {
            self.open = Some(self.open().await?);
            self.next = Next::Look;
        }
        let Some(open) = &mut self.open else {
            return Ok(false);
        };
        let mut looks = AGAIN.as_slice();
        if self.next == Next::Look {
            looks = &AGAIN[..1];
        } else if let Some(copies) = &mut open.copies {
            copies.notice(&open.source).await?;
        } else {
            // After `Enough` the pause was made.
            if self.next == Next::Wait {
                sleep(PAUSE).await;
            }
            looks = &AGAIN[..1];
        }
        let source = Arc::clone(&open.source);
        let active = self.look(&source, looks).await?;
        self.pause = None;
        self.next = if active { Next::Enough } else { Next::Wait };
        Ok(active)
    }

    async fn open(&self) -> Result<Open, ScalerError> {
        let source = self.opener.source().await?;
        let copies = match &self.subject.exchange {
            Some(exchange) => Some(self.within(&source, Copies::open(&source, exchange)).await?),
            None => None,
        };
        Ok(Open { source, copies })
    }

    /// Whether the queue is active, at one of several looks.
    async fn look(&self, source: &Amqp, looks: &[Duration]) -> Result<bool, ScalerError> {
        for wait in looks {
            sleep(*wait).await;
            let question = Question::Ready(self.subject.queue.clone());
            let asked = async { source.ask(&[question]).await.remove(0) };
            if f64::from(self.within(source, asked).await?) > self.subject.above {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Holds what the broker is asked for to the deadline of a reading.
    async fn within<T>(
        &self,
        source: &Amqp,
        asked: impl Future<Output = Result<T, ScalerError>>,
    ) -> Result<T, ScalerError> {
        let after = self.opener.connect().timeout;
        let late = |_| ScalerError::TimedOut {
            endpoint: source.endpoint.clone(),
            after,
        };
        timeout(after, asked).await.map_err(late)?
    }

    fn broken(&mut self, error: &ScalerError) {
        if let Some(open) = self.open.take()
            && (error.is_connection_lost() || matches!(error, ScalerError::TimedOut { .. }))
        {
            self.opener.lost(&open.source);
        }
        self.next = Next::Rest;
    }

    async fn rest(&mut self) {
        let retry = self.opener.connect().push_retry;
        let pause = self.pause.unwrap_or(retry.first);
        self.pause = Some((pause * 2).min(retry.most));
        sleep(pause).await;
    }
}

impl Copies {
    /// Makes the queue and binds it. It holds one message at most, the newest, and leaves with its channel.
    async fn open(source: &Amqp, exchange: &Exchange) -> Result<Self, ScalerError> {
        let fail = |error: lapin::Error| source.failure(&error);
        let (name, key) = (short(&exchange.name)?, short(&exchange.routing_key)?);
        let channel = source.connection.create_channel().await.map_err(fail)?;
        channel
            .basic_qos(1, BasicQosOptions::default())
            .await
            .map_err(fail)?;
        let mut limits = FieldTable::default();
        limits.insert("x-max-length".into(), AMQPValue::LongInt(1));
        limits.insert("x-overflow".into(), AMQPValue::LongString("drop-head".into()));
        // Without a consumer it would stay for as long as the connection: the binding may have been refused.
        limits.insert("x-expires".into(), AMQPValue::LongInt(60_000));
        // A virtual host may have another default, and no other type can be exclusive.
        limits.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
        let options = QueueDeclareOptions::exclusive().auto_delete();
        let queue = channel
            .queue_declare(ShortString::default(), options, limits)
            .await
            .map_err(fail)?;
        channel
            .queue_bind(
                queue.name().clone(),
                name,
                key,
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(fail)?;
        let consumer = channel
            .basic_consume(
                queue.name().clone(),
                ShortString::default(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(fail)?;
        Ok(Self {
            consumer,
            last: None,
            _channel: channel,
        })
    }

    /// Waits for a copy; the one before is given up for it.
    async fn notice(&mut self, source: &Amqp) -> Result<(), ScalerError> {
        let fail = |error: lapin::Error| source.failure(&error);
        if let Some(last) = self.last.take() {
            last.acker.ack(BasicAckOptions::default()).await.map_err(fail)?;
        }
        match self.consumer.next().await {
            Some(copy) => {
                let mut copy = copy.map_err(fail)?;
                // The body is of no use, and may be large.
                copy.data = Vec::new();
                self.last = Some(copy);
                Ok(())
            }
            None => Err(ScalerError::unreachable(
                source.endpoint.clone(),
                std::io::Error::other("the broker cancelled the consumer of copies"),
            )),
        }
    }
}
