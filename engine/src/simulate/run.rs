//! The clock: from one moment at which something happens to the next.

use std::ops::ControlFlow;

use jiff::{SignedDuration, Timestamp};

use super::answers::{Answer, Metered, Workload};
use super::load::{Load, MICRO};
use super::pods::Pods;
use super::prepare::Kind;
use super::series::{Cell, Rows, Series};
use super::step::{Cause, Step};
use super::summary::{Summary, Tally};
use super::sync::Syncs;
use super::{Closed, Input, MAX_LENGTH, Millis, PreparedHpa, Simulation, Source};
use crate::activate;
use crate::quantity::Quantity;

impl Simulation {
    /// Lets the clock run. `each` is told of the start, of every poll and of every sync, also of those that change nothing;
    /// when it breaks off, the summary is that of the time until then.
    pub fn run<R: Rows>(
        self,
        rows: R,
        each: &mut dyn FnMut(&Step<'_>) -> ControlFlow<()>,
    ) -> Result<Summary, R::Error> {
        let mut series = Series::new(rows)?;
        let mut run = Run::new(&self);
        series.advance(0)?;
        run.arrive(&series);
        if run.start(each).is_break() {
            return Ok(run.finish());
        }
        loop {
            run.pods.settle(run.now);
            if run.moment(&series, each).is_break() {
                break;
            }
            let end = match self.settings.length {
                Some(length) => length,
                None if series.due().is_none() => run.now,
                None => MAX_LENGTH,
            };
            let next = run.next(series.due(), end);
            if next <= run.now {
                break;
            }
            run.pass(next);
            if series.advance(run.now)? {
                run.arrive(&series);
            }
        }
        Ok(run.finish())
    }

    /// The time of day.
    pub(super) fn time(&self, at: Millis) -> Timestamp {
        let start = self.settings.start;
        start
            .checked_add(SignedDuration::from_millis(at))
            .unwrap_or(Timestamp::MAX)
    }
}

/// How long after its moment a poll decides: the sources have answered, if only just. A cooldown of some intervals is over at the
/// poll that many intervals after the last active one, and not at the next.
const ANSWERED: Millis = 1;

/// A time as the API server keeps it.
pub(super) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// A simulation while it runs.
struct Run<'s> {
    simulation: &'s Simulation,
    now: Millis,
    poll: Option<Millis>,
    sync: Millis,
    pods: Pods,
    load: Option<Load>,
    seen: activate::Observed,
    syncs: Syncs,
    metered: Vec<Metered>,
    answers: Vec<Answer>,
    values: Vec<Option<f64>>,
    tally: Tally,
}

impl<'s> Run<'s> {
    fn new(simulation: &'s Simulation) -> Self {
        let (settings, count) = (&simulation.settings, simulation.columns.len());
        let load = match &settings.source {
            Source::Open => None,
            Source::Closed(closed) => Some(Load::new(
                Quantity::from_f64_milli(closed.service_rate).milli(),
                (closed.backlog * MICRO as f64) as i128,
            )),
        };
        Self {
            simulation,
            now: 0,
            poll: simulation.polls.then_some(settings.poll_phase),
            sync: settings.sync_period + settings.sync_phase,
            pods: Pods::new(simulation.replicas, settings.pod_startup, settings.pod_drain),
            load,
            seen: simulation.seen.clone(),
            syncs: Syncs::new(settings.hpa_options()),
            metered: (0..count).map(|_| Metered::default()).collect(),
            answers: vec![Answer::Unread; count],
            values: vec![None; count],
            tally: Tally::new(settings.flap_window, count, simulation.replicas),
        }
    }

