//! How a connection is made: ask for the endpoints, choose one, look at its certificate, open a session.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mapper_sdk::Fault;
use opcua_client::{Client, ClientBuilder, IdentityToken};
use opcua_crypto::{CertificateStore, PrivateKey, X509};
use opcua_types::{EndpointDescription, NamespaceMap, ReadValueId, StatusCode, VariableId, Variant};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::chain::{LeafConnector, leaf_of};
use super::limits::Limits;
use super::{Connection, End, Pump, endpoint};
use crate::link::{Identity, Link};
use crate::pki::{Certificate, Own, Standing, TrustList};
use crate::status::words;

/// A server forgets a session that is silent for so long. Those that are lost must not fill a server with room for a few.
const SESSION_TIMEOUT_MS: u32 = 20_000;
/// How often the session is tried when nothing else is sent.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// The largest answer that is taken.
const MOST_MESSAGE_BYTES: usize = 32 * 1_024 * 1_024;
const MOST_CHUNKS: usize = 4_096;
const MOST_ITEMS: usize = 200_000;
const MOST_TEXT_BYTES: usize = 4 * 1_024 * 1_024;

/// What is needed to open a connection.
#[derive(Debug, Clone)]
pub(crate) struct Opener {
    pub(crate) own: Own,
    pub(crate) trust: TrustList,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) struct NotOpened {
    pub(crate) fault: Fault,
    /// The server did not let the user in, and may lock the user out.
    pub(crate) blames_user: bool,
}

impl From<Fault> for NotOpened {
    fn from(fault: Fault) -> Self {
        Self { fault, blames_user: false }
    }
}

impl Opener {
    /// Opens a session at the server of the link.
    pub(crate) async fn open(&self, link: &Link) -> Result<Connection, NotOpened> {
        let timeout = link.timeout();
        // Discovery and opening each may take the time-out of the link, as each of their requests may.
        let endpoints = self.discover(link, Instant::now() + timeout).await?;
        let identity = link.identity().map_err(|fault| Fault::Denied(fault.message))?;
        let mut endpoint = endpoint::choose(&endpoints, link, &identity)?;
        let place = link.place().map_err(|fault| Fault::Link(fault.message))?;
        endpoint.endpoint_url = place.with_path_of(endpoint.endpoint_url.as_ref()).as_str().into();
        let chain = endpoint.server_certificate.clone();
        endpoint.server_certificate = leaf_of(&chain);
        if endpoint::is_secure(&endpoint) {
            self.check(&endpoint, link)?;
        }
        // Whether issuers come with the certificate later is not known before.
        let connector = if endpoint::is_secure(&endpoint) || chain != endpoint.server_certificate {
            let leaf = &endpoint.server_certificate;
            Some(LeafConnector::new(endpoint.endpoint_url.as_ref(), place, leaf, self.own_key()?))
        } else {
            None
        };
        let token = token_of(&identity)?;
        let chosen = endpoint::words(&endpoint);
        let connection =
            self.open_session(endpoint, connector, token, link, Instant::now() + timeout).await?;
        tracing::info!(url = %link.url, security = %chosen, "opened an OPC UA session");
        Ok(connection)
    }

