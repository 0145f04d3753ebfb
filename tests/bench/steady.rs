//! What the processes hold and use while nothing happens: every object is polled once in 30 s, with full ledgers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use harness::source::Answer;
use harness::wait::{look, wait_for};

use crate::field::{Field, name};
use crate::figures::{connections_to, processor, resident, since, watch_for};
use crate::reads;
use crate::report::{Report, Row};

/// A bound for a machine that hangs.
const DEADLINE: Duration = Duration::from_mins(10);
/// What processor time is measured over: two polling intervals, and one right after objects were created.
const WATCHED: Duration = Duration::from_mins(1);
const BULGE: Duration = Duration::from_secs(30);

/// Memory in MiB by number of objects: what the design allows the controller, and what KEDA's has.
const MEMORY: &[(usize, f64, f64)] = &[
    (0, 15.0, 119.0),
    (100, 18.0, 140.0),
    (1000, 40.0, 232.0),
    (3000, 80.0, 427.0),
];
/// The same in seconds of processor a minute: what the design allows, what KEDA's uses, and what that uses right after the
/// objects were created.
const PROCESSOR: &[(usize, f64, [f64; 2])] = &[(1000, 0.4, [1.7, 4.3]), (3000, 1.1, [4.5, 21.0])];
/// What the adapter may have, and what KEDA's has at least.
const ADAPTER: (f64, f64) = (12.0, 104.0);

fn memory(what: String, objects: usize, measured: f64) -> Row {
    let row = Row::new(what, "MiB", measured);
    match MEMORY.iter().find(|(number, ..)| *number == objects) {
        Some((_, most, keda)) => row.at_most(*most).keda(*keda),
        None => row,
    }
}

/// Memory before there are objects.
pub(crate) async fn idle(field: &Field, report: &mut Report) -> Result<()> {
    watch_for(Duration::from_secs(5)).await;
    let (controller, _) = field.keda.pids();
    report.add(memory(
        "controller memory, no objects".to_owned(),
        0,
        resident(controller)?,
    ));
    Ok(())
}

/// Processor time right after so many objects are there, and memory and processor time once their ledgers are full.
pub(crate) async fn measure(field: &Field, objects: usize, report: &mut Report) -> Result<()> {
    all_read(field, objects, &BTreeMap::new()).await?;
    let target = PROCESSOR.iter().find(|(number, ..)| *number == objects);
    let row = |when: &str, used: f64, which: usize| {
        let row = Row::new(
            format!("controller processor a minute, {objects} objects, {when}"),
            "s",
            used,
        );
        match target {
            Some((_, most, keda)) => row.at_most(*most).keda(keda[which]),
            None => row,
        }
    };
    if target.is_some() {
        let (used, _) = processor_a_minute(field, BULGE).await?;
        report.add(row("just created", used, 1));
    }
    // No two answers are alike from here on, so that no two records of a ledger become one.
    for index in 0..objects {
        field.source.set(&name(index), Answer::Reads);
    }
    reads::fill_ledgers(field, objects).await?;
    if target.is_some() {
        let (used, connections) = processor_a_minute(field, WATCHED).await?;
        report.add(row("steady", used, 0));
        report.add(Row::new(
            format!("connections to their one HTTP source, {objects} objects"),
            "",
            connections as f64,
        ));
    }
    let (controller, adapter) = field.keda.pids();
    report.add(memory(
        format!("controller memory, {objects} objects, full ledgers"),
        objects,
        resident(controller)?,
    ));
    let held = resident(adapter)?;
    let row = Row::new(format!("adapter memory, {objects} objects"), "MiB", held);
    report.add(row.at_most(ADAPTER.0).keda(ADAPTER.1));
    Ok(())
}

/// The controller's processor time a minute, and the most connections to the source that were seen.
async fn processor_a_minute(field: &Field, time: Duration) -> Result<(f64, usize)> {
    let (controller, _) = field.keda.pids();
    let (start, before) = (Instant::now(), processor(controller)?);
    let mut connections = 0;
    while start.elapsed() < time {
        watch_for(Duration::from_secs(1)).await;
        connections = connections.max(connections_to(field.source.address().port())?);
    }
    let used = processor(controller)? - before;
    Ok((used * 60.0 / since(start), connections))
}

/// Waits until each of the first objects was read more often than before.
async fn all_read(field: &Field, objects: usize, before: &BTreeMap<String, u64>) -> Result<()> {
    wait_for("every source to be read", DEADLINE, || async {
        let reads = field.source.all_reads();
        let missing = (0..objects)
            .map(name)
            .filter(|name| reads.get(name).copied().unwrap_or(0) <= before.get(name).copied().unwrap_or(0))
            .count();
        look(missing == 0, || format!("{missing} of {objects} were not read"))
    })
    .await
}

/// From the start of a controller until it has polled the last object.
pub(crate) async fn restart(field: &Field, objects: usize, report: &mut Report) -> Result<()> {
    field.keda.stop_controller().await?;
    let before = field.source.all_reads();
    let start = Instant::now();
    let (started, polled) =
        futures::join!(field.keda.restart_controller(), all_read(field, objects, &before));
    started?;
    polled?;
    let row = Row::new(
        format!("restart → the last of {objects} objects polled"),
        "s",
        since(start),
    );
    report.add(row.at_most(5.0).keda(87.0));
    Ok(())
}
