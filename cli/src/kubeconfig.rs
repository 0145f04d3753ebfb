//! From the cluster flags to a client: kubectl's rules, on kube's reader of kubeconfig files.

use kube::config::{
    AuthInfo, KubeConfigOptions, Kubeconfig, KubeconfigError, NamedAuthInfo, NamedCluster, NamedContext,
};
use kube::{Client, Config};

use crate::args::KubeArgs;
use crate::exit::{self, Failure};

/// A cluster to talk to.
#[derive(Clone)]
pub(crate) struct Cluster {
    /// Client with the user's request timeout.
    pub(crate) client: Client,
    /// Namespace that `-n` or the context names.
    pub(crate) namespace: String,
    /// How the client was made; streams need one without a read timeout.
    pub(crate) config: Config,
}

impl Cluster {
    /// Address of the API server, for messages.
    pub(crate) fn server(&self) -> String {
        self.config
            .cluster_url
            .to_string()
            .trim_end_matches('/')
            .to_owned()
    }

    /// A client whose streams (port-forward, watches) are not cut by the request timeout.
    pub(crate) fn streaming_client(&self) -> Result<Client, Failure> {
        let mut config = self.config.clone();
        config.read_timeout = None;
        build(config)
    }

    /// Says what a failed request means and what to do about it. `doing` is a fragment such as
    /// `list scaledobjects in namespace shop`.
    pub(crate) fn failed(&self, doing: &str, error: kube::Error) -> Failure {
        explain(&self.server(), doing, error)
    }
}

/// Reads the kubeconfig, applies the flags over it and builds the client. Nothing is sent yet.
pub(crate) async fn connect(args: &KubeArgs) -> Result<Cluster, Failure> {
    let config = load(args).await?;
    let namespace = args
        .namespace
        .clone()
        .unwrap_or_else(|| config.default_namespace.clone());
    Ok(Cluster {
        client: build(config.clone())?,
        namespace,
        config,
    })
}

fn build(config: Config) -> Result<Client, Failure> {
    Client::try_from(config).map_err(|e| {
        Failure::new(exit::UNREACHABLE, "cannot use this kubeconfig")
            .because(e)
            .help("check the certificates and keys that the kubeconfig's user and cluster name")
    })
}

async fn load(args: &KubeArgs) -> Result<Config, Failure> {
    let mut file = match &args.kubeconfig {
        Some(path) => Kubeconfig::read_from(path).map_err(|e| unusable(&e))?,
        None => match Kubeconfig::read() {
            Ok(file) => file,
            Err(KubeconfigError::ReadConfig(e, _)) if e.kind() == std::io::ErrorKind::NotFound => {
                if args.server.is_none()
                    && let Ok(config) = Config::incluster()
                {
                    return Ok(finish(config, args));
                }
                Kubeconfig::default()
            }
            Err(e) => return Err(unusable(&e)),
        },
    };
    let context = apply_flags(&mut file, args)?;
    let options = KubeConfigOptions {
        context: Some(context),
        cluster: args.cluster.clone(),
        user: args.user.clone(),
    };
    let config = Config::from_custom_kubeconfig(file, &options)
        .await
        .map_err(|e| unusable(&e))?;
    Ok(finish(config, args))
}

fn finish(mut config: Config, args: &KubeArgs) -> Config {
    config.read_timeout = args.request_timeout.filter(|timeout| !timeout.is_zero());
    if let (Some(connect), Some(timeout)) = (config.connect_timeout, config.read_timeout) {
        config.connect_timeout = Some(connect.min(timeout));
    }
    config
}