    /// The endpoints that the server offers.
    async fn discover(&self, link: &Link, until: Instant) -> Result<Vec<EndpointDescription>, Fault> {
        let client = self.client(link)?;
        let url = link.url.clone();
        // On its own task, since what the library makes of strange bytes must not hurt anybody else.
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { client.get_server_endpoints_from_url(url).await });
        let answer = timeout_at(until, tasks.join_next()).await;
        match answer.map_err(|_| Fault::TimedOut(link.timeout()))? {
            Some(Ok(Ok(endpoints))) => Ok(endpoints),
            Some(Ok(Err(error))) => Err(Fault::Link(error.to_string())),
            Some(Err(_)) | None => Err(Fault::Protocol("the server's answer cannot be understood".into())),
        }
    }

    fn client(&self, link: &Link) -> Result<Client, Fault> {
        ClientBuilder::new()
            .application_name("Twinspan")
            .application_uri(&self.own.application_uri)
            .product_uri("urn:twinspan")
            .session_name("twinspan")
            .pki_dir(self.trust.folder())
            .certificate_path(&self.own.certificate_path)
            .private_key_path(&self.own.key_path)
            .create_sample_keypair(false)
            // Trust and everything else about a certificate is checked here, with a fault that says how to mend it.
            .trust_server_certs(false)
            .verify_server_certs(false)
            .session_retry_limit(0)
            .recreate_subscriptions(false)
            .session_timeout(SESSION_TIMEOUT_MS)
            .keep_alive_interval(KEEP_ALIVE)
            .max_failed_keep_alive_count(0)
            .request_timeout(link.timeout())
            // A publish request waits at the server until there is something to tell.
            .publish_timeout(Duration::from_secs(120))
            .min_publish_interval(Duration::from_millis(10))
            .ignore_clock_skew(true)
            .max_message_size(MOST_MESSAGE_BYTES)
            .max_chunk_count(MOST_CHUNKS)
            .max_array_length(MOST_ITEMS)
            .max_string_length(MOST_TEXT_BYTES)
            .max_byte_string_length(MOST_TEXT_BYTES)
            .client()
            .map_err(|faults| Fault::Link(faults.join(", ")))
    }

    /// Whether the server's certificate is one that may be spoken to.
    fn check(&self, endpoint: &EndpointDescription, link: &Link) -> Result<(), Fault> {
        let certificate = Certificate::parse(endpoint.server_certificate.as_ref())
            .map_err(|_| Fault::Protocol("the server has security but no certificate".into()))?;
        if !endpoint::takes_key(endpoint, certificate.key_bits) {
            return Err(Fault::Denied(format!(
                "the key of the server has {} bits, which {} does not allow: give the server another certificate",
                certificate.key_bits,
                endpoint::words(endpoint)
            )));
        }
        let standing = self.trust.standing(&certificate).map_err(|error| Fault::Denied(error.to_string()))?;
        let thumbprint = &certificate.thumbprint;
        if standing == Some(Standing::Rejected) {
            return Err(Fault::Denied(format!(
                "the certificate of the server is rejected; to trust it: twinspan opcua trust accept {thumbprint}"
            )));
        }
        if standing != Some(Standing::Trusted) {
            self.trust.note(&certificate, &link.url).map_err(|error| Fault::Denied(error.to_string()))?;
            return Err(Fault::Denied(format!(
                "the certificate of the server is not trusted; to trust it: twinspan opcua trust accept {thumbprint}"
            )));
        }
        let host = link.place().map_err(|fault| Fault::Link(fault.message))?.host;
        if link.check_host && !certificate.names_host(&host) {
            let named =
                if certificate.hosts.is_empty() { "no host".into() } else { certificate.hosts.join(", ") };
            return Err(Fault::Denied(format!(
                "the certificate of the server names {named}, not {host}: write a host that it names in `url`, or `check_host: false`"
            )));
        }
        if !certificate.holds_at(now()) {
            return Err(Fault::Denied(
                "the certificate of the server has ended or does not hold yet: renew it on the server, or set the clock".into(),
            ));
        }
        Ok(())
    }

    /// The gateway's own key.
    fn own_key(&self) -> Result<PrivateKey, Fault> {
        CertificateStore::read_pkey(&self.own.key_path).map_err(|_| {
            Fault::Denied(format!("cannot read the gateway's key {}", self.own.key_path.display()))
        })
    }

    async fn open_session(
        &self,
        endpoint: EndpointDescription,
        connector: Option<LeafConnector>,
        token: IdentityToken,
        link: &Link,
        until: Instant,
    ) -> Result<Connection, NotOpened> {
        let is_secure = endpoint::is_secure(&endpoint);
        let client = self.client(link)?;
        let built = client
            .session_builder()
            .connect_to_endpoint_directly(endpoint)
            .map(|builder| builder.user_identity_token(token));
        let builder = built.map_err(|error| Fault::Link(error.to_string()))?;
        let store = Arc::clone(client.certificate_store());
        let (opened, is_open) = oneshot::channel();
        let end = End::new();
        let mut pump = JoinSet::new();
        let timeout = link.timeout();
        let session = if let Some(connector) = connector {
            let built = builder.with_connector(connector).build(store);
            let (session, events) = built.map_err(|error| Fault::Link(error.to_string()))?;
            session.disable_reconnects();
            pump.spawn(Pump { events, opened, end: end.clone(), timeout }.run());
            session
        } else {
            let built = builder.build(store);
            let (session, events) = built.map_err(|error| Fault::Link(error.to_string()))?;
            session.disable_reconnects();
            pump.spawn(Pump { events, opened, end: end.clone(), timeout }.run());
            session
        };
        match timeout_at(until, is_open).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(status))) => return Err(self.refusal(status, is_secure, timeout)),
            Ok(Err(_)) => {
                return Err(Fault::Protocol("the server's answer cannot be understood".into()).into());
            }
            Err(_) => return Err(Fault::TimedOut(timeout).into()),
        }
        let limits = Limits::from_answers(&[], link.max_nodes());
        let mut connection = Connection {
            session,
            namespaces: Vec::new(),
            limits,
            timeout,
            end,
            orphans: std::sync::Mutex::default(),
            types: tokio::sync::OnceCell::new(),
            _pump: pump,
        };
        connection.learn(link).await?;
        Ok(connection)
    }

    /// Why the server did not open a session.
    fn refusal(&self, status: StatusCode, is_secure: bool, timeout: Duration) -> NotOpened {
        use StatusCode as S;
        let words = words(status);
        let user = [
            S::BadUserAccessDenied,
            S::BadIdentityTokenRejected,
            S::BadIdentityTokenInvalid,
            S::BadUserSignatureInvalid,
            S::BadIdentityChangeNotSupported,
        ];
        if user.contains(&status) {
            let text = format!("the server does not let the user in ({words}): check `user` and `password`");
            return NotOpened { fault: Fault::Denied(text), blames_user: true };
        }
        let fault = self.other_refusal(status, is_secure, timeout);
        NotOpened { fault, blames_user: false }
    }

    fn other_refusal(&self, status: StatusCode, is_secure: bool, timeout: Duration) -> Fault {
        use StatusCode as S;
        let words = words(status);
        let ours = format!(
            "trust the gateway's certificate {} on the server; it is in {}",
            self.own.certificate.thumbprint,
            self.own.certificate_path.display()
        );
        let security = [
            S::BadSecurityChecksFailed,
            S::BadCertificateUntrusted,
            S::BadCertificateInvalid,
            S::BadCertificateTimeInvalid,
            S::BadCertificateUriInvalid,
            S::BadCertificateUseNotAllowed,
            S::BadCertificateHostNameInvalid,
            S::BadCertificateRevocationUnknown,
            S::BadCertificateIssuerRevocationUnknown,
            S::BadCertificateRevoked,
            S::BadCertificateChainIncomplete,
            S::BadApplicationSignatureInvalid,
            S::BadSecurityPolicyRejected,
            S::BadSecurityModeRejected,
        ];
        if security.contains(&status) {
            return Fault::Denied(format!("the server refuses ({words}): {ours}"));
        }
        if status == S::BadTooManySessions {
            return Fault::Busy(format!("the server has no room for another session ({words})"));
        }
        if status == S::BadTimeout {
            return Fault::TimedOut(timeout);
        }
        if is_secure && status == S::BadConnectionClosed {
            return Fault::Link(format!("the server closed the connection; if it stays so, {ours}"));
        }
        Fault::Link(words)
    }
}

