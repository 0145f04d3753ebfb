//! What of a manifest is varied, and between which values.

use std::str::FromStr;

use crds::ScaledObject;
use engine::diagnostic::FieldPath;
use engine::metric::MetricType;
use engine::simulate::Settings;
use engine::tune::{Axis, Space};
use engine::validate::DEFAULT_MAX_REPLICAS;
use scalers::TargetSetting;
use serde_json::Value;

use super::grid::{self, Unit};
use crate::check;
use crate::exit::{self, Failure};
use crate::manifest::schema::likeliest;

/// Longest stabilization window that the API server accepts, in seconds.
const LONGEST_WINDOW: f64 = 3600.0;
/// The most that a count can be.
const MOST: f64 = i32::MAX as f64;

/// A setting of the manifest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parameter {
    /// What it is called on the command line.
    pub(crate) name: String,
    /// Where it stands.
    pub(crate) path: FieldPath,
    /// What it counts.
    unit: Unit,
    /// What it is now, or what holds as long as it is not there.
    pub(crate) now: f64,
    /// Whether the manifest says it.
    pub(crate) given: bool,
    /// The metadata that it is, which are texts.
    target: Option<TargetSetting>,
    /// The least and the most that is allowed.
    allowed: (f64, f64),
    /// What is searched unless told otherwise; `None` where it is kept then.
    range: Option<(f64, f64)>,
    /// The values that are tried.
    pub(crate) values: Vec<f64>,
}

impl Parameter {
    /// A number as it stands in the manifest.
    pub(crate) fn value(&self, number: f64) -> Value {
        match &self.target {
            Some(target) => Value::String(target.text(number)),
            None => Value::from(number as i64),
        }
    }

    /// A number for people.
    pub(crate) fn text(&self, number: f64) -> String {
        match self.value(number) {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    /// Whether a number is another one than that of now.
    pub(crate) fn is_changed_by(&self, number: f64) -> bool {
        number.total_cmp(&self.now).is_ne()
    }

    /// Whether a word of the command line means it.
    fn is_called(&self, word: &str) -> bool {
        let path = self.path.to_string();
        [self.name.as_str(), path.as_str()].contains(&word) || path.strip_prefix("spec.") == Some(word)
    }

    /// Searches a range.
    fn vary(&mut self, (least, most): (f64, f64)) {
        self.values = grid::values(self.unit, least, most, self.now);
    }
}

/// What `--vary` says: a parameter, and the range that is searched.
#[derive(Clone, Debug, PartialEq)]
pub struct Vary {
    /// The parameter.
    pub name: String,
    /// From and to.
    pub range: Option<(f64, f64)>,
}

impl FromStr for Vary {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, range)) = text.split_once('=') else {
            return Ok(Self {
                name: text.trim().to_owned(),
                range: None,
            });
        };
        let rule = || {
            "must be PARAMETER=FROM..TO with numbers from 0 to 1e12, as in `cooldownPeriod=30..600`"
                .to_owned()
        };
        let (least, most) = range.split_once("..").ok_or_else(rule)?;
        let number = |text: &str| {
            let number: f64 = text.trim().parse().ok()?;
            (0.0..=1e12).contains(&number).then_some(number)
        };
        match (number(least), number(most)) {
            (Some(least), Some(most)) if least <= most => Ok(Self {
                name: name.trim().to_owned(),
                range: Some((least, most)),
            }),
            _ => Err(rule()),
        }
    }
}

/// The word of `--keep` that means all parameters that `--vary` does not name.
const OTHERS: &str = "others";

/// The parameters that are varied, in the order in which the output lists them.
pub(crate) fn chosen(all: Vec<Parameter>, vary: &[Vary], keep: &[String]) -> Result<Vec<Parameter>, Failure> {
    let known = |word: &str, flag: &str| {
        all.iter()
            .position(|parameter| parameter.is_called(word))
            .ok_or_else(|| unknown(&all, word, flag))
    };
    let mut ranges: Vec<Option<(f64, f64)>> = all.iter().map(|parameter| parameter.range).collect();
    if keep.iter().any(|word| word == OTHERS) {
        ranges.fill(None);
    }
    for word in keep.iter().filter(|word| *word != OTHERS) {
        ranges[known(word, "--keep")?] = None;
    }
    for one in vary {
        let position = known(&one.name, "--vary")?;
        if keep.contains(&one.name) {
            let message = format!("`{}` cannot be both varied and kept", one.name);
            return Err(Failure::new(exit::USAGE, message));
        }
        let parameter = &all[position];
        let range = one.range.or(parameter.range).unwrap_or_else(|| around(parameter));
        check_range(parameter, range)?;
        ranges[position] = Some(range);
    }
    let mut chosen = Vec::new();
    for (mut parameter, range) in all.into_iter().zip(ranges) {
        if let Some(range) = range {
            parameter.vary(range);
            chosen.push(parameter);
        }
    }
    if chosen.iter().all(|parameter| parameter.values.len() < 2) {
        let message = "there is nothing to vary: every parameter is kept, or has one value only";
        return Err(Failure::new(exit::USAGE, message)
            .help("`--vary PARAMETER=FROM..TO` says what is searched, and between which values"));
    }
    Ok(chosen)
}

