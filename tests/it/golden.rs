//! Recorded behaviours of KEDA on a real API server: what was done, and what the cluster looked like afterwards.
//!
//! `tests/golden/keda/steps.json` holds the steps of every case; a snapshot beside it is compared with. Instead of the
//! seconds that were waited while recording, a case waits for the state. A new case is a new entry there, no Rust.

mod compare;
mod compare_check;
mod snapshot;
mod steps;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use harness::bed;
use harness::keda;
use harness::tier::Tier;
use harness::workspace;

use steps::Step;

/// Parts that a later version brings, and the cases that need them. They are listed in every run until then.
const NOT_YET: &[(&str, &str)] = &[
    ("fallback-currentreplicas", "fallback"),
    ("fallback-static", "fallback"),
    ("scaledjob", "ScaledJob"),
    ("scaling-modifiers", "scalingModifiers"),
    ("scaling-modifiers-dup-name", "scalingModifiers"),
    ("scaling-modifiers-unnamed", "scalingModifiers"),
];

/// The folder of the recordings; `KEDA_GOLDENS` names another one of the same form.
fn recordings() -> PathBuf {
    std::env::var_os("KEDA_GOLDENS").map_or_else(|| workspace().join("tests/golden/keda"), PathBuf::from)
}

/// The steps of every recorded case.
fn cases() -> Result<BTreeMap<String, Vec<Step>>> {
    let path = recordings().join("steps.json");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

/// One case a recording.
pub(crate) fn tier() -> Tier {
    let mut tier = Tier::new("golden")
        .needs(bed::binary())
        .needs(keda::controller_bin())
        .needs(keda::adapter_bin());
    let cases = match cases() {
        Ok(cases) => cases,
        Err(error) => return tier.case("recordings_can_be_read", || async { Err(error) }),
    };
    tier = tier.case("comparison_counts_what_counts", compare_check::counts_what_counts);
    let mut waiting = Vec::new();
    for (name, steps) in cases {
        if let Some((_, part)) = NOT_YET.iter().find(|(case, _)| *case == name) {
            waiting.push(format!("golden not yet covered: {name:<28} ({part})"));
            continue;
        }
        tier = tier.case(name.replace('-', "_"), move || {
            steps::run(name, steps, recordings())
        });
    }
    waiting.push("golden not yet covered: admission.json               (admission webhook)".to_owned());
    waiting.into_iter().fold(tier, Tier::note)
}
