//! Where the interface listens: without TLS on loopback, with TLS for other machines.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use config::{Api as Settings, CertificateSource, Loopback, Tls};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rights::{Certificate, TlsError, TlsFiles};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{Parts, State, routes};

/// How long open requests may take to end when the gateway stops.
const STOP_DEADLINE: Duration = Duration::from_secs(2);
/// How long a client may take from connecting to having agreed on TLS.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// After the system has refused a connection (no file handles left, mostly) it gets time to recover.
const PAUSE: Duration = Duration::from_millis(100);
/// The most connections of a door at a time.
const CONNECTIONS: usize = 512;
/// The longest request line with headers, in bytes.
const HEADER_BYTES: usize = 64 * 1024;
/// The folder in the data folder with the certificate that the gateway makes for itself.
const OWN_CERTIFICATE: &str = "tls";

/// Who is at the other end of a connection, as far as the connection tells.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// From where.
    pub(crate) address: SocketAddr,
    /// Whether the connection is encrypted.
    pub(crate) tls: bool,
    /// Whether this door asks nobody who they are.
    pub(crate) open: bool,
    /// The common name of the certificate that was shown and checked.
    pub(crate) common_name: Option<String>,
}

struct Door {
    socket: TcpListener,
    addr: SocketAddr,
    open: bool,
    certificate: Option<Arc<Certificate>>,
}

/// The interface before it runs.
pub struct Api {
    loopback: Door,
    remote: Option<Door>,
}

/// Why the interface does not start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address cannot be had.
    #[error("the REST interface cannot listen on {listen}: {source}; give another `gateway.api.{key}`")]
    Listen {
        /// Where it would listen.
        listen: SocketAddr,
        /// The key that says so.
        key: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// There is no certificate.
    #[error("`gateway.api.remote`: {0}")]
    Tls(#[from] TlsError),
}

impl Api {
    /// Takes the addresses.
    ///
    /// # Errors
    /// [`BindError`] names the address or the file, and the mend.
    pub async fn bind(settings: &Settings, data_dir: &Path) -> Result<Self, BindError> {
        let (socket, addr) = listen(settings.listen, "listen").await?;
        let open = settings.loopback == Loopback::Open;
        let loopback = Door { socket, addr, open, certificate: None };
        let remote = match &settings.remote {
            None => None,
            Some(remote) => {
                let certificate = certificate(&remote.tls, data_dir, &[b"http/1.1"])?;
                let (socket, addr) = listen(remote.listen, "remote.listen").await?;
                let fingerprint = certificate.fingerprint()?;
                info!(%addr, sha256 = fingerprint, "REST listens for other machines");
                Some(Door { socket, addr, open: false, certificate: Some(Arc::new(certificate)) })
            }
        };
        Ok(Self { loopback, remote })
    }

    /// Where it listens without TLS.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.loopback.addr
    }

    /// Where it listens with TLS.
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.remote.as_ref().map(|door| door.addr)
    }

    /// Serves until `stop`; requests that are open then have two seconds to end.
    ///
    /// # Errors
    /// None now; a door that breaks tries again.
    pub async fn run(self, parts: Parts, stop: CancellationToken) -> Result<(), std::io::Error> {
        let app = routes(State { parts, stop: stop.clone() });
        let mut doors = JoinSet::new();
        for door in [Some(self.loopback), self.remote].into_iter().flatten() {
            doors.spawn(door.run(app.clone(), stop.clone()));
        }
        while doors.join_next().await.is_some() {}
        Ok(())
    }
}

/// The certificate of a listener, from its files or made by the gateway.
pub(crate) fn certificate(
    tls: &Tls,
    data_dir: &Path,
    alpn: &'static [&'static [u8]],
) -> Result<Certificate, TlsError> {
    let (cert, key) = match &tls.certificate {
        CertificateSource::Files { cert_file, key_file } => (cert_file.clone(), key_file.clone()),
        CertificateSource::SelfSigned { names } => {
            rights::tls::self_signed(&data_dir.join(OWN_CERTIFICATE), names)?
        }
    };
    Certificate::load(TlsFiles { cert, key, client_ca: tls.client_ca_file.clone() }, alpn)
}

async fn listen(listen: SocketAddr, key: &'static str) -> Result<(TcpListener, SocketAddr), BindError> {
    let failed = |source| BindError::Listen { listen, key, source };
    let socket = TcpListener::bind(listen).await.map_err(failed)?;
    let addr = socket.local_addr().map_err(failed)?;
    Ok((socket, addr))
}

impl Door {
    async fn run(self, app: Router, stop: CancellationToken) {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        let mut tasks = JoinSet::new();
        loop {
            let permit = tokio::select! {
                () = stop.cancelled() => break,
                permit = Arc::clone(&room).acquire_owned() => permit,
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
                    warn!(%error, "a connection to REST could not be accepted");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let peer = Peer { address, tls: self.certificate.is_some(), open: self.open, common_name: None };
            let certificate = self.certificate.clone();
            let (app, stop) = (app.clone(), stop.clone());
            tasks.spawn(async move {
                if let Err(error) = serve(stream, peer, certificate, app, stop).await {
                    debug!(%address, error, "a connection to REST ended badly");
                }
                drop(permit);
            });
        }
        drop(self.socket);
        let ended = timeout(STOP_DEADLINE, async { while tasks.join_next().await.is_some() {} });
        if ended.await.is_err() {
            tasks.shutdown().await;
        }
    }
}

async fn serve(
    stream: TcpStream,
    mut peer: Peer,
    certificate: Option<Arc<Certificate>>,
    app: Router,
    stop: CancellationToken,
) -> Result<(), String> {
    // Without it each small answer waits for the acknowledgement of the one before.
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    let Some(certificate) = certificate else { return http(stream, peer, app, stop).await };
    let accept = TlsAcceptor::from(certificate.config()).accept(stream);
    let accepted = timeout(HANDSHAKE_DEADLINE, accept).await.map_err(|_| "no TLS within 10 s".to_owned())?;
    let stream = accepted.map_err(|e| e.to_string())?;
    let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
    peer.common_name = shown.first().and_then(rights::tls::common_name);
    http(stream, peer, app, stop).await
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    app: Router,
    stop: CancellationToken,
) -> Result<(), String> {
    let service = TowerToHyperService::new(app.layer(Extension(peer)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    ended.map_err(|e| e.to_string())
}
