//! What the leader does: certificates, watches, workers, scale loops, metrics service, debug API.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crds::ScaledObject;
use engine::desired::ObjectKey;
use engine::event::Event;
use kube::{Client, Resource};
use rpc::metrics::metrics_service_server::MetricsServiceServer;
use rpc::metrics::raw_metrics_service_server::RawMetricsServiceServer;
use rpc::tls::{CertFiles, CertFolder, ClientAuth, Listener, Policy, Refused, ServerTls};
use scalers::{Connect, MinTls, Pool, Proxies, Roots};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

use crate::apply::Writer;
use crate::args::{Args, Bind};
use crate::ask::{Answer, Asker, Subject};
use crate::certificates::Rotation;
use crate::complaints::Complaints;
use crate::debug_api::DebugApi;
use crate::environment::Environment;
use crate::events::Events;
use crate::failure::{self, Failure};
use crate::live::{Ledgers, Live};
use crate::metrics_service::{Feed, Raw};
use crate::observe::replicas::Replicas;
use crate::observe::source::Cluster;
use crate::observe::target::Targets;
use crate::prometheus::Metrics;
use crate::queue::Queue;
use crate::reconcile;
use crate::triggers::Builder;
use crate::watches::{self, Caches};

/// How often counts of objects and triggers are refreshed.
const COUNT: Duration = Duration::from_secs(5);

/// What the process prepared for its leader.
pub(crate) struct Parts {
    /// Reads.
    pub(crate) client: Client,
    /// Writes.
    pub(crate) writer: Writer,
    /// Events.
    pub(crate) events: Events,
    /// Prometheus metrics.
    pub(crate) metrics: Metrics,
    /// Flags.
    pub(crate) args: Arc<Args>,
    /// Variables.
    pub(crate) environment: Arc<Environment>,
}

/// A piece of work: which object needs a look.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// A ScaledObject.
    ScaledObject(ObjectKey),
    /// A TriggerAuthentication.
    TriggerAuthentication(ObjectKey),
    /// A ClusterTriggerAuthentication.
    ClusterTriggerAuthentication(ObjectKey),
    /// A ScaledJob, which this version only answers.
    ScaledJob(ObjectKey),
    /// A CloudEventSource, which this version only answers.
    CloudEventSource(ObjectKey),
    /// A ClusterCloudEventSource, which this version only answers.
    ClusterCloudEventSource(ObjectKey),
}

/// Everything that the leader's tasks share.
pub(crate) struct Operator {
    /// Reads.
    pub(crate) client: Client,
    /// Writes.
    pub(crate) writer: Writer,
    /// Events.
    pub(crate) events: Events,
    /// Prometheus metrics.
    pub(crate) metrics: Metrics,
    /// Variables.
    pub(crate) environment: Arc<Environment>,
    /// What is watched.
    pub(crate) caches: Caches,
    /// What needs a look.
    pub(crate) queue: Queue<Work>,
    /// Scale targets.
    pub(crate) targets: Arc<Targets>,
    /// What they were last seen to ask for.
    pub(crate) replicas: Replicas,
    /// Builds triggers.
    pub(crate) builder: Arc<Builder>,
    /// Asks triggers.
    pub(crate) asker: Asker,
    /// Scale loops and pushes.
    pub(crate) loops: TaskTracker,
    /// Ends every loop.
    pub(crate) stop: CancellationToken,
    /// One change of an authentication's status at a time: each adds to or takes from one list.
    pub(crate) auth_status: tokio::sync::Mutex<()>,
    /// The HPA controller, as the flags describe it.
    pub(crate) hpa: engine::hpa::Options,
    /// Ledgers.
    pub(crate) ledgers: Arc<Ledgers>,
    /// What the log has told and is still so.
    pub(crate) complaints: Arc<Complaints>,
    /// Generations of authentications that were told of.
    told: Mutex<BTreeMap<ObjectKey, i64>>,
    live: Mutex<BTreeMap<ObjectKey, Arc<Live>>>,
}

