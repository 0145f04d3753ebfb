//! Who may do what: service accounts, roles and bindings.
//!
//! Narrower than KEDA's own: nothing may be listed cluster-wide but what the controller watches and what triggers count
//! (pods, addresses of Services), Secrets and ConfigMaps are read one by one as triggers refer to them, and the wildcard
//! `get` on everything, which lets its holder open a shell in any pod, is not there.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use kube::api::ObjectMeta;

use super::super::names;
use super::super::options::Options;
use super::{Manifest, global, local};

const KEDA: &str = "keda.sh";
const EVENTING: &str = "eventing.keda.sh";
const RBAC: &str = "rbac.authorization.k8s.io";

/// All of them, in the order in which they are applied.
pub(super) fn objects(options: &Options) -> Vec<Manifest> {
    let accounts = [names::OPERATOR, names::ADAPTER_ACCOUNT, names::DEBUG];
    let mut objects: Vec<Manifest> = accounts
        .into_iter()
        .map(|name| Manifest::new(account(name, options)))
        .collect();
    objects.push(Manifest::new(cluster_role(
        names::METRICS_READER,
        metrics_reader(),
    )));
    objects.push(Manifest::new(cluster_role(names::OPERATOR, operator())));
    objects.push(Manifest::new(cluster_role(names::DEBUG, debug())));
    objects.push(Manifest::new(cluster_role(names::DEBUGGER, debugger())));
    objects.push(Manifest::new(role(names::OPERATOR, operator_here(), options)));
    objects.push(Manifest::new(role(
        names::ADAPTER_ACCOUNT,
        adapter_here(),
        options,
    )));
    objects.push(Manifest::new(role(names::DEBUGGER, debugger_here(), options)));
    objects.extend(bindings(options));
    objects
}

fn bindings(options: &Options) -> Vec<Manifest> {
    let here = |name: &str| subject(name, &options.namespace);
    let hpa_controller = subject("horizontal-pod-autoscaler", names::KUBE_SYSTEM);
    let cluster = |name: &str, role: &str, subject| {
        Manifest::new(ClusterRoleBinding {
            metadata: global(name),
            role_ref: reference("ClusterRole", role),
            subjects: Some(vec![subject]),
        })
    };
    let local_binding = |metadata, role: &str, subject| {
        Manifest::new(RoleBinding {
            metadata,
            role_ref: reference("Role", role),
            subjects: Some(vec![subject]),
        })
    };
    let auth_reader = ObjectMeta {
        namespace: Some(names::KUBE_SYSTEM.to_owned()),
        ..global(names::AUTH_READER)
    };
    vec![
        local_binding(
            local(names::OPERATOR, options),
            names::OPERATOR,
            here(names::OPERATOR),
        ),
        local_binding(
            local(names::ADAPTER_ACCOUNT, options),
            names::ADAPTER_ACCOUNT,
            here(names::ADAPTER_ACCOUNT),
        ),
        local_binding(
            auth_reader,
            "extension-apiserver-authentication-reader",
            here(names::ADAPTER_ACCOUNT),
        ),
        cluster(
            names::METRICS_READER_BINDING,
            names::METRICS_READER,
            hpa_controller,
        ),
        cluster(names::OPERATOR, names::OPERATOR, here(names::OPERATOR)),
        cluster(names::DEBUG, names::DEBUG, here(names::DEBUG)),
        cluster(
            names::AUTH_DELEGATOR,
            "system:auth-delegator",
            here(names::ADAPTER_ACCOUNT),
        ),
    ]
}

/// What the controller needs in every namespace.
fn operator() -> Vec<PolicyRule> {
    let watch = ["get", "list", "watch"];
    vec![
        // What triggers refer to, each read by name.
        rule(&[""], &["configmaps", "secrets"], &["get"]),
        // What `kubernetes-workload` counts.
        rule(&[""], &["pods"], &["list"]),
        rule(&["discovery.k8s.io"], &["endpointslices"], &["get", "list"]),
        rule(&["events.k8s.io"], &["events"], &["create", "patch"]),
        // Any kind with `/scale` can be a scale target.
        rule(&["*"], &["*/scale"], &["get", "update"]),
        // Their pod templates hold the environment that `…FromEnv` settings name.
        rule(&["apps"], &["replicasets"], &["get"]),
        // Polls know the replicas of these from a watch; without it each of them reads `/scale`.
        rule(&["apps"], &["deployments", "statefulsets"], &watch),
        rule(&["argoproj.io"], &["rollouts"], &["get"]),
        rule(
            &["autoscaling"],
            &["horizontalpodautoscalers"],
            &["get", "list", "watch", "create", "update", "delete"],
        ),
        rule(
            &[KEDA],
            &[
                "clustertriggerauthentications",
                "scaledjobs",
                "scaledobjects",
                "triggerauthentications",
            ],
            &["get", "list", "watch", "patch"],
        ),
        rule(
            &[KEDA],
            &[
                "clustertriggerauthentications/status",
                "scaledjobs/status",
                "scaledobjects/status",
                "triggerauthentications/status",
            ],
            &["patch"],
        ),
        // Where the API server checks it, an owner reference that blocks deletion needs this.
        rule(
            &[KEDA],
            &["scaledjobs/finalizers", "scaledobjects/finalizers"],
            &["update"],
        ),
        rule(
            &[EVENTING],
            &["cloudeventsources", "clustercloudeventsources"],
            &[&watch[..], &["patch"]].concat(),
        ),
        rule(
            &[EVENTING],
            &["cloudeventsources/status", "clustercloudeventsources/status"],
            &["patch"],
        ),
        PolicyRule {
            resource_names: Some(vec![names::API_SERVICE.to_owned()]),
            ..rule(&["apiregistration.k8s.io"], &["apiservices"], &["get", "patch"])
        },
        // The debug API asks who calls and whether that user may see the object.
        rule(&["authentication.k8s.io"], &["tokenreviews"], &["create"]),
        rule(&["authorization.k8s.io"], &["subjectaccessreviews"], &["create"]),
    ]
}

