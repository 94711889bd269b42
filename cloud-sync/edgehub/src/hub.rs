//! Keeps the link up: enrols, connects, and comes back after a loss.

use std::time::Duration;

use rustls::ClientConfig;
use sync_proto::{Backoff, Session, StreamId};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use twin_core::history;
use twin_core::replica::{LinkCommand, LinkEvent};

use crate::carry::{Carry, End};
use crate::clock::{Clock, wall};
use crate::connect::{Socket, websocket};
use crate::enrol::enrol;
use crate::error::{Error, LinkError};
use crate::identity::{self, Identity};
use crate::port::{HistoryPort, TwinPort};
use crate::renew::keep_renewed;
use crate::settings::Settings;
use crate::status::{LinkState, LinkStatus};
use crate::tls::mutual;

/// How long an owner may take, after the stop, to hear that the connection is gone.
const LAST_WORD: Duration = Duration::from_secs(1);
/// What this end may send and follow.
const STREAMS: [StreamId; 2] = [StreamId::ALARM, StreamId::TWIN];
const SOFTWARE: &str = concat!("twinspan ", env!("CARGO_PKG_VERSION"));

/// The edge's end of the link.
#[derive(Debug)]
pub struct EdgeHub {
    settings: Settings,
    twin: TwinPort,
    history: Option<HistoryPort>,
    status: watch::Sender<LinkStatus>,
    /// The cloud did not take the certificate: the next attempt uses the token, if there is one.
    renew: bool,
}

/// Why an attempt gave no connection.
enum Failed {
    Ended,
    For(LinkError),
    Fatally(Error),
}

impl EdgeHub {
    /// A link that tells its owner what happens by `events` and does what comes by `commands`, with its status.
    #[must_use]
    pub fn new(
        settings: Settings,
        events: mpsc::Sender<LinkEvent>,
        commands: mpsc::Receiver<LinkCommand>,
    ) -> (Self, watch::Receiver<LinkStatus>) {
        let (status, watch) = watch::channel(LinkStatus {
            state: LinkState::Connecting,
            since: wall(),
            connection: 0,
            failures: 0,
            last_error: None,
            peer: None,
        });
        let twin = TwinPort::new(events, commands);
        (Self { settings, twin, history: None, status, renew: false }, watch)
    }

    /// With an owner of the history, which is told and asks in the same way.
    #[must_use]
    pub fn with_history(
        mut self,
        events: mpsc::Sender<history::LinkEvent>,
        commands: mpsc::Receiver<history::LinkCommand>,
    ) -> Self {
        self.history = Some(HistoryPort::new(events, commands));
        self
    }

    /// Keeps the link up until `stop`, or until the owner has dropped its end. After `stop` it takes at most 2 s.
    ///
    /// # Errors
    /// [`Error`] when no attempt could ever succeed: the folder or the settings cannot be used.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Error> {
        identity::make_dir(&self.settings.state_dir)?;
        let (base, most) = self.settings.backoff;
        let mut backoff = Backoff::new(base, most)?;
        if !self.settings.url.is_tls() {
            warn!(url = %self.settings.url, "the link to the cloud is not encrypted: for trying out on one machine only");
        }
        let mut number = 0;
        let ended = loop {
            let error = match self.attempt(&stop).await {
                Ok(socket) => {
                    number += 1;
                    let began = Instant::now();
                    let end = self.carry(number, socket, &stop).await;
                    if began.elapsed() >= self.settings.timing.heartbeat {
                        backoff.reset();
                    }
                    match end {
                        End::Stopped => break Ok(()),
                        End::Lost(error) => error,
                    }
                }
                Err(Failed::Ended) => break Ok(()),
                Err(Failed::For(error)) => error,
                Err(Failed::Fatally(error)) => break Err(error),
            };
            self.renew = matches!(error, LinkError::CertificateRefused { .. });
            let wait = backoff.next_wait(getrandom::u64().unwrap_or(u64::MAX / 2), asked(&error, most));
            self.note(&error, wait);
            let waited = tokio::select! {
                () = stop.cancelled() => false,
                () = discard(&mut self.twin, &mut self.history) => false,
                () = sleep(wait) => true,
            };
            if !waited {
                break Ok(());
            }
        };
        self.set(LinkState::Stopped);
        ended
    }

    /// From nothing to a WebSocket. What the owner says meanwhile was meant for an older connection.
    async fn attempt(&mut self, stop: &CancellationToken) -> Result<Socket, Failed> {
        tokio::select! {
            () = stop.cancelled() => Err(Failed::Ended),
            () = discard(&mut self.twin, &mut self.history) => Err(Failed::Ended),
            done = connect(&self.settings, &self.status, self.renew) => done,
        }
    }

    async fn carry(&mut self, number: u64, socket: Socket, stop: &CancellationToken) -> End {
        let Settings { node, timing, url, .. } = &self.settings;
        let mut streams = STREAMS.to_vec();
        streams.extend(self.history.is_some().then_some(StreamId::HISTORY));
        let session = Session::edge(node.clone(), SOFTWARE.to_owned(), streams, *timing);
        let (clock, twin, history) = (Clock::start(), &mut self.twin, &mut self.history);
        let mut was_established = false;
        let carry = Carry { number, session, clock, twin, history };
        let carried = carry.run(socket, stop, |agreed| {
            was_established = true;
            info!(%url, connection = number, cloud = agreed.peer_software, "connected to the cloud");
            self.status.send_modify(|status| {
                *status = LinkStatus {
                    state: LinkState::Connected,
                    since: wall(),
                    connection: number,
                    failures: 0,
                    last_error: None,
                    peer: Some(agreed.peer_software.clone()),
                };
            });
        });
        let end = tokio::select! {
            end = carried => end,
            never = keep_renewed(&self.settings) => match never {},
        };
        if was_established {
            let Self { twin, history, .. } = self;
            twin.tell_last(LinkEvent::Disconnected { connection: number });
            if let Some(history) = history {
                history.tell_last(history::LinkEvent::Disconnected { connection: number });
            }
            tokio::select! {
                () = told(twin, history) => {}
                () = after(stop, LAST_WORD) => {}
            }
        }
        end
    }

    /// Logs a change once, not each attempt.
    fn note(&self, error: &LinkError, wait: Duration) {
        let text = error.to_string();
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.status.send_modify(|status| {
            if status.last_error.as_deref() == Some(text.as_str()) {
                debug!(failures = status.failures, wait_ms, "still no link to the cloud");
            } else {
                warn!(error = text, wait_ms, "no link to the cloud");
            }
            status.state = LinkState::Waiting;
            status.since = wall();
            status.failures = status.failures.saturating_add(1);
            status.last_error = Some(text);
            status.peer = None;
        });
    }

    fn set(&self, state: LinkState) {
        set(&self.status, state);
    }
}