/// What is searched of a parameter that is kept unless it is named.
fn around(parameter: &Parameter) -> (f64, f64) {
    let (least, most) = parameter.allowed;
    (
        (parameter.now / 4.0).floor().max(least),
        (parameter.now * 4.0).min(most),
    )
}

fn check_range(parameter: &Parameter, (from, to): (f64, f64)) -> Result<(), Failure> {
    let (least, most) = parameter.allowed;
    let whole = parameter.unit != Unit::Number;
    let wrong = |rule: String| Err(Failure::new(exit::USAGE, format!("`{}` {rule}", parameter.name)));
    if from < least || to > most {
        let most = if most < MOST {
            format!(" to {most}")
        } else {
            String::new()
        };
        return wrong(format!("must be from {least}{most}, not {from}..{to}"));
    }
    if whole && (from.fract() != 0.0 || to.fract() != 0.0) {
        return wrong(format!(
            "must be a whole number, so {from}..{to} is no range of it"
        ));
    }
    Ok(())
}

fn unknown(all: &[Parameter], word: &str, flag: &str) -> Failure {
    let names: Vec<&str> = all.iter().map(|parameter| parameter.name.as_str()).collect();
    let failure = Failure::new(
        exit::USAGE,
        format!("`{flag}`: the object has no parameter `{word}`"),
    );
    let failure = match likeliest(word, names.iter().copied()) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure,
    };
    failure.help(format!("there are {}", names.join(", ")))
}

/// The space of the parameters.
pub(crate) fn space(parameters: &[Parameter]) -> Space {
    Space::new(parameters.iter().map(|parameter| {
        Axis {
            values: parameter.values.len(),
            current: parameter
                .values
                .iter()
                .position(|value| !parameter.is_changed_by(*value))
                .unwrap_or_default(),
        }
    }))
}

/// Every parameter of an object.
pub(crate) fn all(object: &ScaledObject, settings: &Settings) -> Vec<Parameter> {
    let mut all = targets(object);
    all.extend(periods(object));
    all.extend(bounds(object));
    all.extend(windows(object, settings));
    all
}

fn spec() -> FieldPath {
    FieldPath::root().field("spec")
}

fn parameter(
    name: &str,
    path: FieldPath,
    unit: Unit,
    given: Option<i32>,
    default: f64,
    allowed: (f64, f64),
) -> Parameter {
    Parameter {
        name: name.to_owned(),
        path,
        unit,
        now: given.map_or(default, f64::from),
        given: given.is_some(),
        target: None,
        allowed,
        range: None,
        values: Vec::new(),
    }
}

/// The targets of the triggers.
fn targets(object: &ScaledObject) -> Vec<Parameter> {
    let mut found = Vec::new();
    for (index, trigger) in object.spec.triggers.iter().enumerate() {
        let Some(target) = TargetSetting::of(&check::trigger::input(object, index, trigger)) else {
            continue;
        };
        let owner = trigger.name.clone().filter(|name| !name.is_empty());
        let percent = trigger.metric_type.as_deref() == Some(MetricType::Utilization.as_str());
        let now = target.number;
        let (least, range) = if percent {
            (1.0, (now.min(20.0), now.max(90.0)))
        } else if target.whole {
            (1.0, ((now / 8.0).ceil().max(1.0), now * 8.0))
        } else {
            (0.001, ((now * 1000.0 / 8.0).ceil() / 1000.0, now * 8.0))
        };
        found.push(Parameter {
            name: format!("{}.{}", owner.unwrap_or_else(|| index.to_string()), target.key),
            path: FieldPath::trigger(index).field("metadata").field(target.key),
            unit: if target.whole { Unit::Whole } else { Unit::Number },
            now,
            given: target.given,
            target: Some(target),
            allowed: (least, 1e12),
            // A target of nothing is none that could be varied by shares.
            range: (now > 0.0).then_some(range),
            values: Vec::new(),
        });
    }
    if let [only] = found.as_mut_slice()
        && let Some(target) = &only.target
    {
        target.key.clone_into(&mut only.name);
    }
    found
}