/// What the controller needs in its own namespace: the Lease and the certificates.
fn operator_here() -> Vec<PolicyRule> {
    vec![
        // `create` cannot be limited to a name, which is not known yet then.
        rule(&["coordination.k8s.io"], &["leases"], &["create"]),
        PolicyRule {
            resource_names: Some(vec![names::LEASE.to_owned()]),
            ..rule(&["coordination.k8s.io"], &["leases"], &["get", "update"])
        },
        rule(&[""], &["secrets"], &["create"]),
        PolicyRule {
            resource_names: Some(vec![names::CERTIFICATES.to_owned()]),
            ..rule(&[""], &["secrets"], &["get", "list", "watch", "update"])
        },
    ]
}

/// What the adapter needs: it follows the Lease to the pod that holds it.
fn adapter_here() -> Vec<PolicyRule> {
    vec![
        PolicyRule {
            resource_names: Some(vec![names::LEASE.to_owned()]),
            ..rule(&["coordination.k8s.io"], &["leases"], &["get", "list", "watch"])
        },
        rule(&[""], &["pods"], &["get"]),
    ]
}

fn metrics_reader() -> Vec<PolicyRule> {
    vec![rule(&["external.metrics.k8s.io"], &["*"], &["get", "list"])]
}

/// What a holder of a debug token may ask about: everything of KEDA's. Who may make such a token is decided by the
/// right to `create serviceaccounts/token` for this account.
fn debug() -> Vec<PolicyRule> {
    vec![rule(&[KEDA], &["*"], &["get"])]
}

/// What `status`, `explain` and `version` read in the whole cluster.
fn debugger() -> Vec<PolicyRule> {
    let read = ["get", "list", "watch"];
    vec![
        rule(&[KEDA], &["*"], &read),
        rule(&["*"], &["*/scale"], &["get"]),
        rule(&["apps"], &["deployments", "statefulsets"], &["get", "list"]),
        rule(&["autoscaling"], &["horizontalpodautoscalers"], &["get", "list"]),
        rule(&["", "events.k8s.io"], &["events"], &["get", "list"]),
        PolicyRule {
            resource_names: Some(vec![names::API_SERVICE.to_owned()]),
            ..rule(&["apiregistration.k8s.io"], &["apiservices"], &["get"])
        },
    ]
}

/// The way to the debug API: the leader's name, a forwarded port, a token that is worth nothing elsewhere.
fn debugger_here() -> Vec<PolicyRule> {
    vec![
        PolicyRule {
            resource_names: Some(vec![names::LEASE.to_owned()]),
            ..rule(&["coordination.k8s.io"], &["leases"], &["get"])
        },
        rule(&[""], &["pods"], &["get", "list"]),
        // A port is forwarded over a WebSocket, which is a `get` at first sight.
        rule(&[""], &["pods/portforward"], &["get", "create"]),
        PolicyRule {
            resource_names: Some(vec![names::DEBUG.to_owned()]),
            ..rule(&[""], &["serviceaccounts/token"], &["create"])
        },
    ]
}

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(owned(groups)),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}

fn account(name: &str, options: &Options) -> ServiceAccount {
    ServiceAccount {
        metadata: local(name, options),
        // Its pods say for themselves whether they mount a token.
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

fn cluster_role(name: &str, rules: Vec<PolicyRule>) -> ClusterRole {
    ClusterRole {
        metadata: global(name),
        rules: Some(rules),
        ..ClusterRole::default()
    }
}

fn role(name: &str, rules: Vec<PolicyRule>, options: &Options) -> Role {
    Role {
        metadata: local(name, options),
        rules: Some(rules),
    }
}

fn reference(kind: &str, name: &str) -> RoleRef {
    RoleRef {
        api_group: Some(RBAC.to_owned()),
        kind: kind.to_owned(),
        name: name.to_owned(),
    }
}

fn subject(name: &str, namespace: &str) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: name.to_owned(),
        namespace: Some(namespace.to_owned()),
        ..Subject::default()
    }
}
