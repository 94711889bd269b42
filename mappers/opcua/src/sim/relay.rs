//! The wire in front of the simulated server, on which messages get lost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
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

async fn pass(
    client: TcpStream,
    to: SocketAddr,
    mut inner: watch::Receiver<Option<SocketAddr>>,
    mut fault: watch::Receiver<SimFault>,
) {
    let Ok(server) = TcpStream::connect(to).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let down = fault.clone();
    let is_down = async move { fault.wait_for(|fault| *fault == SimFault::Down).await.is_ok() };
    let is_restarted = async move { inner.wait_for(|now| *now != Some(to)).await.is_ok() };
    tokio::select! {
        () = up(from_client, to_server) => {}
        () = down_stream(from_server, to_client, down) => {}
        _ = is_down => {}
        _ = is_restarted => {}
    }
}

async fn up(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut buffer = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

async fn down_stream(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut fault: watch::Receiver<SimFault>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let now = *fault.borrow_and_update();
        let count = match now {
            SimFault::None | SimFault::Down => count,
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
