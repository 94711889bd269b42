//! What carries the bytes: a serial port, or a connection to a coordinator in the network.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_serial::{FlowControl, SerialPortBuilderExt as _};

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The rate of Z-Stack's firmware.
const BAUD: u32 = 115_200;

/// Where a coordinator is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Host and port.
    Tcp(String),
    /// A serial device.
    Serial(String),
}

/// A text that names no coordinator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no coordinator: write tcp://HOST:PORT, or the path of a serial device such as /dev/ttyUSB0"
)]
pub struct PlaceFault(String);

impl FromStr for Place {
    type Err = PlaceFault;

    fn from_str(text: &str) -> Result<Self, PlaceFault> {
        let wrong = || PlaceFault(text.chars().take(80).collect());
        if let Some(endpoint) = text.strip_prefix("tcp://") {
            let (host, port) = endpoint.rsplit_once(':').ok_or_else(wrong)?;
            let right = !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0);
            return if right { Ok(Self::Tcp(endpoint.to_owned())) } else { Err(wrong()) };
        }
        if text.starts_with('/') { Ok(Self::Serial(text.to_owned())) } else { Err(wrong()) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(endpoint) => write!(f, "tcp://{endpoint}"),
            Self::Serial(path) => f.write_str(path),
        }
    }
}

/// A stream of bytes both ways.
pub(super) trait Port: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Port for T {}

/// Opens it.
pub(super) async fn open(place: &Place) -> io::Result<Box<dyn Port>> {
    match place {
        Place::Tcp(endpoint) => {
            let stream = timeout(CONNECT_WITHIN, TcpStream::connect(endpoint)).await??;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
        Place::Serial(path) => {
            let port = tokio_serial::new(path, BAUD).flow_control(FlowControl::None).open_native_async()?;
            Ok(Box::new(port))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coordinator_is_a_host_with_a_port_or_a_path() {
        assert_eq!("tcp://10.0.0.7:6638".parse(), Ok(Place::Tcp("10.0.0.7:6638".into())));
        assert_eq!("/dev/ttyUSB0".parse(), Ok(Place::Serial("/dev/ttyUSB0".into())));
        for wrong in ["", "10.0.0.7:6638", "tcp://10.0.0.7", "tcp://:1", "tcp://a:0", "COM1"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
