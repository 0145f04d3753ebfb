//! Reads of external metrics straight from the adapter over one TLS connection, beside a bare chain of the same hops.

use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use harness::aggregator::{MASTERS, proxy, server};
use harness::https::{Server, settings};
use harness::pki::Pair;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::chain::Chain;
use crate::field::{Field, NAMESPACE, name};
use crate::figures::{median, percentile, processor, since};
use crate::report::{Report, Row, Target};

/// Distinct questions are asked of so many objects.
pub(crate) const OBJECTS: usize = 1000;
/// How the names of these figures begin.
pub(crate) const THROUGHPUT: &str = "reads a second";
/// Rounds, in turn with those of the bare chain; the middle one counts.
const ROUNDS: usize = 3;
/// Reads under way at the same time.
const IN_FLIGHT: [usize; 3] = [1, 16, 64];
/// What KEDA does on such a machine, a second and at the 99th percentile in ms (design, cost targets).
const KEDA: [(f64, f64); 3] = [(575.0, 8.0), (1708.0, 28.0), (2071.0, 73.0)];
/// A record of the ledger takes about so many bytes, of 8 KiB an object.
const READS_TO_FILL: usize = 150;

/// One HTTP/2 connection.
pub(crate) struct Client {
    sender: SendRequest<Empty<Bytes>>,
    authority: String,
    headers: &'static [(&'static str, &'static str)],
}

impl Client {
    pub(crate) async fn connect(
        server: &Server,
        pair: Option<&Pair>,
        headers: &'static [(&'static str, &'static str)],
    ) -> Result<Self> {
        let mut config = settings(server, pair)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        let tcp = TcpStream::connect(("127.0.0.1", server.port)).await?;
        tcp.set_nodelay(true)?;
        let stream = TlsConnector::from(std::sync::Arc::new(config))
            .connect(ServerName::try_from(server.name.clone())?, tcp)
            .await?;
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        harness::runtime().spawn(connection);
        Ok(Self {
            sender,
            authority: server.name.clone(),
            headers,
        })
    }

    /// Reads a page that must be there.
    pub(crate) async fn get(&self, path: &str) -> Result<Bytes> {
        let mut request = Request::get(format!("https://{}{path}", self.authority));
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        let answer = self
            .sender
            .clone()
            .send_request(request.body(Empty::new())?)
            .await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("{path}: {status} {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }
}

/// One round: reads a second, and the latency of each in ms.
struct Round {
    rate: f64,
    latencies: Vec<f64>,
}

async fn round(client: &Client, paths: &[String], reads: usize, in_flight: usize) -> Result<Round> {
    let start = Instant::now();
    let latencies: Vec<Result<f64>> = stream::iter(paths.iter().cycle().take(reads))
        .map(|path| async move {
            let start = Instant::now();
            client.get(path).await?;
            Ok(since(start) * 1000.0)
        })
        .buffer_unordered(in_flight)
        .collect()
        .await;
    Ok(Round {
        rate: reads as f64 / since(start),
        latencies: latencies.into_iter().collect::<Result<_>>()?,
    })
}

fn metric(index: usize) -> String {
    format!(
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/{NAMESPACE}/s0-metric-api-value?labelSelector=scaledobject.keda.sh%2Fname%3D{}",
        name(index)
    )
}

async fn adapter(field: &Field) -> Result<Client> {
    let server = server(&field.bed, &field.keda).await?;
    Client::connect(&server, Some(&proxy(&field.bed)?), MASTERS).await
}

/// Reads every metric until the ledgers hold all that they ever will.
pub(crate) async fn fill_ledgers(field: &Field, objects: usize) -> Result<()> {
    let paths: Vec<String> = (0..objects).map(metric).collect();
    round(&adapter(field).await?, &paths, objects * READS_TO_FILL, 64).await?;
    Ok(())
}

/// Throughput, latency and processor time of reads, at each number in flight.
pub(crate) async fn measure(field: &Field, reads: usize, report: &mut Report) -> Result<()> {
    let ours = adapter(field).await?;
    let chain = Chain::start(field).await?;
    let paths: Vec<String> = (0..OBJECTS).map(metric).collect();
    let bare: Vec<String> = (0..OBJECTS).map(|index| format!("/v/{}", name(index))).collect();
    for (in_flight, keda) in IN_FLIGHT.into_iter().zip(KEDA) {
        let (mut rates, mut tails, mut used) = (Vec::new(), Vec::new(), Vec::new());
        let (mut bare_rates, mut bare_tails) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let before = (total(field)?, asked(field));
            let mut mine = round(&ours, &paths, reads, in_flight).await?;
            let after = (total(field)?, asked(field));
            used.push((after.0 - before.0) * 1000.0 / reads as f64);
            let requests = (after.1 - before.1) as f64 / reads as f64;
            ensure!(
                requests >= 1.0,
                "{requests} source requests a read: some answer was not live"
            );
            rates.push(mine.rate);
            tails.push(percentile(&mut mine.latencies, 0.99));
            let mut other = round(chain.client(), &bare, reads, in_flight).await?;
            bare_rates.push(other.rate);
            bare_tails.push(percentile(&mut other.latencies, 0.99));
        }
        let bare_rate = median(&mut bare_rates);
        report.add(Row {
            what: format!("{THROUGHPUT}, {in_flight} in flight"),
            unit: "/s",
            measured: median(&mut rates),
            baseline: Some(("bare chain".to_owned(), bare_rate)),
            target: Target::AtLeast(keda.0 * 5.0),
        });
        report.figure(
            format!("reads, {in_flight} in flight, share of the bare chain's rate"),
            "",
            median(&mut rates) / bare_rate,
            Target::AtLeast(0.6),
        );
        report.add(Row {
            what: format!("p99 of a read, {in_flight} in flight"),
            unit: "ms",
            measured: median(&mut tails),
            baseline: Some(("bare chain".to_owned(), median(&mut bare_tails))),
            target: Target::AtMost(keda.1 / 5.0),
        });
        report.figure(
            format!("processor time of a read, {in_flight} in flight, both processes"),
            "ms",
            median(&mut used),
            Target::AtMost(0.1),
        );
    }
    ratio(field, &ours, &paths, reads, report).await
}

/// Source requests for each read, without what the polls ask meanwhile.
async fn ratio(
    field: &Field,
    client: &Client,
    paths: &[String],
    reads: usize,
    report: &mut Report,
) -> Result<()> {
    // Only as many polls as fit into the time of the round disturb the count.
    let (start, before) = (Instant::now(), asked(field));
    round(client, paths, reads, 16).await?;
    let polls = OBJECTS as f64 * since(start) / 30.0;
    let asked = (asked(field) - before) as f64 - polls;
    report.figure("source requests ÷ reads", "", asked / reads as f64, Target::None);
    Ok(())
}

/// Processor time that both processes have used.
fn total(field: &Field) -> Result<f64> {
    let (controller, adapter) = field.keda.pids();
    Ok(processor(controller)? + processor(adapter)?)
}

/// Requests that the source has answered.
fn asked(field: &Field) -> u64 {
    field.source.all_reads().values().sum()
}

/// The value in an answer of the bare chain, so that it did the work.
pub(crate) fn checked(body: &[u8]) -> Result<f64> {
    let value: serde_json::Value = serde_json::from_slice(body)?;
    value["items"][0]["value"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .context("the bare chain gave no value")
}
