//! Every scaler type.

mod cron;
mod external;
mod kafka;
mod kubernetes_workload;
mod metrics_api;
mod mysql;
mod nats_jetstream;
mod postgresql;
mod prometheus;
mod rabbitmq;
mod redis;
mod redis_streams;
mod resource;

use engine::diagnostic::{Diagnostic, FieldPath};

use crate::TriggerInput;
use crate::scaler::ScalerType;

/// Every scaler, sorted by name. The order shows in `kubectl keda scalers` and in the index of the documentation.
pub const SCALERS: &[&ScalerType] = &[
    &kafka::APACHE_KAFKA,
    &resource::CPU,
    &cron::CRON,
    &external::EXTERNAL,
    &external::EXTERNAL_PUSH,
    &kafka::KAFKA,
    &kubernetes_workload::KUBERNETES_WORKLOAD,
    &resource::MEMORY,
    &metrics_api::METRICS_API,
    &mysql::MYSQL,
    &nats_jetstream::NATS_JETSTREAM,
    &postgresql::POSTGRESQL,
    &prometheus::PROMETHEUS,
    &rabbitmq::RABBITMQ,
    &redis::REDIS,
    &redis::REDIS_CLUSTER,
    &redis_streams::REDIS_CLUSTER_STREAMS,
    &redis::REDIS_SENTINEL,
    &redis_streams::REDIS_SENTINEL_STREAMS,
    &redis_streams::REDIS_STREAMS,
];

/// Types of KEDA that this version does not have, so that nobody takes their names for slips.
const LATER: &[&str] = &[
    "activemq",
    "arangodb",
    "artemis-queue",
    "aws-cloudwatch",
    "aws-dynamodb",
    "aws-dynamodb-streams",
    "aws-kinesis-stream",
    "aws-sqs-queue",
    "azure-app-insights",
    "azure-blob",
    "azure-data-explorer",
    "azure-eventhub",
    "azure-log-analytics",
    "azure-monitor",
    "azure-pipelines",
    "azure-queue",
    "azure-servicebus",
    "beanstalkd",
    "cassandra",
    "clickhouse",
    "couchdb",
    "datadog",
    "dynatrace",
    "elastic-forecast",
    "elasticsearch",
    "etcd",
    "forgejo-runner",
    "gcp-cloudtasks",
    "gcp-pubsub",
    "gcp-spanner",
    "gcp-stackdriver",
    "gcp-storage",
    "github-runner",
    "graphite",
    "huawei-cloudeye",
    "ibmmq",
    "influxdb",
    "kubernetes-resource",
    "liiklus",
    "loki",
    "mongodb",
    "mssql",
    "new-relic",
    "nsq",
    "opensearch",
    "openstack-metric",
    "openstack-swift",
    "predictkube",
    "pulsar",
    "selenium-grid",
    "solace-direct-messaging",
    "solace-event-queue",
    "solarwinds",
    "solr",
    "splunk",
    "splunk-observability",
    "sumologic",
    "temporal",
];

/// The finding for a trigger whose type nobody knows.
pub(crate) fn unknown_type(input: &TriggerInput) -> Diagnostic {
    let type_ = input.type_.as_str();
    let path = FieldPath::trigger(input.index).field("type");
    // The text is KEDA's: a golden records it.
    let finding = Diagnostic::error(
        "unknown-trigger-type",
        path,
        format!("no scaler found for type: {type_}"),
    );
    if LATER.contains(&type_) {
        return finding.with_help(format!("`{type_}` is not in this version yet"));
    }
    if type_ == "stan" {
        return finding.with_help("`stan` was removed in KEDA 2.19; use `nats-jetstream`");
    }
    let nearest = SCALERS
        .iter()
        .map(|scaler| (strsim::jaro_winkler(type_, scaler.name), scaler.name));
    match nearest.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((likeness, name)) if likeness > 0.8 => finding.with_help(format!("did you mean `{name}`?")),
        _ => finding.with_help("`kubectl keda scalers` lists every type"),
    }
}

#[cfg(test)]
mod tests;
