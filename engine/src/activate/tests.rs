//! Table cases of decisions and plans.

use jiff::SignedDuration;

use super::*;
use crate::desired::{ObjectKey, TargetRef};
use crate::diagnostic::{Diagnostic, FieldPath};
use crate::pause::Pause;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// min 0, max 10, cooldown 300 s, created at 0.
pub(super) fn want() -> Desired {
    Desired {
        key: ObjectKey::new("shop", "orders"),
        uid: "u".to_owned(),
        generation: 1,
        created: Some(at(0)),
        pause: Pause::Off,
        forced: false,
        min: 0,
        max: 10,
        idle: None,
        polling_interval: SignedDuration::from_secs(30),
        cooldown: SignedDuration::from_secs(300),
        initial_cooldown: SignedDuration::ZERO,
        target: TargetRef {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            name: "web".to_owned(),
        },
        hpa_name: "keda-hpa-orders".to_owned(),
        behavior: None,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        restore_original: false,
        triggers_types: "redis".to_owned(),
        authentications_types: String::new(),
        authentications: Vec::new(),
        trigger_count: 1,
        warnings: Vec::new(),
    }
}

pub(super) fn reading(trigger: usize, reading: Reading) -> TriggerReading {
    TriggerReading {
        trigger,
        metric: MetricName::indexed(trigger, "x"),
        value: None,
        reading,
    }
}

/// One reading per letter: a active, i inactive, f failed, r resource.
pub(super) fn seen(replicas: i32, letters: &str) -> Observed {
    let readings = letters.chars().enumerate().map(|(index, letter)| {
        reading(
            index,
            match letter {
                'a' => Reading::Active,
                'i' => Reading::Inactive,
                'r' => Reading::Resource,
                _ => Reading::Failed("refused".to_owned()),
            },
        )
    });
    Observed {
        target: ScaleTarget {
            gvkr: crds::GroupVersionKindResource {
                group: "apps".to_owned(),
                version: "v1".to_owned(),
                kind: "Deployment".to_owned(),
                resource: "deployments".to_owned(),
            },
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
        },
        replicas: Ok(replicas),
        readings: readings.collect(),
        last_active: None,
        conditions: condition::initial(),
        hpa: None,
        source: Source::Poll,
    }
}

#[track_caller]
#[expect(
    clippy::needless_pass_by_value,
    reason = "a case reads better without a reference"
)]
fn check(want: &Desired, seen: &Observed, expected: Decision) {
    assert_eq!(decide(want, seen, at(1_000)), expected);
}

#[test]
fn activates_from_zero() {
    check(&want(), &seen(0, "a"), Decision::Activate { to: 1 });
    check(&want(), &seen(0, "ia"), Decision::Activate { to: 1 });
    check(&want(), &seen(0, "fa"), Decision::Activate { to: 1 });
    check(
        &Desired { min: 3, ..want() },
        &seen(0, "a"),
        Decision::Activate { to: 3 },
    );
    check(&want(), &seen(1, "a"), Decision::StayActive);
    check(&Desired { min: 3, ..want() }, &seen(1, "a"), Decision::StayActive);
}

#[test]
fn activates_from_idle_replicas() {
    let idle = Desired {
        idle: Some(1),
        min: 3,
        ..want()
    };
    check(&idle, &seen(1, "a"), Decision::Activate { to: 3 });
    check(&idle, &seen(3, "a"), Decision::StayActive);
    check(&idle, &seen(5, "i"), Decision::Deactivate { to: 1 });
    check(&idle, &seen(1, "i"), Decision::Hold(Why::AlreadyThere));
    check(&idle, &seen(0, "i"), Decision::Hold(Why::AlreadyThere));
}

#[test]
fn forced_activation_needs_no_trigger() {
    let forced = Desired {
        forced: true,
        ..want()
    };
    check(&forced, &seen(0, "i"), Decision::Activate { to: 1 });
    check(&forced, &seen(0, "f"), Decision::Activate { to: 1 });
    check(&forced, &seen(2, "i"), Decision::StayActive);
    check(&forced, &seen(2, "f"), Decision::Hold(Why::SomeTriggersFailed));
}

