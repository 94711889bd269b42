//! Which nodes' certificates were taken back. A small file beside the CA, written by the command line and looked at by the
//! server while it runs: certificates of a node that were made before the moment in it are no longer taken.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};
use tracing::{error, warn};
use twin_core::{NodeName, Timestamp};

use crate::ca::{issued, node_of};
use crate::clock::wall;

const FILE: &str = "revoked";

/// Why a node's certificates cannot be taken back.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be written: {source}; nothing is revoked")]
pub struct RevokeError {
    path: String,
    source: io::Error,
}

/// Which certificates were taken back; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Revocations(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stamp: Option<(SystemTime, u64)>,
    nodes: BTreeMap<NodeName, Timestamp>,
}

/// Takes back all certificates that a node has; it can join again with a new join token. The server that runs takes note within
/// two seconds and ends the node's connection. `ca_dir` is the folder of the CA.
///
/// # Errors
/// [`RevokeError`]; nothing is revoked then.
pub fn revoke_node(ca_dir: &Path, node: &NodeName) -> Result<(), RevokeError> {
    let path = ca_dir.join(FILE);
    let failed = |source| RevokeError { path: path.display().to_string(), source };
    let mut nodes = match fs::read_to_string(&path) {
        Ok(text) => parse(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
        Err(error) => return Err(failed(error)),
    };
    nodes.insert(node.clone(), wall());
    let text: String = nodes.iter().map(|(node, at)| format!("{node} {}\n", at.as_millis())).collect();
    store(ca_dir, &path, &text).map_err(failed)
}

/// All or nothing.
fn store(dir: &Path, path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(dir)?.sync_all()
}

/// `NODE MILLISECONDS`, a line each.
fn parse(text: &str) -> BTreeMap<NodeName, Timestamp> {
    let mut nodes = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let read =
            line.split_once(' ').and_then(|(node, at)| Some((node.parse().ok()?, at.trim().parse().ok()?)));
        match read {
            Some((node, at)) => drop(nodes.insert(node, Timestamp::from_millis(at))),
            None => {
                warn!(line = %line.chars().take(80).collect::<String>(), "a line of the revoked nodes cannot be read")
            }
        }
    }
    nodes
}

impl Revocations {
    pub(crate) fn open(ca_dir: &Path) -> Self {
        let revocations = Self(Arc::new(Inner { path: ca_dir.join(FILE), state: Mutex::default() }));
        revocations.look();
        revocations
    }

    /// Reads the file again when it has changed; whether it had.
    pub(crate) fn look(&self) -> bool {
        let mut state = self.lock();
        let found =
            fs::metadata(&self.0.path).ok().and_then(|meta| Some((meta.modified().ok()?, meta.len())));
        if found == state.stamp {
            return false;
        }
        match fs::read_to_string(&self.0.path) {
            Ok(text) => state.nodes = parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => state.nodes.clear(),
            Err(error) => {
                error!(path = %self.0.path.display(), %error, "the revoked nodes cannot be read; those known before stay revoked");
                return false;
            }
        }
        state.stamp = found;
        true
    }

    /// Whether a node's certificate that was made at `issued` was taken back. Certificates know their moment to the second.
    pub(crate) fn is_revoked(&self, node: &NodeName, issued: Timestamp) -> bool {
        let revoked = self.lock().nodes.get(node).copied();
        revoked.is_some_and(|at| issued.as_millis().div_euclid(1000) <= at.as_millis().div_euclid(1000))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock can panic half-way.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks client certificates as another verifier does, and that they were not taken back.
#[derive(Debug)]
pub(crate) struct NotRevoked {
    pub(crate) inner: Arc<dyn ClientCertVerifier>,
    pub(crate) revocations: Revocations,
}

impl ClientCertVerifier for NotRevoked {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        self.revocations.look();
        match (node_of(end_entity), issued(end_entity)) {
            (Some(node), Some(issued)) if self.revocations.is_revoked(&node, issued) => {
                warn!(%node, "a certificate that was revoked is refused");
                Err(CertificateError::Revoked.into())
            }
            (_, _) => Ok(verified),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_before_is_revoked_and_what_is_made_after_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two): (NodeName, NodeName) = ("line-1".parse().unwrap(), "line-2".parse().unwrap());
        let revocations = Revocations::open(dir.path());
        let before = wall();
        assert!(!revocations.is_revoked(&one, before));
        revoke_node(dir.path(), &one).unwrap();
        assert!(revocations.look());
        assert!(revocations.is_revoked(&one, before) && !revocations.is_revoked(&two, before));
        assert!(!revocations.is_revoked(&one, Timestamp::from_millis(wall().as_millis() + 1000)));
        revoke_node(dir.path(), &two).unwrap();
        let again = Revocations::open(dir.path());
        assert!(again.is_revoked(&one, before) && again.is_revoked(&two, before));
    }

    #[test]
    fn a_line_that_cannot_be_read_does_not_make_the_others_good() {
        let nodes = parse("line-1 5\nnonsense\nline-2 x\n\nline-3 7\n");
        assert_eq!(nodes.keys().map(NodeName::as_str).collect::<Vec<_>>(), ["line-1", "line-3"]);
    }
}
