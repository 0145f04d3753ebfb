//! The scale loop: one task an object. It polls the triggers, lets the engine decide, and carries the decision out.
//!
//! Polls are aligned by question: objects with the same trigger and interval ask at the same moments, so that one request answers
//! them all; different ones are spread over the interval.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use crds::ScaledObject;
use engine::action::ScaleTarget;
use engine::activate::{self, Observed, Reading, Source, TriggerReading};
use engine::desired::{self, Desired, ObjectKey};
use engine::event::Event;
use engine::metric::{MetricName, TriggerMetrics};
use engine::reconcile::Phase;
use jiff::Timestamp;
use kube::Resource as _;
use kube::core::subresource::Scale;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::ask::{Answer, Subject};
use crate::execute::Executor;
use crate::failure;
use crate::live::{Live, Running};
use crate::observe::{self, target::replicas};
use crate::operator::{Operator, Work};
use crate::push;

/// Starts the loop of an object, or replaces the one that runs.
pub(crate) fn start(operator: &Arc<Operator>, live: &Arc<Live>, generation: i64) {
    let stop = operator.stop.child_token();
    if let Some(former) = live.set_running(Some(Running {
        generation,
        stop: stop.clone(),
    })) {
        former.stop.cancel();
    }
    let (operator_, live) = (Arc::clone(operator), Arc::clone(live));
    operator
        .loops
        .spawn(async move { run(operator_, live, stop).await });
}

/// Stops the loop of an object and drops what it cached.
pub(crate) fn stop(live: &Live) {
    if let Some(running) = live.set_running(None) {
        running.stop.cancel();
    }
    live.set_triggers(None);
    live.set_polled(&[]);
    live.unfollow();
}

async fn run(operator: Arc<Operator>, live: Arc<Live>, stop: CancellationToken) {
    let mut due = Timestamp::now();
    // The first poll is of no moment: whoever wrote the object wants to know how it reads now.
    let mut since = None;
    let mut pushes = push::Pushes::default();
    loop {
        let now = Timestamp::now();
        let late = Duration::try_from(now - due).unwrap_or_default();
        operator
            .metrics
            .loop_began(&live.key.namespace, &live.key.name, late);
        // Boxed, so that a loop that sleeps, as nearly all of them do, takes no room for its next iteration.
        let Some((interval, phase)) = Box::pin(iterate(&operator, &live, &stop, &mut pushes, since)).await
        else {
            return;
        };
        due = next(Timestamp::now(), interval, phase);
        live.set_next(due);
        let pause = Duration::try_from(due - Timestamp::now()).unwrap_or_default();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        since = moment(due);
    }
}

/// The moment of a poll as a time of the clock that never jumps, a little early: the clock that `due` is read from may be
/// adjusted while loops sleep, so that some of one moment wake before it.
fn moment(due: Timestamp) -> Option<Instant> {
    const ADJUSTED: Duration = Duration::from_millis(50);
    let late = Duration::try_from(Timestamp::now() - due).unwrap_or_default();
    Instant::now().checked_sub(late + ADJUSTED)
}

/// The next moment of a phase, at most one interval from now.
fn next(now: Timestamp, interval: Duration, phase: Duration) -> Timestamp {
    let (interval, phase) = (interval.as_millis().max(1), phase.as_millis());
    let present = u128::try_from(now.as_millisecond()).unwrap_or_default();
    let past = (present + interval - phase % interval) % interval;
    let left = i64::try_from(interval - past).unwrap_or(i64::MAX);
    now.saturating_add(jiff::SignedDuration::from_millis(left))
        .unwrap_or(Timestamp::MAX)
}

/// Moments of an interval at which polls begin. Those of one moment wake the process once, and where the protocol has that, they
/// travel together.
const MOMENTS: u32 = 300;

/// The phase of an object: the same for all that put the same questions.
fn phase(object: &ScaledObject, interval: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    for trigger in &object.spec.triggers {
        (&trigger.type_, &trigger.metadata).hash(&mut hasher);
    }
    let moment = hasher.finish() % u64::from(MOMENTS);
    interval / MOMENTS * u32::try_from(moment).unwrap_or_default()
}