#[test]
fn never_drops_when_blind() {
    check(&want(), &seen(5, "f"), Decision::Hold(Why::TriggersFailed));
    check(&want(), &seen(5, "if"), Decision::Hold(Why::TriggersFailed));
    check(&want(), &seen(5, "rf"), Decision::Hold(Why::TriggersFailed));
    check(&want(), &seen(5, "af"), Decision::Hold(Why::SomeTriggersFailed));
}

#[test]
fn a_trigger_that_said_nothing_counts_as_failed() {
    check(&want(), &seen(2, ""), Decision::Hold(Why::TriggersFailed));
    let two = Desired {
        trigger_count: 2,
        ..want()
    };
    check(&two, &seen(2, "i"), Decision::Hold(Why::TriggersFailed));
    check(&two, &seen(2, "r"), Decision::Hold(Why::TriggersFailed));
    check(&two, &seen(2, "ii"), Decision::Deactivate { to: 0 });
    let plan = plan(&two, &seen(2, "i"), at(0));
    assert!(
        status_of(&plan).conditions[0]
            .message
            .contains("trigger 1 gave no reading")
    );
}

#[test]
fn only_cpu_and_memory_is_always_active() {
    check(&want(), &seen(0, "r"), Decision::Activate { to: 1 });
    check(&want(), &seen(2, "rr"), Decision::StayActive);
    check(&want(), &seen(2, "ri"), Decision::Deactivate { to: 0 });
}

#[test]
fn raises_to_the_minimum() {
    let two = Desired { min: 2, ..want() };
    check(&two, &seen(1, "i"), Decision::RaiseToMin { to: 2 });
    check(&two, &seen(0, "i"), Decision::RaiseToMin { to: 2 });
    check(&two, &seen(5, "i"), Decision::Hold(Why::AlreadyThere));
    check(&want(), &seen(0, "i"), Decision::Hold(Why::AlreadyThere));
}

#[test]
fn the_cooldown_ends_strictly_after_its_period() {
    let since = |time| Observed {
        last_active: Some(at(time)),
        ..seen(5, "i")
    };
    check(&want(), &since(700), Decision::CoolDown { until: at(1_000) });
    check(&want(), &since(699), Decision::Deactivate { to: 0 });
    check(&want(), &since(900), Decision::CoolDown { until: at(1_200) });
}

#[test]
fn the_initial_cooldown_counts_from_creation() {
    let of = |secs| Desired {
        initial_cooldown: SignedDuration::from_secs(secs),
        ..want()
    };
    check(&of(1_000), &seen(5, "i"), Decision::CoolDown { until: at(1_000) });
    check(&of(999), &seen(5, "i"), Decision::Deactivate { to: 0 });
    check(
        &Desired {
            created: None,
            ..of(5_000)
        },
        &seen(5, "i"),
        Decision::Deactivate { to: 0 },
    );
    let far = Desired {
        cooldown: SignedDuration::MAX,
        ..want()
    };
    let recent = Observed {
        last_active: Some(at(1)),
        ..seen(5, "i")
    };
    check(
        &far,
        &recent,
        Decision::CoolDown {
            until: Timestamp::MAX,
        },
    );
}

#[test]
fn pauses_stop_their_direction_only() {
    let paused = |pause| Desired { pause, ..want() };
    check(
        &paused(Pause::ScaleIn),
        &seen(5, "i"),
        Decision::Hold(Why::ScaleInPaused),
    );
    check(
        &paused(Pause::ScaleIn),
        &seen(0, "a"),
        Decision::Activate { to: 1 },
    );
    check(
        &paused(Pause::ScaleOut),
        &seen(0, "a"),
        Decision::Hold(Why::ScaleOutPaused),
    );
    check(
        &paused(Pause::ScaleOut),
        &seen(5, "i"),
        Decision::Deactivate { to: 0 },
    );
    check(
        &paused(Pause::BothDirections),
        &seen(5, "i"),
        Decision::Hold(Why::ScaleInPaused),
    );
    check(
        &paused(Pause::BothDirections),
        &seen(0, "a"),
        Decision::Hold(Why::ScaleOutPaused),
    );
    check(&paused(Pause::Full), &seen(0, "a"), Decision::Hold(Why::Paused));
    check(&paused(Pause::At(3)), &seen(5, "i"), Decision::Hold(Why::Paused));
}

