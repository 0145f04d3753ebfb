//! `rabbitmq` against Debian's server, over AMQP and over its management API.

mod push;

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use harness::pki::Authority;
use harness::rabbitmq::{PASSWORD, RabbitMq, USER, Vhost, server};
use harness::relay::Relay;
use harness::tier::Tier;
use harness::wait::{look, wait_for};
use scalers::{Connect, Pool, TriggerInput};

use super::folder;
use super::probe::{Probe, trigger};

const WRONG: &str = "a-password-that-no-message-may-show";
/// A bound for something that does not come.
const DEADLINE: Duration = Duration::from_mins(2);

/// The cases; they share one server.
pub(super) fn cases(tier: Tier) -> Tier {
    tier.case("rabbitmq_counts_over_amqp_and_http", counts)
        .case("rabbitmq_virtual_host_with_a_slash", vhost_with_a_slash)
        .case("rabbitmq_regex_puts_queues_together_by_each_operation", regex)
        .case("rabbitmq_rates_follow_the_messages", rates)
        .case("rabbitmq_counts_a_stream", stream_queue)
        .case("rabbitmq_missing_queue_is_named_and_others_go_on", missing_queue)
        .case("rabbitmq_refuses_a_wrong_password_by_name", wrong_password)
        .case("rabbitmq_with_tls_and_by_certificate", tls)
        .case("rabbitmq_lost_and_back_is_an_error_then_the_value", lost_and_back)
        .case("rabbitmq_fifty_triggers_share_a_connection", shared_connection)
        .case("rabbitmq_pushes_without_consuming", push::pushes)
        .case("rabbitmq_push_outlives_the_connection", push::lost_and_back)
}

fn over_amqp(rabbit: &RabbitMq, vhost: &Vhost, queue: &str, more: &[(&str, &str)]) -> TriggerInput {
    let host = format!("amqp://{USER}:{PASSWORD}@{}/{}", rabbit.amqp(), vhost.path);
    let all = [&[("host", host.as_str()), ("queueName", queue)], more].concat();
    trigger("rabbitmq", &all, &[])
}

fn over_http(rabbit: &RabbitMq, vhost: &Vhost, queue: &str, more: &[(&str, &str)]) -> TriggerInput {
    let host = format!("http://{USER}:{PASSWORD}@{}/{}", rabbit.http(), vhost.path);
    let all = [&[("host", host.as_str()), ("queueName", queue)], more].concat();
    trigger("rabbitmq", &all, &[])
}

async fn amqp(rabbit: &RabbitMq, vhost: &Vhost, queue: &str, more: &[(&str, &str)]) -> Result<Probe> {
    Probe::new(&over_amqp(rabbit, vhost, queue, more)).await
}

async fn http(rabbit: &RabbitMq, vhost: &Vhost, queue: &str, more: &[(&str, &str)]) -> Result<Probe> {
    Probe::new(&over_http(rabbit, vhost, queue, more)).await
}

async fn counts() -> Result<()> {
    let rabbit = server().await?;
    let vhost = rabbit.vhost("counts").await?;
    vhost.declare("jobs", "classic").await?;
    let settings = [("mode", "QueueLength"), ("value", "5"), ("activationValue", "2")];
    let ready = amqp(rabbit, &vhost, "jobs", &settings).await?;
    let all = http(rabbit, &vhost, "jobs", &settings).await?;
    let exclude = [settings.as_slice(), &[("excludeUnacknowledged", "true")]].concat();
    let only_ready = http(rabbit, &vhost, "jobs", &exclude).await?;
    ready.is(0.0).await?;
    vhost.publish("", "jobs", 7).await?;
    ready.is(7.0).await?;
    // The statistics of the management API follow after a while.
    all.recovers(7.0).await?;
    ensure!(ready.ask().await?.active == Some(true), "seven is above two");
    vhost.consume("jobs", 4).await?;
    ready.is(3.0).await?;
    vhost.take("jobs", 1).await?;
    ready.is(2.0).await?;
    ensure!(ready.ask().await?.active == Some(false), "two is not above two");
    // What is taken and not acknowledged counts here.
    all.recovers(3.0).await?;
    only_ready.recovers(2.0).await?;
    vhost.consume("jobs", 2).await?;
    ready.is(0.0).await?;
    all.recovers(1.0).await?;
    only_ready.recovers(0.0).await
}

