//! The rights that a gateway gives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};

use mapper_contract::{DeviceTopic, Topic};
use rights::Failures;
use sha2::{Digest as _, Sha256};
use twin_core::{DeviceId, Timestamp};

use crate::filter;
use crate::rights::{Peer, Principal, Rights};

/// The user of every mapper of the gateway begins so; no configured user can.
const MAPPER_PREFIX: &str = "mapper:";

/// The rights that a gateway gives: whoever is on this machine needs no password and may do everything but speak in the
/// gateway's name, unless it is configured otherwise; users with a password or a client certificate do what their rights say;
/// mappers speak for their own devices only.
pub struct Access {
    users: BTreeMap<String, User>,
    /// Whether nobody on this machine is asked who they are.
    open: bool,
    failures: Failures,
    now: fn() -> Timestamp,
    mappers: RwLock<BTreeMap<String, Mapper>>,
}

/// A user of the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The digest of the password; none: it comes with a client certificate only.
    password: Option<Secret>,
    rights: UserRights,
}

/// What a user may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserRights {
    /// Speak for these devices, and hear what concerns them.
    Mapper(BTreeSet<DeviceId>),
    /// Hear everything and ask for twins.
    Viewer,
    /// The same, and say what devices should do.
    Operator,
    /// Everything that whoever is on this machine may do.
    Everything,
}

/// What somebody may say of a twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Says {
    /// What a device holds.
    pub reports: bool,
    /// What a device should do.
    pub wants: bool,
}

