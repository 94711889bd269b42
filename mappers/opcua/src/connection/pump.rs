//! What moves a session: its event loop, polled until it ends.

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use mapper_sdk::Fault;
use opcua_client::transport::Connector;
use opcua_client::{SessionActivity, SessionEventLoop, SessionPollResult};
use opcua_types::StatusCode;
use tokio::sync::oneshot;

use super::End;
use crate::status::{is_gone, words};

/// The event loop of one session.
pub(crate) struct Pump<T: Connector + 'static> {
    pub(super) events: SessionEventLoop<T>,
    /// Told once, when the session is open or could not be opened.
    pub(super) opened: oneshot::Sender<Result<(), StatusCode>>,
    pub(super) end: End,
    pub(super) timeout: Duration,
}

impl<T: Connector + 'static> Pump<T> {
    /// Runs until the session is lost or somebody ends it. The library's own way of coming back is not used: after a
    /// restart of the server it makes the subscriptions anew and then never asks for what they have to tell.
    pub(super) async fn run(self) {
        let Self { events, opened, end, timeout } = self;
        let mut opened = Some(opened);
        let mut stream = pin!(events.enter());
        let fault = loop {
            let event = tokio::select! {
                event = stream.next() => event,
                _ = end.ended() => return,
            };
            match event {
                Some(Ok(SessionPollResult::Reconnected(_))) => {
                    if let Some(opened) = opened.take() {
                        // Nobody waits any more when the time was up.
                        let _ = opened.send(Ok(()));
                    }
                }
                Some(Ok(event)) => {
                    if let Some(fault) = fault_in(&event, timeout) {
                        break fault;
                    }
                }
                Some(Err(status)) => {
                    if let Some(opened) = opened.take() {
                        let _ = opened.send(Err(status));
                    }
                    break Fault::Link(words(status));
                }
                None => break Fault::Link("the server closed the connection".into()),
            }
        };
        end.end(fault);
    }
}

fn fault_in(event: &SessionPollResult, timeout: Duration) -> Option<Fault> {
    if let SessionPollResult::SessionActivity(SessionActivity::KeepAliveFailed(status)) = event {
        // A server that is up but says that it does not run still tells of its values, with their quality.
        return (is_gone(*status) && *status != StatusCode::BadServerHalted).then(|| {
            if *status == StatusCode::BadTimeout {
                Fault::TimedOut(timeout)
            } else {
                Fault::Link(words(*status))
            }
        });
    }
    let SessionPollResult::ConnectionLost(status) = event else { return None };
    Some(Fault::Link(words(*status)))
}
