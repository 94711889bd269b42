//! How a server is reached.

use std::fmt;
use std::time::Duration;

use config::{BoundedDuration, Check, CheckFault, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// The port of a URL without one. (OPC 10000-6, 7.2)
const DEFAULT_PORT: u16 = 4840;

/// How an OPC UA server is reached: `opcua: {url: "opc.tcp://10.0.0.9:4840"}`.
///
/// Devices with the same link share one session.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The server's address, for example `opc.tcp://10.0.0.9:4840`.
    pub url: String,
    /// The security policy. Default: auto, the best that the server offers
    #[serde(default)]
    pub security: Security,
    /// Whether messages are signed only, or encrypted as well. Default: the best that the server offers
    #[serde(default)]
    pub mode: Option<SecurityMode>,
    /// The user at the server. Default: none, anonymous
    #[serde(default)]
    pub user: Option<String>,
    /// The user's password, as `${file:...}` or `${env:...}`.
    #[serde(default)]
    pub password: Option<Secret>,
    /// The file with the user's certificate (DER or PEM), for users that are known by one.
    #[serde(default)]
    pub certificate: Option<String>,
    /// The file with the key of the user's certificate (PEM).
    #[serde(default)]
    pub key: Option<String>,
    /// How long an answer may take. Default: 5s
    #[serde(default)]
    pub timeout: Option<BoundedDuration<100, 60_000>>,
    /// How often the server sends what has changed. Default: as often as the fastest property, 100ms to 1s
    #[serde(default)]
    pub publish: Option<BoundedDuration<10, 60_000>>,
    /// Whether the server's certificate must name the host of `url`. Default: true
    #[serde(default = "yes")]
    pub check_host: bool,
    /// The most nodes in one request, 1 to 10000, for servers that name no limit or a wrong one. Default: 1000
    #[serde(default)]
    pub max_nodes: Option<u16>,
}

fn yes() -> bool {
    true
}

/// A security policy. (OPC 10000-7, 6.6.161)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// The best that the server offers.
    #[default]
    Auto,
    /// None: everybody on the network can read and change what is sent.
    None,
    /// Basic256Sha256
    Basic256sha256,
    /// Aes128_Sha256_RsaOaep
    #[serde(rename = "aes128_sha256_rsa_oaep")]
    Aes128,
    /// Aes256_Sha256_RsaPss
    #[serde(rename = "aes256_sha256_rsa_pss")]
    Aes256,
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::None => "none",
            Self::Basic256sha256 => "basic256sha256",
            Self::Aes128 => "aes128_sha256_rsa_oaep",
            Self::Aes256 => "aes256_sha256_rsa_pss",
        })
    }
}

/// What is done with messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecurityMode {
    /// Nobody can change them unseen.
    Sign,
    /// Nobody else can read them either.
    SignAndEncrypt,
}

impl fmt::Display for SecurityMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sign => "sign",
            Self::SignAndEncrypt => "sign_and_encrypt",
        })
    }
}

/// As whom the gateway comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// As nobody.
    Anonymous,
    /// As a user with a password.
    User(String, Secret),
    /// As the owner of a certificate; the files of it and of its key.
    Certificate(String, String),
}

impl Link {
    /// A server at `url`, with everything else as it is when nothing is written.
    #[must_use]
    pub fn to(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            security: Security::Auto,
            mode: None,
            user: None,
            password: None,
            certificate: None,
            key: None,
            timeout: None,
            publish: None,
            check_host: true,
            max_nodes: None,
        }
    }

    /// The same with another time-out, 100 ms to 60 s.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        let ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).clamp(100, 60_000);
        self.timeout = BoundedDuration::from_millis(ms).ok();
        self
    }

    /// The same with another security policy.
    #[must_use]
    pub fn with_security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// How long an answer may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout.map_or(Duration::from_secs(5), BoundedDuration::get)
    }

    /// The most nodes in one request.
    #[must_use]
    pub fn max_nodes(&self) -> usize {
        usize::from(self.max_nodes.unwrap_or(1_000))
    }

    /// As whom the gateway comes.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn identity(&self) -> Result<Identity, CheckFault> {
        let fault = |field: &str, message: &str, hint: &str| Err(CheckFault::new(field, message, hint));
        match (&self.user, &self.password, &self.certificate, &self.key) {
            (None, None, None, None) => Ok(Identity::Anonymous),
            (Some(user), Some(password), None, None) => Ok(Identity::User(user.clone(), password.clone())),
            (None, None, Some(certificate), Some(key)) => {
                Ok(Identity::Certificate(certificate.clone(), key.clone()))
            }
            (Some(_), _, Some(_), _) | (_, Some(_), _, Some(_)) => {
                fault("certificate", "the user has a password already", "write a password or a certificate")
            }
            (Some(_), None, ..) => fault("user", "the user has no password", "write `password: ${file:...}`"),
            (None, Some(_), ..) => fault("password", "the password has no user", "write `user: NAME`"),
            (_, _, Some(_), None) => fault("certificate", "the certificate has no key", "write `key: FILE`"),
            (_, _, None, Some(_)) => fault("key", "the key has no certificate", "write `certificate: FILE`"),
        }
    }

    /// Host and port.
    ///
    /// # Errors
    /// The rule that the URL breaks.
    pub fn place(&self) -> Result<Place, CheckFault> {
        let wrong = || {
            let message = format!("`{}` is not the address of an OPC UA server", self.url);
            CheckFault::new("url", message, "write it like opc.tcp://10.0.0.9:4840")
        };
        let rest = self.url.strip_prefix("opc.tcp://").ok_or_else(wrong)?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.rsplit_once(':') {
            // A colon inside brackets belongs to an address of version 6.
            Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| wrong())?),
            Some(_) | None => (authority, DEFAULT_PORT),
        };
        let v6 = host.starts_with('[') && host.ends_with(']');
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || "@?#\\".contains(c);
        if host.is_empty()
            || port == 0
            || self.url.contains(is_odd)
            || (!v6 && host.contains([':', '[', ']']))
        {
            return Err(wrong());
        }
        Ok(Place { host: host.to_owned(), port, path: path.to_owned() })
    }
}

