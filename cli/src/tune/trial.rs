//! One simulation a point, on all cores.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crds::ScaledObject;
use engine::diagnostic::FieldPath;
use engine::simulate::{Settings, SimulatedTrigger, Simulation, Summary};
use engine::tune::Point;
use serde_json::Value;

use super::parameter::Parameter;
use crate::exit::{self, Failure};
use crate::manifest::edit;
use crate::simulate::held::Held;
use crate::simulate::object::{self, Subject};

/// What is tried: an object on a series, with other values of its parameters.
#[derive(Debug)]
pub(crate) struct Trial<'a> {
    base: Value,
    parameters: &'a [Parameter],
    settings: &'a Settings,
    held: &'a Held,
}

impl<'a> Trial<'a> {
    /// Prepares trials of an object.
    pub(crate) fn new(
        subject: &Subject,
        parameters: &'a [Parameter],
        settings: &'a Settings,
        held: &'a Held,
    ) -> Result<Self, Failure> {
        let base = serde_json::to_value(&subject.object)
            .map_err(|error| Failure::new(exit::UNEXPECTED, "cannot write the object").because(error))?;
        Ok(Self {
            base,
            parameters,
            settings,
            held,
        })
    }

    /// What a point changes: places and values.
    pub(crate) fn changes(&self, point: &[usize]) -> Vec<(FieldPath, Value)> {
        let values = self.parameters.iter().zip(point);
        values
            .filter_map(|(parameter, position)| {
                let number = parameter.values[*position];
                parameter
                    .is_changed_by(number)
                    .then(|| (parameter.path.clone(), parameter.value(number)))
            })
            .collect()
    }

    /// The object of a point and its triggers; `None` where it would be refused.
    pub(crate) fn object(&self, point: &[usize]) -> Option<(ScaledObject, Vec<SimulatedTrigger>)> {
        let mut value = self.base.clone();
        for (path, new) in self.changes(point) {
            edit::set(&mut value, &path, new);
        }
        let object: ScaledObject = serde_json::from_value(value).ok()?;
        let (triggers, _) = object::triggers(&object).ok()?;
        Some((object, triggers))
    }

    /// Runs a point; `None` where its object would be refused.
    fn run(&self, point: &[usize], stop: &AtomicBool) -> Result<Option<Summary>, Failure> {
        let Some((object, triggers)) = self.object(point) else {
            return Ok(None);
        };
        let Ok(simulation) = Simulation::new(&object, &triggers, self.settings.clone()) else {
            return Ok(None);
        };
        let summary = simulation.run(self.held.rows(), &mut |_| {
            if stop.load(Ordering::Relaxed) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        Ok(Some(summary))
    }

    /// Runs points on all cores; the answers are in the order of the points, whichever is ready first. `done` is called once a
    /// point.
    pub(crate) fn evaluate(
        &self,
        points: &[Point],
        stop: &AtomicBool,
        done: &(dyn Fn() + Sync),
    ) -> Result<Vec<Option<Summary>>, Failure> {
        let workers = thread::available_parallelism()
            .map_or(1, usize::from)
            .min(points.len());
        self.evaluate_on(workers, points, stop, done)
    }

    fn evaluate_on(
        &self,
        workers: usize,
        points: &[Point],
        stop: &AtomicBool,
        done: &(dyn Fn() + Sync),
    ) -> Result<Vec<Option<Summary>>, Failure> {
        let next = AtomicUsize::new(0);
        let answers = Mutex::new(Vec::with_capacity(points.len()));
        let work = || {
            loop {
                let position = next.fetch_add(1, Ordering::Relaxed);
                let Some(point) = points.get(position) else { break };
                let answer = self.run(point, stop);
                done();
                // A worker that panicked ends the whole with its panic.
                answers.lock().expect("no worker panics").push((position, answer));
            }
        };
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(work);
            }
        });
        if stop.load(Ordering::Relaxed) {
            return Err(Failure::new(exit::INTERRUPTED, ""));
        }
        let mut answers = answers.into_inner().expect("no worker panics");
        answers.sort_by_key(|(position, _)| *position);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }
}
