//! The broker's life: start, run, stop.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use ::rights::Certificate;
use rmqtt::context::ServerContext;
use rmqtt::net::{Builder, Listener};
use rmqtt::router::DefaultRouter;
use rmqtt::server::MqttServer;
use rmqtt::shared::DefaultShared;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::hooks::Hooks;
use crate::publisher::{self, Publisher};
use crate::retained::Retained;
use crate::rights::{Rights, Tap};
use crate::tls::{Door, Guests};

/// How long the broker's tasks may take to end.
const STOP_DEADLINE: Duration = Duration::from_secs(2);
/// How long a client may take from connecting to having said who it is.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// How long our own door may take to say who comes.
const PROXY_DEADLINE: Duration = Duration::from_secs(1);
/// How long a client may take to read what it is sent before it is disconnected.
const SEND_DEADLINE: Duration = Duration::from_secs(10);
/// Messages that wait for a slow client; more are dropped. What must not be dropped is retained or asked for again.
const QUEUE_PER_CLIENT: usize = 4096;
/// Messages sent to a client that it has not acknowledged. With rmqtt's 16 a client that hears a thousand answers a second
/// falls behind on a busy machine and loses some.
const INFLIGHT_PER_CLIENT: NonZeroU16 = NonZeroU16::new(256).unwrap();
/// How long a session with its subscriptions outlives its connection, when the client asks for that.
const SESSION_EXPIRY: Duration = Duration::from_secs(60 * 60);

/// How the broker listens.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// Where, without TLS; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where with TLS.
    pub tls: Option<TlsSettings>,
    /// The longest packet in bytes; a longer one ends its connection before it is read.
    pub max_packet_bytes: u32,
    /// The most clients at a time.
    pub max_clients: u32,
}

/// How the broker listens with TLS.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// Where; port 0 takes a free one.
    pub listen: SocketAddr,
    /// With which certificate.
    pub certificate: Arc<Certificate>,
}

impl Default for BrokerSettings {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 1883).into(),
            tls: None,
            max_packet_bytes: 1024 * 1024,
            max_clients: 1000,
        }
    }
}

/// Why the broker does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Anybody could come in.
    #[error(
        "the MQTT broker would listen on {listen} without any user: add a user with a password, or listen on 127.0.0.1"
    )]
    OpenToTheNetwork {
        /// Where it would listen.
        listen: SocketAddr,
    },
    /// The address cannot be had.
    #[error("the MQTT broker cannot listen on {listen}: {reason}; is another broker running there?")]
    Listen {
        /// Where it would listen.
        listen: SocketAddr,
        /// What the system says.
        reason: String,
    },
    /// The system gives no threads.
    #[error("the MQTT broker cannot start its thread: {0}")]
    Runtime(#[from] std::io::Error),
}

/// Why a broker ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its accept loop ended.
    #[error("the MQTT broker has stopped by itself")]
    Ended,
}

/// A broker that is running.
///
/// rmqtt starts tasks wherever it likes and has no way to stop them. So each broker has a runtime of its own with one
/// thread: ending that ends every task and connection, and frees the port.
pub struct Broker {
    runtime: Option<Runtime>,
    server: ServerContext,
    tasks: JoinHandle<()>,
    publisher: Publisher,
    local_addr: SocketAddr,
    tls_addr: Option<SocketAddr>,
}

