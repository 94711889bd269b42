//! A TCP proxy that can be cut.

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
    pub(crate) connections: Arc<AtomicU64>,
    _task: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (up, watch) = watch::channel(true);
        let connections = Arc::new(AtomicU64::new(0));
        let mut task = JoinSet::new();
        task.spawn(forward(listener, to, watch, Arc::clone(&connections)));
        Self { address, up, connections, _task: task }
    }

    pub(crate) fn cut(&self) {
        self.up.send_replace(false);
    }

    pub(crate) fn heal(&self) {
        self.up.send_replace(true);
    }
}

async fn forward(listener: TcpListener, to: SocketAddr, up: watch::Receiver<bool>, count: Arc<AtomicU64>) {
    let mut tasks = JoinSet::new();
    while let Ok((mut inner, _)) = listener.accept().await {
        if !*up.borrow() {
            continue;
        }
        count.fetch_add(1, Ordering::Relaxed);
        let mut up = up.clone();
        tasks.spawn(async move {
            let Ok(mut outer) = TcpStream::connect(to).await else { return };
            tokio::select! {
                _ = copy_bidirectional(&mut inner, &mut outer) => {}
                _ = up.wait_for(|up| !up) => {}
            }
        });
    }
}