/// Polls once; says interval and phase, or `None` if the loop has nothing more to do.
async fn iterate(
    operator: &Arc<Operator>,
    live: &Arc<Live>,
    stop: &CancellationToken,
    pushes: &mut push::Pushes,
    since: Option<Instant>,
) -> Option<(Duration, Duration)> {
    let object = operator.object(&live.key).ok()?;
    let retry = (Duration::from_secs(30), Duration::ZERO);
    let Ok(mut want) = desired::validate(&object) else {
        return Some(retry);
    };
    let interval = Duration::try_from(want.polling_interval).unwrap_or(retry.0);
    let polled = tokio::select! {
        polled = poll(operator, live, &object, since) => polled,
        () = stop.cancelled() => return None,
    };
    if let Some(subject) = &polled.subject {
        pushes.follow(operator, live, subject, stop);
    }
    // From here on the iteration is finished even when the process stops: a write in flight is never torn.
    let _exclusive = live.work.lock().await;
    if stop.is_cancelled() {
        return None;
    }
    let polled_of = object;
    let object = operator.object(&live.key).ok()?;
    if Phase::of(&object) != Phase::Run {
        // Paused or deleted since the poll began: the reconcile is on its way, tells it in an Event and ends this loop.
        return Some((interval, phase(&object, interval)));
    }
    if !Arc::ptr_eq(&polled_of, &object) {
        let of = |object: &ScaledObject| (object.metadata.uid.clone(), object.metadata.generation);
        if of(&polled_of) != of(&object) {
            // Changed since the poll began, which asked the former triggers: the reconcile replaces this loop.
            return Some((interval, phase(&object, interval)));
        }
        match desired::validate(&object) {
            Ok(anew) => want = anew,
            Err(_) => return Some(retry),
        }
    }
    act(operator, live, &object, &want, polled.readings, Source::Poll).await;
    Some((interval, phase(&object, interval)))
}

/// What the triggers said.
struct Polled {
    subject: Option<Subject>,
    readings: Vec<TriggerReading>,
}

async fn poll(
    operator: &Arc<Operator>,
    live: &Arc<Live>,
    object: &Arc<ScaledObject>,
    since: Option<Instant>,
) -> Polled {
    let subject = match operator.subject(&live.key).await {
        Ok(subject) => subject,
        Err(message) => {
            operator
                .events
                .emit(&object.object_ref(&()), Event::scaler_failed(message.clone()));
            operator
                .metrics
                .object_failed(&live.key.namespace, &live.key.name);
            return Polled {
                subject: None,
                readings: all_failed(object, &message),
            };
        }
    };
    operator
        .builder
        .refresh(&subject.object, subject.target.as_deref(), &subject.triggers)
        .await;
    let answers = operator.asker.all(&subject, since).await;
    live.set_polled(&answers);
    for answer in &answers {
        if answer.result.is_err() {
            operator.read_failed(&subject, answer);
        }
    }
    let readings = readings(&subject, &answers);
    Polled {
        subject: Some(subject),
        readings,
    }
}

/// The readings of triggers that could not even be built.
fn all_failed(object: &ScaledObject, message: &str) -> Vec<TriggerReading> {
    let names = object
        .status
        .as_ref()
        .map(|status| status.external_metric_names.clone())
        .unwrap_or_default();
    let failed = |(trigger, name): (usize, String)| TriggerReading {
        trigger,
        metric: MetricName::new(name),
        value: None,
        reading: Reading::Failed(message.to_owned()),
    };
    names.into_iter().enumerate().map(failed).collect()
}

/// What the engine reads of the answers, in the order of the triggers.
fn readings(subject: &Subject, answers: &[Answer]) -> Vec<TriggerReading> {
    let mut readings = Vec::new();
    for (index, slot) in subject.triggers.slots.iter().enumerate() {
        if let TriggerMetrics::Resource(resource) = slot.metrics() {
            let metric = MetricName::new(resource.resource.as_str());
            readings.push(TriggerReading {
                trigger: index,
                metric,
                value: None,
                reading: Reading::Resource,
            });
        }
        for answer in answers.iter().filter(|answer| answer.index == index) {
            let reading = match &answer.result {
                Err(error) => Reading::Failed(error.clone()),
                Ok(_) if answer.active() => Reading::Active,
                Ok(_) => Reading::Inactive,
            };
            readings.push(TriggerReading {
                trigger: index,
                metric: answer.metric.name.clone(),
                value: answer.value(),
                reading,
            });
        }
    }
    readings
}

/// Lets the engine decide on readings, and carries its plan out. The caller holds the object's lock.
pub(crate) async fn act(
    operator: &Arc<Operator>,
    live: &Arc<Live>,
    object: &Arc<ScaledObject>,
    want: &Desired,
    readings: Vec<TriggerReading>,
    source: Source,
) {
    let (seen, scale) = observe(operator, live, object, want, readings, source).await;
    let now = Timestamp::now();
    let plan = activate::plan(want, &seen, now);
    live.decided(&seen, &plan, now);
    let mut executor = Executor::new(operator, live, Arc::clone(object), scale);
    if let Err((position, failure)) = executor.run(&plan.actions).await {
        // A failure of these as well is in log and ledger; the next iteration begins anew.
        drop(
            executor
                .run(&plan.after_failure(&plan.actions[position], &failure))
                .await,
        );
        // Somebody else moved the target: look again at once instead of an interval later.
        if let engine::action::Failure::Stale(_) = failure {
            operator.queue.add(Work::ScaledObject(live.key.clone()));
        }
    }
}

