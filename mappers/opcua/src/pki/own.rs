//! The certificate with which the gateway shows itself: made at first need, renewed before it ends.

use std::io;
use std::path::{Path, PathBuf};

use opcua_crypto::{PrivateKey, X509, X509Data};

use super::certificate::{Certificate, InvalidCertificate};
use super::files;

/// How long a new certificate holds.
const DAYS: u32 = 5 * 365;
/// It is renewed this long before it ends.
const RENEW_SECONDS: i64 = 60 * 86_400;
/// The length of its key in bits. (OPC 10000-7, Basic256Sha256: 2048 to 4096)
const KEY_BITS: u32 = 2_048;
const MOST_BYTES: u64 = 64 * 1_024;

/// The gateway's own certificate and key.
#[derive(Debug, Clone)]
pub struct Own {
    /// The certificate.
    pub certificate: Certificate,
    /// The name of the application, which the certificate names too. (OPC 10000-6, 6.2.2)
    pub application_uri: String,
    /// Where the certificate is.
    pub certificate_path: PathBuf,
    /// Where its key is.
    pub key_path: PathBuf,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    /// A file cannot be read or written.
    #[error("cannot keep the gateway's OPC UA certificate in {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The key or certificate could not be made.
    #[error("cannot make the gateway's OPC UA certificate: {0}")]
    Make(String),
    /// What was made is not one.
    #[error(transparent)]
    Invalid(#[from] InvalidCertificate),
}

impl Own {
    /// Whether it is time for another one. `now` is in seconds since 1970.
    #[must_use]
    pub fn ends_soon(&self, now: i64) -> bool {
        ends_soon(&self.certificate, now)
    }

    /// The certificate in `folder`, made or renewed if need be. `now` is in seconds since 1970. Making one takes seconds.
    ///
    /// # Errors
    /// [`OwnError`] when the folder cannot be used.
    pub fn keep(folder: &Path, now: i64) -> Result<Self, OwnError> {
        let (certificate_path, key_path) = (folder.join("cert.der"), folder.join("key.pem"));
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| OwnError::File { path, source }
        };
        let application_uri = format!("urn:{}:twinspan", host_name());
        let own = |certificate| Self {
            certificate,
            application_uri: application_uri.clone(),
            certificate_path: certificate_path.clone(),
            key_path: key_path.clone(),
        };
        let der = files::read(&certificate_path, MOST_BYTES).map_err(at(&certificate_path))?;
        let pem = files::read(&key_path, MOST_BYTES).map_err(at(&key_path))?;
        let found = der.and_then(|der| Certificate::parse(&der).ok());
        let has_key = pem.is_some_and(|pem| PrivateKey::from_pem(&pem).is_ok());
        match found {
            Some(certificate) if has_key && !ends_soon(&certificate, now) => {
                return Ok(own(certificate));
            }
            Some(old) => {
                tracing::warn!(thumbprint = %old.thumbprint, "the gateway's OPC UA certificate ends soon and is renewed: servers that trusted it must trust the new one");
            }
            None => {}
        }
        let (certificate, key) = X509::cert_and_pkey(&data(&application_uri)).map_err(OwnError::Make)?;
        let der = certificate.to_der().map_err(|error| OwnError::Make(error.to_string()))?;
        let pem = key.to_der().map_err(|error| OwnError::Make(error.to_string()))?;
        let pem = pem.to_pem("PRIVATE KEY", Default::default()).map_err(|e| OwnError::Make(e.to_string()))?;
        files::make_folder(folder).map_err(at(folder))?;
        files::write(&key_path, pem.as_bytes()).map_err(at(&key_path))?;
        files::write(&certificate_path, &der).map_err(at(&certificate_path))?;
        let certificate = Certificate::parse(&der)?;
        tracing::info!(thumbprint = %certificate.thumbprint, path = %certificate_path.display(), "made the gateway's OPC UA certificate");
        Ok(own(certificate))
    }
}

fn ends_soon(certificate: &Certificate, now: i64) -> bool {
    now + RENEW_SECONDS >= certificate.not_after
}

fn data(application_uri: &str) -> X509Data {
    X509Data {
        key_size: KEY_BITS,
        common_name: "Twinspan".into(),
        organization: "Twinspan".into(),
        organizational_unit: "Gateway".into(),
        country: "XX".into(),
        state: "-".into(),
        alt_host_names: X509Data::alt_host_names(
            application_uri,
            Some(vec![host_name()]),
            false,
            false,
            false,
        ),
        certificate_duration_days: DAYS,
    }
}

/// The name of this machine, as far as it is one that a certificate can hold.
fn host_name() -> String {
    let name = X509Data::computer_hostnames().into_iter().next().unwrap_or_default();
    let is_fit = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    if !name.is_empty() && name.chars().all(is_fit) { name } else { "gateway".into() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn it_is_made_once_kept_private_and_renewed_before_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own");
        let first = Own::keep(&path, 0).unwrap();
        assert_eq!(Own::keep(&path, 0).unwrap().certificate.thumbprint, first.certificate.thumbprint);
        for file in [&first.certificate_path, &first.key_path] {
            assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(first.certificate.names_host(&host_name()));
        assert!(first.certificate.not_after > NOW);
        let late = first.certificate.not_after - RENEW_SECONDS + 1;
        let second = Own::keep(&path, late).unwrap();
        assert_ne!(second.certificate.thumbprint, first.certificate.thumbprint);
        std::fs::write(&second.key_path, "gone").unwrap();
        let third = Own::keep(&path, 0).unwrap();
        assert_ne!(third.certificate.thumbprint, second.certificate.thumbprint);
    }
}