impl Connection {
    /// Learns what holds for the whole server: its namespaces and its limits.
    async fn learn(&mut self, link: &Link) -> Result<(), Fault> {
        let value = |node: opcua_types::NodeId| ReadValueId::from(node);
        let nodes: Vec<ReadValueId> = Limits::nodes().map(value).to_vec();
        // One by one where the server takes no more at once.
        match self.read_status(&nodes).await {
            Ok(answers) => self.limits = Limits::from_answers(&answers, link.max_nodes()),
            Err(status) if self.end.fault().is_some() => return Err(self.fault(status)),
            // Optional nodes of a server that has nothing to say about itself.
            Err(_) => {}
        }
        let array = self.read_status(&[value(VariableId::Server_NamespaceArray.into())]).await;
        let answer = match array {
            Ok(answers) => answers.into_iter().next().and_then(|answer| answer.value),
            Err(status) if self.end.fault().is_some() => return Err(self.fault(status)),
            Err(_) => None,
        };
        if let Some(Variant::Array(array)) = answer {
            let name = |value: &Variant| {
                if let Variant::String(uri) = value { uri.as_ref().to_owned() } else { String::new() }
            };
            self.namespaces = array.values.iter().map(name).collect();
            if let Ok(map) = NamespaceMap::new_from_variant_array(&array.values) {
                self.session.set_namespaces(map);
            }
        }
        Ok(())
    }
}

fn token_of(identity: &Identity) -> Result<IdentityToken, Fault> {
    match identity {
        Identity::Anonymous => Ok(IdentityToken::Anonymous),
        Identity::User(user, password) => Ok(IdentityToken::new_user_name(user.as_str(), password.expose())),
        Identity::Certificate(certificate, key) => {
            let bad = |path: &str, what: &str| {
                Fault::Denied(format!("{path} is not {what}: write its path in the device's `opcua`"))
            };
            let read = |path: &str| {
                std::fs::read(path).map_err(|e| Fault::Denied(format!("cannot read {path}: {e}")))
            };
            let bytes = read(certificate)?;
            let parsed = X509::from_der(&bytes).or_else(|_| X509::from_pem(&bytes));
            let parsed = parsed.map_err(|_| bad(certificate, "a certificate"))?;
            let _ = read(key)?;
            let key: PrivateKey =
                CertificateStore::read_pkey(Path::new(key)).map_err(|_| bad(key, "a key (PEM)"))?;
            Ok(IdentityToken::new_x509(parsed, key))
        }
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(0)
}
