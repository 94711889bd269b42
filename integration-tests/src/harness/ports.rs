//! Free ports, of which no two tests get the same, not even those of other test processes.

use std::fs::File;
use std::net::TcpListener;

/// Below the ports that the system gives to outgoing connections, so that none of those takes one between two starts of
/// a server.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A port of loopback that belongs to its holder as long as it lives, whether or not something listens there.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// A port where nothing listens.
    ///
    /// # Panics
    /// When none can be had.
    #[must_use]
    pub fn free() -> Self {
        let folder = std::env::temp_dir().join("twinspan-test-ports");
        std::fs::create_dir_all(&folder).expect("a folder for the locks of the ports");
        for _ in 0..1000 {
            let number = fastrand::u16(RANGE);
            let lock = File::create(folder.join(number.to_string())).expect("the lock of a port");
            if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok() {
                return Self { number, _lock: lock };
            }
        }
        panic!("there is no free port between {} and {}", RANGE.start, RANGE.end);
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }
}
