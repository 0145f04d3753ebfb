//! Table cases of reconcile plans.
