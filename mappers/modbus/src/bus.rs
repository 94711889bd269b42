//! One connection, shared by all units behind it.

use std::fmt;
use std::time::Duration;

use mapper_sdk::Fault;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_modbus::client::{Client as _, Context, tcp};
use tokio_modbus::slave::{Slave, SlaveContext as _};
use tokio_modbus::{Error, ExceptionCode, Request, Response};

/// A connection that is made when it is needed, and dropped when anything on it was not as it should be: so a late
/// answer can never be taken for the answer to something else.
pub(crate) struct Bus {
    endpoint: String,
    connection: Option<Connection>,
    quiet_from: Instant,
}

struct Connection {
    context: Context,
    has_answered: bool,
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// What one unit behind a bus wants of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) unit: u8,
    pub(crate) timeout: Duration,
    pub(crate) pause: Duration,
}

impl Bus {
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
    pub(crate) async fn ask(
        &mut self,
        terms: Terms,
        request: Request<'static>,
    ) -> Result<Result<Response, ExceptionCode>, Fault> {
        let idle = self.connection.as_ref().is_some_and(|connection| connection.has_answered);
        match self.ask_once(terms, request.clone()).await {
            Err(Fault::Link(_)) if idle => self.ask_once(terms, request).await,
            other => other,
        }
    }

    async fn ask_once(
        &mut self,
        terms: Terms,
        request: Request<'static>,
    ) -> Result<Result<Response, ExceptionCode>, Fault> {
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

/// An exception in words. (MODBUS Application Protocol V1.1b3, 7)
pub(crate) fn exception_words(code: ExceptionCode) -> String {
    let words = match code {
        ExceptionCode::IllegalFunction => "illegal function",
        ExceptionCode::IllegalDataAddress => "illegal data address",
        ExceptionCode::IllegalDataValue => "illegal data value",
        ExceptionCode::ServerDeviceFailure => "server device failure",
        ExceptionCode::Acknowledge => "acknowledge, still working",
        ExceptionCode::ServerDeviceBusy => "server device busy",
        ExceptionCode::MemoryParityError => "memory parity error",
        ExceptionCode::GatewayPathUnavailable => "gateway path unavailable",
        ExceptionCode::GatewayTargetDevice => "gateway target device failed to respond",
        ExceptionCode::Custom(_) => "an exception that is not in the standard",
    };
    format!("{words} (exception {})", u8::from(code))
}

/// What an exception means for the point or device that was asked for.
pub(crate) fn exception_fault(code: ExceptionCode) -> Fault {
    let words = exception_words(code);
    match code {
        ExceptionCode::IllegalFunction
        | ExceptionCode::IllegalDataAddress
        | ExceptionCode::IllegalDataValue => Fault::Refused(words),
        ExceptionCode::GatewayPathUnavailable | ExceptionCode::GatewayTargetDevice => {
            Fault::Unreachable(words)
        }
        ExceptionCode::ServerDeviceFailure
        | ExceptionCode::Acknowledge
        | ExceptionCode::ServerDeviceBusy
        | ExceptionCode::MemoryParityError
        | ExceptionCode::Custom(_) => Fault::Busy(words),
    }
}
