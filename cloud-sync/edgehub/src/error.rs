//! What can go wrong on the link, each with what mends it.

use std::io;

use rustls::{AlertDescription, CertificateError};
use sync_proto::{Closed, EnrolRefusedCode, Refused};
use tokio_tungstenite::tungstenite;

/// What ends the link for good.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder of key and certificates cannot be used.
    #[error("the folder of the node's key, {path}, cannot be used: {source}")]
    StateDir {
        /// The folder or file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The stored key and certificates are damaged.
    #[error("{path} does not hold a key and two certificates ({why}): delete it and give a new join token")]
    Identity {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// The settings of the back-off make no sense.
    #[error(transparent)]
    Backoff(#[from] sync_proto::InvalidBackoff),
}

/// Why an attempt failed or a connection ended. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// There is no certificate and no token to get one with.
    #[error(
        "the node has no certificate and no join token: make one with `twinspan-cloud token create --node NAME`"
    )]
    NotEnrolled,
    /// The token names another node.
    #[error("the join token is for node `{token}`, this node is `{node}`: make one for this node")]
    TokenForOtherNode {
        /// The node in the token.
        token: String,
        /// This node.
        node: String,
    },
    /// Nobody answers.
    #[error("the cloud at {address} cannot be reached ({source}): check address, network and firewall")]
    Unreachable {
        /// Host and port.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// It took too long.
    #[error("the cloud at {address} did not answer within {limit_s} s ({step})")]
    Slow {
        /// Host and port.
        address: String,
        /// The limit, in seconds.
        limit_s: u64,
        /// What was not done in time.
        step: &'static str,
    },
    /// None of the certificates shown has the pin of the token.
    #[error(
        "the cloud at {address} is not the one that the join token was made for (its CA has another fingerprint): \
         check the address, or make a token at this cloud"
    )]
    PinMismatch {
        /// Host and port.
        address: String,
    },
    /// The cloud's certificate is of another CA than at enrolment.
    #[error(
        "the cloud at {address} has a certificate of another CA than the one this node joined: check the address; \
         if the cloud was set up anew, give this node a new join token"
    )]
    OtherCa {
        /// Host and port.
        address: String,
    },
    /// The cloud's certificate does not name the host.
    #[error(
        "the cloud's certificate does not name `{host}`: add it to the host names of the cloud, or use one it has"
    )]
    HostName {
        /// The host of the address.
        host: String,
    },
    /// A certificate is not valid now.
    #[error("the cloud's certificate is not valid at this time: check the clocks of both machines")]
    NotValidNow,
    /// The cloud does not take our certificate.
    #[error("the cloud does not take this node's certificate ({why}): give this node a new join token")]
    CertificateRefused {
        /// The TLS alert.
        why: String,
    },
    /// Something else about TLS.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The cloud answers in HTTP but not as it should.
    #[error("the cloud at {address} answered HTTP {status} ({body}): is that the cloud's link port?")]
    Http {
        /// Host and port.
        address: String,
        /// The status.
        status: u16,
        /// The beginning of the answer.
        body: String,
    },
    /// The cloud gives no certificate.
    #[error("the cloud refused to enrol this node: {reason}")]
    EnrolRefused {
        /// Why, for programs.
        code: EnrolRefusedCode,
        /// Why, for people.
        reason: String,
    },
    /// A request or answer of the enrolment is not what it should be.
    #[error("enrolment failed: {0}")]
    Enrol(String),
    /// The certificate cannot be stored.
    #[error("the node's new certificate cannot be stored: {0}")]
    Store(io::Error),
    /// The cloud does not take the connection.
    #[error("the cloud refused the connection ({}): {}", .0.code, .0.reason)]
    Refused(Refused),
    /// The session ended.
    #[error("the connection was closed ({}): {}", .0.code, .0.reason)]
    Closed(Closed),
    /// The transport broke.
    #[error("the connection broke: {0}")]
    Broken(String),
}

impl LinkError {
    /// Whether trying again soon is pointless: only people can mend it.
    pub(crate) fn needs_people(&self) -> bool {
        match self {
            Self::NotEnrolled
            | Self::TokenForOtherNode { .. }
            | Self::PinMismatch { .. }
            | Self::OtherCa { .. }
            | Self::HostName { .. }
            | Self::NotValidNow
            | Self::CertificateRefused { .. } => true,
            Self::EnrolRefused { code, .. } => !code.may_pass_later(),
            Self::Unreachable { .. }
            | Self::Slow { .. }
            | Self::Tls(_)
            | Self::Http { .. }
            | Self::Enrol(_)
            | Self::Store(_)
            | Self::Refused(_)
            | Self::Closed(_)
            | Self::Broken(_) => false,
        }
    }

    /// Names what went wrong while TLS was in use.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "errors of a library: what has no name of its own is passed on"
    )]
    pub(crate) fn from_io(error: &io::Error, host: &str, address: &str) -> Self {
        let Some(tls) = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) else {
            return Self::Broken(error.to_string());
        };
        match tls {
            rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            ) => Self::OtherCa { address: address.to_owned() },
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => Self::HostName { host: host.to_owned() },
            rustls::Error::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            ) => Self::NotValidNow,
            rustls::Error::AlertReceived(
                alert @ (AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied
                | AlertDescription::CertificateRequired
                | AlertDescription::DecryptError),
            ) => Self::CertificateRefused { why: format!("{alert:?}") },
            other => Self::Tls(other.to_string()),
        }
    }

    /// Names what went wrong in the WebSocket.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "errors of a library: what has no name of its own is passed on"
    )]
    pub(crate) fn from_websocket(error: &tungstenite::Error, host: &str, address: &str) -> Self {
        match error {
            tungstenite::Error::Io(error) => Self::from_io(error, host, address),
            tungstenite::Error::Http(response) => {
                let body = response.body().as_deref().unwrap_or_default();
                let body = String::from_utf8_lossy(body).chars().take(200).collect();
                Self::Http { address: address.to_owned(), status: response.status().as_u16(), body }
            }
            other => Self::Broken(other.to_string()),
        }
    }
}
