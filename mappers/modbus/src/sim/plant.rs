//! The plant: a listener, its units, and what makes their values change.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::link::Framing;
use crate::sim::unit::{SimFault, SimUnit};
use crate::sim::{line, wire};

/// Connections at a time; more are closed at once.
const MOST_CONNECTIONS: usize = 1024;
/// How often the values change.
const TICK: Duration = Duration::from_millis(100);

/// What makes the values of the units change: called with the seconds since the start.
type Change = Box<dyn Fn(f64) + Send + Sync>;

/// Why a plant could not be started, or ended.
#[derive(Debug, thiserror::Error)]
#[error("the simulated plant cannot listen on {address}: {error}")]
pub struct SimError {
    address: SocketAddr,
    #[source]
    error: io::Error,
}

/// A simulated plant that is not running yet.
pub struct Plant {
    listener: TcpListener,
    address: SocketAddr,
    units: Arc<BTreeMap<u8, SimUnit>>,
    change: Change,
    framing: Option<Framing>,
}

impl fmt::Debug for Plant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plant").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Plant {
    /// A plant that listens on `address` (port 0: any free one), with these units by unit id. Requests to other units
    /// are not answered.
    ///
    /// # Errors
    /// [`SimError`] when the address is not free.
    pub async fn start(address: SocketAddr, units: BTreeMap<u8, SimUnit>) -> Result<Self, SimError> {
        let fail = |error| SimError { address, error };
        let listener = TcpListener::bind(address).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Self { listener, address, units: Arc::new(units), change: Box::new(|_| {}), framing: None })
    }

    /// The same with RTU frames, as a serial server carries them.
    #[must_use]
    pub fn over_rtu(mut self) -> Self {
        self.framing = Some(Framing::Rtu);
        self
    }

    /// The same with ASCII frames.
    #[must_use]
    pub fn over_ascii(mut self) -> Self {
        self.framing = Some(Framing::Ascii);
        self
    }

    /// The same with values that change: `change` is called ten times a second with the seconds since the start.
    #[must_use]
    pub fn with_change(mut self, change: impl Fn(f64) + Send + Sync + 'static) -> Self {
        change(0.0);
        self.change = Box::new(change);
        self
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A unit.
    #[must_use]
    pub fn unit(&self, id: u8) -> Option<&SimUnit> {
        self.units.get(&id)
    }

    /// Serves until `stop`; every connection is closed then.
    ///
    /// # Errors
    /// [`SimError`] when nothing can be accepted any more.
    pub async fn run(self, stop: CancellationToken) -> Result<(), SimError> {
        let mut connections = JoinSet::new();
        let start = Instant::now();
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = tick.tick() => (self.change)(start.elapsed().as_secs_f64()),
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) if connections.len() < MOST_CONNECTIONS => {
                        let units = Arc::clone(&self.units);
                        match self.framing {
                            Some(framing) => connections.spawn(line::serve(framing, stream, units)),
                            None => connections.spawn(serve(stream, units)),
                        };
                    }
                    Ok(_) => {}
                    Err(error) => return Err(SimError { address: self.address, error }),
                },
            }
        }
    }
}

/// Serves one connection until it breaks; how it broke is the client's matter.
async fn serve(mut stream: TcpStream, units: Arc<BTreeMap<u8, SimUnit>>) {
    let _ = stream.set_nodelay(true);
    while let Ok(Some(())) = serve_one(&mut stream, &units).await {}
}

/// Serves one request; none when the connection is to be closed.
async fn serve_one(stream: &mut TcpStream, units: &BTreeMap<u8, SimUnit>) -> io::Result<Option<()>> {
    let mut header = [0; 7];
    stream.read_exact(&mut header).await?;
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if header[2..4] != [0, 0] || !(2..=254).contains(&length) {
        return Ok(None);
    }
    let mut request = vec![0; length - 1];
    stream.read_exact(&mut request).await?;
    let Some(unit) = units.get(&header[6]) else { return Ok(Some(())) };
    let (fault, mut body) = {
        let mut tables = unit.tables();
        tables.requests += 1;
        let fault = tables.fault;
        let silent = matches!(fault, SimFault::Silent | SimFault::Reset | SimFault::Exception(_));
        (fault, if silent { Vec::new() } else { wire::answer(&mut tables, &request) })
    };
    match fault {
        SimFault::None | SimFault::WrongChecksum => {}
        SimFault::Silent => return Ok(Some(())),
        SimFault::Reset => return Ok(None),
        SimFault::Slow(time) => sleep(time).await,
        SimFault::WrongTransaction => header[1] = header[1].wrapping_add(1),
        SimFault::WrongUnit => header[6] = header[6].wrapping_add(1),
        SimFault::Short => shorten(&mut body),
        SimFault::Long => lengthen(&mut body),
        SimFault::Truncated => {}
        SimFault::Exception(code) => body = vec![request[0] | 0x80, code],
    }
    let length = u16::try_from(body.len() + 1).unwrap_or(u16::MAX);
    header[4..6].copy_from_slice(&length.to_be_bytes());
    let mut frame = header.to_vec();
    frame.extend(body);
    if fault == SimFault::Truncated {
        stream.write_all(&frame[..frame.len() / 2]).await?;
        return Ok(None);
    }
    stream.write_all(&frame).await?;
    Ok(Some(()))
}

/// Puts a register or byte behind a read's answer and says so in its count.
pub(super) fn lengthen(body: &mut Vec<u8>) {
    if let [1..=4, count, ..] = body.as_slice() {
        let more = if body[0] <= 2 { 1 } else { 2 };
        body[1] = count.saturating_add(more);
        body.resize(2 + usize::from(body[1]), 0);
    }
}

/// Takes the last register or byte off a read's answer and says so in its count.
pub(super) fn shorten(body: &mut Vec<u8>) {
    if let [1..=4, count, ..] = body.as_slice() {
        let less = if body[0] <= 2 { 1 } else { 2 };
        let new = usize::from(*count).saturating_sub(less);
        body.truncate(2 + new);
        body[1] = u8::try_from(new).unwrap_or(0);
    }
}
