//! The one place where the store, the link and REST meet.

use std::fs::File;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cloud_store::CloudStore;
use cloudhub::{Ca, CloudHub, Listen, NodeRegistry};
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use twin_core::{Incarnation, NodeName, Timestamp};

use crate::error::Error;
use crate::rest::{Hosts, Link, Links, Rest};
use crate::settings::Settings;
use crate::{folder, keep, serve};

/// How long everything may take to stop.
const GRACE: Duration = Duration::from_secs(10);

/// The cloud before it has started.
#[derive(Debug, Clone)]
pub struct Cloud {
    settings: Settings,
}

/// The cloud with its sockets bound and its store open.
#[derive(Debug)]
pub struct Bound {
    settings: Settings,
    /// Nobody else works in the data folder while this is held.
    _folder: File,
    store: CloudStore,
    ca: Arc<Ca>,
    hub: CloudHub,
    rest: TcpListener,
    rest_address: SocketAddr,
    hub_addresses: Vec<SocketAddr>,
}

impl Cloud {
    /// A cloud with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Opens the store and binds the sockets.
    ///
    /// # Errors
    /// [`Error`] says what is not as it has to be.
    pub async fn bind(self) -> Result<Bound, Error> {
        let settings = self.settings;
        let address = settings.listen;
        if !address.ip().is_loopback() {
            if !settings.insecure_rest {
                return Err(Error::RestOffLoopback { address });
            }
            tracing::warn!(%address, "REST asks nobody who they are: everyone who can reach it may do everything");
        }
        let folder = folder::take(&settings.data)?;
        let store = open_store(&settings).await?;
        let ca = Arc::new(Ca::open_or_create(&settings.data)?);
        let listen = std::iter::once(Listen::Tls(settings.hub)).chain(settings.hub_plain.map(Listen::Plain));
        let mut hub_settings = cloudhub::Settings::new(listen.collect());
        hub_settings.host_names.clone_from(&settings.hosts);
        let hub = CloudHub::bind(hub_settings, Arc::clone(&ca), store.clone()).await?;
        let hub_addresses = hub.addresses();
        let failed = |source| Error::Listen { address, source };
        let rest = TcpListener::bind(address).await.map_err(failed)?;
        let rest_address = rest.local_addr().map_err(failed)?;
        Ok(Bound { settings, _folder: folder, store, ca, hub, rest, rest_address, hub_addresses })
    }

    /// Binds and serves until `stop`.
    ///
    /// # Errors
    /// [`Error`] when it cannot start, or something that it cannot do without has failed.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        self.bind().await?.run(stop).await
    }

    /// Takes back all certificates of a node, whether or not a server runs on the same folder.
    ///
    /// # Errors
    /// [`Error`] when the folder cannot be used.
    pub fn revoke_node(&self, node: &NodeName) -> Result<(), Error> {
        Ok(cloudhub::revoke_node(&self.settings.data, node)?)
    }

    /// Makes a join token, whether or not a server runs on the same folder.
    ///
    /// # Errors
    /// [`Error`] when the folder cannot be used.
    pub async fn create_join_token(&self, node: NodeName, valid_for: Duration) -> Result<String, Error> {
        let store = open_store(&self.settings).await?;
        let ca = Ca::open_or_create(&self.settings.data)?;
        let token = cloudhub::create_join_token(&ca, &store, node, valid_for).await?;
        store.close().await;
        Ok(token.to_text())
    }
}

impl Bound {
    /// Where REST and the page are served.
    #[must_use]
    pub fn rest_addr(&self) -> SocketAddr {
        self.rest_address
    }

    /// Where nodes connect, with TLS.
    #[must_use]
    pub fn hub_addr(&self) -> SocketAddr {
        self.hub_addresses.first().copied().unwrap_or(self.settings.hub)
    }

    /// Where nodes of this machine connect without TLS, if that was asked for.
    #[must_use]
    pub fn hub_plain_addr(&self) -> Option<SocketAddr> {
        self.hub_addresses.get(1).copied()
    }

