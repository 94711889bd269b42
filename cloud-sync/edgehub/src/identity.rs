//! The node's key, its certificate and the CA's, in one file, so that they always belong together.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sync_proto::CaPin;

use crate::error::Error;

const FILE: &str = "identity.pem";

#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) ca: CertificateDer<'static>,
}

impl Identity {
    pub(crate) fn pin(&self) -> CaPin {
        CaPin::of(&self.ca)
    }

    /// Reads key, certificate and CA from PEM text.
    pub(crate) fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|e| e.to_string())?;
        let mut certificates =
            CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
        match (certificates.pop(), certificates.pop(), certificates.pop()) {
            (Some(ca), Some(certificate), None) => Ok(Self { key, certificate, ca }),
            (_, _, _) => Err("it needs one certificate of the node and one of the CA".to_owned()),
        }
    }

    /// The stored identity, if there is one.
    pub(crate) fn load(dir: &Path) -> Result<Option<Self>, Error> {
        let path = dir.join(FILE);
        let pem = match fs::read(&path) {
            Ok(pem) => pem,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::StateDir { path: path.display().to_string(), source }),
        };
        let named = |why| Error::Identity { path: path.display().to_string(), why };
        Self::from_pem(&pem).map(Some).map_err(named)
    }
}

/// Makes the folder, readable by its owner only.
pub(crate) fn make_dir(dir: &Path) -> Result<(), Error> {
    let named = |source| Error::StateDir { path: dir.display().to_string(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(named)
}

/// Stores all or nothing, readable by its owner only.
pub(crate) fn store(dir: &Path, key_pem: &str, certificate_pem: &str, ca_pem: &str) -> io::Result<()> {
    let (path, new): (PathBuf, PathBuf) = (dir.join(FILE), dir.join("identity.pem.new"));
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    for part in [key_pem, certificate_pem, ca_pem] {
        file.write_all(part.trim_end().as_bytes())?;
        file.write_all(b"\n")?;
    }
    file.sync_all()?;
    fs::rename(&new, &path)?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn pems() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap();
        (made.signing_key.serialize_pem(), made.cert.pem())
    }

    #[test]
    fn what_is_stored_reads_back_and_only_its_owner_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        make_dir(&path).unwrap();
        assert!(Identity::load(&path).unwrap().is_none());
        let ((key, certificate), (_, ca)) = (pems(), pems());
        store(&path, &key, &certificate, &ca).unwrap();
        let identity = Identity::load(&path).unwrap().unwrap();
        assert_eq!(identity.ca, CertificateDer::from_pem_slice(ca.as_bytes()).unwrap());
        assert_eq!(identity.certificate, CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap());
        let mode = fs::metadata(path.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_named_with_its_mend() {
        let dir = tempfile::tempdir().unwrap();
        let (key, certificate) = pems();
        for text in ["", "nonsense", key.as_str(), &format!("{key}{certificate}")] {
            fs::write(dir.path().join(FILE), text).unwrap();
            let error = Identity::load(dir.path()).unwrap_err();
            assert!(error.to_string().contains("new join token"), "{error}");
        }
    }
}
