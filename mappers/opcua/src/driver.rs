//! The driver: sessions on servers by how they are reached, shared by the devices there.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use mapper_sdk::{Driver, Fault, LaneKey, Pauses};
use tokio::sync::Mutex;

use crate::connection::{Connection, NotOpened, Opener, now};
use crate::link::{Identity, Link};
use crate::pki::{Own, TrustList};
use crate::point::Point;
use crate::session::OpcUaSession;

/// How long to wait between two attempts at a server that does not answer: a server that was restarted is heard of again
/// within 5 s. What a server denies is remembered here for longer.
pub const PAUSES: Pauses = Pauses { first: Duration::from_secs(1), longest: Duration::from_secs(4) };

/// How long a user that was not let in is not tried again; doubled each time up to the longest.
const DENIED: Pauses = Pauses { first: Duration::from_secs(60), longest: Duration::from_secs(900) };

/// OPC UA.
#[derive(Debug)]
pub struct OpcUa {
    data_dir: PathBuf,
    /// Made at first need, and anew when the certificate ends.
    opener: Mutex<Option<Opener>>,
    /// There are as many as are configured.
    ways: std::sync::Mutex<Vec<(Link, Arc<Mutex<Way>>)>>,
}

/// One way to one server.
#[derive(Debug, Default)]
struct Way {
    /// Kept while no device uses it: one that was dropped after a fault of its own finds it again, and the server is not left
    /// with a session that nobody closes.
    connection: Option<Arc<Connection>>,
    denied: Option<Denied>,
}

#[derive(Debug)]
struct Denied {
    fault: Fault,
    until: Instant,
    times: u32,
}

impl OpcUa {
    /// The driver, with the folder in which it keeps certificates.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned(), opener: Mutex::default(), ways: std::sync::Mutex::default() }
    }

    /// The list of server certificates in this folder of a driver.
    ///
    /// # Errors
    /// [`TrustError`](crate::pki::TrustError) when the folder cannot be used.
    pub fn trust_list(data_dir: &Path) -> Result<TrustList, crate::pki::TrustError> {
        TrustList::open(&data_dir.join("trust"))
    }

    async fn opener(&self) -> Result<Opener, Fault> {
        let mut opener = self.opener.lock().await;
        if let Some(opener) = opener.as_ref().filter(|opener| !opener.own.ends_soon(now())) {
            return Ok(opener.clone());
        }
        let data_dir = self.data_dir.clone();
        let made = tokio::task::spawn_blocking(move || {
            let own = Own::keep(&data_dir.join("own"), now()).map_err(|error| error.to_string())?;
            let trust = Self::trust_list(&data_dir).map_err(|error| error.to_string())?;
            Ok(Opener { own, trust })
        });
        let made = made.await.unwrap_or_else(|error| Err(error.to_string())).map_err(Fault::Denied)?;
        Ok(opener.insert(made).clone())
    }

    fn way(&self, link: &Link) -> Arc<Mutex<Way>> {
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, way)) = ways.iter().find(|(other, _)| other == link) {
            return Arc::clone(way);
        }
        // Ways of devices that are configured no more.
        ways.retain(|(_, way)| Arc::strong_count(way) > 1 || way.try_lock().is_ok_and(|way| way.is_of_use()));
        let way = Arc::default();
        ways.push((link.clone(), Arc::clone(&way)));
        way
    }

    pub(crate) async fn connection(&self, link: &Link) -> Result<Arc<Connection>, Fault> {
        let way = self.way(link);
        let mut way = way.lock().await;
        if let Some(connection) =
            way.connection.as_ref().filter(|connection| connection.end().fault().is_none())
        {
            return Ok(Arc::clone(connection));
        }
        way.connection = None;
        if let Some(denied) = way.denied.as_ref().filter(|denied| Instant::now() < denied.until) {
            return Err(denied.fault.clone());
        }
        match self.opener().await?.open(link).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                *way = Way { connection: Some(Arc::clone(&connection)), denied: None };
                Ok(connection)
            }
            Err(NotOpened { fault, blames_user }) => {
                if blames_user {
                    way.handle_denied(&fault, Instant::now());
                }
                Err(fault)
            }
        }
    }
}

impl Way {
    fn is_of_use(&self) -> bool {
        let is_used = |connection: &Arc<Connection>| Arc::strong_count(connection) > 1;
        self.connection.as_ref().is_some_and(is_used) || self.denied.is_some()
    }

    /// A user that was not let in is not tried again soon.
    fn handle_denied(&mut self, fault: &Fault, now: Instant) {
        let times = self.denied.as_ref().map_or(0, |denied| denied.times);
        let pause = DENIED.first.saturating_mul(2u32.saturating_pow(times)).min(DENIED.longest);
        self.denied =
            Some(Denied { fault: fault.clone(), until: now + pause, times: times.saturating_add(1) });
    }
}

impl Driver for OpcUa {
    const PROTOCOL: &'static str = "opcua";
    const PUSHES: bool = true;
    const PAUSES: Pauses = PAUSES;
    type Link = Link;
    type Point = Point;
    type Session = OpcUaSession;

    fn lane(&self, link: &Link) -> LaneKey {
        // Devices on one session answer from what they were told; a server that is slow is so for all of them.
        let who = match link.identity() {
            Ok(Identity::User(user, _)) => format!(" as {user}"),
            Ok(Identity::Certificate(file, _)) => format!(" as {file}"),
            Ok(Identity::Anonymous) | Err(_) => String::new(),
        };
        LaneKey::new(&format!("opcua {}{who}", link.url))
    }

    async fn connect(&self, link: &Link) -> Result<OpcUaSession, Fault> {
        let connection = self.connection(link).await?;
        Ok(OpcUaSession::new(connection, link.clone()))
    }
}
