//! The rights that a gateway gives.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{PoisonError, RwLock};

use mapper_contract::Topic;
use sha2::{Digest as _, Sha256};
use twin_core::DeviceId;

use crate::rights::{Principal, Rights};

/// The user of every mapper begins so; no configured user can.
const MAPPER_PREFIX: &str = "mapper:";

/// The rights that a gateway gives: whoever is on this machine needs no password and may do everything but speak in the
/// gateway's name; from elsewhere only users with a password come in; mappers speak for their own devices only.
#[derive(Default)]
pub struct Access {
    users: BTreeMap<String, Secret>,
    mappers: RwLock<BTreeMap<String, Mapper>>,
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
#[derive(PartialEq, Eq)]
struct Secret([u8; 32]);

impl Secret {
    fn of(password: &[u8]) -> Self {
        Self(Sha256::digest(password).into())
    }
}

impl Access {
    /// Rights with these users and their passwords.
    #[must_use]
    pub fn new(users: impl IntoIterator<Item = (String, String)>) -> Self {
        let users = users.into_iter().filter(|(name, _)| !name.starts_with(MAPPER_PREFIX));
        let users = users.map(|(name, password)| (name, Secret::of(password.as_bytes()))).collect();
        Self { users, mappers: RwLock::default() }
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

    fn mappers_mut(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<String, Mapper>> {
        // Nothing under this lock can panic half-way.
        self.mappers.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_mapper<T>(&self, name: &str, ask: impl FnOnce(&Mapper) -> T) -> Option<T> {
        self.mappers.read().unwrap_or_else(PoisonError::into_inner).get(name).map(ask)
    }
}

impl Rights for Access {
    fn authenticate(
        &self,
        client_id: &str,
        username: Option<&str>,
        password: Option<&[u8]>,
        peer: SocketAddr,
    ) -> Option<Principal> {
        let Some(username) = username else {
            let local = peer.ip().to_canonical().is_loopback() && password.is_none();
            return local.then(|| Principal::Local(client_id.to_owned()));
        };
        let given = Secret::of(password?);
        match username.strip_prefix(MAPPER_PREFIX) {
            Some(name) => {
                let known = self.with_mapper(name, |mapper| mapper.secret == given)?;
                known.then(|| Principal::Mapper(name.to_owned()))
            }
            None => (*self.users.get(username)? == given).then(|| Principal::User(username.to_owned())),
        }
    }

    fn may_publish(&self, principal: &Principal, topic: &str) -> bool {
        match principal {
            Principal::Mapper(name) => match topic.parse::<Topic>() {
                Ok(parsed @ Topic::Device(..)) if parsed.is_request() => {
                    parsed.device().is_some_and(|device| {
                        self.with_mapper(name, |mapper| mapper.devices.contains(device)).unwrap_or(false)
                    })
                }
                Ok(parsed @ Topic::Node(..)) => parsed.is_request(),
                Ok(Topic::Device(..)) | Err(_) => false,
            },
            Principal::Local(_) | Principal::User(_) => !is_the_gateways(topic),
        }
    }

    fn may_subscribe(&self, _principal: &Principal, _filter: &str) -> bool {
        true
    }

    fn has_users(&self) -> bool {
        !self.users.is_empty()
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
mod tests {
    use super::*;

    fn local() -> SocketAddr {
        "127.0.0.1:5000".parse().unwrap()
    }

    fn remote() -> SocketAddr {
        "192.0.2.7:5000".parse().unwrap()
    }

    #[test]
    fn this_machine_needs_no_password_and_others_do() {
        let access = Access::new([("alice".to_owned(), "secret".to_owned())]);
        let who = |user: Option<&str>, password: Option<&str>, peer| {
            access.authenticate("c", user, password.map(str::as_bytes), peer)
        };
        assert_eq!(who(None, None, local()), Some(Principal::Local("c".into())));
        assert_eq!(
            who(None, None, "[::ffff:127.0.0.1]:1".parse().unwrap()),
            Some(Principal::Local("c".into()))
        );
        assert_eq!(who(None, None, remote()), None);
        assert_eq!(who(Some("alice"), Some("secret"), remote()), Some(Principal::User("alice".into())));
        assert_eq!(who(Some("alice"), Some("wrong"), local()), None);
        assert_eq!(who(Some("alice"), None, local()), None);
        assert_eq!(who(Some("bob"), Some("secret"), local()), None);
    }

    #[test]
    fn a_mapper_speaks_for_its_own_devices_until_they_are_taken_away() {
        let access = Access::default();
        let login = access.admit_mapper("modbus", ["pump-1".parse().unwrap()]);
        let who = access.authenticate("m", Some(&login.username), Some(login.password.as_bytes()), local());
        let mapper = who.unwrap();
        assert!(access.may_publish(&mapper, "$hw/events/device/default/pump-1/twin/update"));
        assert!(access.may_publish(&mapper, "$hw/events/device/pump-1/state/update"));
        assert!(access.may_publish(&mapper, "$hw/events/node/edge-1/membership/get"));
        assert!(!access.may_publish(&mapper, "$hw/events/device/default/pump-2/twin/update"));
        assert!(!access.may_publish(&mapper, "$hw/events/device/default/pump-1/twin/update/delta"));
        assert!(!access.may_publish(&mapper, "plant/other"));
        access.set_devices("modbus", []);
        assert!(!access.may_publish(&mapper, "$hw/events/device/default/pump-1/twin/update"));
        access.dismiss_mapper("modbus");
        let again = access.authenticate("m", Some(&login.username), Some(login.password.as_bytes()), local());
        assert_eq!(again, None);
    }

    #[test]
    fn nobody_but_the_gateway_speaks_in_its_name() {
        let access = Access::default();
        let app = Principal::Local("app".into());
        for topic in [
            "$hw/events/device/default/pump/twin/update/delta",
            "$hw/events/device/pump/twin/update/result",
            "$hw/events/device/BAD/pump/twin/update/delta",
            "$hw/events/node/edge-1/membership/updated",
            "$SYS/brokers",
        ] {
            assert!(!access.may_publish(&app, topic), "{topic}");
        }
        for topic in
            ["$hw/events/device/default/pump/twin/update", "$hw/events/device/BAD/p/twin/update", "a/b"]
        {
            assert!(access.may_publish(&app, topic), "{topic}");
        }
    }
}
