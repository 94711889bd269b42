//! The cloud's own certification authority.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sync_proto::CaPin;
use twin_core::{NodeName, Timestamp};

const FILE: &str = "ca.pem";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Certificates are valid since so long before they are made, since the clock of an edge may be a day behind.
const VALID_BEFORE: Duration = DAY.saturating_mul(2);
const CA_DAYS: u32 = 3653;
const LEAF_DAYS: u32 = 366;

/// Why there is no CA, or it does not sign.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// Its folder or file cannot be used.
    #[error("the CA's file {path} cannot be used: {source}")]
    File {
        /// The folder or file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Its file is damaged.
    #[error(
        "{path} does not hold the CA's key and certificate ({why}): restore it from a backup; \
         without it all nodes have to join anew"
    )]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A key or certificate cannot be made.
    #[error("a certificate cannot be made: {0}")]
    Make(String),
    /// The request for a certificate is not one.
    #[error("the certificate signing request is not usable: {0}")]
    BadRequest(String),
}

fn make(error: &rcgen::Error) -> CaError {
    CaError::Make(error.to_string())
}

/// The cloud's own certification authority: an ECDSA P-256 key and a certificate of ten years, in one file that only
/// its owner can read.
#[derive(Debug)]
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
    dir: PathBuf,
}

impl Ca {
    /// Opens the CA in the folder `dir`, or makes one there.
    ///
    /// # Errors
    /// [`CaError`] when the folder cannot be used or holds a damaged CA. A damaged CA is never replaced.
    pub fn open_or_create(dir: &Path) -> Result<Self, CaError> {
        let path = dir.join(FILE);
        let named = |source| CaError::File { path: path.display().to_string(), source };
        match fs::read_to_string(&path) {
            Ok(text) => Self::from_pem(dir, &text)
                .map_err(|why| CaError::Damaged { path: path.display().to_string(), why }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let text = create()?;
                store(dir, &path, &text).map_err(named)?;
                Self::from_pem(dir, &text).map_err(CaError::Make)
            }
            Err(error) => Err(named(error)),
        }
    }

    fn from_pem(dir: &Path, text: &str) -> Result<Self, String> {
        let key = KeyPair::from_pem(text).map_err(|e| e.to_string())?;
        let certificate = CertificateDer::from_pem_slice(text.as_bytes()).map_err(|e| e.to_string())?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|e| e.to_string())?;
        let start = text.find("-----BEGIN CERTIFICATE-----").ok_or("it has no certificate")?;
        let pem = text.get(start..).unwrap_or_default().to_owned();
        Ok(Self { issuer, certificate, pem, dir: dir.to_owned() })
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The CA's certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The CA's certificate in PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// What a join token pins.
    #[must_use]
    pub fn pin(&self) -> CaPin {
        CaPin::of(&self.certificate)
    }

    /// A new key and a certificate of one year for this server, with the CA's behind it, so that an edge which knows
    /// only the pin can check it.
    ///
    /// # Errors
    /// [`CaError::Make`] when one of the names cannot be in a certificate.
    pub fn server_certificate(
        &self,
        host_names: &[String],
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), CaError> {
        let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        names.extend(host_names.iter().cloned());
        names.dedup();
        let mut params = leaf("twinspan-cloud", ExtendedKeyUsagePurpose::ServerAuth)?;
        params.subject_alt_names = CertificateParams::new(names).map_err(|e| make(&e))?.subject_alt_names;
        let key = KeyPair::generate().map_err(|e| make(&e))?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(|e| make(&e))?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok((vec![certificate.der().clone(), self.certificate.clone()], key.into()))
    }

    /// A certificate of one year for a node. Of the request only the public key is taken.
    ///
    /// # Errors
    /// [`CaError::BadRequest`] when the request is not one, or is not signed with its own key.
    pub fn node_certificate(&self, node: &NodeName, csr_pem: &str) -> Result<String, CaError> {
        let bad = |e: rcgen::Error| CaError::BadRequest(e.to_string());
        let mut request = CertificateSigningRequestParams::from_pem(csr_pem).map_err(bad)?;
        request.params = leaf(node.as_str(), ExtendedKeyUsagePurpose::ClientAuth)?;
        Ok(request.signed_by(&self.issuer).map_err(|e| make(&e))?.pem())
    }
}

/// The node that a certificate of this CA names. The certificate must have been checked before.
pub(crate) fn node_of(certificate: &CertificateDer<'_>) -> Option<NodeName> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let mut names = parsed.subject().iter_common_name();
    match (names.next(), names.next()) {
        (Some(name), None) => name.as_str().ok()?.parse().ok(),
        (_, _) => None,
    }
}

/// When a certificate of this CA was made.
pub(crate) fn issued(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let begin = parsed.validity().not_before.timestamp().checked_mul(1000)?;
    Some(Timestamp::from_millis(begin).after(VALID_BEFORE))
}

fn leaf(name: &str, usage: ExtendedKeyUsagePurpose) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    dated(params, LEAF_DAYS)
}

/// Gives it a serial number and a time that began before now.
fn dated(mut params: CertificateParams, days: u32) -> Result<CertificateParams, CaError> {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_1970.saturating_sub(VALID_BEFORE);
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + (since_1970 + DAY * days);
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|e| CaError::Make(e.to_string()))?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn create() -> Result<String, CaError> {
    let key = KeyPair::generate().map_err(|e| make(&e))?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Twinspan CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = dated(params, CA_DAYS)?.self_signed(&key).map_err(|e| make(&e))?;
    Ok(format!("{}\n{}", key.serialize_pem().trim_end(), certificate.pem()))
}

/// Stores all or nothing, readable by its owner only, and never over a CA that is there.
fn store(dir: &Path, path: &Path, text: &str) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let new = dir.join("ca.pem.new");
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::hard_link(&new, path)?;
    fs::remove_file(&new)?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_ca_made_at_the_first_start_is_the_one_opened_later() {
        let dir = tempfile::tempdir().unwrap();
        let first = Ca::open_or_create(&dir.path().join("ca")).unwrap();
        let second = Ca::open_or_create(&dir.path().join("ca")).unwrap();
        assert_eq!(first.certificate(), second.certificate());
        let mode = fs::metadata(dir.path().join("ca").join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!second.certificate_pem().contains("PRIVATE"));
    }

    #[test]
    fn a_damaged_ca_is_named_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "nonsense").unwrap();
        let error = Ca::open_or_create(dir.path()).unwrap_err();
        assert!(error.to_string().contains("restore it from a backup"), "{error}");
        assert_eq!(fs::read_to_string(dir.path().join(FILE)).unwrap(), "nonsense");
    }

    #[test]
    fn a_nodes_certificate_names_that_node_whatever_the_request_says() {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::open_or_create(dir.path()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["cloud.example".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "other");
        let csr = params.serialize_request(&key).unwrap().pem().unwrap();
        let pem = ca.node_certificate(&"line-1".parse().unwrap(), &csr).unwrap();
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        assert_eq!(node_of(&certificate), Some("line-1".parse().unwrap()));
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).unwrap();
        assert!(parsed.subject_alternative_name().unwrap().is_none());
        assert!(!parsed.is_ca());
        for bad in ["", "nonsense", ca.certificate_pem()] {
            assert!(matches!(ca.node_certificate(&"a".parse().unwrap(), bad), Err(CaError::BadRequest(_))));
        }
    }
}
