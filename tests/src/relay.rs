//! A TCP relay before a server that cases share: cut, the server is lost to whoever comes through it, and to nobody else.

use std::net::SocketAddr;

use anyhow::Result;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::{free_port, runtime};

/// The relay. Dropping it cuts it.
pub struct Relay {
    port: u16,
    to: SocketAddr,
    task: Option<JoinHandle<()>>,
}

impl Relay {
    /// Listens on a loopback port and passes everything on.
    pub async fn start(to: SocketAddr) -> Result<Self> {
        let mut relay = Self {
            port: free_port(),
            to,
            task: None,
        };
        relay.restore().await?;
        Ok(relay)
    }

    /// The port it listens on, for as long as it exists.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Closes every connection, and refuses new ones.
    pub async fn cut(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // The only error is the abort itself.
            let _ = task.await;
        }
    }

    /// Listens again on the same port.
    pub async fn restore(&mut self) -> Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
        let to = self.to;
        self.task = Some(runtime().spawn(async move {
            // The set ends its tasks as it is dropped with this one.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                connections.spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(to).await {
                        // It ends when either side leaves.
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        }));
        Ok(())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