impl Operator {
    fn new(parts: Parts, stop: CancellationToken) -> Arc<Self> {
        let Parts {
            client,
            writer,
            events,
            metrics,
            args,
            environment,
        } = parts;
        let only = environment
            .restrict_secret_access
            .then(|| environment.namespace.clone());
        let cluster = Arc::new(Cluster::new(client.clone(), only));
        let targets = Arc::new(Targets::new(client.clone()));
        let watches = environment.watch_namespaces.len().max(1);
        let caches = Caches::new(watches);
        let mut connect = connect(&args, &environment);
        connect.endpoints = Some(Arc::clone(&cluster) as Arc<dyn scalers::EndpointSource>);
        connect.observer = Some(Arc::new(metrics.clone()));
        connect.pods = Some(Arc::clone(&cluster) as Arc<dyn scalers::PodSource>);
        let builder = Arc::new(Builder {
            pool: Pool::new(connect),
            cluster,
            targets: Arc::clone(&targets),
            auths: Arc::clone(&caches.auths),
            cluster_auths: Arc::clone(&caches.cluster_auths),
            environment: Arc::clone(&environment),
            complaints: Arc::default(),
        });
        Arc::new(Self {
            asker: Asker {
                builder: Arc::clone(&builder),
                metrics: metrics.clone(),
            },
            client,
            writer,
            events,
            metrics,
            hpa: args.hpa(),
            ledgers: Ledgers::new(&environment.pod_name),
            complaints: Arc::clone(&builder.complaints),
            environment,
            caches,
            queue: Queue::new(),
            targets,
            replicas: Replicas::new(watches),
            builder,
            loops: TaskTracker::new(),
            stop,
            auth_status: tokio::sync::Mutex::default(),
            told: Mutex::default(),
            live: Mutex::default(),
        })
    }

    fn all_live(&self) -> MutexGuard<'_, BTreeMap<ObjectKey, Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of an object, if this process works on it.
    pub(crate) fn live(&self, key: &ObjectKey) -> Option<Arc<Live>> {
        self.all_live().get(key).cloned()
    }

    /// What is known of an object; begins to know it.
    pub(crate) fn live_or_new(&self, key: &ObjectKey) -> Arc<Live> {
        let mut all = self.all_live();
        if let Some(live) = all.get(key) {
            return Arc::clone(live);
        }
        let live = Arc::new(Live::new(key.clone(), Arc::clone(&self.ledgers)));
        all.insert(key.clone(), Arc::clone(&live));
        live
    }

    /// Forgets an object that is gone.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        if let Some(live) = self.all_live().remove(key)
            && let Some(running) = live.set_running(None)
        {
            running.stop.cancel();
        }
        self.complaints.forget(key);
        self.metrics.forget(&key.namespace, &key.name);
    }

    /// The newest state of an object.
    pub(crate) fn object(&self, key: &ObjectKey) -> Result<Arc<ScaledObject>, String> {
        let Some(guarded) = self.caches.scaled_objects.get(key) else {
            return Err(format!("scaledobjects.keda.sh \"{}\" not found", key.name));
        };
        let object = guarded.0.as_ref().map_err(|invalid| invalid.error.clone())?;
        Ok(self.live_or_new(key).newest(object))
    }

    /// The object with its triggers, built if they are not yet.
    pub(crate) async fn subject(&self, key: &ObjectKey) -> Result<Subject, String> {
        let object = self.object(key)?;
        let live = self.live_or_new(key);
        let target = live
            .target()
            .or_else(|| object.status.as_ref()?.scale_target_gvkr.clone().map(Arc::new));
        let generation = object.metadata.generation.unwrap_or_default();
        let building = live.building.lock().await;
        let triggers = match live.triggers(generation) {
            Some(triggers) => triggers,
            None => match Box::pin(self.builder.build(&object, target.as_deref())).await {
                Ok((triggers, _)) => {
                    let triggers = Arc::new(triggers);
                    live.set_triggers(Some(Arc::clone(&triggers)));
                    triggers
                }
                Err(errors) => {
                    let messages: Vec<String> = errors.into_iter().map(|error| error.message).collect();
                    return Err(messages.join("; "));
                }
            },
        };
        drop(building);
        Ok(Subject {
            object,
            key: key.clone(),
            target,
            triggers,
        })
    }

    /// Whether an authentication has a generation that nobody was told of; from now on it is told. What is seen first is no news.
    pub(crate) fn is_news<K: Resource>(&self, key: &ObjectKey, object: &K) -> bool {
        let generation = object.meta().generation.unwrap_or_default();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(key.clone(), generation)
            .is_some_and(|former| former != generation)
    }

    /// Builds every object again that refers to an authentication.
    pub(crate) fn authentication_changed(&self, auth: &ObjectKey) {
        for (key, guarded) in self.caches.scaled_objects.all() {
            let Ok(object) = &guarded.0 else { continue };
            let refers = object
                .spec
                .triggers
                .iter()
                .filter_map(|trigger| trigger.authentication_ref.as_ref())
                .any(|reference| {
                    reference.name == auth.name
                        && (auth.namespace.is_empty() || auth.namespace == key.namespace)
                });
            if refers {
                if let Some(live) = self.live(&key) {
                    live.set_triggers(None);
                }
                self.queue.add(Work::ScaledObject(key));
            }
        }
    }

    /// Says that a metric could not be read: in an Event, once for each who looks.
    pub(crate) fn read_failed(&self, subject: &Subject, answer: &Answer) {
        if let Err(error) = &answer.result {
            self.events.emit(
                &subject.object.object_ref(&()),
                Event::scaler_failed(error.clone()),
            );
        }
    }

    /// Refreshes the counts of objects and triggers.
    fn count(&self) {
        let mut triggers: BTreeMap<String, usize> = BTreeMap::new();
        let mut resources: BTreeMap<&'static str, BTreeMap<String, usize>> = BTreeMap::new();
        let mut add = |kind: &'static str, key: &ObjectKey| {
            count(resources.entry(kind).or_default(), &key.namespace);
        };
        self.caches.scaled_objects.each(|(key, guarded)| {
            add("scaled_object", key);
            for trigger in guarded.0.iter().flat_map(|object| &object.spec.triggers) {
                count(&mut triggers, &trigger.type_);
            }
        });
        let caches = &self.caches;
        caches.auths.each(|(key, _)| add("trigger_authentication", key));
        caches
            .cluster_auths
            .each(|(key, _)| add("cluster_trigger_authentication", key));
        caches.scaled_jobs.each(|(key, _)| add("scaled_job", key));
        caches
            .cloud_event_sources
            .each(|(key, _)| add("cloudevent_source", key));
        self.metrics.set_triggers(&triggers);
        self.metrics.set_resources(&resources);
        self.metrics.queued("work", self.queue.len());
    }
}