/// Writes the flags into the kubeconfig, as if the file had said so. Returns the name of the context in force.
///
/// Upstream: client-go `tools/clientcmd` `ConfigOverrides`.
fn apply_flags(file: &mut Kubeconfig, args: &KubeArgs) -> Result<String, Failure> {
    let named = args
        .context
        .clone()
        .or_else(|| file.current_context.clone().filter(|name| !name.is_empty()));
    let name = match named {
        Some(name) => name,
        None if args.server.is_some() || args.cluster.is_some() => add_bare_context(file, args),
        None => {
            return Err(nothing_configured(args));
        }
    };
    let context = file.contexts.iter_mut().find(|c| c.name == name);
    let Some(context) = context.and_then(|c| c.context.as_mut()) else {
        let known: Vec<_> = file.contexts.iter().map(|c| format!("`{}`", c.name)).collect();
        let failure = Failure::new(
            exit::UNREACHABLE,
            format!("the kubeconfig has no context `{name}`"),
        );
        return Err(if known.is_empty() {
            failure.help("the kubeconfig has no contexts at all")
        } else {
            failure.help(format!("it has {}", known.join(", ")))
        });
    };
    if let Some(namespace) = &args.namespace {
        context.namespace = Some(namespace.clone());
    }
    let cluster_name = args.cluster.clone().unwrap_or_else(|| context.cluster.clone());
    let user_name = args
        .user
        .clone()
        .or_else(|| context.user.clone())
        .unwrap_or_else(|| "flags".to_owned());
    context.user = Some(user_name.clone());
    apply_cluster_flags(file, &cluster_name, args);
    apply_user_flags(file, &user_name, args)?;
    Ok(name)
}

fn nothing_configured(args: &KubeArgs) -> Failure {
    let named = std::env::var("KUBECONFIG")
        .ok()
        .filter(|paths| args.kubeconfig.is_none() && !paths.is_empty());
    let failure = match named {
        Some(path) if !std::path::Path::new(&path).exists() && !path.contains(':') => Failure::new(
            exit::UNREACHABLE,
            format!("no cluster is configured: $KUBECONFIG names {path}, which does not exist"),
        ),
        _ => Failure::new(
            exit::UNREACHABLE,
            "no cluster is configured: the kubeconfig names no current context",
        ),
    };
    failure
        .help("name a kubeconfig with `--kubeconfig FILE` or $KUBECONFIG")
        .help("pick a context with `--context NAME` or `kubectl config use-context NAME`")
}

/// A context for `--server` without a kubeconfig.
fn add_bare_context(file: &mut Kubeconfig, args: &KubeArgs) -> String {
    let name = "flags".to_owned();
    let cluster = args.cluster.clone().unwrap_or_else(|| name.clone());
    if !file.clusters.iter().any(|c| c.name == cluster) {
        let empty = kube::config::Cluster::default();
        file.clusters.push(NamedCluster {
            name: cluster.clone(),
            cluster: Some(empty),
            ..NamedCluster::default()
        });
    }
    let context = kube::config::Context {
        cluster,
        user: Some(name.clone()),
        ..kube::config::Context::default()
    };
    file.contexts.push(NamedContext {
        name: name.clone(),
        context: Some(context),
        ..NamedContext::default()
    });
    name
}

fn apply_cluster_flags(file: &mut Kubeconfig, name: &str, args: &KubeArgs) {
    let Some(cluster) = file
        .clusters
        .iter_mut()
        .find(|c| c.name == name)
        .and_then(|c| c.cluster.as_mut())
    else {
        return; // kube's reader names the missing cluster.
    };
    if let Some(server) = &args.server {
        cluster.server = Some(if server.contains("://") {
            server.clone()
        } else {
            format!("https://{server}")
        });
        cluster.tls_server_name = None;
    }
    if let Some(path) = &args.certificate_authority {
        cluster.certificate_authority = Some(path.clone());
        cluster.certificate_authority_data = None;
        cluster.insecure_skip_tls_verify = None;
    }
    if let Some(skip) = args.insecure_skip_tls_verify {
        cluster.insecure_skip_tls_verify = Some(skip);
        if skip {
            cluster.certificate_authority = None;
            cluster.certificate_authority_data = None;
        }
    }
    if let Some(name) = &args.tls_server_name {
        cluster.tls_server_name = Some(name.clone());
    }
}

