//! A port between client and broker: it counts requests by their API, and can be cut like a cable.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What went through.
#[derive(Clone, Debug, Default)]
pub struct Count {
    /// Connections that were accepted.
    pub connections: usize,
    /// Requests by the number of their API.
    pub requests: BTreeMap<i16, usize>,
}

/// A proxy for as long as it is held.
pub struct Proxy {
    port: u16,
    to: String,
    count: Arc<Mutex<Count>>,
    /// Each run of the listener ends, with its connections, when this is dropped.
    up: Option<watch::Sender<()>>,
}

impl Proxy {
    /// Listens on a port and passes everything on to an address.
    pub async fn start(port: u16, to: String) -> Result<Self> {
        let mut proxy = Self {
            port,
            to,
            count: Arc::default(),
            up: None,
        };
        proxy.mend().await?;
        Ok(proxy)
    }

    /// Cuts every connection, and refuses new ones.
    pub async fn cut(&mut self) {
        if let Some(up) = self.up.take() {
            up.send_replace(());
            up.closed().await;
        }
    }

    /// Listens again.
    pub async fn mend(&mut self) -> Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
        let (up, mut down) = watch::channel(());
        down.mark_unchanged();
        let (to, count) = (self.to.clone(), Arc::clone(&self.count));
        tokio::spawn(async move {
            loop {
                let stream = tokio::select! {
                    accepted = listener.accept() => accepted,
                    _ = down.changed() => return,
                };
                let Ok((stream, _)) = stream else { return };
                lock(&count).connections += 1;
                let (to, count, mut down) = (to.clone(), Arc::clone(&count), down.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        // Either end may close a connection at any time.
                        _ = pass(stream, &to, &count) => {}
                        _ = down.changed() => {}
                    }
                });
            }
        });
        self.up = Some(up);
        Ok(())
    }

    /// What went through since this was last asked.
    pub fn take(&self) -> Count {
        std::mem::take(&mut lock(&self.count))
    }
}

async fn pass(client: TcpStream, to: &str, count: &Mutex<Count>) -> Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_broker, mut to_broker) = TcpStream::connect(to).await?.into_split();
    let there = async {
        loop {
            let length = from_client.read_i32().await?;
            let mut request = vec![0; usize::try_from(length)?];
            from_client.read_exact(&mut request).await?;
            if let Some(api) = request.first_chunk() {
                *lock(count).requests.entry(i16::from_be_bytes(*api)).or_default() += 1;
            }
            to_broker.write_i32(length).await?;
            to_broker.write_all(&request).await?;
        }
    };
    let back = async {
        Ok(tokio::io::copy(&mut from_broker, &mut to_client)
            .await
            .map(|_| ())?)
    };
    tokio::select! {
        end = there => end,
        end = back => end,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
