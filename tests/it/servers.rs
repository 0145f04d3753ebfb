//! Scalers against real servers on loopback: the exact value, zero, a lost server, its return, and refused logins.

mod external;
mod http;
mod issuer;
pub(crate) mod kafka;
mod mysql;
mod nats;
mod past;
mod pool;
mod postgresql;
mod probe;
mod prometheus;
mod rabbitmq;
mod record;
mod redis;
mod redis_push;
mod redis_streams;
mod scaffold;
mod sql;

use std::path::PathBuf;

use anyhow::Result;
use harness::tier::Tier;
use harness::{
    external_scaler, keda, mysql as mysql_server, nats as nats_server, postgresql as postgresql_server,
    prometheus as prometheus_server, rabbitmq as rabbitmq_server, redis as server, target_dir, terminal,
};

/// The cases; each starts servers of its own.
pub(crate) fn tier() -> Tier {
    let tier = Tier::new("servers")
        .needs(server::available())
        .needs(external_scaler::available())
        .needs(mysql_server::available())
        .needs(nats_server::available())
        .needs(postgresql_server::available())
        .needs(prometheus_server::available())
        .needs(rabbitmq_server::available())
        .needs(keda::cli_bin())
        .needs(terminal::available());
    let tier = databases(tier)
        .case("redis_counts_every_kind_of_collection", redis::counts)
        .case("redis_with_password_and_tls", redis::password_and_tls)
        .case("redis_refuses_a_wrong_password_by_name", redis::wrong_password)
        .case("redis_refuses_a_foreign_certificate_by_name", redis::wrong_ca)
        .case(
            "redis_lost_and_back_is_an_error_then_the_value",
            redis::lost_and_back,
        )
        .case(
            "redis_triggers_of_one_server_share_a_connection",
            redis::shared_connection,
        )
        .case(
            "redis_cluster_counts_on_every_node_and_survives_one",
            redis::cluster,
        )
        .case("redis_cluster_with_password_and_tls", redis::cluster_with_tls)
        .case("redis_sentinel_follows_the_master", redis::sentinel)
        .case("scaffold_live_writes_what_was_picked", scaffold::live_pick)
        .case("simulate_fetches_the_past_of_a_prometheus", past::fetched)
        .case("record_of_a_redis_is_what_simulate_reads", record::redis_recorded)
        .case("metrics_api_logs_in_each_way", http::logins)
        .case("metrics_api_reads_each_format", http::formats)
        .case("metrics_api_failing_and_back", http::lost_and_back)
        .case("metrics_api_trusts_the_given_authority_only", http::tls)
        .case("external_scaler_gives_value_and_activity", external::values)
        .case("external_push_streams", external::pushes);
    let tier = pool::cases(nats::cases(rabbitmq::cases(tier)));
    prometheus::cases(redis_push::cases(redis_streams::cases(tier)))
}

/// The SQL databases; each has one server for all its cases.
fn databases(tier: Tier) -> Tier {
    tier.case("mysql_reads_one_number_of_any_type", mysql::counts)
        .case("mysql_refusals_are_named_without_the_password", mysql::refusals)
        .case(
            "mysql_lost_and_back_is_an_error_then_the_value",
            mysql::lost_and_back,
        )
        .case(
            "mysql_slow_queries_leave_a_connection_to_the_others",
            mysql::slow_queries,
        )
        .case(
            "mysql_fifty_triggers_share_two_connections",
            mysql::shared_connections,
        )
        .case("mysql_tls_is_what_the_connection_string_says", mysql::tls)
        .case("mysql_offers_the_tables_that_can_be_counted", mysql::inventory)
        .case("postgresql_reads_one_number_of_any_type", postgresql::counts)
        .case(
            "postgresql_refusals_are_named_without_the_password",
            postgresql::refusals,
        )
        .case(
            "postgresql_lost_and_back_is_an_error_then_the_value",
            postgresql::lost_and_back,
        )
        .case(
            "postgresql_slow_queries_leave_a_connection_to_the_others",
            postgresql::slow_queries,
        )
        .case(
            "postgresql_fifty_triggers_share_two_connections",
            postgresql::shared_connections,
        )
        .case("postgresql_tls_is_what_sslmode_says", postgresql::modes)
        .case(
            "postgresql_offers_the_tables_that_can_be_counted",
            postgresql::inventory,
        )
        .case("postgresql_notifications_activate_at_once", postgresql::pushes)
}

/// A folder for the servers of one case.
pub(crate) fn folder(case: &str) -> Result<PathBuf> {
    let dir = target_dir()
        .join("testbed")
        .join("t")
        .join(format!("{case}-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}
