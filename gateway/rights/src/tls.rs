//! TLS of the gateway's own listeners: certificates from files, read again when they have changed.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};
use tracing::{error, info};

/// How often the files are looked at, at most.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(5);
/// How long a certificate holds that the gateway has made for itself.
const SELF_SIGNED_YEARS: i32 = 10;

/// The files of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Its certificate and those behind it, in PEM.
    pub cert: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
    /// The authorities of client certificates, in PEM; none: no client certificate is asked for.
    pub client_ca: Option<PathBuf>,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("cannot use {path}: {source}; the gateway's user must be able to read it")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} does not hold {what} in PEM: {why}")]
    Content {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// Key and certificate do not belong together, or cannot be used.
    #[error("{cert} and {key} cannot be used: {why}")]
    Pair {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A certificate of its own cannot be made.
    #[error("a certificate for {names} cannot be made: {why}; write host names or IP addresses")]
    Make {
        /// The names.
        names: String,
        /// What is wrong.
        why: String,
    },
}

/// The names that a certificate which the gateway makes for itself is to hold, besides `localhost` and the loopback
/// addresses.
pub type Names<'a> = &'a [String];

/// A listener's certificate, as its files say it now.
#[derive(Debug)]
pub struct Certificate {
    files: TlsFiles,
    alpn: &'static [&'static [u8]],
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    config: Arc<ServerConfig>,
    stamp: Stamp,
    looked_at: Instant,
}

type Stamp = Vec<Option<(SystemTime, u64)>>;

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] names the file and what is wrong.
    pub fn load(files: TlsFiles, alpn: &'static [&'static [u8]]) -> Result<Self, TlsError> {
        let stamp = stamp(&files);
        let config = read(&files, alpn)?;
        let state = State { config, stamp, looked_at: Instant::now() };
        Ok(Self { files, alpn, state: Mutex::new(state) })
    }

    /// What the next connection is to be served with. Files that have changed are read again; when they cannot be used, the
    /// certificate before goes on.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        // Nothing under this lock can panic half-way.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked_at.elapsed() >= LOOKED_AT_EVERY {
            state.looked_at = Instant::now();
            let stamp = stamp(&self.files);
            if stamp != state.stamp {
                state.stamp = stamp;
                match read(&self.files, self.alpn) {
                    Ok(config) => {
                        info!(cert_file = %self.files.cert.display(), "the new certificate is in use");
                        state.config = config;
                    }
                    Err(error) => {
                        error!(%error, "the new certificate cannot be used; the one before goes on")
                    }
                }
            }
        }
        Arc::clone(&state.config)
    }

    /// The SHA-256 digest of the certificate, as other programs show it.
    ///
    /// # Errors
    /// [`TlsError`] when its file cannot be read.
    pub fn fingerprint(&self) -> Result<String, TlsError> {
        let first = certificates(&self.files.cert)?;
        let digest = first.first().map(|cert| Sha256::digest(cert.as_ref())).unwrap_or_default();
        Ok(digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":"))
    }
}

fn stamp(files: &TlsFiles) -> Stamp {
    let of = |path: &PathBuf| {
        let meta = fs::metadata(path).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    };
    [Some(&files.cert), Some(&files.key), files.client_ca.as_ref()].into_iter().flatten().map(of).collect()
}

fn read(files: &TlsFiles, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates(&files.cert)?;
    let text = text(&files.key)?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| TlsError::Content {
        path: files.key.clone(),
        what: "a private key",
        why: error.to_string(),
    })?;
    let pair = |error: &dyn std::fmt::Display| TlsError::Pair {
        cert: files.cert.clone(),
        key: files.key.clone(),
        why: error.to_string(),
    };
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| pair(&error))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let bad = |error: &dyn std::fmt::Display| TlsError::Content {
                path: path.clone(),
                what: "certificates of authorities",
                why: error.to_string(),
            };
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| bad(&error))?;
            }
            // Who has no certificate may have a token.
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| bad(&error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| pair(&error))?;
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

fn text(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = text(path)?;
    let bad = |why: String| TlsError::Content { path: path.to_owned(), what: "certificates", why };
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let all = all.map_err(|error| bad(error.to_string()))?;
    if all.is_empty() { Err(bad("there is none in it".to_owned())) } else { Ok(all) }
}

