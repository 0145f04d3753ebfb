//! `--live`: asks the source what it has, and lets the user choose.

use std::collections::BTreeMap;

use scalers::{ObjectKey, Offer, Pool, ScalerError, TriggerInput};
use serde_json::json;

use super::Args;
use super::given::{Given, credentials};
use crate::commands::dry_run::hint;
use crate::commands::dry_run::way::connect;
use crate::commands::scalers as catalog;
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::output::Output;
use crate::ui::progress::Progress;
use crate::ui::{prompt, table};

/// What came of asking.
pub(super) enum Answer {
    /// It was printed; there is no manifest to write.
    Listed,
    /// What was chosen, by setting.
    Picked(BTreeMap<&'static str, String>),
}

/// Asks the source. Where nobody can choose, what it has is printed instead.
pub(super) async fn offers(args: &Args, cx: &Context, given: &Given, name: &str) -> Result<Answer, Failure> {
    let scaler = catalog::find(args.type_.as_deref().unwrap_or_default())?;
    if args.set.is_empty() && args.auth.is_empty() {
        return Err(Failure::new(exit::USAGE, "where is the source?")
            .help("name it as the trigger would, as in `--set address=127.0.0.1:6379`")
            .help(format!(
                "`kubectl keda scalers {}` lists every setting",
                scaler.name
            )));
    }
    let input = TriggerInput {
        type_: scaler.name.to_owned(),
        metadata: given.readable(scaler),
        auth: credentials(&args.auth, cx)?,
        object: ObjectKey {
            namespace: cx.kube.namespace.clone().unwrap_or_else(|| "default".to_owned()),
            name: name.to_owned(),
        },
        ..TriggerInput::default()
    };
    let built = scalers::read(&input).map_err(|found| {
        let mistakes = found.iter().filter(|finding| finding.is_error());
        mistakes.fold(
            Failure::new(
                exit::USAGE,
                format!(
                    "the source of `{}` cannot be asked with these settings",
                    scaler.name
                ),
            ),
            |failure, mistake| failure.help(mistake.message.clone()),
        )
    })?;
    let endpoint = built.endpoint().unwrap_or_default();
    let progress = cx.ui.stderr_is_tty.then(|| Progress::spinner(cx.ui));
    if let Some(progress) = &progress {
        progress.doing(&format!("asking {endpoint} what it has"));
    }
    let pool = Pool::new(connect());
    let found = pool.inventory(&built).await;
    drop(progress);
    let found = match found {
        Ok(found) => found,
        Err(error) => return Err(unanswered(&endpoint, &error).await),
    };
    if args.list || args.output.form != Output::Table || !cx.ui.can_ask() {
        cx.ui.data(&listed(args, &found)?)?;
        if found.is_empty() {
            cx.ui.say(&nothing(scaler.name, &endpoint));
        }
        return Ok(Answer::Listed);
    }
    if found.is_empty() {
        cx.ui.note(&nothing(scaler.name, &endpoint));
    }
    pick(cx, given, &found).map(Answer::Picked)
}

fn nothing(type_: &str, endpoint: &str) -> String {
    format!("{endpoint} lists nothing that a `{type_}` trigger could name")
}

async fn unanswered(endpoint: &str, error: &ScalerError) -> Failure {
    let failure = Failure::new(exit::CHECK_FAILED, error.chain());
    match hint::unknown_host(endpoint).await {
        Some(host) => failure.help(format!(
            "`{host}` is a name inside the cluster, which this machine cannot resolve: forward a port to it with \
             `kubectl port-forward` and name that instead"
        )),
        None => failure,
    }
}

fn listed(args: &Args, found: &[Offer]) -> Result<String, Failure> {
    let offer = |offer: &Offer| json!({"setting": offer.parameter, "value": offer.value, "note": offer.note});
    let value = json!({"offers": found.iter().map(offer).collect::<Vec<_>>()});
    if let Some(text) = args.output.form.render(&value)? {
        return Ok(text);
    }
    if found.is_empty() {
        return Ok(String::new());
    }
    let rows: Vec<Vec<&str>> = found
        .iter()
        .map(|offer| vec![offer.parameter, offer.value.as_str(), offer.note.as_str()])
        .collect();
    Ok(table::render(&["SETTING", "VALUE", "NOTE"], &rows))
}

/// One choice a setting, in the order in which the source names them.
fn pick(cx: &Context, given: &Given, found: &[Offer]) -> Result<BTreeMap<&'static str, String>, Failure> {
    let mut parameters: Vec<&'static str> = Vec::new();
    for offer in found {
        if !parameters.contains(&offer.parameter) && !given.is_set(offer.parameter) {
            parameters.push(offer.parameter);
        }
    }
    let mut picked = BTreeMap::new();
    for parameter in parameters {
        let offers: Vec<&Offer> = found
            .iter()
            .filter(|offer| offer.parameter == parameter)
            .collect();
        let widest = offers
            .iter()
            .map(|offer| offer.value.chars().count())
            .max()
            .unwrap_or(0);
        let mut choices: Vec<String> = offers
            .iter()
            .map(|offer| {
                format!("{:widest$}  {}", offer.value, offer.note)
                    .trim_end()
                    .to_owned()
            })
            .collect();
        choices.push("none of these".to_owned());
        let chosen = prompt::choose(cx.ui, parameter, &choices, &format!("`--set {parameter}=VALUE`"))?;
        if let Some(offer) = offers.get(chosen) {
            picked.insert(parameter, offer.value.clone());
        }
    }
    Ok(picked)
}
