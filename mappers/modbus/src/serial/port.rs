//! What carries the bytes: a serial port, or a connection to a serial server.

use std::time::Duration;

use mapper_sdk::Fault;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_serial::{DataBits, Parity as LineParity, SerialPortBuilderExt as _, StopBits};

use crate::link::{Parity, Way};

/// A stream of bytes both ways.
pub(super) trait Port: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Port for T {}

/// Opens it.
pub(super) async fn open(way: &Way, within: Duration) -> Result<Box<dyn Port>, Fault> {
    match way {
        Way::Serial(_, serial) => {
            let parity = match serial.parity {
                Parity::None => LineParity::None,
                Parity::Even => LineParity::Even,
                Parity::Odd => LineParity::Odd,
            };
            let data_bits = if serial.data_bits == 7 { DataBits::Seven } else { DataBits::Eight };
            let stop_bits = if serial.stop_bits == 2 { StopBits::Two } else { StopBits::One };
            let builder = tokio_serial::new(&serial.path, serial.baud)
                .data_bits(data_bits)
                .parity(parity)
                .stop_bits(stop_bits);
            let port = builder.open_native_async();
            Ok(Box::new(port.map_err(|error| Fault::Link(format!("{}: {error}", serial.path)))?))
        }
        Way::Tcp(endpoint) | Way::OverTcp(_, endpoint) => {
            let connecting = timeout(within, TcpStream::connect(endpoint)).await;
            let stream = connecting
                .map_err(|_| Fault::TimedOut(within))?
                .map_err(|error| Fault::Link(format!("{endpoint}: {error}")))?;
            stream.set_nodelay(true).map_err(|error| Fault::Link(error.to_string()))?;
            Ok(Box::new(stream))
        }
    }
}
