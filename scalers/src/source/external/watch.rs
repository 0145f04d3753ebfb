//! What an `external-push` scaler says by itself.
//!
//! A stream that ends is opened again after a while that doubles with every failure, and starts over after a stream
//! that ended without one. Upstream: `Run` in `external_scaler.go`.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use rpc::externalscaler::{GetMetricSpecResponse, IsActiveResponse};
use tonic::{Code, Status, Streaming};

use super::{ExternalScaler, Subject, failure, metrics};
use crate::ScalerError;
use crate::pool::Opener;
use crate::scaler::Pushed;

/// What is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// `StreamIsActive`.
    Activity,
    /// `StreamMetricSpec`, which a scaler need not have.
    Specs,
}

/// Listens for as long as the stream is polled. It ends only if the scaler does not have the topic.
pub(crate) fn watch(
    opener: Opener<ExternalScaler>,
    subject: Subject,
    topic: Topic,
) -> BoxStream<'static, Pushed> {
    let watch = Watch {
        opener,
        subject,
        topic,
        state: State::Closed,
        pause: None,
    };
    stream::unfold(watch, Watch::next).boxed()
}

struct Watch {
    opener: Opener<ExternalScaler>,
    subject: Subject,
    topic: Topic,
    state: State,
    /// How long the next pause is; the first if none was made since a stream ended well.
    pause: Option<Duration>,
}

enum State {
    Closed,
    Open {
        source: Arc<ExternalScaler>,
        messages: Box<Messages>,
    },
    Pausing,
}

enum Messages {
    Activity(Streaming<IsActiveResponse>),
    Specs(Streaming<GetMetricSpecResponse>),
}

/// Why a stream is not open.
enum Broken {
    Never,
    Lost(Option<Arc<ExternalScaler>>, ScalerError),
}

impl Watch {
    async fn next(mut self) -> Option<(Pushed, Self)> {
        loop {
            let broken = match std::mem::replace(&mut self.state, State::Closed) {
                State::Closed => match self.open().await {
                    Ok(state) => {
                        self.state = state;
                        continue;
                    }
                    Err(broken) => broken,
                },
                State::Pausing => {
                    self.rest().await;
                    continue;
                }
                State::Open { source, mut messages } => match messages.next().await {
                    Ok(Some(message)) => {
                        self.state = State::Open { source, messages };
                        match message {
                            Some(pushed) => return Some((pushed, self)),
                            None => continue,
                        }
                    }
                    Ok(None) => {
                        self.pause = None;
                        self.state = State::Pausing;
                        continue;
                    }
                    Err(status) => self.broken(source, status),
                },
            };
            match broken {
                Broken::Never => return None,
                Broken::Lost(source, error) => {
                    if let Some(source) = source.filter(|_| error.is_connection_lost()) {
                        self.opener.lost(&source);
                    }
                    self.state = State::Pausing;
                    return Some((Pushed::Error(error), self));
                }
            }
        }
    }

    async fn open(&self) -> Result<State, Broken> {
        let source = self
            .opener
            .source()
            .await
            .map_err(|error| Broken::Lost(None, error))?;
        let (mut client, reference) = (source.client.clone(), self.subject.reference());
        let opened = match self.topic {
            Topic::Activity => client
                .stream_is_active(reference)
                .await
                .map(|reply| Messages::Activity(reply.into_inner())),
            Topic::Specs => client
                .stream_metric_spec(reference)
                .await
                .map(|reply| Messages::Specs(reply.into_inner())),
        };
        match opened {
            Ok(messages) => Ok(State::Open {
                source,
                messages: Box::new(messages),
            }),
            Err(status) => Err(self.broken(source, status)),
        }
    }

    fn broken(&self, source: Arc<ExternalScaler>, status: Status) -> Broken {
        if self.topic == Topic::Specs && status.code() == Code::Unimplemented {
            return Broken::Never;
        }
        let error = failure(&source.address, status);
        Broken::Lost(Some(source), error)
    }

    async fn rest(&mut self) {
        let retry = self.opener.connect().push_retry;
        let pause = self.pause.unwrap_or(retry.first);
        self.pause = Some((pause * 2).min(retry.most));
        tokio::time::sleep(pause).await;
    }
}

impl Messages {
    /// The next message; `Some(None)` is one that says nothing new.
    async fn next(&mut self) -> Result<Option<Option<Pushed>>, Status> {
        match self {
            // Upstream ignores `false`: whether a trigger became inactive is for the next poll to say.
            Self::Activity(stream) => Ok(stream
                .message()
                .await?
                .map(|message| message.result.then_some(Pushed::Active))),
            Self::Specs(stream) => Ok(stream.message().await?.map(|message| {
                let metrics = metrics(&message);
                (!metrics.is_empty()).then_some(Pushed::Metrics(metrics))
            })),
        }
    }
}