async fn vhost_with_a_slash() -> Result<()> {
    let rabbit = server().await?;
    let vhost = rabbit.vhost("shop/north").await?;
    vhost.declare("a/b c", "classic").await?;
    vhost.publish("", "a/b c", 3).await?;
    amqp(rabbit, &vhost, "a/b c", &[]).await?.is(3.0).await?;
    http(rabbit, &vhost, "a/b c", &[]).await?.recovers(3.0).await?;
    let named = [("vhostName", "shop/north")];
    let other = rabbit.vhost("elsewhere").await?;
    amqp(rabbit, &other, "a/b c", &named).await?.is(3.0).await?;
    http(rabbit, &other, "a/b c", &named).await?.recovers(3.0).await
}

async fn regex() -> Result<()> {
    let rabbit = server().await?;
    let vhost = rabbit.vhost("regex").await?;
    for (queue, count) in [("orders-a", 2), ("orders-b", 3), ("orders-c", 6), ("mails", 50)] {
        vhost.declare(queue, "classic").await?;
        vhost.publish("", queue, count).await?;
    }
    let of = |name: &'static str, operation: &'static str, page: &'static str| {
        let settings = [("useRegex", "true"), ("operation", operation), ("pageSize", page)];
        let input = over_http(rabbit, &vhost, name, &settings);
        async move { Probe::new(&input).await }
    };
    of("^orders-.*$", "sum", "100").await?.recovers(11.0).await?;
    of("^orders-.*$", "avg", "100").await?.recovers(3.0).await?;
    of("^orders-.*$", "max", "100").await?.recovers(6.0).await?;
    of("^nothing$", "sum", "100").await?.is(0.0).await?;
    let text = of("^orders-.*$", "sum", "2").await?.fails().await?;
    ensure!(
        text.contains("pageSize"),
        "the message does not name the setting: {text}"
    );
    let text = of("^orders-.*$", "median", "100").await?.fails().await?;
    ensure!(
        text.contains("operation"),
        "the message does not name the setting: {text}"
    );

    let built = scalers::read(&over_http(rabbit, &vhost, "mails", &[]))
        .map_err(|found| anyhow!("the trigger is refused: {found:?}"))?;
    let pool = Pool::new(Connect::default());
    // The numbers of the management API follow after a while, here too.
    wait_for("the inventory", DEADLINE, || async {
        let offers = pool.inventory(&built).await.map_err(|error| error.chain())?;
        let told: Vec<(&str, &str)> = offers
            .iter()
            .map(|offer| (offer.value.as_str(), offer.note.as_str()))
            .collect();
        let want = [
            ("mails", "50 messages"),
            ("orders-a", "2 messages"),
            ("orders-b", "3 messages"),
            ("orders-c", "6 messages"),
        ];
        look(told == want, || format!("it offers {told:?}"))
    })
    .await
}

async fn rates() -> Result<()> {
    let rabbit = server().await?;
    let vhost = rabbit.vhost("rates").await?;
    vhost.declare("jobs", "classic").await?;
    let of = |mode: &'static str| {
        let input = over_http(rabbit, &vhost, "jobs", &[("mode", mode), ("value", "5")]);
        async move { Probe::new(&input).await }
    };
    let (published, delivered) = (of("MessageRate").await?, of("DeliverGetRate").await?);
    let ratio = of("PublishedToDeliveredRatio").await?;
    let time = of("ExpectedQueueConsumptionTime").await?;
    // Two messages in for one out, until the server's average says so.
    wait_for("rates of messages", DEADLINE, || async {
        let work = async {
            vhost.publish("", "jobs", 20).await?;
            vhost.consume("jobs", 10).await
        };
        work.await.map_err(|error: anyhow::Error| format!("{error:#}"))?;
        let mut values = Vec::new();
        for probe in [&published, &delivered, &ratio, &time] {
            values.push(probe.ask().await.map_err(|error| error.chain())?.value);
        }
        let [published, delivered, ratio, time] = values[..] else {
            return Err("four were asked".to_owned());
        };
        let holds = published > delivered && delivered > 0.0 && (1.5..2.5).contains(&ratio) && time > 1.0;
        look(holds, || {
            format!("{published} in, {delivered} out, ratio {ratio}, time {time}")
        })
    })
    .await
}

