//! What happened, as bytes, as a ring holds it. They never leave the process: for others there is JSON.
//!
//! Equal events have equal bytes and others differ, floats by their bits: so a ring compares bytes.

#[cfg(test)]
mod tests;

use super::What;
use super::bytes::{Reader, Writer};
use super::names::Names;
use crate::activate::{Decision, Reading, TriggerReading, Why};
use crate::hpa::{Recomputed, Unseen, Verdict};

const POLL: u8 = 0;
const PUSH: u8 = 1;
const READ: u8 = 2;
const HPA: u8 = 3;
const WRITE: u8 = 4;
const RECONCILE: u8 = 5;
const NOTE: u8 = 6;

/// The first byte of a decision that holds; the reasons follow it.
const HOLD: u8 = 5;

/// Encodes an event. A text longer than `most` bytes is cut; the errors of a poll share them.
pub(super) fn encode(what: &What, names: &mut Names, most: usize) -> Vec<u8> {
    let mut out = Writer::default();
    match what {
        What::Poll {
            readings,
            replicas,
            decision,
        } => {
            out.byte(POLL);
            out.optional(*replicas);
            write_decision(&mut out, decision);
            let failed = |reading: &&TriggerReading| matches!(reading.reading, Reading::Failed(_));
            let most = most / readings.iter().filter(failed).count().max(1);
            for reading in readings {
                write_reading(&mut out, reading, names, most);
            }
        }
        What::Push {
            metric,
            replicas,
            decision,
        } => {
            out.byte(PUSH);
            names.write(&mut out, metric);
            out.optional(*replicas);
            write_decision(&mut out, decision);
        }
        What::Read {
            metric,
            value,
            cached,
        } => {
            out.byte(READ);
            names.write(&mut out, metric);
            out.byte(u8::from(value.is_ok()) | u8::from(*cached) << 1);
            let (Ok(text) | Err(text)) = value;
            out.text(text, most);
        }
        What::Hpa(found) => {
            out.byte(HPA);
            write_recomputed(&mut out, found, most);
        }
        What::Write { action, error } => {
            out.byte(WRITE);
            out.text(action, most);
            if let Some(error) = error {
                out.text(error, most);
            }
        }
        What::Reconcile { outcome: text } => {
            out.byte(RECONCILE);
            out.text(text, most);
        }
        What::Note { text } => {
            out.byte(NOTE);
            out.text(text, most);
        }
    }
    out.into_bytes()
}

/// Decodes an event; `None` for bytes that are none.
pub(super) fn decode(bytes: &[u8], names: &Names) -> Option<What> {
    let mut from = Reader::new(bytes);
    let what = match from.byte()? {
        POLL => {
            let (replicas, decision) = (from.optional()?, read_decision(&mut from)?);
            let mut readings = Vec::new();
            while !from.rest().is_empty() {
                readings.push(read_reading(&mut from, names)?);
            }
            What::Poll {
                readings,
                replicas,
                decision,
            }
        }
        PUSH => What::Push {
            metric: names.read(&mut from)?,
            replicas: from.optional()?,
            decision: read_decision(&mut from)?,
        },
        READ => {
            let (metric, flags) = (names.read(&mut from)?, from.byte()?);
            let text = from.text()?.to_owned();
            What::Read {
                metric,
                value: if flags & 1 == 1 { Ok(text) } else { Err(text) },
                cached: flags & 2 == 2,
            }
        }
        HPA => What::Hpa(Box::new(read_recomputed(&mut from)?)),
        WRITE => What::Write {
            action: from.text()?.to_owned(),
            error: match from.rest() {
                [] => None,
                _ => Some(from.text()?.to_owned()),
            },
        },
        RECONCILE => What::Reconcile {
            outcome: from.text()?.to_owned(),
        },
        NOTE => What::Note {
            text: from.text()?.to_owned(),
        },
        _ => return None,
    };
    from.rest().is_empty().then_some(what)
}

/// The beginning that an event has in common with those it may be merged with, past its other neighbours; writes and pushes
/// have none, and are never passed over.
pub(super) fn lane(bytes: &[u8]) -> Option<&[u8]> {
    let (kind, rest) = bytes.split_first()?;
    let mut rest = Reader::new(rest);
    match *kind {
        PUSH | WRITE => return None,
        READ => Names::skip(&mut rest)?,
        _ => return bytes.get(..1),
    }
    bytes.get(..bytes.len() - rest.rest().len())
}

