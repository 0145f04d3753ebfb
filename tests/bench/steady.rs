//! What the processes hold and use while nothing happens: every object is polled once in 30 s, with full ledgers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use harness::source::Answer;
use harness::wait::{look, wait_for};

use crate::field::{Field, name};
use crate::figures::{processor, resident, since, watch_for};
use crate::reads;
use crate::report::{Report, Target};

/// A bound for a machine that hangs.
const DEADLINE: Duration = Duration::from_mins(10);
/// What CPU is measured over: two polling intervals.
const WATCHED: Duration = Duration::from_mins(1);

/// Memory the design allows the controller, by number of objects; in between, by the next larger.
const MEMORY: &[(usize, f64)] = &[(0, 15.0), (100, 18.0), (1000, 40.0), (3000, 80.0)];
/// Seconds of processor a minute that the design allows the controller.
const PROCESSOR: &[(usize, f64)] = &[(1000, 0.4), (3000, 1.1)];

fn allowed(table: &[(usize, f64)], objects: usize) -> Target {
    table
        .iter()
        .find(|(upto, _)| *upto == objects)
        .map_or(Target::None, |(_, most)| Target::AtMost(*most))
}

/// Memory before there are objects.
pub(crate) async fn idle(field: &Field, report: &mut Report) -> Result<()> {
    watch_for(Duration::from_secs(5)).await;
    let (controller, _) = field.keda.pids();
    report.figure(
        "controller memory, no objects",
        "MiB",
        resident(controller)?,
        allowed(MEMORY, 0),
    );
    Ok(())
}

/// Memory and processor time with so many objects.
pub(crate) async fn measure(field: &Field, objects: usize, report: &mut Report) -> Result<()> {
    for index in 0..objects {
        field.source.set(&name(index), Answer::Reads);
    }
    all_read(field, objects, &BTreeMap::new()).await?;
    reads::fill_ledgers(field, objects).await?;
    let (controller, adapter) = field.keda.pids();
    let before = (processor(controller)?, processor(adapter)?);
    watch_for(WATCHED).await;
    let used = (processor(controller)? - before.0, processor(adapter)? - before.1);
    let minutes = WATCHED.as_secs_f64() / 60.0;
    report.figure(
        format!("controller processor a minute, {objects} objects"),
        "s",
        used.0 / minutes,
        allowed(PROCESSOR, objects),
    );
    report.figure(
        format!("controller memory, {objects} objects, full ledgers"),
        "MiB",
        resident(controller)?,
        allowed(MEMORY, objects),
    );
    report.figure(
        format!("adapter memory, {objects} objects"),
        "MiB",
        resident(adapter)?,
        Target::AtMost(12.0),
    );
    Ok(())
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
    report.figure(
        format!("restart → the last of {objects} objects polled"),
        "s",
        since(start),
        Target::AtMost(5.0),
    );
    Ok(())
}