#[test]
fn pushes_only_activate() {
    let pushed = |replicas, letters| Observed {
        source: Source::Push,
        ..seen(replicas, letters)
    };
    check(&want(), &pushed(0, "a"), Decision::Activate { to: 1 });
    check(&want(), &pushed(3, "i"), Decision::Hold(Why::NothingPushed));
    check(&want(), &pushed(3, ""), Decision::Hold(Why::NothingPushed));
    let plan = plan(&want(), &pushed(3, "i"), at(0));
    assert!(plan.actions.is_empty());
}

#[test]
fn unknown_replicas_do_nothing() {
    let blind = Observed {
        replicas: Err("forbidden".to_owned()),
        ..seen(0, "a")
    };
    check(&want(), &blind, Decision::Hold(Why::ReplicasUnknown));
    let plan = plan(&want(), &blind, at(0));
    let status = status_of(&plan);
    assert_eq!(conditions(status), ["Ready=False/ErrorGettingCurrentReplicas"]);
}

fn status_of(plan: &Plan) -> &StatusPatch {
    let found = plan.actions.iter().find_map(|action| match action {
        Action::PatchStatus(patch) => Some(patch.as_ref()),
        _ => None,
    });
    found.expect("the plan writes a status")
}

fn conditions(status: &StatusPatch) -> Vec<String> {
    status
        .conditions
        .iter()
        .map(|c| format!("{}={}/{}", c.type_, c.status, c.reason))
        .collect()
}

#[track_caller]
fn check_plan(want: &Desired, seen: &Observed, actions: &[&str], expected: &[&str]) {
    let plan = plan(want, seen, at(1_000));
    let texts: Vec<String> = plan.actions.iter().map(ToString::to_string).collect();
    assert_eq!(texts, actions);
    assert_eq!(conditions(status_of(&plan)), expected);
    assert_eq!(plan.next, at(1_030));
}

#[test]
fn activation_scales_then_tells() {
    let actions = [
        "scale apps/v1.Deployment shop/web from 0 to 1",
        "emit Event Normal KEDAScaleTargetActivated: Scaled apps/v1.Deployment shop/web from 0 to 1, triggered by s0-x;s2-x",
        "update the status",
    ];
    let expected = [
        "Ready=True/ScaledObjectReady",
        "Active=True/ScalerActive",
        "Fallback=False/NoFallbackFound",
    ];
    check_plan(&want(), &seen(0, "aia"), &actions, &expected);
    let written = plan(&want(), &seen(0, "aia"), at(1_000));
    assert_eq!(status_of(&written).last_active, Some(at(1_000)));
}

#[test]
fn forced_activation_says_so() {
    let actions = [
        "scale apps/v1.Deployment shop/web from 0 to 1",
        "emit Event Normal KEDAScaleTargetActivated: Scaled apps/v1.Deployment shop/web from 0 to 1, caused by forced activation annotation",
        "update the status",
    ];
    let expected = [
        "Ready=True/ScaledObjectReady",
        "Active=True/ScalerActive",
        "Fallback=False/NoFallbackFound",
    ];
    check_plan(
        &Desired {
            forced: true,
            ..want()
        },
        &seen(0, "i"),
        &actions,
        &expected,
    );
}

#[test]
fn deactivation_scales_then_tells() {
    let actions = [
        "scale apps/v1.Deployment shop/web from 3 to 0",
        "emit Event Normal KEDAScaleTargetDeactivated: Deactivated apps/v1.Deployment shop/web from 3 to 0",
        "update the status",
    ];
    let expected = [
        "Ready=True/ScaledObjectReady",
        "Active=False/ScalerNotActive",
        "Fallback=False/NoFallbackFound",
    ];
    check_plan(&want(), &seen(3, "i"), &actions, &expected);
}