/// Finds out what the engine needs besides the triggers; `/scale` too, if it had to be read.
async fn observe(
    operator: &Operator,
    live: &Live,
    object: &ScaledObject,
    want: &Desired,
    readings: Vec<TriggerReading>,
    source: Source,
) -> (Observed, Option<Scale>) {
    let status = object.status.as_ref();
    let gvkr = live
        .target()
        .map(|target| (*target).clone())
        .or_else(|| status?.scale_target_gvkr.clone())
        .unwrap_or_default();
    let ObjectKey { namespace, name: _ } = &live.key;
    let name = &want.target.name;
    let followed = live.follow(&operator.replicas, &gvkr, name);
    let (replicas, scale) = match followed.and_then(|followed| followed.replicas()) {
        // Whoever writes reads `/scale` then.
        Some(replicas) => (Ok(replicas), None),
        None => match observe::scale(operator, live, &gvkr, name).await {
            Ok(scale) => (Ok(replicas(&scale)), Some(scale)),
            Err(error) => (Err(failure::chain(&error)), None),
        },
    };
    let hpa_name = status.and_then(|status| status.hpa_name.clone());
    let hpa = hpa_name.and_then(|name| operator.caches.hpas.get(&ObjectKey::new(namespace.clone(), name)));
    let observed = Observed {
        target: ScaleTarget {
            gvkr,
            namespace: namespace.clone(),
            name: name.clone(),
        },
        replicas,
        readings,
        last_active: status
            .and_then(|status| status.last_active_time.as_ref())
            .map(|time| time.0),
        conditions: status.map(|status| status.conditions.clone()).unwrap_or_default(),
        hpa: hpa.and_then(|hpa| hpa.scaling()),
        source,
    };
    (observed, scale)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[track_caller]
    fn check(now: &str, interval: u64, phase: u64, expected: &str) {
        let now: Timestamp = now.parse().unwrap();
        let next = next(now, Duration::from_secs(interval), Duration::from_secs(phase));
        assert_eq!(next, expected.parse().unwrap());
    }

    #[test]
    fn the_next_poll_is_the_next_moment_of_the_phase() {
        check("2026-01-01T00:00:00Z", 30, 10, "2026-01-01T00:00:10Z");
        check("2026-01-01T00:00:10Z", 30, 10, "2026-01-01T00:00:40Z");
        check("2026-01-01T00:00:39.999Z", 30, 10, "2026-01-01T00:00:40Z");
        check("2026-01-01T00:00:41Z", 30, 0, "2026-01-01T00:01:00Z");
    }

    #[test]
    fn loops_with_the_same_phase_meet_whenever_they_began() {
        let (interval, phase) = (Duration::from_secs(30), Duration::from_millis(12_345));
        let moments = |start: &str| {
            let mut now: Timestamp = start.parse().unwrap();
            let mut moments = Vec::new();
            while now < "2026-01-01T00:05:00Z".parse().unwrap() {
                now = next(now, interval, phase);
                // A poll takes a while, and not always the same.
                moments.push(now);
                now += jiff::SignedDuration::from_millis(now.as_millisecond() % 977);
            }
            moments.retain(|moment| *moment > "2026-01-01T00:02:00Z".parse().unwrap());
            moments
        };
        let first = moments("2026-01-01T00:00:00.001Z");
        assert_eq!(first.len(), 7);
        assert_eq!(first, moments("2026-01-01T00:00:12.344Z"));
        assert_eq!(first, moments("2026-01-01T00:01:29.999Z"));
    }

    fn object(name: &str, key: &str) -> ScaledObject {
        let trigger = crds::Trigger {
            type_: "redis".into(),
            metadata: [("listName".into(), key.into())].into(),
            ..Default::default()
        };
        ScaledObject::new(
            name,
            crds::ScaledObjectSpec {
                triggers: vec![trigger],
                ..Default::default()
            },
        )
    }

    #[test]
    fn polls_are_spread_over_the_moments_of_an_interval() {
        let interval = Duration::from_secs(30);
        let phases: BTreeSet<Duration> = (0..3000)
            .map(|number| phase(&object("a", &number.to_string()), interval))
            .collect();
        assert!(
            phases
                .iter()
                .all(|phase| *phase < interval && phase.as_millis() % 100 == 0)
        );
        assert!((290..=300).contains(&phases.len()), "{}", phases.len());
    }

    #[test]
    fn the_same_question_has_the_same_phase() {
        let interval = Duration::from_secs(30);
        assert_eq!(
            phase(&object("a", "jobs"), interval),
            phase(&object("b", "jobs"), interval)
        );
        assert_ne!(
            phase(&object("a", "jobs"), interval),
            phase(&object("a", "mails"), interval)
        );
    }
}
