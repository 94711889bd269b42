//! How an edge gets its certificate: one JSON request and its answer, over TLS.

use serde::{Deserialize, Serialize};
use twin_core::NodeName;

use crate::token::JoinToken;

/// Where the cloud takes [`Enrol`], by POST.
pub const ENROL_PATH: &str = "/v1/enrol";
/// Where the cloud takes [`Renew`], by POST, over TLS with the certificate that is to be renewed.
pub const RENEW_PATH: &str = "/v1/renew";
/// The longest request or answer, in bytes.
pub const MAX_ENROL_BYTES: usize = 64 * 1024;

/// Asks for a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// The join token.
    pub token: JoinToken,
    /// The node; the token must name it too.
    pub node: NodeName,
    /// A certificate signing request (RFC 2986) in PEM. Only its public key is taken; the rest the cloud decides.
    pub csr_pem: String,
}

/// Asks for the next certificate of the node that the client certificate of the connection names. The answer is as to [`Enrol`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// A certificate signing request (RFC 2986) in PEM. Only its public key is taken; the rest the cloud decides.
    pub csr_pem: String,
}

/// The certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// The node's certificate, in PEM.
    pub certificate_pem: String,
    /// The CA's certificate, in PEM.
    pub ca_pem: String,
}

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolRefused {
    /// For programs.
    pub code: EnrolRefusedCode,
    /// For people.
    pub reason: String,
}

/// Why there is no certificate, as one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnrolRefusedCode {
    /// The request is not what it should be.
    BadRequest,
    /// The request is too long.
    TooLarge,
    /// Token and request name different nodes, or the token pins another CA.
    TokenMismatch,
    /// The cloud knows no such token: it is wrong, or of another cloud.
    TokenUnknown,
    /// The token has been used: each is good for one certificate.
    TokenUsed,
    /// The token's time is over.
    TokenExpired,
    /// The cloud failed; it is worth trying again.
    Internal,
}

impl EnrolRefusedCode {
    /// The HTTP status that goes with it (RFC 9110, 15).
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::TooLarge => 413,
            Self::TokenMismatch | Self::TokenUnknown | Self::TokenUsed | Self::TokenExpired => 403,
            Self::Internal => 500,
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn may_pass_later(self) -> bool {
        matches!(self, Self::Internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{CaPin, Secret};

    #[test]
    fn the_request_is_this_json() {
        let node: NodeName = "line-1".parse().unwrap();
        let token = JoinToken::new(CaPin::of(b"ca"), Secret::new([7; 32]), node.clone());
        let enrol = Enrol { token: token.clone(), node, csr_pem: "PEM".into() };
        let json = serde_json::to_value(&enrol).unwrap();
        let text = token.to_text();
        assert_eq!(json, serde_json::json!({"token": text, "node": "line-1", "csr_pem": "PEM"}));
        assert_eq!(serde_json::from_value::<Enrol>(json).unwrap(), enrol);
    }
}