/// Adds one; a name is copied only when it is new.
fn count(counts: &mut BTreeMap<String, usize>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
    } else {
        counts.insert(name.to_owned(), 1);
    }
}

/// What event sources get of flags and environment.
fn connect(args: &Args, environment: &Environment) -> Connect {
    let proxy = |names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| environment.proxies.get(*name).cloned())
    };
    Connect {
        timeout: environment.http_timeout,
        min_tls: if environment.http_min_tls == "TLS13" {
            MinTls::Tls13
        } else {
            MinTls::Tls12
        },
        // The default folder is for those who mount one; its absence is no news.
        roots: Roots::with_directories(
            &args
                .ca_dir
                .iter()
                .filter(|folder| folder.exists())
                .collect::<Vec<_>>(),
        ),
        proxies: Proxies {
            http: proxy(["HTTP_PROXY", "http_proxy"]),
            https: proxy(["HTTPS_PROXY", "https_proxy"]),
            except: proxy(["NO_PROXY", "no_proxy"]),
        },
        ..Connect::default()
    }
}

/// Works until `stop`, then ends everything in order: no new work, work in flight, connections.
pub(crate) async fn run(parts: Parts, stop: CancellationToken) -> Result<(), Failure> {
    let args = Arc::clone(&parts.args);
    let tasks = TaskTracker::new();
    let folder = certificates(&parts, &tasks, &stop).await?;
    let operator = Operator::new(parts, stop.clone());
    let feed = feed(&operator, &args, &folder).await?;
    let debug = debug(&operator, &args, &folder).await?;
    watches::open(&operator, &tasks, &stop);
    tokio::select! {
        () = operator.caches.ready() => {}
        () = stop.cancelled() => return Ok(()),
    }
    tracing::info!("watching");
    // Reads of the HPA are answered once the objects are known, not before: an error would count as a failed metric.
    tasks.spawn(serve(feed, stop.clone(), "metrics service"));
    if let Some(debug) = debug {
        tasks.spawn(serve(debug, stop.clone(), "debug API"));
    }
    for _ in 0..operator.environment.scaled_object_workers {
        tasks.spawn(worker(Arc::clone(&operator)));
    }
    let counter = Arc::clone(&operator);
    tasks.spawn(async move {
        while !counter.stop.is_cancelled() {
            counter.count();
            tokio::select! {
                () = counter.stop.cancelled() => {}
                () = tokio::time::sleep(COUNT) => {}
            }
        }
    });
    stop.cancelled().await;
    tasks.close();
    tasks.wait().await;
    operator.loops.close();
    operator.loops.wait().await;
    operator.builder.pool.shutdown().await;
    Ok(())
}

