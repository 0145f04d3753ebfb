//! Conditions in the status of an object.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::open_enum::open_enum;

open_enum! {
    /// What a condition speaks about.
    ConditionType {
        /// The object was understood and is being worked on.
        Ready = "Ready",
        /// Some trigger is active.
        Active = "Active",
        /// A fallback replica count is in use.
        Fallback = "Fallback",
        /// An annotation pauses the object.
        Paused = "Paused",
        /// The managed HPA can read its metrics.
        HpaActive = "HPAActive",
    }
}

open_enum! {
    /// Whether the condition holds.
    ConditionStatus {
        /// It holds.
        True = "True",
        /// It does not hold.
        False = "False",
        /// It is not known.
        Unknown = "Unknown",
    }
}

/// One observation about the object.
// Upstream: apis/keda/v1alpha1/condition_types.go Condition. There are no timestamps in it. The schema leaves `type`
// and `status` open, as upstream does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Condition {
    /// What the condition speaks about: `Ready`, `Active`, `Fallback`, `Paused` or `HPAActive`.
    #[serde(rename = "type")]
    #[schemars(with = "String")]
    pub type_: ConditionType,
    /// `True`, `False` or `Unknown`.
    #[schemars(with = "String")]
    pub status: ConditionStatus,
    /// One word that names the cause.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl Condition {
    /// Makes a condition.
    pub fn new(
        type_: ConditionType,
        status: ConditionStatus,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            type_,
            status,
            reason: reason.into(),
            message: message.into(),
        }
    }

    /// Makes a condition that holds.
    pub fn holds(type_: ConditionType, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(type_, ConditionStatus::True, reason, message)
    }

    /// Makes a condition that does not hold.
    pub fn fails(type_: ConditionType, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(type_, ConditionStatus::False, reason, message)
    }

    /// Makes a condition about which nothing is known.
    pub fn unknown(type_: ConditionType, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(type_, ConditionStatus::Unknown, reason, message)
    }

    /// Whether the condition holds.
    pub fn is_true(&self) -> bool {
        self.status == ConditionStatus::True
    }

    /// Whether the condition is known not to hold.
    pub fn is_false(&self) -> bool {
        self.status == ConditionStatus::False
    }
}

/// Finds the condition of a type.
pub fn find_condition<'a>(conditions: &'a [Condition], type_: &ConditionType) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == *type_)
}