/// The one common name of a certificate that has been checked; none when it has several, or none.
#[must_use]
pub fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let mut names = parsed.subject().iter_common_name();
    match (names.next(), names.next()) {
        (Some(name), None) => name.as_str().ok().map(str::to_owned),
        (_, _) => None,
    }
}

/// The files of a certificate that the gateway makes for itself, in the folder `dir`: made when they are not there, and never
/// again, so that whoever trusts it can go on.
///
/// # Errors
/// [`TlsError`] when it cannot be made or stored.
pub fn self_signed(dir: &Path, names: Names<'_>) -> Result<(PathBuf, PathBuf), TlsError> {
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    if cert.exists() && key.exists() {
        return Ok((cert, key));
    }
    let made = |error: rcgen::Error| TlsError::Make { names: names.join(", "), why: error.to_string() };
    let mut all: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    all.extend(names.iter().cloned());
    let mut params = CertificateParams::new(all).map_err(made)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Twinspan gateway");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let year = 1970 + i32::try_from(since_1970.as_secs() / 31_556_952).unwrap_or(0);
    params.not_after = rcgen::date_time_ymd(year + SELF_SIGNED_YEARS, 1, 1);
    let pair = KeyPair::generate().map_err(made)?;
    let certificate = params.self_signed(&pair).map_err(made)?;
    store(dir, &key, &pair.serialize_pem(), 0o600)?;
    store(dir, &cert, &certificate.pem(), 0o644)?;
    info!(cert_file = %cert.display(), "a certificate was made; clients trust it with --ca-file or the like");
    Ok((cert, key))
}

fn store(dir: &Path, path: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let named = |source| TlsError::File { path: path.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(named)?;
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&new).map_err(named)?;
    io::Write::write_all(&mut file, text.as_bytes()).map_err(named)?;
    file.sync_all().map_err(named)?;
    fs::rename(&new, path).map_err(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_certificate_of_its_own_is_made_once_with_a_key_that_only_its_owner_reads() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["gateway.plant.example".to_owned(), "10.0.0.4".to_owned()];
        let (cert, key) = self_signed(&dir.path().join("tls"), &names).unwrap();
        let before = fs::read(&cert).unwrap();
        self_signed(&dir.path().join("tls"), &[]).unwrap();
        assert_eq!(fs::read(&cert).unwrap(), before);
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        let files = TlsFiles { cert: cert.clone(), key, client_ca: Some(cert) };
        let loaded = Certificate::load(files, &[b"http/1.1"]).unwrap();
        assert_eq!(loaded.fingerprint().unwrap().len(), 32 * 3 - 1);
    }

    #[test]
    fn files_that_change_are_read_again_and_broken_ones_leave_the_certificate_before() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = self_signed(dir.path(), &[]).unwrap();
        let files = TlsFiles { cert: cert.clone(), key: key.clone(), client_ca: None };
        let certificate = Certificate::load(files, &[]).unwrap();
        let looks_again = || {
            let mut state = certificate.state.lock().unwrap();
            state.looked_at = state.looked_at.checked_sub(LOOKED_AT_EVERY).unwrap();
            drop(state);
            certificate.config()
        };
        let first = certificate.config();
        assert!(Arc::ptr_eq(&first, &looks_again()), "nothing has changed");
        fs::write(&cert, "not a certificate").unwrap();
        assert!(Arc::ptr_eq(&first, &looks_again()));
        fs::remove_file(&cert).unwrap();
        self_signed(dir.path(), &["other.example".to_owned()]).unwrap();
        assert!(!Arc::ptr_eq(&first, &looks_again()));
    }

    #[test]
    fn a_file_that_is_missing_or_wrong_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = self_signed(dir.path(), &[]).unwrap();
        let other = tempfile::tempdir().unwrap();
        let (_, other_key) = self_signed(other.path(), &[]).unwrap();
        let load = |cert: &Path, key: &Path| {
            let files = TlsFiles { cert: cert.to_owned(), key: key.to_owned(), client_ca: None };
            Certificate::load(files, &[]).unwrap_err().to_string()
        };
        let missing = dir.path().join("nothing.pem");
        assert!(load(&missing, &key).contains("nothing.pem"));
        assert!(load(&key, &key).contains("there is none in it"));
        assert!(load(&cert, &cert).contains("a private key"));
        assert!(load(&cert, &other_key).contains("cannot be used"));
    }
}