/// What a mapper of this gateway connects with. Drawn anew at every start, never stored.
#[derive(Clone, PartialEq, Eq)]
pub struct MapperLogin {
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

struct Mapper {
    secret: Secret,
    devices: BTreeSet<DeviceId>,
}

/// Digests are compared, not passwords, so that the time it takes tells nothing of the password.
#[derive(Clone, PartialEq, Eq)]
struct Secret([u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Secret {
    fn of(password: &[u8]) -> Self {
        Self(Sha256::digest(password).into())
    }
}

impl User {
    /// A user with a password, or without one: then it comes with a client certificate of its name.
    #[must_use]
    pub fn new(password: Option<&str>, rights: UserRights) -> Self {
        Self { password: password.map(|password| Secret::of(password.as_bytes())), rights }
    }
}

impl Default for Access {
    fn default() -> Self {
        Self::new([])
    }
}

impl Access {
    /// Rights with these users; whoever is on this machine needs none.
    #[must_use]
    pub fn new(users: impl IntoIterator<Item = (String, User)>) -> Self {
        let users = users.into_iter().filter(|(name, _)| !name.starts_with(MAPPER_PREFIX)).collect();
        let failures = Failures::default();
        Self { users, open: true, failures, now: Timestamp::default, mappers: RwLock::default() }
    }

    /// The same, but whoever is on this machine is asked as everybody else.
    #[must_use]
    pub fn closed(mut self) -> Self {
        self.open = false;
        self
    }

    /// The same, and whoever was wrong too often has to wait.
    #[must_use]
    pub fn counting(mut self, failures: Failures, now: fn() -> Timestamp) -> Self {
        (self.failures, self.now) = (failures, now);
        self
    }

    /// Lets a mapper of this gateway in. Replaces its former login.
    #[must_use]
    pub fn admit_mapper(&self, name: &str, devices: impl IntoIterator<Item = DeviceId>) -> MapperLogin {
        let password = random_password();
        let mapper =
            Mapper { secret: Secret::of(password.as_bytes()), devices: devices.into_iter().collect() };
        self.mappers_mut().insert(name.to_owned(), mapper);
        MapperLogin { username: format!("{MAPPER_PREFIX}{name}"), password }
    }

    /// Says which devices a mapper speaks for from now on, on its live connection as well.
    pub fn set_devices(&self, name: &str, devices: impl IntoIterator<Item = DeviceId>) {
        if let Some(mapper) = self.mappers_mut().get_mut(name) {
            mapper.devices = devices.into_iter().collect();
        }
    }

    /// Takes a mapper's rights away, on its live connection as well.
    pub fn dismiss_mapper(&self, name: &str) {
        self.mappers_mut().remove(name);
    }

    /// What somebody may say in the body of a `twin/update` that they may publish.
    #[must_use]
    pub fn says(&self, principal: &Principal) -> Says {
        match principal {
            Principal::Mapper(_) => Says { reports: true, wants: false },
            Principal::Local(_) => Says { reports: true, wants: true },
            Principal::User(name) => match self.users.get(name).map(|user| &user.rights) {
                Some(UserRights::Everything) => Says { reports: true, wants: true },
                Some(UserRights::Mapper(_)) => Says { reports: true, wants: false },
                Some(UserRights::Operator) => Says { reports: false, wants: true },
                Some(UserRights::Viewer) | None => Says { reports: false, wants: false },
            },
        }
    }

    fn mappers_mut(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<String, Mapper>> {
        // Nothing under this lock can panic half-way.
        self.mappers.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_mapper<T>(&self, name: &str, ask: impl FnOnce(&Mapper) -> T) -> Option<T> {
        self.mappers.read().unwrap_or_else(PoisonError::into_inner).get(name).map(ask)
    }

    fn identify(&self, client_id: &str, username: Option<&str>, password: Option<&[u8]>, peer: &Peer) -> Who {
        if let (None, Some(name)) = (password, &peer.common_name)
            && username.is_none_or(|username| username == name)
        {
            return match self.users.contains_key(name) {
                true => Who::Is(Principal::User(name.clone())),
                false => Who::Wrong,
            };
        }
        let Some(username) = username else {
            let local = self.open && !peer.tls && peer.address.ip().to_canonical().is_loopback();
            return match local && password.is_none() {
                true => Who::Is(Principal::Local(client_id.to_owned())),
                false => Who::Nobody,
            };
        };
        let Some(given) = password.map(Secret::of) else { return Who::Nobody };
        let known = self.users.get(username).is_some_and(|user| user.password.as_ref() == Some(&given));
        if known { Who::Is(Principal::User(username.to_owned())) } else { Who::Wrong }
    }
}

enum Who {
    Is(Principal),
    /// They have not said who they are.
    Nobody,
    /// What they have said is wrong.
    Wrong,
}

impl Rights for Access {
    fn authenticate(
        &self,
        client_id: &str,
        username: Option<&str>,
        password: Option<&[u8]>,
        peer: &Peer,
    ) -> Option<Principal> {
        // Our own mappers do not guess, and must not wait because somebody else on this machine does.
        if let Some(name) = username.and_then(|name| name.strip_prefix(MAPPER_PREFIX)) {
            let given = Secret::of(password?);
            let known = self.with_mapper(name, |mapper| mapper.secret == given)?;
            return known.then(|| Principal::Mapper(name.to_owned()));
        }
        let (address, now) = (peer.address.ip(), (self.now)());
        if username.is_some() && self.failures.wait(address, now).is_some() {
            return None;
        }
        match self.identify(client_id, username, password, peer) {
            Who::Is(principal) => Some(principal),
            Who::Nobody => {
                self.failures.note_forbidden(address, now);
                None
            }
            Who::Wrong => {
                self.failures.note(address, now);
                None
            }
        }
    }

    fn may_publish(&self, principal: &Principal, topic: &str) -> bool {
        match principal {
            Principal::Mapper(name) => speaks_for(topic, |device| {
                self.with_mapper(name, |mapper| mapper.devices.contains(device)).unwrap_or(false)
            }),
            Principal::Local(_) => !is_the_gateways(topic),
            Principal::User(name) => match self.users.get(name).map(|user| &user.rights) {
                None => false,
                Some(UserRights::Everything) => !is_the_gateways(topic),
                Some(UserRights::Mapper(devices)) => speaks_for(topic, |device| devices.contains(device)),
                Some(UserRights::Viewer) => asks(topic),
                Some(UserRights::Operator) => asks(topic) || wants(topic),
            },
        }
    }

    fn may_subscribe(&self, principal: &Principal, filter: &str) -> bool {
        match principal {
            // The gateway's own are part of it.
            Principal::Mapper(_) | Principal::Local(_) => true,
            Principal::User(name) => match self.users.get(name).map(|user| &user.rights) {
                None => false,
                Some(UserRights::Mapper(devices)) => filter::is_within(filter, devices),
                Some(UserRights::Viewer | UserRights::Operator | UserRights::Everything) => true,
            },
        }
    }

    fn has_users(&self) -> bool {
        !self.users.is_empty()
    }
}

/// Whether a mapper may publish here: requests for its own devices, and for which devices there are.
fn speaks_for(topic: &str, is_own: impl FnOnce(&DeviceId) -> bool) -> bool {
    match topic.parse::<Topic>() {
        // What people ask for is not a mapper's to ask for.
        Ok(Topic::Device(_, DeviceTopic::OverrideUpdate | DeviceTopic::AlarmUpdate)) => false,
        Ok(parsed @ Topic::Device(..)) if parsed.is_request() => parsed.device().is_some_and(is_own),
        Ok(parsed @ Topic::Node(..)) => parsed.is_request(),
        Ok(Topic::Device(..) | Topic::Alarm(_)) | Err(_) => false,
    }
}

/// Whether a message here only asks for what there is.
fn asks(topic: &str) -> bool {
    match topic.parse::<Topic>() {
        Ok(Topic::Device(_, DeviceTopic::TwinGet)) => true,
        Ok(parsed @ Topic::Node(..)) => parsed.is_request(),
        Ok(Topic::Device(..) | Topic::Alarm(_)) | Err(_) => false,
    }
}

/// Whether a message here can say what a device should do, or what is done about an alarm; the bus looks at its body.
fn wants(topic: &str) -> bool {
    match topic.parse::<Topic>() {
        Ok(Topic::Device(_, topic)) => topic == DeviceTopic::TwinUpdate || topic.is_operators(),
        Ok(Topic::Node(..) | Topic::Alarm(_)) | Err(_) => false,
    }
}

/// Whether only the gateway speaks here. A topic under `$hw` that does not parse is let through unless it ends like one
/// of the gateway's, so that its sender can be told what is wrong with it.
fn is_the_gateways(topic: &str) -> bool {
    if !topic.starts_with('$') {
        return false;
    }
    if !topic.starts_with("$hw/") {
        return true;
    }
    match topic.parse::<Topic>() {
        Ok(parsed) => !parsed.is_request(),
        Err(_) => {
            ["/result", "/delta", "/document", "/membership/updated"].iter().any(|end| topic.ends_with(end))
        }
    }
}

fn random_password() -> String {
    let mut bytes = [0u8; 24];
    // A machine without randomness cannot run TLS either; a mapper that gets a password nobody can guess wrong is then
    // kept out rather than let in.
    if getrandom::fill(&mut bytes).is_err() {
        tracing::error!("the system gives no random numbers: mappers cannot log in at the broker");
        return String::new();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