    fn start(&self, each: &mut dyn FnMut(&Step<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        let replicas = self.pods.replicas();
        each(&self.step(replicas, replicas, Cause::Start))
    }

    fn step<'a>(&'a self, before: i32, desired: i32, cause: Cause<'a>) -> Step<'a> {
        Step {
            t: self.now,
            before,
            replicas: self.pods.replicas(),
            ready: self.pods.ready(),
            desired,
            names: &self.simulation.names,
            values: &self.values,
            backlog: self.backlog(),
            cause,
        }
    }

    fn backlog(&self) -> Option<f64> {
        self.load
            .as_ref()
            .map(|load| load.backlog() as f64 / MICRO as f64)
    }

    /// The next moment at which anything happens, not after the end.
    fn next(&self, row: Option<Millis>, end: Millis) -> Millis {
        [row, self.poll, self.pods.due()]
            .into_iter()
            .flatten()
            .fold(self.sync, Millis::min)
            .min(end)
    }

    /// Lets time pass in which nothing happens.
    fn pass(&mut self, next: Millis) {
        let time = next - self.now;
        self.tally.pass(time, self.pods.existing(), self.pods.replicas());
        if let Some(load) = &mut self.load {
            load.pass(time, self.pods.ready());
        }
        self.now = next;
    }

    /// A new row says how much arrives from now on; an empty cell leaves it.
    fn arrive<R: Rows>(&mut self, series: &Series<R>) {
        if let (Some(load), Source::Closed(closed)) = (&mut self.load, &self.simulation.settings.source)
            && let Some(cell) = series.cell(closed.arrivals)
        {
            load.arrive(Quantity::from_f64_milli(cell.value).milli());
        }
    }

    /// What is due now: a poll, then a sync.
    fn moment<R: Rows>(
        &mut self,
        series: &Series<R>,
        each: &mut dyn FnMut(&Step<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if self.poll == Some(self.now) {
            self.poll(series, each)?;
            let interval = self.simulation.want.polling_interval.as_millis();
            let interval = Millis::try_from(interval).unwrap_or(MAX_LENGTH).max(1);
            self.poll = Some(self.now.saturating_add(interval));
        }
        if self.sync == self.now {
            let simulation = self.simulation;
            if let Some(hpa) = &simulation.hpa {
                self.sync(hpa, series, each)?;
            }
            self.tally.sample(&self.values, self.load.as_ref());
            if let Some(load) = &mut self.load {
                load.measure();
            }
            self.sync = self.now.saturating_add(self.simulation.settings.sync_period);
        }
        ControlFlow::Continue(())
    }

    /// What a metric's source shows now.
    fn cell<R: Rows>(&self, column: usize, series: &Series<R>) -> Option<Cell> {
        match (&self.simulation.settings.source, &self.load) {
            (Source::Closed(closed), Some(load)) => shown(closed, load, column, self.pods.ready(), series),
            _ => series.cell(column),
        }
    }

    /// One iteration of the scale loop.
    fn poll<R: Rows>(
        &mut self,
        series: &Series<R>,
        each: &mut dyn FnMut(&Step<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let simulation = self.simulation;
        let workload = self.workload();
        for (index, column) in simulation.columns.iter().enumerate() {
            if column.kind != Kind::External {
                continue;
            }
            let cell = self.cell(index, series);
            let fallback = simulation.fallback.as_ref();
            let answer = self.metered[index].poll(column, cell, workload, fallback, &mut self.tally);
            answer.note(&mut self.seen.readings[index]);
            self.keep(index, answer);
        }
        self.tally.polls += 1;
        let now = self.simulation.time(self.now.saturating_add(ANSWERED));
        self.seen.replicas = Ok(workload.replicas);
        let decision = activate::decide(&simulation.want, &self.seen, now);
        if decision.is_activity() {
            self.seen.last_active = Some(whole_seconds(now));
        }
        let desired = decision.scales_to().unwrap_or(workload.replicas);
        self.scale(desired);
        let cause = Cause::Poll {
            decision: &decision,
            readings: &self.seen.readings,
            answers: &self.answers,
        };
        each(&self.step(workload.replicas, desired, cause))
    }

    fn workload(&self) -> Workload {
        Workload {
            replicas: self.pods.replicas(),
            ready: self.pods.ready(),
        }
    }

    fn keep(&mut self, index: usize, answer: Answer) {
        self.answers[index] = answer;
        self.values[index] = answer.value();
    }

    fn scale(&mut self, to: i32) {
        let before = self.pods.replicas();
        if to != before {
            self.pods.scale(self.now, to);
            self.tally.change(self.now, before, to);
        }
    }

    /// One sync of the HPA.
    fn sync<R: Rows>(
        &mut self,
        hpa: &PreparedHpa,
        series: &Series<R>,
        each: &mut dyn FnMut(&Step<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let before = self.pods.replicas();
        // Upstream: `reconcileAutoscaler` asks for no metric at zero and outside of the bounds.
        let reads = before > 0 && (hpa.spec.min_replicas..=hpa.spec.max_replicas).contains(&before);
        if reads {
            self.read(hpa, series);
        }
        self.tally.syncs += 1;
        let outcome = self
            .syncs
            .reconcile(self.simulation, hpa, &self.answers, self.now, before);
        self.scale(outcome.replicas.unwrap_or(before));
        let cause = Cause::Sync {
            outcome: &outcome,
            controller: self.syncs.controller(),
            status: self.syncs.status(),
            order: &hpa.order,
        };
        each(&self.step(before, outcome.desired, cause))
    }

    /// Reads every metric for the HPA.
    fn read<R: Rows>(&mut self, hpa: &PreparedHpa, series: &Series<R>) {
        let (simulation, workload) = (self.simulation, self.workload());
        for &index in &hpa.order {
            let cell = self.cell(index, series);
            let fallback = simulation.fallback.as_ref();
            let column = &simulation.columns[index];
            let answer = self.metered[index].serve(column, cell, workload, fallback, &mut self.tally);
            self.keep(index, answer);
        }
        if hpa.needs_pods {
            self.syncs.look(&self.pods);
        }
    }

    fn finish(self) -> Summary {
        let Simulation { names, settings, .. } = self.simulation;
        self.tally.finish(self.now, names, settings, self.load.as_ref())
    }
}

/// What a metric shows of a closed loop.
fn shown<R: Rows>(
    closed: &Closed,
    load: &Load,
    column: usize,
    ready: i32,
    series: &Series<R>,
) -> Option<Cell> {
    let input = closed.inputs.get(column)?;
    if let Input::Column(recorded) = input {
        return series.cell(*recorded);
    }
    if *input == Input::Busy {
        return load.busy().map(Cell::from);
    }
    series.cell(closed.arrivals)?;
    let value = match input {
        Input::Backlog => load.waiting(),
        Input::InSystem => load.in_system(ready),
        _ => load.arrivals(),
    };
    Some(Cell::from(value))
}