fn apply_user_flags(file: &mut Kubeconfig, name: &str, args: &KubeArgs) -> Result<(), Failure> {
    if !file.auth_infos.iter().any(|u| u.name == name) {
        if args.user.is_some() {
            return Err(Failure::new(
                exit::UNREACHABLE,
                format!("the kubeconfig has no user `{name}`"),
            ));
        }
        file.auth_infos.push(NamedAuthInfo {
            name: name.to_owned(),
            ..NamedAuthInfo::default()
        });
    }
    let entry = file
        .auth_infos
        .iter_mut()
        .find(|u| u.name == name)
        .expect("added above if it was missing");
    let user = entry.auth_info.get_or_insert_with(AuthInfo::default);
    if let Some(token) = &args.token {
        user.token = Some(token.expose().clone().into());
        user.token_file = None;
        user.exec = None;
        user.auth_provider = None;
    }
    if let Some(path) = &args.client_certificate {
        user.client_certificate = Some(path.clone());
        user.client_certificate_data = None;
    }
    if let Some(path) = &args.client_key {
        user.client_key = Some(path.clone());
        user.client_key_data = None;
    }
    if let Some(who) = &args.impersonate {
        user.impersonate = Some(who.clone());
    }
    if let Some(uid) = &args.impersonate_uid {
        user.impersonate_uid = Some(uid.clone());
    }
    if !args.impersonate_groups.is_empty() {
        user.impersonate_groups = Some(args.impersonate_groups.clone());
    }
    Ok(())
}

fn unusable(error: &KubeconfigError) -> Failure {
    let failure = Failure::new(exit::UNREACHABLE, exit::chain(error));
    match error {
        KubeconfigError::FindPath | KubeconfigError::ReadConfig(..) => {
            failure.help("name a kubeconfig with `--kubeconfig FILE` or $KUBECONFIG")
        }
        KubeconfigError::Parse(_) => {
            failure.help("`kubectl config view` shows where the kubeconfig is not valid YAML")
        }
        KubeconfigError::MissingClusterUrl => failure.help("name the API server with `--server URL`"),
        _ => failure.help("`kubectl config view` prints the kubeconfig in force"),
    }
}

/// Says what a failed request means and what to do about it.
fn explain(server: &str, doing: &str, error: kube::Error) -> Failure {
    match &error {
        kube::Error::Api(status) => explain_status(doing, status),
        kube::Error::Auth(_) => {
            Failure::new(exit::NOT_PERMITTED, "cannot get credentials for the API server")
                .because(error)
                .help("log in again with the tool that the kubeconfig's user names")
        }
        _ => unreachable(server, &error),
    }
}

/// No answer at all. The innermost cause says most: the layers above it only say that they failed.
fn unreachable(server: &str, error: &kube::Error) -> Failure {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let cause = cause.to_string();
    let message = format!("cannot reach the API server at {server}: {cause}");
    let mut failure = Failure::new(exit::UNREACHABLE, message);
    if cause.contains("certificate") {
        failure = failure
            .help("name the authority that signed its certificate with `--certificate-authority FILE`");
    }
    if cause.contains("timed out") || cause.contains("deadline") {
        failure = failure.help("give it longer with `--request-timeout 60s`");
    }
    failure
        .help("`kubectl cluster-info` tells whether the cluster answers at all")
        .help("pick another cluster with `--context NAME` or `--kubeconfig FILE`")
}

fn explain_status(doing: &str, status: &kube::core::Status) -> Failure {
    let message = status.message.clone();
    match status.code {
        401 => Failure::new(
            exit::NOT_PERMITTED,
            format!("cannot {doing}: the API server does not accept these credentials"),
        )
        .help("log in again, or name another user with `--user NAME` or `--context NAME`"),
        403 => {
            Failure::new(exit::NOT_PERMITTED, format!("cannot {doing}: {message}")).help(grant_help(&message))
        }
        404 if message.contains("could not find the requested resource")
            || message.contains("page not found") =>
        {
            Failure::new(
                exit::CHECK_FAILED,
                format!("cannot {doing}: this cluster does not know the resource"),
            )
            .help("`kubectl keda install` installs the custom resources")
        }
        404 => Failure::new(exit::CHECK_FAILED, message),
        _ => Failure::new(exit::UNEXPECTED, format!("cannot {doing}: {message}")),
    }
}