async fn stream_queue() -> Result<()> {
    let rabbit = server().await?;
    let vhost = rabbit.vhost("streams").await?;
    vhost.declare("events", "stream").await?;
    vhost.publish("", "events", 5).await?;
    amqp(rabbit, &vhost, "events", &[]).await?.recovers(5.0).await?;
    http(rabbit, &vhost, "events", &[]).await?.recovers(5.0).await
}

async fn missing_queue() -> Result<()> {
    let rabbit = server().await?;
    let vhost = rabbit.vhost("missing").await?;
    vhost.declare("jobs", "classic").await?;
    vhost.publish("", "jobs", 2).await?;
    let pool = Pool::new(Connect::default());
    let jobs = Probe::on(&pool, &over_amqp(rabbit, &vhost, "jobs", &[])).await?;
    let nobody = Probe::on(&pool, &over_amqp(rabbit, &vhost, "nobody", &[])).await?;
    let api = http(rabbit, &vhost, "nobody", &[]).await?;
    jobs.is(2.0).await?;
    let before = pool.connections();
    for _ in 0..20 {
        let (text, other) = futures::join!(nobody.fails(), jobs.is(2.0));
        other?;
        for text in [text?, api.fails().await?] {
            ensure!(
                text.contains("nobody"),
                "the message does not name the queue: {text}"
            );
            ensure!(
                text.contains("missing"),
                "the message does not name the virtual host: {text}"
            );
        }
    }
    let after = pool.connections();
    ensure!(
        before.len() == 1 && after.len() == 1 && after[0].open,
        "the connection did not stand: {after:?}"
    );
    // It is there as soon as somebody declares it.
    vhost.declare("nobody", "classic").await?;
    nobody.is(0.0).await
}

async fn wrong_password() -> Result<()> {
    let rabbit = server().await?;
    let (amqp, http) = (rabbit.amqp().to_string(), rabbit.http().to_string());
    for (host, address) in [
        (format!("amqp://{amqp}/"), amqp),
        (format!("http://{http}/"), http),
    ] {
        let metadata = [("host", host.as_str()), ("queueName", "jobs")];
        let auth = [("username", USER), ("password", WRONG)];
        let text = Probe::new(&trigger("rabbitmq", &metadata, &auth))
            .await?
            .fails()
            .await?;
        ensure!(
            text.contains("refused the credentials"),
            "the message does not say why: {text}"
        );
        ensure!(
            text.contains(&address),
            "the message does not name the server: {text}"
        );
        ensure!(!text.contains(WRONG), "the message shows the password: {text}");
    }
    Ok(())
}