impl Broker {
    /// Starts listening.
    ///
    /// # Errors
    /// [`StartError`] with what to do.
    pub async fn start(
        settings: BrokerSettings,
        rights: Arc<dyn Rights>,
        tap: Arc<dyn Tap>,
    ) -> Result<Self, StartError> {
        let listen = settings.listen;
        if let Some(tls) = settings.tls.as_ref().filter(|_| !rights.has_users()) {
            return Err(StartError::OpenToTheNetwork { listen: tls.listen });
        }
        if !listen.ip().to_canonical().is_loopback() && !rights.has_users() {
            return Err(StartError::OpenToTheNetwork { listen });
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(4)
            .thread_name("mqtt-broker")
            .enable_all()
            .build()?;
        let heard = Arc::default();
        let (publisher, forwarder) = publisher::queue(Arc::clone(&heard));
        let guests: Arc<Guests> = Arc::default();
        let hooks = Hooks { rights, tap, sessions: Arc::default(), heard, guests: Arc::clone(&guests) };
        let setup = runtime.spawn(async move {
            let listener = bind(&settings, settings.listen, false)?;
            let local_addr = listener.local_addr()?;
            let behind = match &settings.tls {
                Some(tls) => Some(behind(&settings, tls, guests).await?),
                None => None,
            };
            let server = ServerContext::new()
                .busy_check_enable(false)
                .mqtt_max_sessions(isize::try_from(settings.max_clients).unwrap_or(isize::MAX))
                .task_exec_workers(64)
                .task_exec_queue_max(10_000)
                .build()
                .await;
            *server.extends.retain_mut().await = Box::new(Retained::new());
            hooks.register(&*server.extends.hook_mgr().register()).await;
            Ok::<_, rmqtt::Error>((server, listener, local_addr, behind))
        });
        let (server, listener, local_addr, behind) = match setup.await {
            Ok(Ok(ready)) => ready,
            Ok(Err(error)) => {
                runtime.shutdown_background();
                return Err(StartError::Listen { listen, reason: error.to_string() });
            }
            Err(error) => {
                runtime.shutdown_background();
                return Err(StartError::Listen { listen, reason: error.to_string() });
            }
        };
        let mut mqtt = MqttServer::new(server.clone()).listener_by_id(listener, 1);
        let (mut door, mut tls_addr) = (None, None);
        if let Some((inner, tls, addr)) = behind {
            mqtt = mqtt.listener_by_id(inner, 2);
            (door, tls_addr) = (Some(tls), Some(addr));
        }
        let mqtt = mqtt.build();
        let forwarding = server.clone();
        let tasks = runtime.spawn(async move {
            let mut tasks = JoinSet::new();
            tasks.spawn(async move {
                if let Err(error) = mqtt.run().await {
                    tracing::error!(%error, "the MQTT broker's accept loop ended");
                }
            });
            tasks.spawn(forwarder.run(forwarding));
            if let Some(door) = door {
                tasks.spawn(door.run());
            }
            // Neither ends while the broker is wanted.
            tasks.join_next().await;
        });
        tracing::info!(%local_addr, tls_addr = tls_addr.map(tracing::field::display), "the MQTT broker listens");
        Ok(Self { runtime: Some(runtime), server, tasks, publisher, local_addr, tls_addr })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where it listens with TLS.
    #[must_use]
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls_addr
    }

    /// Publishes in the gateway's name.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        self.publisher.clone()
    }

    /// Runs until `stop`, then closes.
    ///
    /// # Errors
    /// [`Error::Ended`] when it ends before.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Error> {
        tokio::select! {
            () = stop.cancelled() => {
                self.close().await;
                Ok(())
            }
            _ = &mut self.tasks => {
                self.close().await;
                Err(Error::Ended)
            }
        }
    }

    /// Disconnects everybody, ends every task and frees the port.
    pub async fn close(mut self) {
        self.tasks.abort();
        if let Some(runtime) = self.runtime.take() {
            // A runtime must not be waited for on a thread of another one.
            let ended = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(STOP_DEADLINE)).await;
            if ended.is_err() {
                tracing::error!("the MQTT broker did not end cleanly");
            }
        }
        // The context holds itself through these two; without this its memory would never be given back. Not before its
        // tasks have ended: they would panic.
        *self.server.extends.shared_mut().await = Box::new(DefaultShared::new(None));
        *self.server.extends.router_mut().await = Box::new(DefaultRouter::new(None));
    }
}

/// A broker that is dropped ends as well, without being waited for.
impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The listener that takes what was decrypted, and the door that decrypts it, with its address.
async fn behind(
    settings: &BrokerSettings,
    tls: &TlsSettings,
    guests: Arc<Guests>,
) -> rmqtt::Result<(Listener, Door, SocketAddr)> {
    let listener = bind(settings, ([127, 0, 0, 1], 0).into(), true)?;
    let inner = listener.local_addr()?;
    let socket = TcpListener::bind(tls.listen)
        .await
        .map_err(|error| rmqtt::Error::msg(format!("{}: {error}", tls.listen)))?;
    let addr = socket.local_addr()?;
    let most = usize::try_from(settings.max_clients).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
    let certificate = Arc::clone(&tls.certificate);
    Ok((listener, Door { socket, certificate, inner, guests, most }, addr))
}

fn bind(settings: &BrokerSettings, listen: SocketAddr, proxied: bool) -> rmqtt::Result<Listener> {
    let clients = usize::try_from(settings.max_clients).unwrap_or(usize::MAX);
    Builder::new()
        .name("twinspan")
        .laddr(listen)
        .proxy_protocol(proxied)
        .proxy_protocol_timeout(PROXY_DEADLINE)
        .reuseaddr(Some(true))
        .nodelay(true)
        .max_connections(clients)
        .max_handshaking_limit(clients.min(100))
        .max_packet_size(settings.max_packet_bytes)
        // Not even a client without a user goes unasked.
        .allow_anonymous(false)
        .handshake_timeout(HANDSHAKE_DEADLINE)
        .send_timeout(SEND_DEADLINE)
        .max_mqueue_len(QUEUE_PER_CLIENT)
        .max_inflight(INFLIGHT_PER_CLIENT)
        .max_clientid_len(256)
        .max_topic_levels(32)
        .max_subscriptions(1000)
        .session_expiry_interval(SESSION_EXPIRY)
        .max_session_expiry_interval(SESSION_EXPIRY)
        // Zero: a message does not grow old. With rmqtt's five minutes a retained delta would be gone after them.
        .message_expiry_interval(Duration::ZERO)
        .bind()?
        .tcp()
}