/// The parts of a server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The host, with brackets around an address of version 6.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What follows, with its slash.
    pub path: String,
}

impl Place {
    /// The address of something else on the same host and port, at the path of `other`.
    ///
    /// Servers name themselves by a host that may not be reachable from here, and sit behind changed ports.
    #[must_use]
    pub fn with_path_of(&self, other: &str) -> String {
        let rest = other.split_once("://").map_or("", |(_, rest)| rest);
        let path = rest.find('/').map_or("", |at| &rest[at..]);
        let path = if path.len() > 1 { path } else { &self.path };
        format!("opc.tcp://{}:{}{path}", self.host, self.port)
    }
}

impl Check for Link {
    fn check(&self) -> Result<(), CheckFault> {
        self.place()?;
        self.identity()?;
        if self.security == Security::None && self.mode.is_some() {
            let message = "without security there is no mode";
            return Err(CheckFault::new("mode", message, "take it out, or choose a security policy"));
        }
        if let Some(max) = self.max_nodes
            && !(1..=10_000).contains(&max)
        {
            let message = format!("{max} is not between 1 and 10000");
            return Err(CheckFault::new("max_nodes", message, "write for example 100"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_refused_with_the_key_that_is_wrong() {
        let link = || Link::to("opc.tcp://10.0.0.9:4840");
        assert_eq!(link().check(), Ok(()));
        let field = |link: Link| link.check().unwrap_err().field;
        for url in [
            "",
            "10.0.0.9:4840",
            "http://a:1",
            "opc.tcp://",
            "opc.tcp://:1",
            "opc.tcp://a:0",
            "opc.tcp://a:x",
            "opc.tcp://u@a",
            "opc.tcp://::1",
        ] {
            assert_eq!(field(Link::to(url)), "url", "{url}");
        }
        let secret = || Some(Secret::new("x"));
        assert_eq!(field(Link { user: Some("gw".into()), ..link() }), "user");
        assert_eq!(field(Link { password: secret(), ..link() }), "password");
        assert_eq!(field(Link { certificate: Some("a".into()), ..link() }), "certificate");
        assert_eq!(field(Link { key: Some("a".into()), ..link() }), "key");
        assert_eq!(field(Link { max_nodes: Some(0), ..link() }), "max_nodes");
        let mode = Some(SecurityMode::Sign);
        assert_eq!(field(Link { mode, ..link().with_security(Security::None) }), "mode");
    }

    #[test]
    fn the_host_that_was_given_is_kept_and_the_path_of_the_endpoint_taken() {
        let place = |url: &str| Link::to(url).place().unwrap();
        assert_eq!(place("opc.tcp://plc").port, 4840);
        let host = |url: &str| place(url).with_path_of("opc.tcp://internal:1/UA/Server");
        assert_eq!(host("opc.tcp://10.0.0.9:4841"), "opc.tcp://10.0.0.9:4841/UA/Server");
        assert_eq!(host("opc.tcp://[fe80::1]:4841/x"), "opc.tcp://[fe80::1]:4841/UA/Server");
        let bare = place("opc.tcp://plc/a").with_path_of("opc.tcp://internal:1");
        assert_eq!(bare, "opc.tcp://plc:4840/a");
    }
}
