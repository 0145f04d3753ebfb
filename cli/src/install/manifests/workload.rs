//! The controller and the adapter: their Deployments and Services.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, EnvVarSource, HTTPGetAction,
    KeyToPath, LocalObjectReference, ObjectFieldSelector, PodSecurityContext, PodSpec, PodTemplateSpec,
    Probe, ResourceRequirements, SeccompProfile, SecretVolumeSource, SecurityContext, Service, ServicePort,
    ServiceSpec, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;

use super::super::names;
use super::super::options::Options;
use super::{labels, local};

/// Port of the adapter's Service, which the APIService names.
pub(super) const API_SERVICE_PORT: i32 = 443;
const METRICS_SERVICE: i32 = 9666;
const CONTROLLER_DEBUG: i32 = 9667;
const PROBES: i32 = 8081;
const PROMETHEUS: i32 = 8080;
const API: i32 = 6443;
const ADAPTER_DEBUG: i32 = 6444;
/// The user of the images.
const NONROOT: i64 = 65_532;
/// Volume with the certificates, and where it is mounted.
const CERTS: (&str, &str) = ("certificates", "/certs");
/// Volume for what the controller writes, and where it is mounted.
const TMP: (&str, &str) = ("tmp", "/tmp");

/// The Services, in the order in which they are applied.
pub(super) fn services(options: &Options) -> [Service; 2] {
    [
        service(
            names::ADAPTER,
            options,
            vec![
                port("https", API_SERVICE_PORT, "https"),
                port("debug", ADAPTER_DEBUG, "debug"),
                port("metrics", PROMETHEUS, "metrics"),
            ],
        ),
        service(
            names::OPERATOR,
            options,
            vec![
                port("metricsservice", METRICS_SERVICE, "metricsservice"),
                port("debug", CONTROLLER_DEBUG, "debug"),
                port("metrics", PROMETHEUS, "metrics"),
            ],
        ),
    ]
}

/// The Deployments, in the order in which they are applied: the controller first, as it writes the certificates
/// that the adapter's pod mounts.
pub(super) fn deployments(options: &Options) -> [Deployment; 2] {
    [operator(options), adapter(options)]
}

/// The controller.
pub(crate) fn operator(options: &Options) -> Deployment {
    let container = Container {
        args: Some(arguments(&[
            "--leader-elect",
            "--enable-cert-rotation=true",
            "--cert-dir=/certs",
            "--cert-secret-name=kedaorg-certs",
            "--operator-service-name=keda-operator",
            "--metrics-server-service-name=keda-metrics-apiserver",
            "--webhooks-service-name=keda-admission-webhooks",
            "--k8s-cluster-domain=cluster.local",
            "--enable-prometheus-metrics=true",
            "--zap-log-level=info",
            "--zap-encoder=console",
            "--zap-time-encoding=rfc3339",
        ])),
        env: Some(environment(true)),
        ports: Some(vec![
            container_port("metricsservice", METRICS_SERVICE),
            container_port("debug", CONTROLLER_DEBUG),
            container_port("metrics", PROMETHEUS),
            container_port("probes", PROBES),
        ]),
        liveness_probe: Some(probe("/healthz", "probes", "HTTP")),
        readiness_probe: Some(probe("/readyz", "probes", "HTTP")),
        resources: Some(resources("100m", "64Mi", "512Mi")),
        volume_mounts: Some(vec![mount(CERTS, true), mount(TMP, false)]),
        ..container(names::OPERATOR, names::CONTROLLER_IMAGE, options)
    };
    // The controller reads back what it wrote from its own memory; the Secret is for a rotation that is turned off.
    let volumes = vec![certificates(true), memory(TMP.0)];
    deployment(names::OPERATOR, names::OPERATOR, container, volumes, options)
}

fn adapter(options: &Options) -> Deployment {
    let container = Container {
        args: Some(arguments(&[
            "--secure-port=6443",
            "--port=8080",
            "--cert-dir=/certs",
            "--zap-log-level=info",
            "--zap-encoder=console",
        ])),
        env: Some(environment(false)),
        ports: Some(vec![
            container_port("https", API),
            container_port("debug", ADAPTER_DEBUG),
            container_port("metrics", PROMETHEUS),
        ]),
        liveness_probe: Some(probe("/healthz", "https", "HTTPS")),
        readiness_probe: Some(probe("/readyz", "https", "HTTPS")),
        resources: Some(resources("50m", "32Mi", "256Mi")),
        volume_mounts: Some(vec![mount(CERTS, true)]),
        ..container(names::ADAPTER, names::ADAPTER_IMAGE, options)
    };
    // Not optional: a kubelet retries a missing Secret within seconds, but looks for changes in a mounted one only
    // every minute or so.
    deployment(
        names::ADAPTER,
        names::ADAPTER_ACCOUNT,
        container,
        vec![certificates(false)],
        options,
    )
}

