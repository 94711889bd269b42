//! The addresses on which the gateway listens.

use std::net::SocketAddr;

use super::Finding;

const TOPIC: &str = "ports";

/// How an address stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// Nobody listens there.
    Free,
    /// Somebody does; with its name and number as far as they can be known.
    Taken(Option<(String, u32)>),
    /// Nobody could listen there.
    Impossible(String),
}

/// An address on which the gateway listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// What for: `REST` or `MQTT`.
    pub what: &'static str,
    /// The key in the configuration.
    pub key: &'static str,
    /// The address.
    pub address: SocketAddr,
    /// How it stands.
    pub hold: Hold,
}

/// What is to be said of them. While the gateway runs, it is the one who listens.
#[must_use]
pub fn judge(ports: &[Port], running: bool) -> Vec<Finding> {
    let of = |port: &Port| {
        let Port { what, key, address, hold } = port;
        match hold {
            Hold::Free if running => Finding::fail(
                TOPIC,
                format!("a gateway runs, but nobody listens on {address} for {what}"),
                format!("it was started with another `{key}`: start it again"),
            ),
            Hold::Free => Finding::ok(TOPIC, format!("{address} is free for {what}")),
            Hold::Taken(Some((name, pid))) if running && name.starts_with("twinspan") => {
                Finding::ok(TOPIC, format!("the gateway listens on {address} for {what} ({name}, {pid})"))
            }
            Hold::Taken(None) if running => {
                Finding::ok(TOPIC, format!("somebody listens on {address} for {what}"))
            }
            Hold::Taken(who) => {
                let who = who
                    .as_ref()
                    .map_or("another process (run this as root to see which)".to_owned(), |(name, pid)| {
                        format!("{name} (process {pid})")
                    });
                Finding::fail(
                    TOPIC,
                    format!("{who} listens on {address}, which the gateway needs for {what}"),
                    format!("stop it, or give another `{key}`"),
                )
            }
            Hold::Impossible(why) => Finding::fail(
                TOPIC,
                format!("nobody can listen on {address} for {what}: {why}"),
                format!("give `{key}` an address of this machine (`ip address`)"),
            ),
        }
    };
    ports.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn who_holds_a_port_is_named() {
        let port = |hold| {
            [Port { what: "MQTT", key: "gateway.mqtt", address: "127.0.0.1:1883".parse().unwrap(), hold }]
        };
        let level = |hold, running| judge(&port(hold), running)[0].level;
        let by = |name: &str| Hold::Taken(Some((name.to_owned(), 7)));
        assert_eq!((level(Hold::Free, false), level(Hold::Free, true)), (Level::Ok, Level::Fail));
        assert_eq!((level(by("mosquitto"), false), level(by("mosquitto"), true)), (Level::Fail, Level::Fail));
        assert_eq!((level(by("twinspan"), false), level(by("twinspan"), true)), (Level::Fail, Level::Ok));
        assert_eq!(level(Hold::Impossible("no such address".into()), false), Level::Fail);
        assert!(judge(&port(by("mosquitto")), false)[0].says.contains("mosquitto (process 7)"));
    }
}
