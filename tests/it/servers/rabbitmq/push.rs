//! What a trigger hears between two polls.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use futures::StreamExt as _;
use harness::rabbitmq::{PASSWORD, USER, server};
use harness::relay::Relay;
use harness::wait::{look, wait_for};
use scalers::{Connect, Pool, PushEvent, Retry, TriggerInput};

use super::super::probe::trigger;
use super::{DEADLINE, amqp, over_amqp};

/// The next event of a trigger that nobody polls, while `work` is done.
async fn pushed(input: &TriggerInput, ready: impl AsyncFn() -> Result<()>) -> Result<()> {
    let pool = Pool::new(Connect::default());
    let built = scalers::read(input).map_err(|found| anyhow!("the trigger is refused: {found:?}"))?;
    let mut events = pool.push(&built).context("the trigger pushes")?;
    // The stream is open only while somebody waits for its next event.
    let next = tokio::spawn(async move { events.next().await });
    ready().await?;
    match tokio::time::timeout(DEADLINE, next)
        .await
        .context("no push came")??
    {
        Some(PushEvent::Active) => Ok(()),
        other => bail!("{other:?} came instead of the push"),
    }
}

pub(super) async fn pushes() -> Result<()> {
    let rabbit = server().await?;
    let vhost = rabbit.vhost("pushes").await?;
    for queue in ["jobs", "mails"] {
        vhost.declare(queue, "classic").await?;
    }
    vhost.bind("jobs", "amq.topic", "jobs.#").await?;
    let plain = scalers::read(&over_amqp(rabbit, &vhost, "jobs", &[]))
        .map_err(|found| anyhow!("the trigger is refused: {found:?}"))?;
    ensure!(
        Pool::new(Connect::default()).push(&plain).is_none(),
        "nothing is pushed that was not asked for"
    );
    let exchange = [
        ("push", "true"),
        ("pushExchange", "amq.topic"),
        ("pushRoutingKey", "jobs.#"),
        ("activationValue", "1"),
    ];
    let input = over_amqp(rabbit, &vhost, "jobs", &exchange);
    pushed(&input, async || {
        wait_for("the queue of copies", DEADLINE, || async {
            let queues = rabbit.api("GET", "/api/queues/pushes", None).await;
            let queues = queues.map_err(|error| format!("{error:#}"))?;
            let private = queues.as_array().into_iter().flatten().any(|queue| {
                queue["name"]
                    .as_str()
                    .is_some_and(|name| name.starts_with("amq.gen"))
            });
            look(private, || queues.to_string())
        })
        .await?;
        // Other keys are not copied, and one message is not above one.
        vhost.publish("amq.topic", "mails.new", 1).await?;
        vhost.publish("amq.topic", "jobs.new", 2).await
    })
    .await?;
    // The messages are all there, in order and not redelivered: nobody consumed.
    amqp(rabbit, &vhost, "jobs", &[]).await?.is(2.0).await?;
    vhost.consume_fresh("jobs", &["message 0", "message 1"]).await?;

    // Without an exchange, the queue is looked at.
    let input = over_amqp(rabbit, &vhost, "mails", &[("push", "true")]);
    pushed(&input, async || vhost.publish("", "mails", 1).await).await?;

    let nowhere = [("push", "true"), ("pushExchange", "nowhere")];
    let built = scalers::read(&over_amqp(rabbit, &vhost, "jobs", &nowhere))
        .map_err(|found| anyhow!("the trigger is refused: {found:?}"))?;
    let pool = Pool::new(Connect::default());
    let mut events = pool.push(&built).context("the trigger pushes")?;
    match tokio::time::timeout(DEADLINE, events.next())
        .await
        .context("no event came")?
    {
        Some(PushEvent::Error(error)) if error.chain().contains("nowhere") => Ok(()),
        other => bail!("{other:?} came instead of an error that names the exchange"),
    }
}

pub(super) async fn lost_and_back() -> Result<()> {
    let rabbit = server().await?;
    let vhost = rabbit.vhost("push-lost").await?;
    vhost.declare("jobs", "classic").await?;
    vhost.bind("jobs", "amq.fanout", "").await?;
    let mut relay = Relay::start(rabbit.amqp()).await?;
    let address = format!("127.0.0.1:{}", relay.port());
    let host = format!("amqp://{USER}:{PASSWORD}@{address}/push-lost");
    let metadata = [
        ("host", host.as_str()),
        ("queueName", "jobs"),
        ("push", "true"),
        ("pushExchange", "amq.fanout"),
    ];
    let soon = Duration::from_millis(100);
    let pool = Pool::new(Connect {
        push_retry: Retry {
            first: soon,
            most: soon,
        },
        ..Connect::default()
    });
    let built = scalers::read(&trigger("rabbitmq", &metadata, &[]))
        .map_err(|found| anyhow!("the trigger is refused: {found:?}"))?;
    let mut events = pool.push(&built).context("the trigger pushes")?;
    vhost.publish("amq.fanout", "", 1).await?;
    let mut next = async |wanted: &str| {
        let event = async {
            loop {
                match events.next().await {
                    Some(PushEvent::Active) if wanted == "active" => return Ok(String::new()),
                    Some(PushEvent::Error(error)) if wanted == "error" => return Ok(error.chain()),
                    Some(_) => {}
                    None => bail!("the stream of events ended"),
                }
            }
        };
        tokio::time::timeout(DEADLINE, event)
            .await
            .with_context(|| format!("no event came that is {wanted}"))?
    };
    next("active").await?;
    relay.cut().await;
    let text = next("error").await?;
    ensure!(
        text.contains(&address),
        "the message does not name the server: {text}"
    );
    relay.restore().await?;
    // The message is still there.
    next("active").await?;
    Ok(())
}