/// Cooldown and polling.
fn periods(object: &ScaledObject) -> Vec<Parameter> {
    let fields = &object.spec;
    let sleeps = fields.min_replica_count.unwrap_or(0) == 0 || fields.idle_replica_count.is_some();
    let (name, path) = ("cooldownPeriod", spec().field("cooldownPeriod"));
    let mut cooldown = parameter(
        name,
        path,
        Unit::Seconds,
        fields.cooldown_period,
        300.0,
        (0.0, MOST),
    );
    let most = (cooldown.now * 4.0).clamp(300.0, MOST);
    cooldown.range = sleeps.then_some(((cooldown.now / 10.0).floor(), most));
    let (name, path) = ("pollingInterval", spec().field("pollingInterval"));
    // Kept unless named: asking more often costs the sources, which no figure here tells.
    let polling = parameter(
        name,
        path,
        Unit::Seconds,
        fields.polling_interval,
        30.0,
        (1.0, MOST),
    );
    vec![cooldown, polling]
}

/// Replica counts.
fn bounds(object: &ScaledObject) -> Vec<Parameter> {
    let fields = &object.spec;
    let path = |name: &str| spec().field(name);
    let (given, name) = (fields.max_replica_count, "maxReplicaCount");
    let mut max = parameter(
        name,
        path(name),
        Unit::Whole,
        given,
        f64::from(DEFAULT_MAX_REPLICAS),
        (1.0, MOST),
    );
    max.range = Some(((max.now / 2.0).ceil(), (max.now * 2.0).min(MOST)));
    let (given, name) = (fields.min_replica_count, "minReplicaCount");
    let mut min = parameter(name, path(name), Unit::Whole, given, 0.0, (0.0, MOST));
    // From a minimum on that keeps replicas, scale to zero is a choice of another kind: never made unless asked for.
    let (least, most) = if min.now == 0.0 {
        (0.0, 4.0)
    } else {
        (1.0, min.now * 2.0 + 2.0)
    };
    min.range = Some((least, most.min(max.now).max(min.now)));
    let mut all = vec![min, max];
    if let Some(idle) = fields.idle_replica_count {
        let name = "idleReplicaCount";
        let mut idle = parameter(name, path(name), Unit::Whole, Some(idle), 0.0, (0.0, MOST));
        idle.range = (idle.now > 0.0).then_some((0.0, idle.now));
        all.push(idle);
    }
    all
}

/// Stabilization windows.
fn windows(object: &ScaledObject, settings: &Settings) -> Vec<Parameter> {
    let config = object
        .spec
        .advanced
        .as_ref()
        .and_then(|advanced| advanced.horizontal_pod_autoscaler_config.as_ref());
    let behavior = config.and_then(|config| config.behavior.as_ref());
    let (down, up) = behavior.map_or((None, None), |behavior| {
        (behavior.scale_down.as_ref(), behavior.scale_up.as_ref())
    });
    let window = |rules: &str, given: Option<i32>, default: f64, most: f64| {
        let path = spec()
            .field("advanced")
            .field("horizontalPodAutoscalerConfig")
            .field("behavior")
            .field(rules)
            .field("stabilizationWindowSeconds");
        let name = format!("{rules}.stabilizationWindowSeconds");
        let mut window = parameter(&name, path, Unit::Seconds, given, default, (0.0, LONGEST_WINDOW));
        window.range = Some((0.0, (window.now * 2.0).max(most).min(LONGEST_WINDOW)));
        window
    };
    // Where no window is given, a flag of kube-controller-manager decides, in whole seconds of what can be written.
    let default = (settings.downscale_stabilization as f64 / 1000.0)
        .round()
        .min(LONGEST_WINDOW);
    vec![
        window(
            "scaleDown",
            down.and_then(|rules| rules.stabilization_window_seconds),
            default,
            600.0,
        ),
        window(
            "scaleUp",
            up.and_then(|rules| rules.stabilization_window_seconds),
            0.0,
            180.0,
        ),
    ]
}

#[cfg(test)]
mod tests;
