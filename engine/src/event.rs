//! Events as KEDA names them.
//!
//! Upstream: `pkg/eventreason`. The notes that other programs may match are those of the recorded behaviour; all
//! others are ours.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest `action` that events.k8s.io accepts, in bytes.
pub const MAX_ACTION: usize = 128;
/// Longest `note` that events.k8s.io accepts, in bytes.
pub const MAX_NOTE: usize = 1024;

/// Name under which the controller reports Events.
pub const REPORTING_CONTROLLER: &str = "keda-operator";

/// Reasons of Events.
pub mod reason {
    /// Ready turned True.
    pub const SCALED_OBJECT_READY: &str = "ScaledObjectReady";
    /// The object cannot be worked on.
    pub const SCALED_OBJECT_CHECK_FAILED: &str = "ScaledObjectCheckFailed";
    /// The status could not be written, or the kind of the target is unknown.
    pub const SCALED_OBJECT_UPDATE_FAILED: &str = "ScaledObjectUpdateFailed";
    /// The finalizer ran.
    pub const SCALED_OBJECT_DELETED: &str = "ScaledObjectDeleted";
    /// A pause began.
    pub const SCALED_OBJECT_PAUSED: &str = "ScaledObjectPaused";
    /// A pause ended.
    pub const SCALED_OBJECT_UNPAUSED: &str = "ScaledObjectUnpaused";
    /// The ScaledJob cannot be worked on.
    pub const SCALED_JOB_CHECK_FAILED: &str = "ScaledJobCheckFailed";
    /// Something about a setting is worth knowing.
    pub const SCALER_INFO: &str = "KEDAScalerInfo";
    /// A scaler was built or a loop started.
    pub const SCALERS_STARTED: &str = "KEDAScalersStarted";
    /// A loop stopped.
    pub const SCALERS_STOPPED: &str = "KEDAScalersStopped";
    /// A scaler could not be built or read.
    pub const SCALER_FAILED: &str = "KEDAScalerFailed";
    /// The target left zero or its idle replicas.
    pub const TARGET_ACTIVATED: &str = "KEDAScaleTargetActivated";
    /// The target went to zero or to its idle replicas.
    pub const TARGET_DEACTIVATED: &str = "KEDAScaleTargetDeactivated";
    /// The target could not leave zero.
    pub const TARGET_ACTIVATION_FAILED: &str = "KEDAScaleTargetActivationFailed";
    /// The target could not go to zero.
    pub const TARGET_DEACTIVATION_FAILED: &str = "KEDAScaleTargetDeactivationFailed";
    /// A TriggerAuthentication was seen for the first time.
    pub const TRIGGER_AUTHENTICATION_ADDED: &str = "TriggerAuthenticationAdded";
    /// A TriggerAuthentication was deleted.
    pub const TRIGGER_AUTHENTICATION_DELETED: &str = "TriggerAuthenticationDeleted";
    /// A ClusterTriggerAuthentication was seen for the first time.
    pub const CLUSTER_TRIGGER_AUTHENTICATION_ADDED: &str = "ClusterTriggerAuthenticationAdded";
    /// Either kind of authentication changed: upstream gives both the same reason.
    pub const CLUSTER_TRIGGER_AUTHENTICATION_UPDATED: &str = "ClusterTriggerAuthenticationUpdated";
    /// A ClusterTriggerAuthentication was deleted.
    pub const CLUSTER_TRIGGER_AUTHENTICATION_DELETED: &str = "ClusterTriggerAuthenticationDeleted";
}

/// The `type` of an Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EventType {
    /// All is well.
    Normal,
    /// Somebody should look.
    Warning,
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        })
    }
}

/// One Event, still without time, object and reporter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Normal or Warning.
    #[serde(rename = "type")]
    pub type_: EventType,
    /// One word, see [`reason`].
    pub reason: Cow<'static, str>,
    /// What was done: at most [`MAX_ACTION`] bytes, or the API server refuses the Event.
    pub action: String,
    /// The sentence for people: at most [`MAX_NOTE`] bytes.
    pub note: String,
}

