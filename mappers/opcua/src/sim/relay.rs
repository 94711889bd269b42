//! The wire in front of the simulated server, on which messages get lost.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How the simulated server misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SimFault {
    /// It does not.
    #[default]
    None,
    /// It takes what is sent and answers nothing.
    Silent,
    /// Its answers come late.
    Slow(Duration),
    /// It breaks connections in the middle of a message.
    Dropped,
    /// It takes no connections and breaks those that there are.
    Down,
    /// It breaks connections without a goodbye, as a host that was restarted answers (RST).
    Reset,
    /// It has forgotten its connections, and the gateway's ends stay open: nothing is read and nothing comes.
    HalfOpen,
    /// It closes its direction of the connections and goes on taking what comes (FIN).
    HalfClosed,
}

impl SimFault {
    /// Whether connections that there are end, each in its way.
    fn cuts(&self) -> bool {
        match self {
            Self::Down | Self::Reset | Self::HalfOpen | Self::HalfClosed => true,
            Self::None | Self::Silent | Self::Slow(_) | Self::Dropped => false,
        }
    }
}

/// A wire in front of any server, on which connections are cut.
#[derive(Debug)]
pub struct SimWire {
    listener: TcpListener,
    address: SocketAddr,
    to: SocketAddr,
    fault: Arc<watch::Sender<SimFault>>,
}

impl SimWire {
    /// Listens on a free port, to pass connections on to the server at `to`.
    ///
    /// # Errors
    /// What the system says when there is no port.
    pub async fn bind(to: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, to, fault: Arc::new(watch::Sender::new(SimFault::None)) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What sets the way in which it misbehaves.
    #[must_use]
    pub fn fault(&self) -> Arc<watch::Sender<SimFault>> {
        Arc::clone(&self.fault)
    }

    /// Passes connections on as long as it is polled.
    pub async fn run(self) {
        let (_to, to) = watch::channel(Some(self.to));
        relay(self.listener, to, self.fault.subscribe(), Arc::default()).await;
    }
}

const MOST_CONNECTIONS: usize = 1_000;

/// Passes connections on to `inner`, as the fault says.
pub(super) async fn relay(
    listener: TcpListener,
    inner: watch::Receiver<Option<SocketAddr>>,
    fault: watch::Receiver<SimFault>,
    count: Arc<AtomicUsize>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((client, _)) = accepted else { continue };
        let to = *inner.borrow();
        if let Some(to) = to
            && *fault.borrow() != SimFault::Down
            && connections.len() < MOST_CONNECTIONS
        {
            let (inner, fault, counted) = (inner.clone(), fault.clone(), Counted::new(&count));
            connections.spawn(async move {
                pass(client, to, inner, fault).await;
                drop(counted);
            });
        }
    }
}

/// Counts one connection as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Passes one connection on until it ends or the fault cuts it.
async fn pass(
    mut client: TcpStream,
    to: SocketAddr,
    mut inner: watch::Receiver<Option<SocketAddr>>,
    mut fault: watch::Receiver<SimFault>,
) {
    let Ok(mut server) = TcpStream::connect(to).await else { return };
    {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let (down, mut cut) = (fault.clone(), fault.clone());
        tokio::select! {
            () = up(from_client, to_server) => {}
            () = down_stream(from_server, to_client, down) => {}
            _ = cut.wait_for(SimFault::cuts) => {}
            _ = inner.wait_for(|now| *now != Some(to)) => {}
        }
    }
    drop(server);
    let now = *fault.borrow();
    match now {
        SimFault::Reset => {
            // What cannot be set leaves an ordinary end.
            let _ = client.set_zero_linger();
        }
        SimFault::HalfOpen => {
            let _ = fault.wait_for(|fault| *fault != SimFault::HalfOpen).await;
        }
        SimFault::HalfClosed => {
            let _ = client.shutdown().await;
            let mut buffer = vec![0; 65_536];
            let swallow = async { while let Ok(1..) = client.read(&mut buffer).await {} };
            tokio::select! {
                () = swallow => {}
                _ = fault.wait_for(|fault| *fault != SimFault::HalfClosed) => {}
            }
        }
        SimFault::None | SimFault::Silent | SimFault::Slow(_) | SimFault::Dropped | SimFault::Down => {}
    }
}

async fn up(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

async fn down_stream(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut fault: watch::Receiver<SimFault>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let now = *fault.borrow_and_update();
        let count = match now {
            SimFault::None | SimFault::Down | SimFault::Reset | SimFault::HalfOpen | SimFault::HalfClosed => {
                count
            }
            SimFault::Silent => continue,
            SimFault::Slow(pause) => {
                // Waits even when the fault is mended meanwhile: what is on its way is on its way.
                tokio::time::sleep(pause).await;
                count
            }
            SimFault::Dropped => count / 2,
        };
        if to.write_all(&buffer[..count]).await.is_err() || now == SimFault::Dropped {
            return;
        }
    }
}