/// Makes or finds the certificates.
async fn certificates(
    parts: &Parts,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<Arc<CertFolder>, Failure> {
    let args = &parts.args;
    let policy = Policy::service(|name| std::env::var(name).ok());
    let mut path = args.cert_dir.clone();
    if args.enable_cert_rotation {
        let (rotation, served) = Rotation::new(&parts.client, parts.writer.clone(), args, &parts.environment);
        path = served;
        rotation.ensure().await?;
        let stop = stop.clone();
        tasks.spawn(async move { rotation.run(&stop).await });
        return Ok(CertFolder::open(&path, policy).await);
    }
    CertFolder::load(CertFiles::in_folder(&path), policy).map_err(|error| {
        Failure::new(
            failure::USAGE,
            format!("cannot use the certificates in {}", path.display()),
            "put a matching ca.crt, tls.crt and tls.key there (--cert-dir), or let this process make them with --enable-cert-rotation",
        )
        .because(error)
    })
}

/// A port and what it serves.
type Served = (Listener, Routes);

async fn feed(operator: &Arc<Operator>, args: &Args, folder: &Arc<CertFolder>) -> Result<Served, Failure> {
    let Bind::At(address) = &args.metrics_service_bind_address else {
        let what = "the metrics service cannot be turned off: without it no HPA gets a value";
        return Err(Failure::new(
            failure::USAGE,
            what,
            "give --metrics-service-bind-address an address",
        ));
    };
    let tls = ServerTls::mutual(Arc::clone(folder)).map_err(|error| unusable(&error))?;
    let listener = bind(address, "--metrics-service-bind-address", tls).await?;
    let routes = Routes::new(MetricsServiceServer::new(Feed(Arc::clone(operator))))
        .add_service(RawMetricsServiceServer::new(Raw));
    Ok((listener, routes))
}

async fn debug(
    operator: &Arc<Operator>,
    args: &Args,
    folder: &Arc<CertFolder>,
) -> Result<Option<Served>, Failure> {
    let Bind::At(address) = &args.debug_bind_address else {
        return Ok(None);
    };
    let tls =
        ServerTls::new(Arc::clone(folder), ClientAuth::None, &["h2"]).map_err(|error| unusable(&error))?;
    let listener = bind(address, "--debug-bind-address", tls).await?;
    Ok(Some((listener, DebugApi::routes(operator))))
}

fn unusable(error: &rpc::tls::TlsError) -> Failure {
    let what = format!("cannot serve with these certificates: {}", failure::chain(error));
    Failure::new(
        failure::USAGE,
        what,
        "look at ca.crt, tls.crt and tls.key in --cert-dir",
    )
}

async fn bind(address: &str, flag: &'static str, tls: ServerTls) -> Result<Listener, Failure> {
    let refused: Refused = Arc::new(|peer, error| tracing::warn!(%peer, %error, "a connection is refused"));
    Listener::bind_with(address, flag, tls, refused)
        .await
        .map_err(|error| {
            let help = format!("stop what listens there, or choose another address with {flag}");
            Failure::new(failure::USAGE, format!("cannot listen on {address}"), help).because(error.source)
        })
}

async fn serve((listener, routes): Served, stop: CancellationToken, what: &'static str) {
    tracing::info!(address = %listener.local_addr(), "serving the {what}");
    if let Err(error) = rpc::serve(listener, routes, stop.cancelled()).await {
        tracing::error!(error = failure::chain(&error), "the {what} ended");
    }
}

/// Takes work from the queue until the process stops; work that was begun is finished.
async fn worker(operator: Arc<Operator>) {
    loop {
        let work = tokio::select! {
            biased;
            () = operator.stop.cancelled() => return,
            work = operator.queue.next() => work,
        };
        reconcile::reconcile(&operator, &work).await;
        operator.queue.done(work);
    }
}
