//! What an operator asks of a network while the gateway holds its coordinator: a local socket in the data folder, on which one line of
//! JSON asks and lines of JSON answer.

mod client;
mod server;

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixListener;

use crate::Ieee;
use crate::host::{Device, NetworkIds, PortPlace};

pub use client::{Operator, OperatorFault};
pub(crate) use server::serve;

/// The longest line; a device with all its endpoints has a few kilobytes.
const MOST_LINE: u64 = 256 * 1_024;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    /// Let devices join.
    PermitJoin {
        /// For so many seconds, 1 to 254.
        seconds: u8,
        /// Until so many have.
        count: usize,
    },
    /// The network and its devices.
    Devices {},
    /// Ask a device again what it is.
    Interview { device: Ieee },
    /// Make a device leave.
    Remove { device: Ieee, force: bool },
}

/// What is answered, line by line; `Done` and `Failed` are the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Network { coordinator: Ieee, ids: NetworkIds },
    Device { ieee: Ieee, device: Device },
    Mute { ieee: Ieee, why: String },
    Failed { why: String },
    Done {},
}

/// The socket for a coordinator; short, since the system takes a path of about a hundred bytes.
fn path(place: &PortPlace, data_dir: &Path) -> PathBuf {
    let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: Vec<char> = place.to_string().chars().map(word).collect();
    let name: String = name[name.len().saturating_sub(30)..].iter().collect();
    data_dir.join(format!("{name}.sock"))
}

/// Listens for operators. Only the owner of the folder gets in. The coordinator must be held, so that nobody else listens.
pub(crate) fn listen(place: &PortPlace, data_dir: &Path) -> io::Result<UnixListener> {
    let path = path(place, data_dir);
    // One that was left behind by a process that was killed.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// One line; none at the end.
async fn read_line<T: DeserializeOwned>(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    from.take(MOST_LINE).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(&line).map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

async fn write_line(to: &mut (impl AsyncWrite + Unpin), line: &impl Serialize) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    to.write_all(&bytes).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_socket_has_a_short_name_of_its_own() {
        let at = |place: &str| path(&place.parse().unwrap(), Path::new("/data"));
        assert_eq!(at("tcp://10.0.0.7:6638"), Path::new("/data/tcp---10-0-0-7-6638.sock"));
        assert_eq!(
            at("/dev/serial/by-id/usb-1a86_USB_Serial-if00-port0").as_os_str().len(),
            "/data/".len() + 30 + 5
        );
    }

    proptest! {
        #[test]
        fn no_line_makes_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let _ = runtime.block_on(read_line::<Request>(&mut bytes.as_slice()));
        }
    }
}
