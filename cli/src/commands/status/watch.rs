//! `status --watch`: in place on a terminal, changed rows appended elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Api;
use kube::runtime::{WatchStreamExt, watcher};
use rpc::debug::ListObjectsRequest;

use super::{Args, print, render};
use crate::context::Context;
use crate::debug::Caller;
use crate::exit::{self, Failure};
use crate::kubeconfig::Cluster;
use crate::observe::{self, Scope, Seen};
use crate::output::Output;
use crate::ui::screen;

/// Changes that come close together are shown together.
const CALM: Duration = Duration::from_millis(200);
/// Ages and times to the next poll go on even when nothing changes; replicas are not watched.
const TICK: Duration = Duration::from_secs(2);

/// Shows until Ctrl-C.
pub(super) async fn run(
    args: &Args,
    cx: &Context,
    cluster: &Cluster,
    scope: &Scope,
    controller: Result<Caller, String>,
) -> Result<u8, Failure> {
    let (controller, note) = controller.map_or_else(|note| (None, Some(note)), |caller| (Some(caller), None));
    if let Some(note) = note.as_ref().filter(|_| !in_place(args, cx)) {
        cx.ui.note(note);
    }
    let mut changes = changes(cluster, scope, controller.as_ref())?;
    let mut screen = Screen::default();
    loop {
        match observe::look(cluster, scope, controller.as_ref()).await {
            Ok(mut seen) if in_place(args, cx) => {
                seen.notes.extend(note.clone());
                screen.redraw(cx, args, scope, &seen)?;
            }
            Ok(seen) => screen.append(cx, args, scope, &seen)?,
            // What is shown stays; the API server may come back.
            Err(failure) if screen.shown() && failure.code == exit::UNREACHABLE => cx.ui.failure(&failure),
            Err(failure) => return Err(failure),
        }
        tokio::select! {
            () = next(&mut changes) => tokio::time::sleep(CALM).await,
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

fn in_place(args: &Args, cx: &Context) -> bool {
    cx.ui.stdout_is_tty && matches!(args.output.form, Output::Table | Output::Wide)
}

async fn next(changes: &mut BoxStream<'static, ()>) {
    if changes.next().await.is_none() {
        std::future::pending::<()>().await;
    }
}

/// Something changed in an object, in its HPA, or in what the controller knows of it.
fn changes(
    cluster: &Cluster,
    scope: &Scope,
    controller: Option<&Caller>,
) -> Result<BoxStream<'static, ()>, Failure> {
    let streaming = Cluster {
        client: cluster.streaming_client()?,
        ..cluster.clone()
    };
    let hpas: Api<HorizontalPodAutoscaler> = match &scope.namespace {
        Some(namespace) => Api::namespaced(streaming.client.clone(), namespace),
        None => Api::all(streaming.client.clone()),
    };
    let objects = watcher(
        observe::scaled_object_api(&streaming, scope),
        watcher::Config::default(),
    );
    let hpas = watcher(hpas, watcher::Config::default());
    let objects = objects
        .default_backoff()
        .filter_map(|event| async move { event.is_ok().then_some(()) });
    let hpas = hpas
        .default_backoff()
        .filter_map(|event| async move { event.is_ok().then_some(()) });
    let mut all = vec![objects.boxed(), hpas.boxed()];
    if let Some(caller) = controller {
        all.push(records(caller, scope));
    }
    Ok(futures::stream::select_all(all).boxed())
}

/// The controller's own stream; without it the watches above and the tick remain.
fn records(caller: &Caller, scope: &Scope) -> BoxStream<'static, ()> {
    let wanted = ListObjectsRequest {
        namespace: scope.namespace.clone().unwrap_or_default(),
        resource: "scaledobjects".to_owned(),
        name: scope.name.clone().unwrap_or_default(),
        records: false,
    };
    let (mut client, call) = (caller.debug(), caller.call(wanted));
    futures::stream::once(async move { client.watch(call).await })
        .filter_map(|opened| async move { opened.ok() })
        .flat_map(|opened| {
            opened
                .into_inner()
                .filter_map(|report| async move { report.ok().map(drop) })
        })
        .boxed()
}

/// What is on the screen.
#[derive(Default)]
struct Screen {
    drawn: screen::Screen,
    rows: BTreeMap<(String, String), String>,
    began: bool,
}

impl Screen {
    fn shown(&self) -> bool {
        self.began
    }

    /// Writes over what was written before.
    fn redraw(&mut self, cx: &Context, args: &Args, scope: &Scope, seen: &Seen) -> Result<(), Failure> {
        let mut text = if seen.items.is_empty() {
            format!("no {}\n", scope.words())
        } else {
            render(args, scope, seen)?
        };
        for note in &seen.notes {
            let _ = writeln!(text, "\nnote: {note}");
        }
        self.drawn.redraw(cx.ui, &text)?;
        self.began = true;
        Ok(())
    }

    /// Writes the rows that are new or differ from what was written before.
    fn append(&mut self, cx: &Context, args: &Args, scope: &Scope, seen: &Seen) -> Result<(), Failure> {
        let table = matches!(args.output.form, Output::Table | Output::Wide);
        // All rows are laid out together, so that those printed now stand under those printed before.
        let text = if table {
            render(args, scope, seen)?
        } else {
            String::new()
        };
        let mut lines = text.lines();
        let headings = if table && !args.no_headers {
            lines.next()
        } else {
            None
        };
        let mut out = String::new();
        for item in &seen.items {
            let one = Seen {
                items: vec![item.clone()],
                notes: Vec::new(),
            };
            let row = if table {
                lines.next().map(|line| format!("{line}\n")).unwrap_or_default()
            } else {
                let scope = Scope {
                    name: Some(item.report.name.clone()),
                    ..scope.clone()
                };
                render(args, &scope, &one)?
            };
            let key = (item.report.namespace.clone(), item.report.name.clone());
            // Ages move on by themselves: they make no change.
            let mark = print::table(&one.items, true, false, true);
            if self.rows.get(&key) != Some(&mark) {
                out.push_str(&row);
                self.rows.insert(key, mark);
            }
        }
        if let Some(headings) = headings.filter(|_| !self.began && !out.is_empty()) {
            out.insert_str(0, &format!("{headings}\n"));
        }
        self.began |= !out.is_empty();
        cx.ui.data(&out)
    }
}