fn write_reading(out: &mut Writer, reading: &TriggerReading, names: &mut Names, most: usize) {
    let kind: u128 = match reading.reading {
        Reading::Active => 0,
        Reading::Inactive => 1,
        Reading::Resource => 2,
        Reading::Failed(_) => 3,
    };
    let valued = u128::from(reading.value.is_some()) << 2;
    out.number((reading.trigger as u128) << 3 | valued | kind);
    names.write(out, &reading.metric);
    if let Some(value) = reading.value {
        out.float(value);
    }
    if let Reading::Failed(error) = &reading.reading {
        out.text(error, most);
    }
}

fn read_reading(from: &mut Reader<'_>, names: &Names) -> Option<TriggerReading> {
    let first = from.number()?;
    Some(TriggerReading {
        trigger: usize::try_from(first >> 3).ok()?,
        metric: names.read(from)?,
        value: match first & 4 {
            0 => None,
            _ => Some(from.float()?),
        },
        reading: match first & 3 {
            0 => Reading::Active,
            1 => Reading::Inactive,
            2 => Reading::Resource,
            _ => Reading::Failed(from.text()?.to_owned()),
        },
    })
}

fn write_decision(out: &mut Writer, decision: &Decision) {
    let mut scales = |kind, to: i32| {
        out.byte(kind);
        out.signed(to.into());
    };
    match *decision {
        Decision::Activate { to } => scales(0, to),
        Decision::StayActive => out.byte(1),
        Decision::Deactivate { to } => scales(2, to),
        Decision::RaiseToMin { to } => scales(3, to),
        Decision::CoolDown { until } => {
            out.byte(4);
            out.time(until);
        }
        Decision::Hold(why) => out.byte(match why {
            Why::Paused => HOLD,
            Why::ScaleOutPaused => HOLD + 1,
            Why::ScaleInPaused => HOLD + 2,
            Why::SomeTriggersFailed => HOLD + 3,
            Why::TriggersFailed => HOLD + 4,
            Why::ReplicasUnknown => HOLD + 5,
            Why::AlreadyThere => HOLD + 6,
            Why::NothingPushed => HOLD + 7,
        }),
    }
}

fn read_decision(from: &mut Reader<'_>) -> Option<Decision> {
    let why = match from.byte()? {
        0 => return from.count().map(|to| Decision::Activate { to }),
        1 => return Some(Decision::StayActive),
        2 => return from.count().map(|to| Decision::Deactivate { to }),
        3 => return from.count().map(|to| Decision::RaiseToMin { to }),
        4 => return from.time().map(|until| Decision::CoolDown { until }),
        kind => match kind - HOLD {
            0 => Why::Paused,
            1 => Why::ScaleOutPaused,
            2 => Why::ScaleInPaused,
            3 => Why::SomeTriggersFailed,
            4 => Why::TriggersFailed,
            5 => Why::ReplicasUnknown,
            6 => Why::AlreadyThere,
            7 => Why::NothingPushed,
            _ => return None,
        },
    };
    Some(Decision::Hold(why))
}

fn write_recomputed(out: &mut Writer, found: &Recomputed, most: usize) {
    out.signed(found.current.into());
    out.signed(found.desired.into());
    out.optional(found.changed_from);
    match &found.verdict {
        Verdict::Agrees => out.byte(0),
        Verdict::Unknown { unseen } => out.byte(match unseen {
            Unseen::Past => 3,
            Unseen::Pods => 4,
            Unseen::Served => 5,
            Unseen::Memory => 6,
            Unseen::Write => 7,
            Unseen::Sync => 8,
        }),
        Verdict::Differs { least, most } => {
            out.byte(1);
            out.signed((*least).into());
            out.signed((*most).into());
        }
        Verdict::OtherValue {
            metric,
            reported,
            served,
        } => {
            out.byte(2);
            for text in [metric, reported, served] {
                out.text(text, most);
            }
        }
    }
    out.text(&found.arithmetic, most);
}

fn read_recomputed(from: &mut Reader<'_>) -> Option<Recomputed> {
    Some(Recomputed {
        current: from.count()?,
        desired: from.count()?,
        changed_from: from.optional()?,
        verdict: read_verdict(from)?,
        arithmetic: from.text()?.to_owned(),
    })
}

fn read_verdict(from: &mut Reader<'_>) -> Option<Verdict> {
    let unseen = match from.byte()? {
        0 => return Some(Verdict::Agrees),
        1 => {
            return Some(Verdict::Differs {
                least: from.count()?,
                most: from.count()?,
            });
        }
        2 => {
            return Some(Verdict::OtherValue {
                metric: from.text()?.to_owned(),
                reported: from.text()?.to_owned(),
                served: from.text()?.to_owned(),
            });
        }
        3 => Unseen::Past,
        4 => Unseen::Pods,
        5 => Unseen::Served,
        6 => Unseen::Memory,
        7 => Unseen::Write,
        8 => Unseen::Sync,
        _ => return None,
    };
    Some(Verdict::Unknown { unseen })
}
