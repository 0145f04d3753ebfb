//! Names that KEDA gives a meaning to: annotations, labels and the finalizer.

/// Finalizer that the controller puts on every kind it cleans up after.
pub const FINALIZER: &str = "finalizer.keda.sh";

/// Annotations that steer an object.
pub mod annotation {
    /// Pauses a ScaledObject or ScaledJob: any value but `false` counts as true.
    pub const PAUSED: &str = "autoscaling.keda.sh/paused";
    /// Pauses a ScaledObject at the given number of replicas.
    pub const PAUSED_REPLICAS: &str = "autoscaling.keda.sh/paused-replicas";
    /// Keeps a ScaledObject from removing replicas.
    pub const PAUSED_SCALE_IN: &str = "autoscaling.keda.sh/paused-scale-in";
    /// Keeps a ScaledObject from adding replicas.
    pub const PAUSED_SCALE_OUT: &str = "autoscaling.keda.sh/paused-scale-out";
    /// Treats a ScaledObject as active whatever its triggers say.
    pub const FORCE_ACTIVATION: &str = "autoscaling.keda.sh/force-activation";
    /// Lets a ScaledObject take over an existing HPA of the configured name.
    pub const TRANSFER_HPA_OWNERSHIP: &str = "scaledobject.keda.sh/transfer-hpa-ownership";
    /// On an HPA: `false` leaves it out of the ownership check of the admission webhook.
    pub const HPA_OWNERSHIP: &str = "validations.keda.sh/hpa-ownership";
    /// Comma-separated label keys of a ScaledObject that are not copied to its HPA.
    pub const HPA_EXCLUDED_LABELS: &str = "scaledobject.keda.sh/hpa-excluded-labels";
    /// Comma-separated label keys of a ScaledJob that are not copied to its Jobs.
    pub const JOB_EXCLUDED_LABELS: &str = "scaledjob.keda.sh/job-excluded-labels";
    /// On a Job: the generation of the ScaledJob that created it.
    pub const JOB_GENERATION: &str = "scaledjob.keda.sh/generation";
    /// On a ServiceAccount: the AWS role that its pods assume.
    pub const AWS_ROLE_ARN: &str = "eks.amazonaws.com/role-arn";
}

/// Labels that KEDA reads or writes.
pub mod label {
    /// Name of the ScaledObject; also the selector by which the HPA asks for a metric.
    pub const SCALED_OBJECT_NAME: &str = "scaledobject.keda.sh/name";
    /// Name of the ScaledJob that owns a Job or a pod.
    pub const SCALED_JOB_NAME: &str = "scaledjob.keda.sh/name";
    /// Recommended label: name of the application.
    pub const NAME: &str = "app.kubernetes.io/name";
    /// Recommended label: version of the application.
    pub const VERSION: &str = "app.kubernetes.io/version";
    /// Recommended label: the object that this one belongs to.
    pub const PART_OF: &str = "app.kubernetes.io/part-of";
    /// Recommended label: the tool that manages the object.
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// Value of [`MANAGED_BY`] on HPAs and Jobs.
    pub const MANAGED_BY_OPERATOR: &str = "keda-operator";
}