    /// Makes a join token.
    ///
    /// # Errors
    /// [`Error`] when it cannot be stored.
    pub async fn create_join_token(&self, node: NodeName, valid_for: Duration) -> Result<String, Error> {
        let token = cloudhub::create_join_token(&self.ca, &self.store, node, valid_for).await?;
        Ok(token.to_text())
    }

    /// Serves until `stop`, then stores what is on its way; that takes at most 10 s.
    ///
    /// # Errors
    /// [`Error`] when something that the cloud cannot do without has failed, or does not stop.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        let Self { settings, _folder, store, hub, rest: socket, rest_address, hub_addresses, .. } = self;
        let stop = stop.child_token();
        let hosts = rest_address.ip().is_loopback().then(|| settings.hosts.into());
        let links = links(hub.registry());
        let rest = Rest::new(store.clone(), links, Hosts(hosts), stop.clone(), now);
        let mut tasks = JoinSet::new();
        let token = stop.clone();
        tasks.spawn(async move { ("the link", hub.run(token).await.map_err(Error::Hub)) });
        let (token, router) = (stop.clone(), rest.router());
        tasks.spawn(async move {
            serve::serve(socket, router, token).await;
            ("REST", Ok(()))
        });
        let (token, kept, retention) = (stop.clone(), store.clone(), settings.history);
        tasks.spawn(async move {
            keep::histories(kept, retention, now, token).await;
            ("the histories", Ok(()))
        });
        tracing::info!(page = %format!("http://{rest_address}/"), hub = ?hub_addresses, "the cloud is ready");
        host::systemd::ready(&format!("running; REST http://{rest_address}, nodes {hub_addresses:?}"));
        let (ended, pulse) = (CancellationToken::new(), store.clone());
        let _end = ended.clone().drop_guard();
        let mut watchdog = JoinSet::new();
        watchdog.spawn(host::systemd::feed(
            move || {
                let store = pulse.clone();
                // A store that has failed is not one that hangs: it ends the process.
                async move { drop(store.changes_range().await) }
            },
            ended,
        ));
        let first = tokio::select! {
            // First of all: once it is told to stop, a task that ends is none that ends early.
            biased;
            () = stop.cancelled() => Ok(()),
            error = store.failed() => Err(Error::Store(error)),
            ended = tasks.join_next() => early(ended),
        };
        stop.cancel();
        host::systemd::stopping();
        let rest = tokio::time::timeout(GRACE, drain(&mut tasks)).await;
        let stopped =
            rest.unwrap_or_else(|_| Err(Error::Stuck { what: "the link or REST".into(), after: GRACE }));
        tasks.shutdown().await;
        store.close().await;
        first.and(stopped)
    }
}

type Ended = Option<Result<(&'static str, Result<(), Error>), JoinError>>;

/// A task that ends before it is told to is a fault, whatever it says.
fn early(ended: Ended) -> Result<(), Error> {
    match ended {
        Some(Ok((_, Err(error)))) => Err(error),
        Some(Ok((task, Ok(())))) => Err(Error::Ended { task, why: "it was not told to".into() }),
        Some(Err(error)) => Err(Error::Ended { task: "a task", why: error.to_string() }),
        None => Err(Error::Ended { task: "everything", why: "there was nothing to run".into() }),
    }
}

async fn drain(tasks: &mut JoinSet<(&'static str, Result<(), Error>)>) -> Result<(), Error> {
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = match ended {
            Ok((_, ended)) => ended,
            Err(error) => Err(Error::Ended { task: "a task", why: error.to_string() }),
        };
        outcome = outcome.and(ended);
    }
    outcome
}

async fn open_store(settings: &Settings) -> Result<CloudStore, Error> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(Error::Random)?;
    let incarnation = Incarnation::new(u64::from_ne_bytes(random));
    Ok(CloudStore::open(&settings.data, incarnation).await?)
}

fn links(registry: NodeRegistry) -> Links {
    let changes = registry.changes();
    let of = move |node: &NodeName| {
        registry.node(node).map(|connected| Link { since: connected.since, last_seen: connected.last_seen })
    };
    Links { of: Arc::new(of), changes }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