#[test]
fn failing_triggers_show_in_ready() {
    let status = ["update the status"];
    let blind = [
        "Ready=False/TriggerError",
        "Active=False/ScalerNotActive",
        "Fallback=False/NoFallbackFound",
    ];
    check_plan(&want(), &seen(3, "if"), &status, &blind);
    let partial = [
        "Ready=Unknown/PartialTriggerError",
        "Active=True/ScalerActive",
        "Fallback=False/NoFallbackFound",
    ];
    check_plan(&want(), &seen(3, "af"), &status, &partial);
    let written = plan(&want(), &seen(3, "af"), at(1_000));
    assert_eq!(status_of(&written).last_active, None);
    assert!(
        status_of(&written).conditions[0]
            .message
            .contains("s1-x: refused")
    );
}

#[test]
fn cooling_down_shows_in_active() {
    let cooling = Observed {
        last_active: Some(at(900)),
        ..seen(3, "i")
    };
    let expected = [
        "Ready=True/ScaledObjectReady",
        "Active=False/ScalerCooldown",
        "Fallback=False/NoFallbackFound",
    ];
    check_plan(&want(), &cooling, &["update the status"], &expected);
}

#[test]
fn the_verdict_of_a_failed_reconcile_stays() {
    let mut failed = seen(3, "a");
    condition::merge(&mut failed.conditions, &condition::check_failed("no target"));
    let plan = plan(&want(), &failed, at(0));
    assert_eq!(
        conditions(status_of(&plan)),
        ["Active=True/ScalerActive", "Fallback=False/NoFallbackFound"]
    );
}

#[test]
fn gaps_are_named_in_ready() {
    let gap = Diagnostic::warning(
        crate::validate::NOT_YET,
        FieldPath::root(),
        "`spec.fallback` is not in this version yet",
    );
    let plan = plan(
        &Desired {
            warnings: vec![gap],
            ..want()
        },
        &seen(3, "a"),
        at(0),
    );
    assert!(
        status_of(&plan).conditions[0]
            .message
            .contains("`spec.fallback` is not in this version yet")
    );
}

#[test]
fn the_hpa_is_mirrored() {
    let hpa = HpaScaling {
        status: ConditionStatus::True,
        reason: "ValidMetricFound".into(),
        message: String::new(),
    };
    let plan = plan(
        &want(),
        &Observed {
            hpa: Some(hpa),
            ..seen(3, "a")
        },
        at(0),
    );
    assert_eq!(
        conditions(status_of(&plan)).last().map(String::as_str),
        Some("HPAActive=True/HPAActive")
    );
}

#[test]
fn polls_name_every_metric_and_pushes_one() {
    let polled = plan(&want(), &seen(1, "aifr"), at(0));
    let all = [("s0-x", true), ("s1-x", false), ("s2-x", false)].map(|(name, on)| (name.to_owned(), on));
    assert_eq!(status_of(&polled).activity, Some(Activity::All(all.into())));
    let pushed = plan(
        &want(),
        &Observed {
            source: Source::Push,
            ..seen(1, "a")
        },
        at(0),
    );
    assert_eq!(
        status_of(&pushed).activity,
        Some(Activity::Some([("s0-x".to_owned(), true)].into()))
    );
}

#[test]
fn a_refused_scale_is_told_and_kept() {
    let plan = plan(&want(), &seen(0, "a"), at(0));
    let instead = plan.after_failure(&plan.actions[0], &Failure::Refused("forbidden".to_owned()));
    let Action::Emit(event) = &instead[0] else {
        panic!("an Event comes first")
    };
    assert_eq!(event.reason, "KEDAScaleTargetActivationFailed");
    let Action::PatchStatus(status) = &instead[1] else {
        panic!("then the status")
    };
    assert!(conditions(status).contains(&"Ready=False/KEDAScaleTargetActivationFailed".to_owned()));
    assert_eq!(status.last_active, None);
    assert!(
        plan.after_failure(&plan.actions[0], &Failure::Stale("2 replicas".to_owned()))
            .is_empty()
    );
}
