//! Who is asked: the sources themselves from this machine, or the controller inside the cluster.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crds::ScaledObject;
use engine::dry_run::{DryRun, find_trigger, predict};
use jiff::Timestamp;
use kube::ResourceExt as _;
use scalers::{Connect, Pool, Proxies, Resolver};

use super::bundle::Bundle;
use super::hint;
use super::remote::Remote;
use super::sources::Sources;
use crate::commands::status::parse_name;
use crate::context::Context;
use crate::debug::DebugArgs;
use crate::exit::{self, Failure};
use crate::kubeconfig::Cluster;

/// What is asked about, and by whom.
#[derive(Debug, clap::Args)]
pub struct AskedArgs {
    /// ScaledObject of the cluster or of the files, as NAME or so/NAME
    #[arg(value_name = "so/NAME", value_parser = parse_name, required_unless_present = "filenames")]
    pub name: Option<String>,
    /// File or folder with manifests, or `-` for standard input; may be given several times
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR|-")]
    pub filenames: Vec<PathBuf>,
    /// Let the controller ask, from inside the cluster and with its credentials
    #[arg(long)]
    pub in_cluster: bool,
}

impl AskedArgs {
    /// Files need no cluster, as long as everything is in them.
    fn need_cluster(&self) -> bool {
        self.filenames.is_empty() || self.in_cluster
    }
}

/// The cluster that answers for the files, or why there is none.
pub(super) type MaybeCluster = Result<Cluster, Failure>;

/// The files, and the cluster for what they lack.
pub(crate) struct Ground {
    /// The objects of the files.
    pub(crate) bundle: Bundle,
    /// The namespace of objects that name none.
    pub(crate) namespace: String,
    cluster: MaybeCluster,
}

impl Ground {
    /// Finds the cluster; `bundle` is what the files hold.
    pub(crate) async fn of(bundle: Bundle, args: &AskedArgs, cx: &Context) -> Result<Self, Failure> {
        let cluster = match cx.cluster().await {
            Err(failure) if args.need_cluster() => return Err(failure),
            cluster => cluster,
        };
        let namespace = cluster.as_ref().map_or_else(
            |_| cx.kube.namespace.clone().unwrap_or_else(|| "default".to_owned()),
            |cluster| cluster.namespace.clone(),
        );
        Ok(Self {
            bundle: bundle.in_namespace(&namespace),
            namespace,
            cluster,
        })
    }

    /// The cluster, if there is one.
    pub(crate) fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref().ok()
    }

    /// Prepares to ask.
    pub(crate) async fn way(self, in_cluster: bool, debug: &DebugArgs) -> Result<Way, Failure> {
        if in_cluster {
            let remote = Remote::connect(self.cluster?, debug.clone(), self.bundle).await?;
            return Ok(Way::Remote(Box::new(remote)));
        }
        Ok(Way::Here {
            pool: Pool::new(connect()),
            sources: Box::new(Sources::new(
                self.bundle,
                self.cluster,
                debug.keda_namespace.clone(),
            )),
        })
    }
}

/// What goes along with a question.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Question<'a> {
    /// Values that stand for those of triggers (by name or position), which are not asked.
    pub(crate) given: &'a [(String, f64)],
    /// The replicas to start from, instead of those that the target has.
    pub(crate) replicas: Option<i32>,
}

/// Where the answers come from.
pub(crate) enum Way {
    /// From this machine.
    Here {
        /// The connections to the sources.
        pool: Pool,
        /// Where everything else is found.
        sources: Box<Sources>,
    },
    /// From the controller.
    Remote(Box<Remote>),
}

impl Way {
    /// Asks anew what did not answer in the round before.
    pub(crate) fn begin_round(&mut self) {
        if let Self::Here { sources, .. } = self {
            sources.begin_round();
        }
    }

    /// Asks about one object.
    pub(crate) async fn ask(
        &mut self,
        question: &Question<'_>,
        namespace: &str,
        name: &str,
    ) -> Result<DryRun, Failure> {
        match self {
            Self::Here { pool, sources } => here(question, pool, sources, namespace, name).await,
            Self::Remote(remote) => remote.ask(question, namespace, name).await,
        }
    }
}

/// Time limits and proxies as the controller has them by default.
pub(crate) fn connect() -> Connect {
    let proxy = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| std::env::var(name).ok());
        found.filter(|value| !value.is_empty())
    };
    Connect {
        proxies: Proxies {
            http: proxy(["HTTP_PROXY", "http_proxy"]),
            https: proxy(["HTTPS_PROXY", "https_proxy"]),
            except: proxy(["NO_PROXY", "no_proxy"]),
        },
        endpoints: Some(Arc::new(hint::NoPods)),
        pods: Some(Arc::new(hint::NoPods)),
        ..Connect::default()
    }
}

async fn here(
    question: &Question<'_>,
    pool: &Pool,
    sources: &Sources,
    namespace: &str,
    name: &str,
) -> Result<DryRun, Failure> {
    let object = sources.object(namespace, name).await?;
    let given = given(question, &object)?;
    let seen = sources.world(&object, question.replicas).await;
    let resolver = Resolver {
        object: &object,
        pod: seen.pod.as_ref(),
        authentications: sources,
        secrets: sources,
    };
    let now = Timestamp::now();
    let asked = scalers::dry_run::ask(pool, &resolver, &given, now).await;
    let mut report = predict(&object, &seen.world, &asked, now);
    report.notes.splice(0..0, seen.notes);
    hint::add(&mut report).await;
    Ok(report)
}

/// The values that stand for those of triggers, by position.
fn given(question: &Question<'_>, object: &ScaledObject) -> Result<BTreeMap<usize, f64>, Failure> {
    let find = |(trigger, value): &(String, f64)| {
        find_trigger(&object.spec.triggers, trigger)
            .map(|index| (index, *value))
            .ok_or_else(|| unknown_trigger(object, trigger))
    };
    question.given.iter().map(find).collect()
}

fn unknown_trigger(object: &ScaledObject, text: &str) -> Failure {
    let triggers: Vec<String> = object
        .spec
        .triggers
        .iter()
        .enumerate()
        .map(|(index, trigger)| match &trigger.name {
            Some(name) => format!("{index} (`{name}`)"),
            None => format!("{index} ({})", trigger.type_),
        })
        .collect();
    Failure::new(
        exit::USAGE,
        format!("scaledobject {} has no trigger `{text}`", object.name_any()),
    )
    .help(format!("its triggers are {}", triggers.join(", ")))
}
