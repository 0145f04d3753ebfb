//! `kubectl keda explain`: what happened to one object, why, and what comes next.

mod print;

use engine::report::ObjectReport;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::ListParams;
use rpc::debug::ObjectRequest;
use serde_json::json;

use crate::commands::status::parse_name;
use crate::context::Context;
use crate::debug::{self, Caller, DebugArgs};
use crate::exit::{self, Failure};
use crate::kubeconfig::Cluster;
use crate::observe::{self, Scope};
use crate::output::OutputArgs;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl keda explain so/orders
  kubectl keda explain orders -n shop --records
  kubectl keda explain so/orders -o json > orders-report.json")]
pub struct Args {
    /// ScaledObject to explain, as NAME or so/NAME
    #[arg(value_name = "so/NAME", value_parser = parse_name)]
    pub name: String,
    /// Print every record of the ledger, not only what acted
    #[arg(long)]
    pub records: bool,
    /// How to print the answer
    #[command(flatten)]
    pub output: OutputArgs,
    /// How to reach the controller
    #[command(flatten)]
    pub debug: DebugArgs,
}

/// Runs the verb.
pub(crate) async fn run(args: &Args, cx: &Context) -> Result<u8, Failure> {
    let cluster = cx.cluster().await?;
    let namespace = cluster.namespace.clone();
    let told = match debug::controller(&cluster, &args.debug).await {
        Ok(caller) => ask(&caller, &namespace, &args.name).await,
        Err(failure) => Err(failure),
    };
    let (report, events, note) = match told {
        Ok(report) => (report, Vec::new(), None),
        Err(failure) => {
            let (report, events) = without_controller(&cluster, &namespace, &args.name).await?;
            (report, events, Some(failure))
        }
    };
    let now = Timestamp::now();
    let explanation = engine::explain::object(&report, now);
    let value = json!({"explanation": explanation, "report": report, "events": events});
    let text = match args.output.form.render(&value)? {
        Some(text) => text,
        None => print::text(&report, &explanation, &events, args.records),
    };
    cx.ui.data(&text)?;
    if let Some(failure) = note {
        cx.ui.note(&format!(
            "told from what the API server knows, without the ledger: {}",
            exit::chain(&failure)
        ));
        for help in failure.helps() {
            cx.ui.say(&format!("  help: {help}"));
        }
    }
    Ok(exit::OK)
}

async fn ask(caller: &Caller, namespace: &str, name: &str) -> Result<ObjectReport, Failure> {
    let wanted = ObjectRequest {
        resource: "scaledobjects".to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    let doing = format!("explain scaledobject {namespace}/{name}");
    let answer = caller
        .debug()
        .explain(caller.call(wanted))
        .await
        .map_err(|s| caller.failed(&doing, &s))?
        .into_inner();
    serde_json::from_slice(&answer.report).map_err(|e| {
        Failure::new(
            exit::UNEXPECTED,
            format!(
                "the controller's report (schema {}) cannot be read",
                answer.schema
            ),
        )
        .because(e)
        .help("bring command and installation to one version with `kubectl keda upgrade`")
    })
}

/// One Event about the object or its HPA.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Told {
    /// When it was last seen.
    pub(crate) at: Option<Timestamp>,
    /// Its reason.
    pub(crate) reason: String,
    /// Its message.
    pub(crate) message: String,
    /// How often.
    pub(crate) count: i32,
}

async fn without_controller(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
) -> Result<(ObjectReport, Vec<Told>), Failure> {
    let scope = Scope {
        namespace: Some(namespace.to_owned()),
        name: Some(name.to_owned()),
        selector: None,
    };
    let seen = observe::look(cluster, &scope, None).await?;
    let report = seen
        .items
        .into_iter()
        .next()
        .map(|item| item.report)
        .unwrap_or_default();
    let hpa = report
        .hpa
        .as_ref()
        .map(|hpa| hpa.name.clone())
        .unwrap_or_default();
    let events: Api<Event> = Api::namespaced(cluster.client.clone(), namespace);
    let mut told = Vec::new();
    for (kind, name) in [("ScaledObject", name), ("HorizontalPodAutoscaler", hpa.as_str())] {
        let about =
            ListParams::default().fields(&format!("involvedObject.kind={kind},involvedObject.name={name}"));
        // Events are a help, not the point: without the right to read them the rest is told.
        let found = events
            .list(&about)
            .await
            .map(|list| list.items)
            .unwrap_or_default();
        told.extend(found.into_iter().map(event));
    }
    told.sort_by_key(|told| told.at);
    Ok((report, told))
}

fn event(event: Event) -> Told {
    let series = event.series.as_ref();
    let precise = series
        .and_then(|series| series.last_observed_time.clone())
        .or(event.event_time);
    let at = precise
        .map(|time| time.0)
        .or(event.last_timestamp.map(|time| time.0))
        .or(event.first_timestamp.map(|t| t.0));
    Told {
        at: at.and_then(|time| Timestamp::from_second(time.as_second()).ok()),
        reason: event.reason.unwrap_or_default(),
        message: event.message.unwrap_or_default(),
        count: series
            .and_then(|series| series.count)
            .or(event.count)
            .unwrap_or(1),
    }
}
