//! The network between edge and cloud, which can be cut.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A way to one address.
pub(super) struct Relay {
    pub(super) port: u16,
    open: watch::Sender<bool>,
    _task: JoinSet<()>,
}

impl Relay {
    pub(super) async fn start(to: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (open, is_open) = watch::channel(true);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut ways = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                while ways.try_join_next().is_some() {}
                if *is_open.borrow() {
                    ways.spawn(carry(stream, to, is_open.clone()));
                }
            }
        });
        Ok(Self { port, open, _task: task })
    }

    pub(super) fn is_open(&self) -> bool {
        *self.open.borrow()
    }

    /// Closed, it cuts what goes through it and lets nothing new through.
    pub(super) fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }
}

async fn carry(mut from: TcpStream, to: SocketAddr, mut is_open: watch::Receiver<bool>) {
    let Ok(mut to) = TcpStream::connect(to).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut from, &mut to) => {}
        _ = is_open.wait_for(|open| !open) => {}
    }
}
