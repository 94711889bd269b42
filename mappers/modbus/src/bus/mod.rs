//! One connection or serial line, shared by all units behind it.

mod exception;
mod tcp;

use std::time::Duration;

use mapper_sdk::Fault;
use tokio_modbus::{ExceptionCode, Request, Response};

pub(crate) use exception::exception_fault;

use crate::link::Way;
use crate::serial::Line;
use tcp::TcpBus;

/// What a device says: the answer, or that it will not.
pub(crate) type Answer = Result<Response, ExceptionCode>;

/// What one unit behind a bus wants of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) unit: u8,
    pub(crate) timeout: Duration,
    pub(crate) pause: Duration,
}

/// One connection or serial line.
#[derive(Debug)]
pub(crate) enum Bus {
    Tcp(TcpBus),
    Line(Line),
}

impl Bus {
    pub(crate) fn new(way: &Way) -> Self {
        match way {
            Way::Tcp(endpoint) => Self::Tcp(TcpBus::new(endpoint)),
            Way::OverTcp(framing, _) | Way::Serial(framing, _) => {
                Self::Line(Line::new(*framing, way.clone()))
            }
        }
    }

    /// Connects, if that has not been done.
    pub(crate) async fn connect(&mut self, terms: Terms) -> Result<(), Fault> {
        match self {
            Self::Tcp(bus) => bus.connect(terms).await,
            Self::Line(line) => line.connect(terms).await,
        }
    }

    /// Asks: outside whether there was an answer, inside what it was.
    pub(crate) async fn ask(&mut self, terms: Terms, request: Request<'static>) -> Result<Answer, Fault> {
        match self {
            Self::Tcp(bus) => bus.ask(terms, request).await,
            Self::Line(line) => line.ask(terms, &request).await,
        }
    }

    /// Drops the connection.
    pub(crate) fn disconnect(&mut self) {
        match self {
            Self::Tcp(bus) => bus.disconnect(),
            Self::Line(line) => line.disconnect(),
        }
    }
}
