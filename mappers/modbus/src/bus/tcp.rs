//! Modbus TCP: every answer carries the number of its request.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use mapper_sdk::Fault;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_modbus::client::{Client as _, Context, tcp};
use tokio_modbus::slave::{Slave, SlaveContext as _};
use tokio_modbus::{Error, Request};

use crate::bus::{Answer, Terms};

/// A connection that is made when it is needed, and dropped when anything on it was not as it should be: so a late
/// answer can never be taken for the answer to something else.
pub(crate) struct TcpBus {
    endpoint: String,
    connection: Option<Connection>,
    quiet_from: Instant,
}

struct Connection {
    context: Context,
    has_answered: bool,
    alarm: Alarm,
}

/// A timer that stays set from one request to the next: setting one anew costs as much as a short request.
struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    /// What `work` gives, if it does so within `time`.
    async fn within<T>(&mut self, time: Duration, work: impl Future<Output = T>) -> Option<T> {
        let deadline = Instant::now() + time;
        if self.0.deadline() > deadline || self.0.is_elapsed() {
            self.0.as_mut().reset(deadline);
        }
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                () = self.0.as_mut() => {
                    if Instant::now() >= deadline {
                        return None;
                    }
                    // It was set for an earlier request.
                    self.0.as_mut().reset(deadline);
                }
            }
        }
    }
}

impl fmt::Debug for TcpBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpBus").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl TcpBus {
    pub(crate) fn new(endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), connection: None, quiet_from: Instant::now() }
    }

    /// Connects, if that has not been done.
    pub(crate) async fn connect(&mut self, terms: Terms) -> Result<(), Fault> {
        if self.connection.is_none() {
            let connecting = timeout(terms.timeout, TcpStream::connect(&self.endpoint)).await;
            let stream = connecting
                .map_err(|_| Fault::TimedOut(terms.timeout))?
                .map_err(|error| Fault::Link(format!("{}: {error}", self.endpoint)))?;
            stream.set_nodelay(true).map_err(|error| Fault::Link(error.to_string()))?;
            let alarm = Alarm(Box::pin(sleep_until(Instant::now() + terms.timeout)));
            self.connection = Some(Connection { context: tcp::attach(stream), has_answered: false, alarm });
        }
        Ok(())
    }

    /// Asks: outside whether there was an answer, inside what it was. Should a connection that has worked turn out to be
    /// closed, as devices do with those that are idle, it asks once more on a new one: all that is asked here may be done
    /// twice.
    pub(crate) async fn ask(&mut self, terms: Terms, request: Request<'static>) -> Result<Answer, Fault> {
        let idle = self.connection.as_ref().is_some_and(|connection| connection.has_answered);
        match self.ask_once(terms, request.clone()).await {
            Err(Fault::Link(_)) if idle => self.ask_once(terms, request).await,
            other => other,
        }
    }

    async fn ask_once(&mut self, terms: Terms, request: Request<'static>) -> Result<Answer, Fault> {
        self.connect(terms).await?;
        // A timer rounds up to a millisecond, which is longer than most devices take for an answer.
        if self.quiet_from > Instant::now() {
            sleep_until(self.quiet_from).await;
        }
        // Taken out until the right answer has come: when this future is dropped half-way, the connection is as well.
        let Some(mut connection) = self.connection.take() else { return Err(Fault::Link("closed".into())) };
        connection.context.set_slave(Slave(terms.unit));
        let Connection { context, alarm, .. } = &mut connection;
        let answer = alarm.within(terms.timeout, context.call(request)).await;
        self.quiet_from = Instant::now() + terms.pause;
        match answer {
            Some(Ok(answer)) => {
                connection.has_answered = true;
                self.connection = Some(connection);
                Ok(answer)
            }
            Some(Err(Error::Transport(error))) => Err(Fault::Link(closed(&error))),
            Some(Err(Error::Protocol(error))) => {
                Err(Fault::Protocol(error.to_string().chars().take(200).collect()))
            }
            None => Err(Fault::TimedOut(terms.timeout)),
        }
    }

    /// Drops the connection.
    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
    }
}

fn closed(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        // The client reports the end of the stream as the last error of the system, whatever that was.
        Some(0) => "the device closed the connection".into(),
        Some(_) | None => error.to_string(),
    }
}
