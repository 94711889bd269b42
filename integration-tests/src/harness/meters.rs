//! Many small Modbus TCP devices that count who comes and what is asked.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Devices, each with a port of its own; every holding register holds its own number.
pub struct Meters {
    meters: Vec<Arc<Meter>>,
    _tasks: JoinSet<()>,
}

/// One of them.
pub struct Meter {
    address: SocketAddr,
    connections: AtomicU64,
    requests: AtomicU64,
    widest_gap: Mutex<(Option<Instant>, Duration)>,
}

impl Meters {
    /// Starts so many.
    ///
    /// # Panics
    /// When there is no port left.
    pub async fn start(count: usize) -> Self {
        let (mut meters, mut tasks) = (Vec::with_capacity(count), JoinSet::new());
        for _ in 0..count {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("a bound socket has an address");
            let meter = Arc::new(Meter {
                address,
                connections: AtomicU64::new(0),
                requests: AtomicU64::new(0),
                widest_gap: Mutex::default(),
            });
            tasks.spawn(serve(listener, Arc::clone(&meter)));
            meters.push(meter);
        }
        Self { meters, _tasks: tasks }
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Arc<Meter>] {
        &self.meters
    }
}

impl Meter {
    /// Its port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How often it was connected.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// How often it was asked.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The longest time between two requests since this was last called.
    #[must_use]
    pub fn take_widest_gap(&self) -> Duration {
        std::mem::take(&mut self.widest_gap.lock().unwrap_or_else(PoisonError::into_inner).1)
    }

    fn note_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut gap = self.widest_gap.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(before) = gap.0.replace(now) {
            gap.1 = gap.1.max(now - before);
        }
    }
}

async fn serve(listener: TcpListener, meter: Arc<Meter>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        meter.connections.fetch_add(1, Ordering::Relaxed);
        connections.spawn(answer(stream, Arc::clone(&meter)));
        while connections.try_join_next().is_some() {}
    }
}

/// Answers requests to read holding registers until the other side has enough.
async fn answer(mut stream: TcpStream, meter: Arc<Meter>) {
    let _ = stream.set_nodelay(true);
    loop {
        let mut head = [0; 12];
        if stream.read_exact(&mut head).await.is_err() {
            return;
        }
        meter.note_request();
        let start = u16::from_be_bytes([head[8], head[9]]);
        let count = u16::from_be_bytes([head[10], head[11]]).min(125);
        let bytes = u8::try_from(count * 2).unwrap_or(u8::MAX);
        let mut frame = vec![head[0], head[1], 0, 0, 0, bytes + 3, head[6], head[7], bytes];
        for register in 0..count {
            frame.extend(start.wrapping_add(register).to_be_bytes());
        }
        if stream.write_all(&frame).await.is_err() {
            return;
        }
    }
}
