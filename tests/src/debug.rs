//! A caller of the adapter's debug API with nothing but what the cluster gives: the CA stands in the APIService, the
//! token is minted for the service account `keda-debug`, and the server must prove the name of its Service.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use rpc::debug::adapter_debug_client::AdapterDebugClient;
use rpc::debug::{
    AdapterState, AdapterStateRequest, CertificateList, CertificatesRequest, RecentRead, RecentReadsRequest,
    RefusalList, RefusalsRequest,
};
use rpc::tls::{ClientTls, Policy};
use rpc::{AUDIENCE, Token};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::cluster::Cluster;
use crate::keda::{API_SERVICE, NAMESPACE};

/// The service account whose tokens the debug API knows.
const ACCOUNT: &str = "keda-debug";

/// What a call answers: a refusal is an answer that tests look at.
pub type Answer<T> = std::result::Result<T, Status>;

/// One adapter, and the token that it is shown.
pub struct AdapterDebug {
    client: AdapterDebugClient<Channel>,
    token: Option<Token>,
}

impl AdapterDebug {
    /// Prepares calls to `address` with what `cluster`'s user may learn and mint.
    pub async fn connect(cluster: &Cluster, address: &str) -> Result<Self> {
        let token = cluster.token(NAMESPACE, ACCOUNT, AUDIENCE).await?;
        Self::with_token(cluster, address, Some(&token)).await
    }

    /// The same with any token, or none.
    pub async fn with_token(cluster: &Cluster, address: &str, token: Option<&str>) -> Result<Self> {
        let service = cluster.need("APIService", "", API_SERVICE).await?;
        let bundle = service["spec"]["caBundle"]
            .as_str()
            .context("the APIService has no caBundle")?;
        let ca = base64::engine::general_purpose::STANDARD.decode(bundle)?;
        let name = format!("keda-metrics-apiserver.{NAMESPACE}.svc");
        let tls = ClientTls::trusting(&ca, Policy::default(), &[&name])?;
        let link = rpc::connect(tls, address.to_owned(), &name)?;
        Ok(Self {
            client: AdapterDebugClient::new(link.channel),
            token: token.and_then(Token::new),
        })
    }

    /// The connection to the controller.
    pub async fn state(&self) -> Answer<AdapterState> {
        let call = self.call(AdapterStateRequest {});
        self.client.clone().state(call).await.map(Response::into_inner)
    }

    /// The reads of one ScaledObject's metrics that the adapter remembers, oldest first.
    pub async fn reads(&self, namespace: &str, name: &str) -> Answer<Vec<RecentRead>> {
        let call = self.call(RecentReadsRequest {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            limit: 0,
        });
        let mut reads = self.client.clone().recent_reads(call).await?.into_inner().items;
        reads.reverse();
        Ok(reads)
    }

    /// The requests that were refused, newest first.
    pub async fn refusals(&self) -> Answer<RefusalList> {
        let call = self.call(RefusalsRequest { limit: 0 });
        self.client.clone().refusals(call).await.map(Response::into_inner)
    }

    /// The certificates in use.
    pub async fn certificates(&self) -> Answer<CertificateList> {
        let call = self.call(CertificatesRequest {});
        self.client
            .clone()
            .certificates(call)
            .await
            .map(Response::into_inner)
    }

    fn call<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request
                .metadata_mut()
                .insert("authorization", token.to_metadata());
        }
        request
    }
}
