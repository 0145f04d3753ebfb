//! Reads of external metrics straight from the adapter over one TLS connection, beside a bare chain of the same hops.

use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use engine::ledger::{Ring, What};
use engine::metric::MetricName;
use futures::{StreamExt as _, stream};
use harness::aggregator::{MASTERS, proxy, server};
use harness::https::{Server, settings};
use harness::pki::Pair;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::Timestamp;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::chain::Chain;
use crate::field::{Field, INTERVAL, name, namespace};
use crate::figures::{median, percentile, processor, since};
use crate::report::{Report, Row};

/// How the names of these figures begin.
pub(crate) const THROUGHPUT: &str = "reads a second";
/// Rounds, in turn with those of the bare chain; of each figure the middle one counts.
const ROUNDS: usize = 3;
/// Reads under way at the same time.
const IN_FLIGHT: [usize; 3] = [1, 16, 64];
/// What KEDA does on such a machine, a second and at the 99th percentile in ms.
const KEDA: [(f64, f64); 3] = [(575.0, 8.0), (1708.0, 28.0), (2071.0, 73.0)];
/// KEDA's processor time for a read, both processes, in ms.
const KEDA_PROCESSOR: f64 = 0.52;
/// Name of every object's metric.
const METRIC: &str = "s0-metric-api-value";

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
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/{}/{METRIC}?labelSelector=scaledobject.keda.sh%2Fname%3D{}",
        namespace(index),
        name(index)
    )
}

async fn adapter(field: &Field) -> Result<Client> {
    let server = server(&field.bed, &field.keda).await?;
    Client::connect(&server, Some(&proxy(&field.bed)?), MASTERS).await
}

/// Reads every metric until the ledgers hold all that they ever will. The source must give no answer twice.
pub(crate) async fn fill_ledgers(field: &Field, objects: usize) -> Result<()> {
    let paths: Vec<String> = (0..objects).map(metric).collect();
    round(&adapter(field).await?, &paths, objects * reads_to_fill(), 64).await?;
    Ok(())
}

/// Reads after which a ledger begins to forget.
fn reads_to_fill() -> usize {
    let mut ring = Ring::default();
    let mut reads = 0;
    while ring.len() == reads {
        reads += 1;
        let read = What::Read {
            metric: MetricName::new(METRIC),
            value: Ok(reads.to_string()),
            cached: false,
        };
        ring.record(Timestamp::default(), read);
    }
    reads
}

/// What the rounds of one number in flight gave: of ours and of the bare chain.
#[derive(Default)]
struct Rounds {
    rates: Vec<f64>,
    /// 99th percentiles in ms.
    tails: Vec<f64>,
    /// Processor time of a read in ms.
    used: Vec<f64>,
}

impl Rounds {
    /// Asks once, and looks what the processes used meanwhile.
    async fn round(&mut self, client: &Client, paths: &[String], rate: Rate, pids: [u32; 2]) -> Result<()> {
        let before = total(pids)?;
        let mut round = round(client, paths, rate.reads, rate.in_flight).await?;
        self.used
            .push((total(pids)? - before) * 1000.0 / rate.reads as f64);
        self.rates.push(round.rate);
        self.tails.push(percentile(&mut round.latencies, 0.99));
        Ok(())
    }
}

/// How much is asked at a time.
#[derive(Clone, Copy)]
struct Rate {
    reads: usize,
    in_flight: usize,
}

/// Throughput, latency and processor time of reads of so many objects' metrics, at each number in flight.
pub(crate) async fn measure(field: &Field, objects: usize, reads: usize, report: &mut Report) -> Result<()> {
    let ours = adapter(field).await?;
    let chain = Chain::start(field).await?;
    let paths: Vec<String> = (0..objects).map(metric).collect();
    let bare: Vec<String> = (0..objects).map(|index| format!("/v/{}", name(index))).collect();
    let (controller, adapter) = field.keda.pids();
    // The first reads open connections.
    round(&ours, &paths, reads / 4, 16).await?;
    round(chain.client(), &bare, reads / 4, 16).await?;
    for (in_flight, keda) in IN_FLIGHT.into_iter().zip(KEDA) {
        let rate = Rate { reads, in_flight };
        let (mut mine, mut other) = (Rounds::default(), Rounds::default());
        for _ in 0..ROUNDS {
            mine.round(&ours, &paths, rate, [controller, adapter]).await?;
            other.round(chain.client(), &bare, rate, chain.pids()).await?;
        }
        add(report, in_flight, keda, &mut mine, &mut other);
    }
    ratio(field, &ours, &paths, reads, report).await
}

fn add(report: &mut Report, in_flight: usize, keda: (f64, f64), mine: &mut Rounds, other: &mut Rounds) {
    const BARE: &str = "bare chain";
    let (rate, bare) = (median(&mut mine.rates), median(&mut other.rates));
    let row = Row::new(format!("{THROUGHPUT}, {in_flight} in flight"), "/s", rate);
    report.add(row.at_least(keda.0 * 5.0).keda(keda.0).beside(BARE, bare));
    let what = format!("{THROUGHPUT} ÷ the bare chain's, {in_flight} in flight");
    report.add(Row::new(what, "", rate / bare).at_least(0.6));
    let what = format!("p99 of a read, {in_flight} in flight");
    let row = Row::new(what, "ms", median(&mut mine.tails));
    report.add(
        row.at_most(keda.1 / 5.0)
            .keda(keda.1)
            .beside(BARE, median(&mut other.tails)),
    );
    let what = format!("processor time of a read, both processes, {in_flight} in flight");
    let row = Row::new(what, "ms", median(&mut mine.used));
    report.add(
        row.at_most(0.1)
            .keda(KEDA_PROCESSOR)
            .beside(BARE, median(&mut other.used)),
    );
}

/// Source requests for each read, without what the polls ask meanwhile.
async fn ratio(
    field: &Field,
    client: &Client,
    paths: &[String],
    reads: usize,
    report: &mut Report,
) -> Result<()> {
    let (start, before) = (Instant::now(), asked(field));
    round(client, paths, reads, 16).await?;
    // Polls of different questions are spread evenly over the interval.
    let polls = paths.len() as f64 * since(start) / f64::from(INTERVAL);
    let asked = (asked(field) - before) as f64 - polls;
    let row = Row::new(
        "source requests ÷ reads of distinct metrics",
        "",
        asked / reads as f64,
    );
    report.add(row);
    Ok(())
}

/// Processor time that processes have used, in seconds.
fn total(pids: [u32; 2]) -> Result<f64> {
    Ok(processor(pids[0])? + processor(pids[1])?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filling_a_ledger_takes_some_dozens_of_reads() {
        assert!((20..500).contains(&reads_to_fill()), "{}", reads_to_fill());
    }
}
