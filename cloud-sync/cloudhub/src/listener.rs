//! From a listening socket to requests: each connection is a task with a deadline, and there are so many at most.

use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::ca::node_of;
use crate::router::{Identity, Peer};

/// After the system has refused a connection (no file handles left, mostly) it gets time to recover.
const PAUSE: Duration = Duration::from_millis(100);
/// Requests are small; their headers too.
const HEADER_BYTES: usize = 16 * 1024;

pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    /// None: without TLS.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) router: Router,
    pub(crate) pending: Arc<Semaphore>,
    pub(crate) limit: Duration,
}

impl Listener {
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        loop {
            let permit = tokio::select! {
                () = stop.cancelled() => break,
                permit = Arc::clone(&self.pending).acquire_owned() => permit,
            };
            let Ok(permit) = permit else { break };
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.socket.accept() => accepted,
            };
            while tasks.try_join_next().is_some() {}
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "a connection could not be accepted");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let (tls, router, limit) = (self.tls.clone(), self.router.clone(), self.limit);
            tasks.spawn(async move {
                let served = timeout(limit, serve(stream, address, tls, router)).await;
                match served {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => debug!(%address, error, "a connection to the link port failed"),
                    Err(_) => debug!(%address, limit_s = limit.as_secs(), "a connection took too long"),
                }
                drop(permit);
            });
        }
        tasks.shutdown().await;
    }
}

async fn serve(
    stream: TcpStream,
    address: std::net::SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
) -> Result<(), String> {
    // Without it each small frame waits for the acknowledgement of the one before.
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    match tls {
        None => http(stream, Peer { address, identity: Identity::Unchecked }, router).await,
        Some(config) => {
            let stream = TlsAcceptor::from(config).accept(stream).await.map_err(|e| e.to_string())?;
            let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let identity = match certificates.first().and_then(node_of) {
                Some(node) => Identity::Node(node),
                None => Identity::Nobody,
            };
            http(stream, Peer { address, identity }, router).await
        }
    }
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    router: Router,
) -> Result<(), String> {
    let service = TowerToHyperService::new(router.layer(Extension(peer)));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await
        .map_err(|e| e.to_string())
}