impl Event {
    /// A Normal Event whose action is its reason.
    pub fn normal(reason: &'static str, note: impl Into<String>) -> Self {
        Self::new(EventType::Normal, reason, reason, note.into())
    }

    /// A Warning whose action is its reason.
    pub fn warning(reason: &'static str, note: impl Into<String>) -> Self {
        Self::new(EventType::Warning, reason, reason, note.into())
    }

    /// An Event of the CloudEvents emitter, whose action is its note.
    ///
    /// Upstream: `eventemitter.Emit`; its longer texts never became Events, ours are cut.
    pub fn emitted(type_: EventType, reason: &'static str, note: impl Into<String>) -> Self {
        let note = note.into();
        Self::new(type_, reason, &note.clone(), note)
    }

    fn new(type_: EventType, reason: &'static str, action: &str, note: String) -> Self {
        Self {
            type_,
            reason: Cow::Borrowed(reason),
            action: cut(action, MAX_ACTION).to_owned(),
            note: if note.len() > MAX_NOTE {
                cut(&note, MAX_NOTE).to_owned()
            } else {
                note
            },
        }
    }

    /// A scaler of this type was built.
    pub fn scaler_built(scaler: &str) -> Self {
        Self::normal(reason::SCALERS_STARTED, format!("Scaler {scaler} is built"))
    }

    /// A scaler could not be built or read.
    pub fn scaler_failed(error: impl Into<String>) -> Self {
        Self::warning(reason::SCALER_FAILED, error)
    }

    /// A scale loop began.
    pub fn loop_started() -> Self {
        Self::new(
            EventType::Normal,
            reason::SCALERS_STARTED,
            "ScalersWatchStarted",
            "Started scalers watch".to_owned(),
        )
    }

    /// A scale loop ended.
    pub fn loop_stopped() -> Self {
        Self::normal(reason::SCALERS_STOPPED, "Stopped scalers watch")
    }

    /// Ready turned True.
    pub fn ready() -> Self {
        Self::emitted(
            EventType::Normal,
            reason::SCALED_OBJECT_READY,
            "ScaledObject is ready for scaling",
        )
    }

    /// The reconcile failed.
    pub fn check_failed(message: &str) -> Self {
        Self::emitted(EventType::Warning, reason::SCALED_OBJECT_CHECK_FAILED, message)
    }

    /// The finalizer ran.
    pub fn deleted() -> Self {
        Self::emitted(
            EventType::Warning,
            reason::SCALED_OBJECT_DELETED,
            "ScaledObject was deleted",
        )
    }

    /// A pause began.
    pub fn paused() -> Self {
        Self::emitted(
            EventType::Normal,
            reason::SCALED_OBJECT_PAUSED,
            "ScaledObject is paused",
        )
    }

    /// A pause ended.
    pub fn unpaused() -> Self {
        Self::emitted(
            EventType::Normal,
            reason::SCALED_OBJECT_UNPAUSED,
            "pause annotation removed for ScaledObject",
        )
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.type_, self.reason, self.note)
    }
}

/// The longest beginning of a text that fits into a number of bytes.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let event = Event::check_failed(&"é".repeat(800));
        assert_eq!((event.action.len(), event.note.len()), (128, 1024));
        let odd = Event::check_failed(&format!("x{}", "é".repeat(800)));
        assert_eq!((odd.action.len(), odd.note.len()), (127, 1023));
    }

    #[test]
    fn the_first_event_of_a_loop_has_an_action_of_its_own() {
        let event = Event::loop_started();
        assert_eq!(
            (event.reason.as_ref(), event.action.as_str()),
            ("KEDAScalersStarted", "ScalersWatchStarted")
        );
        assert_eq!(Event::scaler_built("cron").action, "KEDAScalersStarted");
    }
}
