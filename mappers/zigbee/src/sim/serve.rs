//! The simulated coordinator behind a TCP port or a pseudo-terminal, for one host at a time.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_serial::SerialPort as _;
use tokio_serial::SerialStream;
use tokio_util::sync::CancellationToken;

use crate::sim::coordinator::Fault;
use crate::sim::mesh::Mesh;

/// How long a frame may take to be written.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);
/// When nothing is to happen, the network is looked at again after this.
const IDLE: Duration = Duration::from_secs(1);

/// Why a simulated coordinator could not be started, or ended.
#[derive(Debug, thiserror::Error)]
#[error("the simulated coordinator cannot use {place}: {error}")]
pub struct SimError {
    place: String,
    #[source]
    error: io::Error,
}

impl SimError {
    fn new(place: &str, error: impl Into<io::Error>) -> Self {
        Self { place: place.to_owned(), error: error.into() }
    }
}

/// A second host is turned away after this, when the first has not gone meanwhile.
const TURN_AWAY_AFTER: Duration = Duration::from_millis(300);

/// A simulated network that a host can connect to; clones are the same network.
#[derive(Debug, Clone)]
pub struct Sim {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    mesh: Mutex<Mesh>,
    started: Instant,
    changed: Notify,
}

impl Sim {
    /// Serves this network.
    #[must_use]
    pub fn new(mesh: Mesh) -> Self {
        let shared = Shared { mesh: Mutex::new(mesh), started: Instant::now(), changed: Notify::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Does something to the network, or looks at it.
    pub fn with<T>(&self, act: impl FnOnce(&mut Mesh) -> T) -> T {
        let done = {
            let mut mesh = self.mesh();
            mesh.handle_timeout(self.now());
            act(&mut mesh)
        };
        self.shared.changed.notify_one();
        done
    }

    fn mesh(&self) -> MutexGuard<'_, Mesh> {
        self.shared.mesh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.shared.started.elapsed()
    }

    /// Listens on an address (port 0: any free one).
    ///
    /// # Errors
    /// [`SimError`] when the address is not free.
    pub async fn listen(&self, address: SocketAddr) -> Result<(TcpListener, SocketAddr), SimError> {
        let place = address.to_string();
        let listener = TcpListener::bind(address).await.map_err(|error| SimError::new(&place, error))?;
        let address = listener.local_addr().map_err(|error| SimError::new(&place, error))?;
        Ok((listener, address))
    }

    /// Serves one host after the other until `stop`; while one is connected, others are turned away.
    ///
    /// # Errors
    /// [`SimError`] when nothing can be accepted any more.
    pub async fn run(&self, listener: &TcpListener, stop: CancellationToken) -> Result<(), SimError> {
        let mut next: Option<TcpStream> = None;
        loop {
            let stream = match next.take() {
                Some(stream) => stream,
                None => tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    () = self.pass_time() => continue,
                    accepted = listener.accept() => {
                        accepted.map_err(|error| SimError::new("its listener", error))?.0
                    }
                },
            };
            let _ = stream.set_nodelay(true);
            let mut serving = std::pin::pin!(self.serve(stream));
            let mut held: Option<(TcpStream, Instant)> = None;
            next = loop {
                let patience = held.as_ref().map(|(_, until)| *until);
                let ends = async {
                    match patience {
                        Some(until) => tokio::time::sleep_until(until).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    ended = &mut serving => {
                        tracing::debug!(?ended, "the host has gone");
                        break held.map(|(stream, _)| stream);
                    }
                    accepted = listener.accept() => {
                        held = accepted.ok().map(|(stream, _)| (stream, Instant::now() + TURN_AWAY_AFTER));
                    }
                    () = ends => held = None,
                }
            };
        }
    }

    /// Makes a pseudo-terminal; gives our end of it and the path of the host's.
    ///
    /// # Errors
    /// [`SimError`] when there is none to be had.
    pub fn open_pty(&self) -> Result<Pty, SimError> {
        let (ours, theirs) =
            SerialStream::pair().map_err(|error| SimError::new("a pseudo-terminal", error))?;
        let path = theirs.name().unwrap_or_default();
        Ok(Pty { ours, _theirs: theirs, path })
    }

    /// Serves a pseudo-terminal until `stop`.
    pub async fn run_pty(&self, pty: Pty, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            ended = self.serve(pty.ours) => tracing::debug!(?ended, "the pseudo-terminal has gone"),
        }
    }

    /// Lets the time pass while nobody is connected.
    async fn pass_time(&self) {
        self.wait().await;
        let now = self.now();
        let mut mesh = self.mesh();
        mesh.handle_timeout(now);
        while mesh.poll_frame().is_some() {}
    }

    async fn wait(&self) {
        let next = self.mesh().poll_timeout();
        let wait = next.map_or(IDLE, |at| at.saturating_sub(self.now()).min(IDLE));
        tokio::select! {
            () = self.shared.changed.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        let mut buffer = [0; 512];
        loop {
            let (bytes, cut) = self.due();
            if !bytes.is_empty() {
                tokio::time::timeout(WRITE_DEADLINE, stream.write_all(&bytes)).await??;
            }
            if cut {
                return Ok(());
            }
            tokio::select! {
                read = stream.read(&mut buffer) => {
                    let count = read?;
                    if count == 0 {
                        return Ok(());
                    }
                    let now = self.now();
                    self.mesh().handle_bytes(&buffer[..count], now);
                }
                () = self.wait() => {}
            }
        }
    }

    /// What is to be written now, and whether the connection ends with it.
    fn due(&self) -> (Vec<u8>, bool) {
        let now = self.now();
        let mut mesh = self.mesh();
        mesh.handle_timeout(now);
        let mut bytes = Vec::new();
        while let Some(frame) = mesh.poll_frame() {
            let whole = frame.encode();
            match mesh.coordinator_fault() {
                Fault::Cut => {
                    bytes.extend(&whole[..whole.len() / 2]);
                    return (bytes, true);
                }
                Fault::Noise => bytes.extend([0xFE, 0x03, 0x44, 0x80, 0x00]),
                Fault::None | Fault::Silent | Fault::Slow(_) => {}
            }
            bytes.extend(whole);
        }
        (bytes, false)
    }
}

/// A pseudo-terminal with a simulated coordinator at one end.
#[derive(Debug)]
pub struct Pty {
    ours: SerialStream,
    /// Kept open: the terminal ends with its last user otherwise.
    _theirs: SerialStream,
    path: String,
}

impl Pty {
    /// The path that a host opens.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}
