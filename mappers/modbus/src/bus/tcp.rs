//! Modbus TCP: every answer carries the number of its request.

use std::fmt;

use mapper_sdk::Fault;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
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
            self.connection = Some(Connection { context: tcp::attach(stream), has_answered: false });
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
        sleep_until(self.quiet_from).await;
        // Taken out until the right answer has come: when this future is dropped half-way, the connection is as well.
        let Some(mut connection) = self.connection.take() else { return Err(Fault::Link("closed".into())) };
        connection.context.set_slave(Slave(terms.unit));
        let answer = timeout(terms.timeout, connection.context.call(request)).await;
        self.quiet_from = Instant::now() + terms.pause;
        match answer {
            Ok(Ok(answer)) => {
                connection.has_answered = true;
                self.connection = Some(connection);
                Ok(answer)
            }
            Ok(Err(Error::Transport(error))) => Err(Fault::Link(closed(&error))),
            Ok(Err(Error::Protocol(error))) => {
                Err(Fault::Protocol(error.to_string().chars().take(200).collect()))
            }
            Err(_) => Err(Fault::TimedOut(terms.timeout)),
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
