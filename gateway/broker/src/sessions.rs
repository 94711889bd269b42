//! Who is behind each connection.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rmqtt::types::Id;

use crate::rights::Principal;

/// An entry that is not in use is kept this long: a last will may still be on its way.
const KEPT_AFTER_END: Duration = Duration::from_secs(60);

/// The principal of every connection. Keyed by client id and address: a client that takes over another's client id has
/// another address, and neither may get the other's rights while both are still there.
#[derive(Default)]
pub(crate) struct Sessions {
    by_connection: Mutex<HashMap<(String, Option<SocketAddr>), Entry>>,
}

struct Entry {
    principal: Principal,
    live: bool,
    since: Instant,
}

impl Sessions {
    /// A client was let in; it may still fail before it is connected. Forgets those that are long gone.
    pub(crate) fn admitted(&self, id: &Id, principal: Principal) {
        let mut map = self.lock();
        map.retain(|_, entry| entry.live || entry.since.elapsed() < KEPT_AFTER_END);
        map.insert(key(id), Entry { principal, live: false, since: Instant::now() });
    }

    pub(crate) fn set_live(&self, id: &Id, live: bool) {
        if let Some(entry) = self.lock().get_mut(&key(id)) {
            entry.live = live;
            entry.since = Instant::now();
        }
    }

    pub(crate) fn principal(&self, id: &Id) -> Option<Principal> {
        self.lock().get(&key(id)).map(|entry| entry.principal.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, Option<SocketAddr>), Entry>> {
        // Nothing under this lock can panic half-way.
        self.by_connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(id: &Id) -> (String, Option<SocketAddr>) {
    (id.client_id.to_string(), id.remote_addr)
}
