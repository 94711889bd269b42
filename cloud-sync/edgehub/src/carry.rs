//! One connection: frames between the WebSocket and the session, messages between the session and the owner.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, SinkExt as _, StreamExt as _};
use sync_proto::{Code, Established, Event, Session, StreamId};
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Error as WsError, Message as WsMessage};
use tokio_util::sync::CancellationToken;
use tracing::trace;
use twin_core::history;
use twin_core::replica::{LinkCommand, LinkEvent};

use crate::clock::Clock;
use crate::connect::Socket;
use crate::error::LinkError;
use crate::port::{HistoryPort, Next, TwinPort};

/// How long the last frames may take to go out.
const FAREWELL: Duration = Duration::from_secs(1);

/// How a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// It was to stop, or nobody wants it any more.
    Stopped,
    /// It was lost.
    Lost(LinkError),
}

/// What a connection works with.
pub(crate) struct Carry<'a> {
    pub(crate) number: u64,
    pub(crate) session: Session,
    pub(crate) clock: Clock,
    pub(crate) twin: &'a mut TwinPort,
    pub(crate) history: &'a mut Option<HistoryPort>,
}

impl Carry<'_> {
    /// Runs until the connection is over. Reading stops while an owner has events to take, but its commands are
    /// always taken: so the two never wait for each other.
    pub(crate) async fn run(
        mut self,
        socket: Socket,
        stop: &CancellationToken,
        mut established: impl FnMut(&Established),
    ) -> End {
        let (mut sink, mut stream) = socket.split();
        let mut outgoing: Option<Bytes> = None;
        let mut unflushed = false;
        let mut stopping = false;
        self.session.handle_opened(self.clock.now());
        let end = loop {
            if outgoing.is_none() {
                outgoing = self.session.poll_transmit().map(Bytes::from);
            }
            match self.take_events(&mut established) {
                None => {}
                Some(_) if stopping => break End::Stopped,
                Some(error) => break End::Lost(error),
            }
            let behind = self.twin.is_behind() || self.history.as_ref().is_some_and(HistoryPort::is_behind);
            let wake = self.session.poll_timeout().map(|at| self.clock.instant(at));
            tokio::select! {
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    self.session.close(Code::Stopping, "the gateway is being stopped".to_owned());
                }
                ready = writable(&mut sink, outgoing.is_some()), if outgoing.is_some() || unflushed => {
                    let sent = match outgoing.take() {
                        Some(frame) => {
                            trace!(frame_bytes = frame.len(), "sent");
                            unflushed = true;
                            ready.and_then(|()| sink.start_send_unpin(WsMessage::Binary(frame)))
                        }
                        None => {
                            unflushed = false;
                            ready
                        }
                    };
                    if let Err(error) = sent { break End::Lost(broken(&error)); }
                }
                received = stream.next(), if !behind => {
                    if let Err(error) = self.receive(received) { break End::Lost(error); }
                }
                next = self.twin.next() => match next {
                    Ok(Next::Told) => {}
                    Ok(Next::Asked(command)) => self.obey(command),
                    Err(_) if stopping => break End::Stopped,
                    Err(_) => {
                        stopping = true;
                        self.session.close(Code::Stopping, "the gateway is being stopped".to_owned());
                    }
                },
                next = history(self.history) => match next {
                    Some(Next::Told) => {}
                    Some(Next::Asked(command)) => self.obey_history(command),
                    None => *self.history = None,
                },
                () = sleep_until(wake.unwrap_or_else(tokio::time::Instant::now)), if wake.is_some() => {
                    self.session.handle_timeout(self.clock.now());
                }
            }
        };
        // Whoever does not take the farewell in time does without.
        let _ = timeout(FAREWELL, farewell(&mut self.session, outgoing, &mut sink)).await;
        end
    }

    fn take_events(&mut self, established: &mut impl FnMut(&Established)) -> Option<LinkError> {
        let connection = self.number;
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Opening(_) => {}
                Event::Established(agreed) => {
                    established(&agreed);
                    let streams = agreed.streams.iter().filter_map(|stream| stream.documents()).collect();
                    self.twin.tell(LinkEvent::Connected { connection, streams });
                    if let Some(owner) =
                        self.history.as_mut().filter(|_| agreed.streams.contains(&StreamId::HISTORY))
                    {
                        owner.tell(history::LinkEvent::Connected { connection });
                    }
                }
                Event::Message { stream, message } => {
                    if let Some(stream) = stream.documents() {
                        self.twin.tell(LinkEvent::Message { connection, stream, message });
                    }
                }
                Event::History(message) => {
                    if let Some(owner) = self.history {
                        owner.tell(history::LinkEvent::Message { connection, message });
                    }
                }
                Event::Refused(refused) => return Some(LinkError::Refused(refused)),
                Event::Closed(closed) => return Some(LinkError::Closed(closed)),
            }
        }
        None
    }

    fn receive(&mut self, received: Option<Result<WsMessage, WsError>>) -> Result<(), LinkError> {
        match received {
            Some(Ok(WsMessage::Binary(bytes))) => {
                trace!(frame_bytes = bytes.len(), "received");
                // The session has closed itself when this is an error, and says so in its events.
                let _ = self.session.handle_frame(&bytes, self.clock.now());
                Ok(())
            }
            Some(Ok(WsMessage::Text(_))) => {
                self.session.close(Code::Protocol, "text messages are not spoken here".to_owned());
                Ok(())
            }
            Some(Ok(WsMessage::Ping(_) | WsMessage::Pong(_) | WsMessage::Frame(_))) => Ok(()),
            Some(Err(WsError::Capacity(error))) => {
                self.session.close(Code::TooLarge, error.to_string());
                Ok(())
            }
            Some(Err(error)) => Err(broken(&error)),
            Some(Ok(WsMessage::Close(_))) | None => {
                Err(LinkError::Broken("the other end closed it without a word".to_owned()))
            }
        }
    }

    fn obey(&mut self, command: LinkCommand) {
        match command {
            LinkCommand::Send { connection, stream, message } if connection == self.number => {
                if let Err(error) = self.session.send(StreamId::of(stream), message) {
                    self.session.close(Code::Protocol, error.to_string());
                }
            }
            LinkCommand::Close { connection, reason } if connection == self.number => {
                self.session.close(Code::Protocol, reason);
            }
            LinkCommand::Send { .. } | LinkCommand::Close { .. } => {}
        }
    }

    fn obey_history(&mut self, command: history::LinkCommand) {
        match command {
            history::LinkCommand::Send { connection, message } if connection == self.number => {
                if let Err(error) = self.session.send_history(message) {
                    self.session.close(Code::Protocol, error.to_string());
                }
            }
            history::LinkCommand::Close { connection, reason } if connection == self.number => {
                self.session.close(Code::Protocol, reason);
            }
            history::LinkCommand::Send { .. } | history::LinkCommand::Close { .. } => {}
        }
    }
}

/// What happens at the port of the history; none when its owner is gone, and nothing where there is none.
async fn history(port: &mut Option<HistoryPort>) -> Option<Next<history::LinkCommand>> {
    match port {
        Some(port) => port.next().await.ok(),
        None => std::future::pending().await,
    }
}

fn broken(error: &WsError) -> LinkError {
    LinkError::from_websocket(error, "", "")
}

/// Waits until another frame can be taken, or until all that was taken has gone out.
async fn writable(
    sink: &mut (impl Sink<WsMessage, Error = WsError> + Unpin),
    another: bool,
) -> Result<(), WsError> {
    poll_fn(|cx| if another { sink.poll_ready_unpin(cx) } else { sink.poll_flush_unpin(cx) }).await
}

async fn farewell(
    session: &mut Session,
    outgoing: Option<Bytes>,
    sink: &mut (impl Sink<WsMessage, Error = WsError> + Unpin),
) -> Result<(), WsError> {
    if let Some(frame) = outgoing {
        sink.send(WsMessage::Binary(frame)).await?;
    }
    while let Some(frame) = session.poll_transmit() {
        sink.send(WsMessage::Binary(frame.into())).await?;
    }
    sink.close().await
}
