//! A certificate, with what the gateway asks of it.

use std::net::IpAddr;

use opcua_crypto::{CertificateStore, X509};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// A certificate of a server or of the gateway.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// Its bytes (DER).
    pub der: Vec<u8>,
    /// The SHA-1 of its bytes in hexadecimal digits, as OPC UA tools show it. (OPC 10000-4, 7.2)
    pub thumbprint: String,
    /// Whom it is for.
    pub subject: String,
    /// The hosts it names, and addresses.
    pub hosts: Vec<String>,
    /// From when it holds, in seconds since 1970.
    pub not_before: i64,
    /// Until when it holds, in seconds since 1970.
    pub not_after: i64,
    /// The length of its key in bits.
    pub key_bits: usize,
    /// The name under which the protocol's library looks for it among the trusted.
    pub(super) file_name: String,
}

/// Bytes that are no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a certificate")]
pub struct InvalidCertificate;

impl Certificate {
    /// The first certificate in `bytes`; servers may send those of their authorities after it.
    ///
    /// # Errors
    /// [`InvalidCertificate`] when there is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidCertificate> {
        let (rest, parsed) = X509Certificate::from_der(bytes).map_err(|_| InvalidCertificate)?;
        let der = bytes[..bytes.len() - rest.len()].to_vec();
        let library = X509::from_der(&der).map_err(|_| InvalidCertificate)?;
        Ok(Self {
            thumbprint: library.thumbprint().as_hex_string(),
            key_bits: library.key_length().map_err(|_| InvalidCertificate)?,
            file_name: CertificateStore::cert_file_name(&library),
            subject: printable(&parsed.subject().to_string()),
            hosts: hosts_of(&parsed),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            der,
        })
    }

    /// Whether it names this host.
    #[must_use]
    pub fn names_host(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let address = bare.parse::<IpAddr>().ok();
        self.hosts.iter().any(|named| {
            named.eq_ignore_ascii_case(bare) || (address.is_some() && named.parse().ok() == address)
        })
    }

    /// Whether it holds at this moment, in seconds since 1970.
    #[must_use]
    pub fn holds_at(&self, now: i64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    /// The thumbprint, in groups that can be compared by eye.
    #[must_use]
    pub fn shown(&self) -> String {
        let digits: Vec<char> = self.thumbprint.chars().collect();
        digits.chunks(4).map(|group| group.iter().collect()).collect::<Vec<String>>().join(" ")
    }
}

fn hosts_of(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let host = |name: &GeneralName<'_>| {
        if let GeneralName::DNSName(name) = name {
            return Some(printable(name));
        }
        let GeneralName::IPAddress(bytes) = name else { return None };
        let address = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
        let address = address.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
        address.ok().map(|address| address.to_string())
    };
    names.value.general_names.iter().filter_map(host).take(50).collect()
}

/// Names come from the network and go to terminals.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Certificate::parse(&bytes).is_err());
        }
    }
}
