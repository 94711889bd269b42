//! A TCP proxy that can be cut, or go silent as a half-open connection does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    up: watch::Sender<bool>,
    silent: watch::Sender<bool>,
    pub(crate) connections: Arc<AtomicU64>,
    _task: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (up, watch) = watch::channel(true);
        let (silent, hush) = watch::channel(false);
        let connections = Arc::new(AtomicU64::new(0));
        let mut task = JoinSet::new();
        task.spawn(forward(listener, to, watch, hush, Arc::clone(&connections)));
        Self { address, up, silent, connections, _task: task }
    }

    pub(crate) fn cut(&self) {
        self.up.send_replace(false);
    }

    /// Keeps the present connections open and passes nothing on.
    pub(crate) fn hush(&self) {
        self.silent.send_replace(true);
    }

    pub(crate) fn heal(&self) {
        self.up.send_replace(true);
    }
}

async fn forward(
    listener: TcpListener,
    to: SocketAddr,
    up: watch::Receiver<bool>,
    hush: watch::Receiver<bool>,
    count: Arc<AtomicU64>,
) {
    let mut tasks = JoinSet::new();
    while let Ok((mut inner, _)) = listener.accept().await {
        if !*up.borrow() {
            continue;
        }
        count.fetch_add(1, Ordering::Relaxed);
        let (mut up, mut hush) = (up.clone(), hush.clone());
        tasks.spawn(async move {
            let Ok(mut outer) = TcpStream::connect(to).await else { return };
            tokio::select! {
                _ = copy_bidirectional(&mut inner, &mut outer) => return,
                _ = up.wait_for(|up| !up) => return,
                _ = hush.wait_for(|hush| *hush) => {}
            }
            // Held open, unread, until the test ends.
            std::future::pending::<()>().await;
        });
    }
}
