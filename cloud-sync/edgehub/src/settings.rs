//! What the edge's end of the link needs to know.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sync_proto::{JoinToken, Timing};
use tokio_tungstenite::tungstenite::http::Uri;
use twin_core::NodeName;

/// What the edge's end of the link needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the cloud is.
    pub url: CloudUrl,
    /// This node.
    pub node: NodeName,
    /// The folder of the node's key and certificates; made when it is not there, readable by its owner only.
    pub state_dir: PathBuf,
    /// The join token; needed once.
    pub token: Option<JoinToken>,
    /// The shortest and longest bound of the wait before the next attempt.
    pub backoff: (Duration, Duration),
    /// The times of a session.
    pub timing: Timing,
}

impl Settings {
    /// Settings with a back-off of 500 ms to 60 s and the usual times.
    #[must_use]
    pub fn new(url: CloudUrl, node: NodeName, state_dir: PathBuf, token: Option<JoinToken>) -> Self {
        let backoff = (Duration::from_millis(500), Duration::from_secs(60));
        Self { url, node, state_dir, token, backoff, timing: Timing::default() }
    }
}

/// Why a text is not the address of a cloud.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the address of a cloud: {rule}")]
pub struct InvalidUrl {
    /// The text, cut at 120 characters.
    pub text: String,
    /// What is wrong with it.
    pub rule: &'static str,
}

/// The address of a cloud: `wss://HOST[:PORT]`, or `ws://` to this same machine only. The port is 7443 when not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudUrl {
    host: String,
    port: u16,
    tls: bool,
}

impl CloudUrl {
    /// The port when none is given.
    pub const DEFAULT_PORT: u16 = 7443;

    /// The host, without the brackets of an IPv6 address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the link is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// `HOST:PORT` as in a URL.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for CloudUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "wss" } else { "ws" }, self.authority())
    }
}

impl FromStr for CloudUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let fail = |rule| InvalidUrl { text: text.chars().take(120).collect(), rule };
        let uri: Uri = text.parse().map_err(|_| fail("write wss://HOST:PORT"))?;
        let tls = match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") => false,
            Some(_) | None => return Err(fail("it begins with wss://")),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(fail("leave out what follows the port: the path is always the same"));
        }
        if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(fail("leave out the user: the node's certificate says who it is"));
        }
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(fail("it lacks the host"));
        }
        if !tls && !is_loopback(&host) {
            return Err(fail("ws:// is not encrypted and only for this same machine; use wss://"));
        }
        Ok(Self { host, port: uri.port_u16().unwrap_or(Self::DEFAULT_PORT), tls })
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_the_same() {
        for text in ["wss://cloud.example:7000", "ws://127.0.0.1:1", "ws://localhost:80", "wss://[::1]:9"] {
            assert_eq!(text.parse::<CloudUrl>().unwrap().to_string(), text);
        }
        assert_eq!("wss://cloud.example".parse::<CloudUrl>().unwrap().port(), 7443);
    }

    #[test]
    fn an_address_that_cannot_work_is_refused_with_the_rule() {
        for bad in [
            "",
            "cloud",
            "https://cloud",
            "wss://",
            "ws://10.0.0.1:1",
            "wss://a/b",
            "wss://u:p@a",
            "wss://a?b",
        ] {
            assert!(bad.parse::<CloudUrl>().is_err(), "{bad}");
        }
    }
}