fn set(status: &watch::Sender<LinkStatus>, state: LinkState) {
    status.send_modify(|status| {
        status.state = state;
        status.since = wall();
    });
}

/// Ends `wait` after `stop`.
async fn after(stop: &CancellationToken, wait: Duration) {
    stop.cancelled().await;
    sleep(wait).await;
}

/// Takes commands and does nothing, since they were meant for an older connection; ends when the owner of the twins has
/// gone.
async fn discard(twin: &mut TwinPort, history: &mut Option<HistoryPort>) {
    let history = async {
        if let Some(port) = history {
            port.discard().await;
        }
        std::future::pending().await
    };
    tokio::select! {
        () = twin.discard() => {}
        () = history => {}
    }
}

/// Waits until both owners have taken what they are to be told, or have gone.
async fn told(twin: &mut TwinPort, history: &mut Option<HistoryPort>) {
    let history = async {
        if let Some(port) = history {
            port.told().await;
        }
    };
    tokio::join!(twin.told(), history);
}

/// The least time to wait: what the cloud asked for, or long when only people can mend it.
fn asked(error: &LinkError, most: Duration) -> Option<Duration> {
    if let LinkError::Refused(refused) = error {
        return refused.retry_after();
    }
    error.needs_people().then_some(most)
}

async fn connect(
    settings: &Settings,
    status: &watch::Sender<LinkStatus>,
    renew: bool,
) -> Result<Socket, Failed> {
    let config = if settings.url.is_tls() { Some(credentials(settings, status, renew).await?) } else { None };
    set(status, LinkState::Connecting);
    websocket(&settings.url, config).await.map_err(Failed::For)
}

/// The TLS configuration with the node's certificate, which is fetched if there is none yet, or if the token is for
/// another cloud than the one that it came from.
async fn credentials(
    settings: &Settings,
    status: &watch::Sender<LinkStatus>,
    renew: bool,
) -> Result<ClientConfig, Failed> {
    let load = || Identity::load(&settings.state_dir).map_err(Failed::Fatally);
    let stored = load()?;
    let identity = match (stored, &settings.token) {
        (Some(identity), None) => identity,
        (Some(identity), Some(token)) if token.pin() == identity.pin() && !renew => identity,
        (None, None) => return Err(Failed::For(LinkError::NotEnrolled)),
        (_, Some(token)) => {
            set(status, LinkState::Enrolling);
            enrol(settings, token).await.map_err(Failed::For)?;
            load()?.ok_or(Failed::For(LinkError::NotEnrolled))?
        }
    };
    mutual(identity).map_err(|e| Failed::For(LinkError::Tls(e.to_string())))
}
