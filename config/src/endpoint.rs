//! Addresses of brokers and clouds.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// An address that was taken apart: scheme, host, port and path, never a user or a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether the connection is encrypted (`wss`, `mqtts`).
    pub tls: bool,
    /// The host name or IP address; an IPv6 address without its brackets.
    pub host: String,
    /// The port; the scheme's own where none is written.
    pub port: u16,
    /// The path with its query, `/` where none is written.
    pub path: String,
    scheme: &'static str,
}

/// Why a text is not the address that was wanted; the second line says how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// It cannot be taken apart.
    #[error("`{text}` is not an address: {reason}\nwrite it like {example}")]
    Form {
        /// What was written.
        text: String,
        /// What is wrong.
        reason: &'static str,
        /// An address that would do.
        example: &'static str,
    },
    /// It holds a user or password.
    #[error("an address must not hold a user or password\ntake out the part before the `@`; {0}")]
    Credentials(&'static str),
    /// It would send in the clear over a network.
    #[error(
        "`ws://` sends everything in the clear and is taken for loopback only\nwrite wss:// instead of ws://"
    )]
    Plaintext,
}

/// The two schemes of an address, the one with TLS second, with their ports.
struct Schemes {
    plain: (&'static str, u16),
    tls: (&'static str, u16),
    example: &'static str,
    credentials: &'static str,
}

const CLOUD: Schemes = Schemes {
    plain: ("ws", 7443),
    tls: ("wss", 7443),
    example: "wss://cloud.example:7443",
    credentials: "the node proves itself with `token`",
};

const BROKER: Schemes = Schemes {
    plain: ("mqtt", 1883),
    tls: ("mqtts", 8883),
    example: "mqtt://broker.example:1883 or mqtts://broker.example",
    credentials: "use the keys `username` and `password`",
};

impl Endpoint {
    /// The address of a cloud: `wss://`, or `ws://` to loopback.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] says what is wrong and, in its second line, how to mend it.
    pub fn cloud(text: &str) -> Result<Self, InvalidEndpoint> {
        let url = Self::parse(text, &CLOUD)?;
        if url.tls || url.is_loopback() { Ok(url) } else { Err(InvalidEndpoint::Plaintext) }
    }

    /// The address of an MQTT broker: `mqtt://` or `mqtts://`.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] says what is wrong and, in its second line, how to mend it.
    pub fn broker(text: &str) -> Result<Self, InvalidEndpoint> {
        Self::parse(text, &BROKER)
    }

    /// Takes `text` apart.
    fn parse(text: &str, schemes: &Schemes) -> Result<Self, InvalidEndpoint> {
        let wrong = |reason| InvalidEndpoint::Form {
            text: crate::scalar::cut(text),
            reason,
            example: schemes.example,
        };
        if text.contains('@') {
            return Err(InvalidEndpoint::Credentials(schemes.credentials));
        }
        let uri: http::Uri = text.parse().map_err(|_| wrong("it cannot be read"))?;
        let (scheme, default_port, tls) = match uri.scheme_str() {
            Some(s) if s == schemes.plain.0 => (schemes.plain.0, schemes.plain.1, false),
            Some(s) if s == schemes.tls.0 => (schemes.tls.0, schemes.tls.1, true),
            Some(_) => return Err(wrong("the part before `://` is not known here")),
            None => return Err(wrong("it does not begin with a scheme and `://`")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        let host = match authority.host().strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(six) if six.parse::<Ipv6Addr>().is_ok() => six,
            None if is_host(authority.host()) => authority.host(),
            Some(_) | None => return Err(wrong("the host is neither a name nor an IP address")),
        };
        let port = match authority.as_str().strip_prefix(authority.host()).unwrap_or("") {
            "" => default_port,
            rest => match rest.trim_start_matches(':').parse() {
                Ok(port) if port != 0 => port,
                Ok(_) | Err(_) => return Err(wrong("the port is not a number of 1 to 65535")),
            },
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { tls, host: host.to_owned(), port, path: path.to_owned(), scheme })
    }

    /// Whether it leads to this machine and nowhere else.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

/// Whether `text` is a host name or an IPv4 address, as far as its characters say it.
fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path == "/" { "" } else { &self.path };
        if self.host.contains(':') {
            write!(f, "{}://[{}]:{}{path}", self.scheme, self.host, self.port)
        } else {
            write!(f, "{}://{}:{}{path}", self.scheme, self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_is_taken_apart() {
        let cloud = Endpoint::parse("wss://cloud.example", &CLOUD).unwrap();
        assert_eq!((cloud.tls, cloud.host.as_str(), cloud.port), (true, "cloud.example", 7443));
        let six = Endpoint::parse("mqtt://[::1]:1884", &BROKER).unwrap();
        assert!(six.is_loopback());
        assert_eq!(six.to_string(), "mqtt://[::1]:1884");
        for wrong in [
            "",
            "cloud.example",
            "https://c",
            "wss://",
            "wss://h:0",
            "wss://h:70000",
            "wss://u:p@h",
            "wss:h",
            "ws://a[-]",
            "ws://[a]",
        ] {
            assert!(Endpoint::parse(wrong, &CLOUD).is_err(), "{wrong} was taken");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(text in "(ws|wss)://[a-z0-9.:@\\[\\]/-]{0,20}") {
            if let Ok(endpoint) = Endpoint::parse(&text, &CLOUD) {
                prop_assert_eq!(Endpoint::parse(&endpoint.to_string(), &CLOUD), Ok(endpoint));
            }
        }
    }
}