/// Turns "User … cannot list resource "scaledobjects" in API group "keda.sh" …" into the command that grants it.
fn grant_help(message: &str) -> String {
    let quoted = |after: &str| {
        message
            .split_once(after)
            .and_then(|(_, rest)| rest.split('"').nth(1))
            .map(str::to_owned)
    };
    let verb = message
        .split_once(" cannot ")
        .and_then(|(_, rest)| rest.split_whitespace().next());
    match (verb, quoted("resource"), quoted("API group")) {
        (Some(verb), Some(resource), Some(group)) => {
            let target = if group.is_empty() {
                resource
            } else {
                format!("{resource}.{group}")
            };
            format!(
                "an administrator grants it with `kubectl create clusterrole NAME --verb={verb} --resource={target}` and a binding to it"
            )
        }
        _ => "ask an administrator for this right".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
apiVersion: v1
kind: Config
current-context: prod
contexts:
- {name: prod, context: {cluster: big, user: alice, namespace: shop}}
- {name: dev, context: {cluster: small, user: alice}}
clusters:
- {name: big, cluster: {server: 'https://big:6443', certificate-authority-data: QQ==, tls-server-name: other}}
- {name: small, cluster: {server: 'https://small:6443'}}
users:
- {name: alice, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: login}}}
";

    fn applied(args: &KubeArgs) -> Result<(String, Kubeconfig), Failure> {
        let mut file = Kubeconfig::from_yaml(FILE).expect("the text above is a kubeconfig");
        apply_flags(&mut file, args).map(|context| (context, file))
    }

    fn cluster(file: &Kubeconfig, name: &str) -> kube::config::Cluster {
        let found = file
            .clusters
            .iter()
            .find(|c| c.name == name)
            .and_then(|c| c.cluster.clone());
        found.expect("the cluster is there")
    }

    #[test]
    fn the_current_context_is_used_unless_another_is_named() {
        let context = |args: &KubeArgs| applied(args).map(|(context, _)| context).ok();
        assert_eq!(context(&KubeArgs::default()).as_deref(), Some("prod"));
        let dev = KubeArgs {
            context: Some("dev".to_owned()),
            ..KubeArgs::default()
        };
        assert_eq!(context(&dev).as_deref(), Some("dev"));
        let nope = KubeArgs {
            context: Some("nope".to_owned()),
            ..KubeArgs::default()
        };
        assert_eq!(
            applied(&nope).map(|_| ()).map_err(|e| e.code),
            Err(exit::UNREACHABLE)
        );
    }

    #[test]
    fn a_token_takes_the_place_of_a_plugin() {
        let args = KubeArgs {
            token: Some("t".into()),
            ..KubeArgs::default()
        };
        let (_, file) = applied(&args).expect("applies");
        let user = file.auth_infos[0].auth_info.as_ref().expect("there is a user");
        assert!(user.exec.is_none() && user.token.is_some());
    }

    #[test]
    fn another_server_keeps_the_authority_but_not_the_name() {
        let args = KubeArgs {
            server: Some("127.0.0.1:1".to_owned()),
            ..KubeArgs::default()
        };
        let (_, file) = applied(&args).expect("applies");
        let big = cluster(&file, "big");
        assert_eq!(big.server.as_deref(), Some("https://127.0.0.1:1"));
        assert!(big.tls_server_name.is_none() && big.certificate_authority_data.is_some());
    }

    #[test]
    fn a_server_without_a_kubeconfig_is_enough() {
        let mut file = Kubeconfig::default();
        let args = KubeArgs {
            server: Some("https://x:1".to_owned()),
            token: Some("t".into()),
            ..KubeArgs::default()
        };
        let context = apply_flags(&mut file, &args).expect("applies");
        assert_eq!(cluster(&file, &context).server.as_deref(), Some("https://x:1"));
        let nothing = apply_flags(&mut Kubeconfig::default(), &KubeArgs::default());
        assert_eq!(nothing.map_err(|e| e.code), Err(exit::UNREACHABLE));
    }

    #[test]
    fn a_missing_right_is_named_with_the_command_that_grants_it() {
        let refused = "scaledobjects.keda.sh is forbidden: User \"bob\" cannot list resource \"scaledobjects\" in API group \"keda.sh\" in the namespace \"shop\"";
        assert_eq!(
            grant_help(refused),
            "an administrator grants it with `kubectl create clusterrole NAME --verb=list --resource=scaledobjects.keda.sh` and a binding to it"
        );
        assert_eq!(grant_help("no"), "ask an administrator for this right");
    }
}
