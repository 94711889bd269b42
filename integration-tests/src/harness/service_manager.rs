//! The socket on which a service manager listens for what its services say.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

/// The socket on which a service manager listens.
#[derive(Debug)]
pub struct ServiceManager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl ServiceManager {
    /// One that listens.
    ///
    /// # Panics
    /// When it cannot.
    #[must_use]
    pub fn listen() -> Self {
        let folder = TempDir::new().expect("a folder for the socket");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket to listen on");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket takes a timeout");
        Self { socket, folder }
    }

    /// What `NOTIFY_SOCKET` must be.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("notify")
    }

    /// The next thing that was said; none when nothing is said for a moment.
    ///
    /// # Panics
    /// When what was said is no text.
    #[must_use]
    pub fn hear(&self) -> Option<String> {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).expect("what a service says is text"))
    }

    /// Everything that is said until `wanted` is.
    ///
    /// # Panics
    /// When it is not said within that time.
    #[must_use]
    pub fn hear_until(&self, wanted: &str, within: Duration) -> Vec<String> {
        let begun = std::time::Instant::now();
        let mut heard = Vec::new();
        while begun.elapsed() < within {
            if let Some(said) = self.hear() {
                let found = said.lines().any(|line| line == wanted);
                heard.push(said);
                if found {
                    return heard;
                }
            }
        }
        panic!("{wanted} was not said within {} s, but {heard:?}", within.as_secs());
    }
}