fn deployment(
    name: &str,
    account: &str,
    container: Container,
    volumes: Vec<Volume>,
    options: &Options,
) -> Deployment {
    let mut pod_labels = labels(name);
    pod_labels.extend(selector(name));
    let pod = PodSpec {
        service_account_name: Some(account.to_owned()),
        automount_service_account_token: Some(true),
        enable_service_links: Some(false),
        image_pull_secrets: options
            .pull_secret
            .clone()
            .map(|name| vec![LocalObjectReference { name }]),
        node_selector: Some(BTreeMap::from([(
            "kubernetes.io/os".to_owned(),
            "linux".to_owned(),
        )])),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(NONROOT),
            run_as_group: Some(NONROOT),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        termination_grace_period_seconds: Some(10),
        containers: vec![container],
        volumes: Some(volumes),
        ..PodSpec::default()
    };
    Deployment {
        metadata: local(name, options),
        spec: Some(DeploymentSpec {
            replicas: Some(options.replicas),
            selector: LabelSelector {
                match_labels: Some(selector(name)),
                ..LabelSelector::default()
            },
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(pod_labels),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn container(name: &str, image: &str, options: &Options) -> Container {
    Container {
        name: name.to_owned(),
        image: Some(options.image(image)),
        image_pull_policy: Some(options.pull_policy.as_str().to_owned()),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                ..Capabilities::default()
            }),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

fn arguments(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|text| (*text).to_owned()).collect()
}

/// The pod's own name and namespace and, for the controller, the namespaces that it watches: all of them.
fn environment(watches: bool) -> Vec<EnvVar> {
    let field = |name: &str, path: &str| EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: path.to_owned(),
                ..ObjectFieldSelector::default()
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    };
    let mut variables = vec![
        field("POD_NAME", "metadata.name"),
        field("POD_NAMESPACE", "metadata.namespace"),
    ];
    if watches {
        variables.insert(
            0,
            EnvVar {
                name: "WATCH_NAMESPACE".to_owned(),
                value: Some(String::new()),
                ..EnvVar::default()
            },
        );
    }
    variables
}

/// CA, certificate and key; the key of the CA stays in the Secret.
fn certificates(optional: bool) -> Volume {
    let item = |key: &str| KeyToPath {
        key: key.to_owned(),
        path: key.to_owned(),
        ..KeyToPath::default()
    };
    Volume {
        name: CERTS.0.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(names::CERTIFICATES.to_owned()),
            items: Some(vec![item("ca.crt"), item("tls.crt"), item("tls.key")]),
            optional: Some(optional),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// A volume in memory: the controller keeps its key there.
fn memory(name: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            medium: Some("Memory".to_owned()),
            size_limit: Some(Quantity("1Mi".to_owned())),
        }),
        ..Volume::default()
    }
}

fn mount((name, path): (&str, &str), read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

/// A memory limit guards the node; a CPU limit would only slow reads down when they matter most.
fn resources(cpu: &str, memory: &str, limit: &str) -> ResourceRequirements {
    let quantity = |name: &str, text: &str| (name.to_owned(), Quantity(text.to_owned()));
    ResourceRequirements {
        requests: Some(BTreeMap::from([quantity("cpu", cpu), quantity("memory", memory)])),
        limits: Some(BTreeMap::from([quantity("memory", limit)])),
        ..ResourceRequirements::default()
    }
}

fn probe(path: &str, port: &str, scheme: &str) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(port.to_owned()),
            scheme: Some(scheme.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(if path == "/readyz" { 2 } else { 10 }),
        ..Probe::default()
    }
}

fn container_port(name: &str, number: i32) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

fn service(name: &str, options: &Options, ports: Vec<ServicePort>) -> Service {
    Service {
        metadata: local(name, options),
        spec: Some(ServiceSpec {
            selector: Some(selector(name)),
            ports: Some(ports),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

fn port(name: &str, number: i32, target: &str) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: number,
        target_port: Some(IntOrString::String(target.to_owned())),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    }
}

/// KEDA's own selector: it cannot change without deleting the Deployment.
fn selector(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("app".to_owned(), name.to_owned())])
}
