//! The run of `install` and `upgrade`: every object in order, then, if asked for, the wait.

use serde_json::{Value, json};

use super::apply::{self, Outcome};
use super::flags::{DryRun, Flags};
use super::manifests::{self, Manifest};
use super::options::Options;
use super::{present, wait};
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::kubeconfig::Cluster;
use crate::output::Output;
use crate::ui::progress::Progress;

/// Brings a cluster to what `options` describe.
pub(crate) async fn run(
    options: &Options,
    flags: &Flags,
    cluster: &Cluster,
    cx: &Context,
) -> Result<u8, Failure> {
    let dry_run = flags.dry_run.is_some();
    if !dry_run {
        present::make_room(cluster, &options.namespace, flags.replace, cx.ui).await?;
    }
    let manifests = manifests::objects(options);
    let objects = apply_all(&manifests, options, flags, cluster, cx).await?;
    print_objects(&objects, &flags.output, cx)?;
    if flags.wait && !dry_run {
        wait::ready(cluster, options, flags.timeout, cx.ui).await?;
        cx.ui.say(&format!(
            "kubectl-keda {} is ready in namespace {}",
            options.tag, options.namespace
        ));
    }
    Ok(exit::OK)
}

/// Renders without asking the cluster.
pub(crate) fn render(options: &Options, flags: &Flags, cx: &Context) -> Result<u8, Failure> {
    let manifests = manifests::objects(options);
    if flags.output == Output::Table {
        for manifest in &manifests {
            cx.ui
                .data(&format!("{} created (client dry run)\n", manifest.shown()))?;
        }
    }
    let objects: Vec<Value> = manifests.into_iter().map(|manifest| manifest.value).collect();
    print_objects(&objects, &flags.output, cx)?;
    Ok(exit::OK)
}

async fn apply_all(
    manifests: &[Manifest],
    options: &Options,
    flags: &Flags,
    cluster: &Cluster,
    cx: &Context,
) -> Result<Vec<Value>, Failure> {
    let dry_run = flags.dry_run == Some(DryRun::Server);
    let progress = Progress::bar(cx.ui, manifests.len() as u64);
    let mut objects = Vec::new();
    let mut no_namespace = false;
    for manifest in manifests {
        let shown = manifest.shown();
        if cx.ui.stderr_is_tty {
            progress.doing(&shown);
        }
        let inside = manifest.namespace() == Some(options.namespace.as_str());
        let outcome = if no_namespace && inside {
            // A dry run creates no namespace, so nothing inside it can be tried.
            objects.push(manifest.value.clone());
            Outcome::Created
        } else {
            let applied = apply::apply(&cluster.client, manifest, dry_run)
                .await
                .map_err(|error| cluster.failed(&format!("apply {shown}"), error))?;
            if let Some(conflict) = &applied.taken {
                progress.say(&format!("note: {shown}: {}", explain_conflict(conflict)));
            }
            no_namespace |= dry_run && manifest.kind() == "Namespace" && applied.outcome == Outcome::Created;
            objects.push(applied.object);
            applied.outcome
        };
        if flags.output == Output::Table {
            let suffix = if dry_run { " (server dry run)" } else { "" };
            cx.ui.data(&format!("{shown} {}{suffix}\n", outcome.as_str()))?;
        }
        progress.step();
    }
    if no_namespace {
        progress.say(&format!(
            "note: namespace {} is not there yet, so the API server could not check what goes into it",
            options.namespace
        ));
    }
    Ok(objects)
}

/// Says who managed fields until now; the API server's own text is a list of every field.
fn explain_conflict(conflict: &str) -> String {
    let mut managers: Vec<&str> = conflict
        .split(" with \"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"').map(|(manager, _)| manager))
        .collect();
    managers.sort_unstable();
    managers.dedup();
    if managers.is_empty() {
        return format!("took fields over from another tool ({conflict})");
    }
    format!(
        "took fields over from {}, which wrote them before; it should no longer manage this object",
        managers.join(", ")
    )
}

fn print_objects(objects: &[Value], output: &Output, cx: &Context) -> Result<(), Failure> {
    match output {
        Output::Table | Output::Wide => Ok(()),
        Output::Name => {
            let lines = objects
                .iter()
                .map(|value| format!("{}\n", Manifest { value: value.clone() }.shown()));
            cx.ui.data(&lines.collect::<String>())
        }
        Output::Yaml => cx.ui.data(&documents(objects)?),
        other => {
            let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
            match other.render(&list)? {
                Some(text) => cx.ui.data(&text),
                None => Ok(()),
            }
        }
    }
}

/// One YAML document an object, so that the text can be piped into `kubectl apply` or split.
pub(crate) fn documents(objects: &[Value]) -> Result<String, Failure> {
    let mut text = String::new();
    for object in objects {
        let document = serde_yaml::to_string(object)
            .map_err(|error| Failure::new(exit::UNEXPECTED, "cannot print the objects").because(error))?;
        text.push_str("---\n");
        text.push_str(&document);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_names_the_tools_and_not_every_field() {
        let one = "Apply failed with 1 conflict: conflict with \"helm\" using apps/v1: .spec.replicas";
        assert!(explain_conflict(one).starts_with("took fields over from helm,"));
        let two = "Apply failed with 3 conflicts: conflicts with \"helm\" using apps/v1:\n- .spec.replicas\nconflicts with \"kubectl-client-side-apply\" using apps/v1:\n- .spec.template";
        assert!(explain_conflict(two).starts_with("took fields over from helm, kubectl-client-side-apply,"));
        assert!(explain_conflict("Apply failed").contains("another tool"));
    }
}
