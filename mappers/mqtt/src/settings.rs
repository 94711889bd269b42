//! How to reach a broker.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{MqttOptions, QoS, Transport};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The largest packet in either direction, in bytes.
const MAX_PACKET_BYTES: usize = 2 * 1024 * 1024;

/// How to reach a broker and what to hear from it.
#[derive(Clone)]
pub struct LinkSettings {
    /// `mqtt://host:1883` or `mqtts://host:8883`; the port may be left out.
    pub url: String,
    /// The client id; not empty, and one that no other client of the broker has.
    pub client_id: String,
    /// The user, where the broker asks for one.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<String>,
    /// The certificate authorities to believe, as PEM; none: those of the system. For `mqtts` only.
    pub ca_pem: Option<String>,
    /// The client's certificate and key, where the broker asks for one. For `mqtts` only.
    pub identity: Option<ClientIdentity>,
    /// The filters to subscribe to, at QoS 1, after every connect.
    pub subscriptions: Vec<String>,
    /// How often a silent link is probed; 5 s to 65,535 s, what lies outside is moved inside.
    pub keep_alive: Duration,
    /// What the broker publishes when the link breaks.
    pub last_will: Option<LastWill>,
}

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub struct ClientIdentity {
    /// The certificate, with the chain below it.
    pub cert_pem: String,
    /// Its private key.
    pub key_pem: String,
}

/// What the broker publishes, at QoS 1, when the link breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWill {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// Whether it stays.
    pub retain: bool,
}

/// Why settings cannot work, whatever the network does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// The URL is none of ours.
    #[error(
        "`{url}` is no MQTT URL: write mqtt://HOST:1883 or mqtts://HOST:8883, user and password apart from it"
    )]
    Url {
        /// The URL as it was given.
        url: String,
    },
    /// The client id is empty.
    #[error("the client id is empty: every client of a broker needs a name of its own")]
    ClientId,
    /// A certificate or key cannot be read.
    #[error("{what}: {reason}")]
    Tls {
        /// Which one.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl LinkSettings {
    /// Settings with nothing but what must be said.
    #[must_use]
    pub fn new(url: &str, client_id: &str) -> Self {
        Self {
            url: url.to_owned(),
            client_id: client_id.to_owned(),
            username: None,
            password: None,
            ca_pem: None,
            identity: None,
            subscriptions: Vec::new(),
            keep_alive: Duration::from_secs(30),
            last_will: None,
        }
    }

    pub(crate) fn options(&self, inflight: u16) -> Result<MqttOptions, InvalidSettings> {
        let (tls, host, port) = self.address()?;
        if self.client_id.trim().is_empty() {
            return Err(InvalidSettings::ClientId);
        }
        let mut options = MqttOptions::new(self.client_id.clone(), host, port);
        let keep_alive = self.keep_alive.clamp(Duration::from_secs(5), Duration::from_secs(65_535));
        options
            .set_keep_alive(keep_alive)
            .set_clean_session(true)
            .set_inflight(inflight)
            .set_max_packet_size(MAX_PACKET_BYTES, MAX_PACKET_BYTES);
        if let Some(username) = &self.username {
            options.set_credentials(username, self.password.clone().unwrap_or_default());
        }
        if let Some(will) = &self.last_will {
            options.set_last_will(rumqttc::LastWill {
                topic: will.topic.clone(),
                message: will.payload.clone().into(),
                qos: QoS::AtLeastOnce,
                retain: will.retain,
            });
        }
        if tls {
            let config = rumqttc::TlsConfiguration::Rustls(Arc::new(self.tls()?));
            options.set_transport(Transport::Tls(config));
        }
        Ok(options)
    }

    fn address(&self) -> Result<(bool, String, u16), InvalidSettings> {
        let bad = || InvalidSettings::Url { url: self.url.clone() };
        let uri: http::Uri = self.url.parse().map_err(|_| bad())?;
        let (tls, port) = match uri.scheme_str() {
            Some("mqtt") => (false, 1883),
            Some("mqtts") => (true, 8883),
            Some(_) | None => return Err(bad()),
        };
        let authority = uri.authority().ok_or_else(bad)?;
        if authority.as_str().contains('@') || authority.host().is_empty() || !matches!(uri.path(), "" | "/")
        {
            return Err(bad());
        }
        Ok((tls, authority.host().to_owned(), authority.port_u16().unwrap_or(port)))
    }

    fn tls(&self) -> Result<rustls::ClientConfig, InvalidSettings> {
        let bad =
            |what| move |error: &dyn fmt::Display| InvalidSettings::Tls { what, reason: error.to_string() };
        let mut roots = rustls::RootCertStore::empty();
        match &self.ca_pem {
            Some(pem) => {
                for cert in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                    let cert = cert.map_err(|e| bad("the CA certificate cannot be read")(&e))?;
                    roots.add(cert).map_err(|e| bad("the CA certificate cannot be used")(&e))?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            let what = "no CA certificate to believe";
            return Err(InvalidSettings::Tls {
                what,
                reason: "give one as PEM, or install the system's".into(),
            });
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| bad("TLS cannot be set up")(&e))?
            .with_root_certificates(roots);
        let Some(identity) = &self.identity else { return Ok(builder.with_no_client_auth()) };
        let chain = CertificateDer::pem_slice_iter(identity.cert_pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| bad("the client certificate cannot be read")(&e))?;
        let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes())
            .map_err(|e| bad("the client key cannot be read")(&e))?;
        builder
            .with_client_auth_cert(chain, key)
            .map_err(|e| bad("the client certificate cannot be used")(&e))
    }
}

/// The password and the key are never printed.
impl fmt::Debug for LinkSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkSettings")
            .field("url", &self.url)
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .field("subscriptions", &self.subscriptions)
            .field("keep_alive", &self.keep_alive)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_gives_host_port_and_whether_tls_is_spoken() {
        let address = |url: &str| LinkSettings::new(url, "c").address();
        assert_eq!(address("mqtt://broker").unwrap(), (false, "broker".into(), 1883));
        assert_eq!(address("mqtts://10.0.0.7:9999/").unwrap(), (true, "10.0.0.7".into(), 9999));
        assert_eq!(address("mqtt://[::1]:1884").unwrap(), (false, "[::1]".into(), 1884));
        for bad in ["", "broker:1883", "http://broker", "mqtt://", "mqtt://u:p@broker", "mqtt://broker/path"]
        {
            assert!(matches!(address(bad), Err(InvalidSettings::Url { .. })), "{bad}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused_before_anything_connects() {
        assert_eq!(LinkSettings::new("mqtt://b", " ").options(1).unwrap_err(), InvalidSettings::ClientId);
        let mut settings = LinkSettings::new("mqtts://b", "c");
        settings.ca_pem = Some("not a certificate".into());
        assert!(matches!(settings.options(1), Err(InvalidSettings::Tls { .. })));
        settings.password = Some("hunter2".into());
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
