//! The parts together on a real control plane: what a user would see.

mod adapter;
mod bad_input;
mod completion;
mod debug_api;
mod dry_run;
mod every_type;
mod faults;
mod jsonpath;
mod recompute;
mod record;
mod scaling;
mod shared;
mod simulated;
mod targets;
mod workload;

use harness::bed;
use harness::external_scaler;
use harness::keda;
use harness::redis;
use harness::tier::Tier;

pub(crate) use simulated::recorded;

/// Scaling, refusals and certificates on the shared cluster.
pub(crate) fn tier() -> Tier {
    let tier = Tier::new("cluster")
        .needs(bed::binary())
        .needs(keda::controller_bin())
        .needs(keda::adapter_bin())
        .needs(keda::cli_bin())
        .needs(redis::available())
        .needs(external_scaler::available())
        .case("twenty_objects_scale_as_simulated", simulated::twenty)
        .case("redis_list_scales_0_n_0", scaling::redis_list)
        .case("metrics_api_with_credentials_scales_0_n_0", scaling::metrics_api)
        .case("external_scaler_scales_0_n_0", scaling::external)
        .case("external_push_activates_without_a_poll", scaling::external_push)
        .case("redis_push_activates_without_a_poll", scaling::redis_push)
        .case(
            "kubernetes_workload_follows_pods_and_nodes",
            workload::pods_and_nodes,
        )
        .case(
            "redis_gone_keeps_the_replicas_and_its_return_ends_the_run",
            scaling::redis_gone_and_back,
        )
        .case("replicas_that_others_set_are_seen", targets::changed_by_others)
        .case("identical_triggers_are_asked_once", targets::asked_once)
        .case(
            "wrong_manifest_is_named_in_ready_and_event",
            bad_input::wrong_manifest,
        )
        .case("part_of_a_later_version_is_named", bad_input::later_version)
        .case("kind_of_a_later_version_is_answered", bad_input::later_kinds)
        .case(
            "unreachable_api_server_is_named",
            bad_input::unreachable_api_server,
        )
        .case("port_in_use_is_named", bad_input::port_in_use)
        .case("missing_permission_is_named", bad_input::missing_permission)
        .case("forged_headers_are_refused", adapter::forged_headers)
        .case("rotation_under_load_fails_no_read", adapter::rotation_under_load)
        .case("discovery_and_openapi_are_served", adapter::discovery)
        .case(
            "debug_api_answers_every_kind_of_login_that_has_the_rights",
            debug_api::every_login,
        )
        .case(
            "debug_api_judges_an_own_token_by_its_owner",
            debug_api::own_token_counts_for_its_owner,
        )
        .case(
            "debug_api_of_the_adapter_tells_reads_and_certificates",
            debug_api::adapter_reads,
        )
        .case(
            "debug_api_of_the_adapter_refuses_and_remembers_whom",
            debug_api::adapter_refusals,
        )
        .case("kubectl_completes_the_plugin", || async {
            completion::by_kubectl()
        })
        .case("jsonpath_prints_what_kubectl_prints", jsonpath::as_kubectl)
        .case(
            "explain_recomputes_what_the_hpa_decides",
            recompute::explain_agrees,
        )
        .case(
            "explain_tells_who_else_sets_the_replicas",
            recompute::another_writer,
        )
        .case(
            "explain_tells_that_the_hpa_has_other_flags",
            recompute::other_flags,
        );
    trials(tier)
}

/// Many objects, or many kinds of servers; beside what the other cases need, it needs those servers.
pub(crate) fn many() -> Tier {
    Tier::new("cluster::many")
        .needs(bed::binary())
        .needs(keda::controller_bin())
        .needs(keda::adapter_bin())
        .needs(keda::cli_bin())
        .needs(redis::available())
        .needs(external_scaler::available())
        .needs(harness::kafka::available())
        .needs(harness::mysql::available())
        .needs(harness::nats::available())
        .needs(harness::postgresql::available())
        .needs(harness::prometheus::available())
        .needs(harness::rabbitmq::available())
        .case(
            "two_hundred_objects_cost_a_connection_a_server",
            shared::two_hundred_objects,
        )
        .case(
            "dry_run_says_what_the_adapter_then_serves_for_every_type",
            every_type::dry_run_says_what_is_served,
        )
}

/// What would happen, and who is connected.
fn trials(tier: Tier) -> Tier {
    tier.case(
        "dry_run_needs_no_more_than_the_right_to_read",
        dry_run::reading_suffices,
    )
    .case(
        "dry_run_says_what_the_adapter_then_serves",
        dry_run::as_the_adapter_serves,
    )
    .case(
        "dry_run_in_the_cluster_is_judged_by_the_object",
        dry_run::in_the_cluster,
    )
    .case(
        "dry_run_of_a_draft_needs_the_right_to_create_it",
        dry_run::drafts_need_the_right_to_create,
    )
    .case(
        "dry_run_of_a_name_inside_the_cluster_offers_to_ask_there",
        dry_run::names_of_the_cluster,
    )
    .case("record_by_the_controller_is_a_series", record::in_the_cluster)
    .case("connections_are_told_with_who_shares_them", dry_run::connections)
}

/// Crashes, on a cluster of their own: they would disturb every other case.
pub(crate) fn faults() -> Tier {
    Tier::new("cluster::faults")
        .needs(bed::binary())
        .needs(keda::controller_bin())
        .needs(keda::adapter_bin())
        .needs(keda::cli_bin())
        .case(
            "controller_killed_in_a_scale_up_ends_right",
            faults::controller_killed,
        )
        .case(
            "without_the_right_to_watch_targets_replicas_are_read",
            faults::targets_unwatched,
        )
        .case("adapter_killed_in_a_scale_up_ends_right", faults::adapter_killed)
        .case(
            "record_by_the_controller_outlives_its_token",
            record::outlives_its_token,
        )
        .case("api_server_restarted_ends_right", faults::api_server_restarted)
        .case(
            "certificate_of_another_authority_is_refused_by_name",
            faults::wrong_certificate,
        )
}
