//! Scalers against real servers on loopback: the exact value, zero, a lost server, its return, and refused logins.

mod external;
mod http;
mod pool;
mod probe;
mod prometheus;
mod redis;
mod redis_push;
mod redis_streams;

use std::path::PathBuf;

use anyhow::Result;
use harness::tier::Tier;
use harness::{external_scaler, prometheus as prometheus_server, redis as server, target_dir};

/// The cases; each starts servers of its own.
pub(crate) fn tier() -> Tier {
    let tier = Tier::new("servers")
        .needs(server::available())
        .needs(external_scaler::available())
        .needs(prometheus_server::available())
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
        .case(
            "pool_a_stopped_server_disturbs_nobody",
            pool::a_stopped_server_disturbs_nobody,
        )
        .case("metrics_api_logs_in_each_way", http::logins)
        .case("metrics_api_reads_each_format", http::formats)
        .case("metrics_api_failing_and_back", http::lost_and_back)
        .case("metrics_api_trusts_the_given_authority_only", http::tls)
        .case("external_scaler_gives_value_and_activity", external::values)
        .case("external_push_streams", external::pushes);
    prometheus::cases(redis_push::cases(redis_streams::cases(tier)))
}

/// A folder for the servers of one case.
fn folder(case: &str) -> Result<PathBuf> {
    let dir = target_dir()
        .join("testbed")
        .join("t")
        .join(format!("{case}-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}