async fn tls() -> Result<()> {
    let rabbit = server().await?;
    let vhost = rabbit.vhost("tls").await?;
    vhost.declare("jobs", "classic").await?;
    vhost.publish("", "jobs", 4).await?;
    let address = format!("localhost:{}", rabbit.amqps_port());
    let host = format!("amqps://{USER}:{PASSWORD}@{address}/tls");
    let metadata = [("host", host.as_str()), ("queueName", "jobs")];
    let ca = rabbit.authority().pem();
    let right = [("tls", "enable"), ("ca", ca)];
    Probe::new(&trigger("rabbitmq", &metadata, &right))
        .await?
        .is(4.0)
        .await?;
    let unchecked = [metadata.as_slice(), &[("unsafeSsl", "true")]].concat();
    Probe::new(&trigger("rabbitmq", &unchecked, &[("tls", "enable")]))
        .await?
        .is(4.0)
        .await?;

    let foreign = Authority::new(&folder("rabbitmq-tls")?, "foreign-ca")?;
    for auth in [vec![("tls", "enable"), ("ca", foreign.pem())], Vec::new()] {
        let text = Probe::new(&trigger("rabbitmq", &metadata, &auth))
            .await?
            .fails()
            .await?;
        ensure!(
            text.contains("certificate") || text.contains("UnknownIssuer"),
            "the message does not name the certificate: {text}"
        );
        ensure!(
            text.contains(&address),
            "the message does not name the server: {text}"
        );
    }
    // Plain text to a port that speaks TLS.
    let plain = host.replace("amqps://", "amqp://");
    let text = Probe::new(&trigger(
        "rabbitmq",
        &[("host", &plain), ("queueName", "jobs")],
        &[],
    ))
    .await?
    .fails()
    .await?;
    ensure!(
        text.contains(&address),
        "the message does not name the server: {text}"
    );

    // The certificate proves who it is: SASL EXTERNAL.
    let host = format!("amqps://{address}/tls");
    let metadata = [("host", host.as_str()), ("queueName", "jobs")];
    let client = rabbit.client();
    let own = [right.as_slice(), &[("cert", &client.crt), ("key", &client.key)]].concat();
    Probe::new(&trigger("rabbitmq", &metadata, &own))
        .await?
        .is(4.0)
        .await?;
    // Signed by somebody else, it proves nothing.
    let stranger = foreign.issue("worker")?;
    let wrong = [
        right.as_slice(),
        &[("cert", &stranger.crt), ("key", &stranger.key)],
    ]
    .concat();
    Probe::new(&trigger("rabbitmq", &metadata, &wrong))
        .await?
        .fails()
        .await?;
    Ok(())
}

async fn lost_and_back() -> Result<()> {
    let rabbit = server().await?;
    let vhost = rabbit.vhost("lost").await?;
    vhost.declare("jobs", "classic").await?;
    vhost.publish("", "jobs", 4).await?;
    for (scheme, to) in [("amqp", rabbit.amqp()), ("http", rabbit.http())] {
        let mut relay = Relay::start(to).await?;
        let address = format!("127.0.0.1:{}", relay.port());
        let host = format!("{scheme}://{USER}:{PASSWORD}@{address}/lost");
        let jobs = Probe::new(&trigger(
            "rabbitmq",
            &[("host", &host), ("queueName", "jobs")],
            &[],
        ))
        .await?;
        jobs.recovers(4.0).await?;
        relay.cut().await;
        for _ in 0..3 {
            let text = jobs.fails().await?;
            ensure!(
                text.contains(&address),
                "the message does not name the server: {text}"
            );
        }
        relay.restore().await?;
        jobs.recovers(4.0).await?;
    }
    Ok(())
}

async fn shared_connection() -> Result<()> {
    let rabbit = server().await?;
    let vhost = rabbit.vhost("shared").await?;
    let before = rabbit.connections("shared")?;
    let pool = Pool::new(Connect::default());
    let mut probes = Vec::new();
    for index in 0..50 {
        let queue = format!("jobs-{index}");
        vhost.declare(&queue, "classic").await?;
        vhost.publish("", &queue, index).await?;
        probes.push(Probe::on(&pool, &over_amqp(rabbit, &vhost, &queue, &[])).await?);
    }
    for _ in 0..3 {
        let asked = futures::future::join_all(probes.iter().map(Probe::ask)).await;
        for (index, sample) in asked.into_iter().enumerate() {
            let (value, want) = (sample?.value, f64::from(u32::try_from(index)?));
            ensure!(
                (value - want).abs() < f64::EPSILON,
                "jobs-{index}: {value} instead of {want}"
            );
        }
    }
    ensure!(
        pool.connections().len() == 1,
        "the pool holds {:?}",
        pool.connections()
    );
    let during = rabbit.connections("shared")?;
    ensure!(
        during.len() == before.len() + 1,
        "the server counts {during:?} connections, {before:?} before"
    );
    ensure!(
        during.iter().all(|channels| *channels <= 4),
        "the server counts {during:?} channels"
    );
    pool.shutdown().await;
    wait_for("the connection to end", DEADLINE, || async {
        let after = rabbit
            .connections("shared")
            .map_err(|error| format!("{error:#}"))?;
        look(after == before, || format!("the server counts {after:?}"))
    })
    .await
}
