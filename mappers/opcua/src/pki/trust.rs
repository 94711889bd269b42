//! The one list of server certificates: three folders that people and commands can change while the gateway runs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::certificate::Certificate;
use super::files;

const MOST_BYTES: u64 = 64 * 1_024;
/// Certificates that wait for a decision; a server that shows a new one each time must not fill the disk.
const MOST_PENDING: usize = 200;

/// What is thought of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Nobody has decided.
    Pending,
    /// It is trusted.
    Trusted,
    /// It is not, and that is decided.
    Rejected,
}

impl Standing {
    const ALL: [Self; 3] = [Self::Pending, Self::Trusted, Self::Rejected];

    /// The word for it, and the name of its folder.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Trusted => "trusted",
            Self::Rejected => "rejected",
        }
    }
}

/// A certificate in the list.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What is thought of it.
    pub standing: Standing,
    /// The certificate.
    pub certificate: Certificate,
    /// The server that showed it, where it is known.
    pub url: Option<String>,
}

/// Why the list cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no such certificate.
    #[error("no certificate begins with `{0}`; `twinspan opcua trust list` shows all")]
    Unknown(String),
    /// There are several.
    #[error("several certificates begin with `{0}`: write more digits")]
    Ambiguous(String),
    /// What was typed is not a thumbprint.
    #[error("`{0}` is not a thumbprint: write at least 6 hexadecimal digits of it")]
    Digits(String),
}

/// The list, in a folder of its own.
#[derive(Debug, Clone)]
pub struct TrustList {
    folder: PathBuf,
}

impl TrustList {
    /// The list in `folder`, whose sub-folders are made if they are not there.
    ///
    /// # Errors
    /// [`TrustError::File`] when they cannot be made.
    pub fn open(folder: &Path) -> Result<Self, TrustError> {
        let list = Self { folder: folder.to_owned() };
        for standing in Standing::ALL {
            let path = list.path(standing);
            files::make_folder(&path).map_err(|source| TrustError::File { path, source })?;
        }
        Ok(list)
    }

    /// Its folder, with `pending`, `trusted` and `rejected` in it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, standing: Standing) -> PathBuf {
        self.folder.join(standing.word())
    }

    /// What is thought of this certificate; none when it was never seen.
    ///
    /// Rejected counts for more than trusted. The bytes are compared, whatever a file is called.
    ///
    /// # Errors
    /// [`TrustError::File`] when the list cannot be read.
    pub fn standing(&self, certificate: &Certificate) -> Result<Option<Standing>, TrustError> {
        for standing in [Standing::Rejected, Standing::Trusted, Standing::Pending] {
            if self.files(standing)?.iter().any(|(_, found)| found.der == certificate.der) {
                if standing == Standing::Trusted {
                    // A certificate that somebody put there by hand gets the name that the library looks for.
                    self.put(standing, certificate)?;
                }
                return Ok(Some(standing));
            }
        }
        Ok(None)
    }

    /// Notes a certificate that a server showed, for somebody to decide.
    ///
    /// # Errors
    /// [`TrustError::File`] when it cannot be written.
    pub fn note(&self, certificate: &Certificate, url: &str) -> Result<(), TrustError> {
        let pending = self.files(Standing::Pending)?;
        if pending.len() >= MOST_PENDING || pending.iter().any(|(_, found)| found.der == certificate.der) {
            return Ok(());
        }
        let path = self.put(Standing::Pending, certificate)?.with_extension("url");
        files::write(&path, url.as_bytes()).map_err(|source| TrustError::File { path, source })
    }

    /// All certificates, those that wait for a decision first.
    ///
    /// # Errors
    /// [`TrustError::File`] when the list cannot be read.
    pub fn entries(&self) -> Result<Vec<Entry>, TrustError> {
        let mut entries: Vec<Entry> = Vec::new();
        for standing in Standing::ALL {
            for (path, certificate) in self.files(standing)? {
                let is_there =
                    |entry: &Entry| entry.standing == standing && entry.certificate.der == certificate.der;
                if entries.iter().any(is_there) {
                    continue;
                }
                let url = fs::read_to_string(path.with_extension("url")).ok();
                let url = url.map(|url| url.chars().filter(|c| !c.is_control()).take(200).collect());
                entries.push(Entry { standing, certificate, url });
            }
        }
        Ok(entries)
    }

    /// Decides about the one certificate whose thumbprint begins like this.
    ///
    /// # Errors
    /// [`TrustError`] when there is none, or not only one, or the list cannot be changed.
    pub fn decide(&self, beginning: &str, standing: Standing) -> Result<Entry, TrustError> {
        let digits: String =
            beginning.chars().filter(|c| !" :".contains(*c)).collect::<String>().to_lowercase();
        if digits.len() < 6 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(TrustError::Digits(beginning.into()));
        }
        let mut found = self.entries()?;
        found.retain(|entry| entry.certificate.thumbprint.starts_with(&digits));
        found.dedup_by(|a, b| a.certificate.der == b.certificate.der);
        let mut found = found.into_iter();
        let (Some(mut entry), None) = (found.next(), found.next()) else {
            let is_none = self.entries()?.iter().all(|e| !e.certificate.thumbprint.starts_with(&digits));
            let beginning = beginning.to_owned();
            return Err(if is_none {
                TrustError::Unknown(beginning)
            } else {
                TrustError::Ambiguous(beginning)
            });
        };
        let path = self.put(standing, &entry.certificate)?;
        if let Some(url) = &entry.url {
            let path = path.with_extension("url");
            files::write(&path, url.as_bytes()).map_err(|source| TrustError::File { path, source })?;
        }
        for other in Standing::ALL.into_iter().filter(|other| *other != standing) {
            for (path, certificate) in self.files(other)? {
                if certificate.der == entry.certificate.der {
                    fs::remove_file(&path)
                        .map_err(|source| TrustError::File { path: path.clone(), source })?;
                    let _ = fs::remove_file(path.with_extension("url"));
                }
            }
        }
        entry.standing = standing;
        Ok(entry)
    }

    fn put(&self, standing: Standing, certificate: &Certificate) -> Result<PathBuf, TrustError> {
        let name = match standing {
            Standing::Trusted => certificate.file_name.clone(),
            Standing::Pending | Standing::Rejected => format!("{}.der", certificate.thumbprint),
        };
        let path = self.path(standing).join(name);
        if files::read(&path, MOST_BYTES).ok().flatten().as_deref() != Some(&certificate.der) {
            let fault = |source| TrustError::File { path: path.clone(), source };
            files::write(&path, &certificate.der).map_err(fault)?;
        }
        Ok(path)
    }

    /// The certificates of one folder; what is none is passed over.
    fn files(&self, standing: Standing) -> Result<Vec<(PathBuf, Certificate)>, TrustError> {
        let folder = self.path(standing);
        let fault = |source| TrustError::File { path: folder.clone(), source };
        let mut found = Vec::new();
        for file in fs::read_dir(&folder).map_err(fault)? {
            let path = file.map_err(fault)?.path();
            let is_certificate =
                path.extension().is_some_and(|ext| ext == "der" || ext == "crt" || ext == "cer");
            if !is_certificate {
                continue;
            }
            let bytes = files::read(&path, MOST_BYTES).ok().flatten();
            if let Some(certificate) = bytes.and_then(|bytes| Certificate::parse(&bytes).ok()) {
                found.push((path, certificate));
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Own;

    #[test]
    fn a_decision_moves_a_certificate_and_the_last_one_holds() {
        let folder = tempfile::tempdir().unwrap();
        let certificate = Own::keep(&folder.path().join("own"), 0).unwrap().certificate;
        let list = TrustList::open(&folder.path().join("trust")).unwrap();
        assert_eq!(list.standing(&certificate).unwrap(), None);
        list.note(&certificate, "opc.tcp://plc:4840").unwrap();
        list.note(&certificate, "opc.tcp://plc:4840").unwrap();
        assert_eq!(list.standing(&certificate).unwrap(), Some(Standing::Pending));
        let short = &certificate.thumbprint[..8];
        for standing in [Standing::Trusted, Standing::Rejected, Standing::Trusted] {
            let entry = list.decide(short, standing).unwrap();
            assert_eq!(entry.url.as_deref(), Some("opc.tcp://plc:4840"));
            assert_eq!(list.standing(&certificate).unwrap(), Some(standing));
            assert_eq!(list.entries().unwrap().len(), 1);
        }
        assert!(matches!(list.decide("00000000", Standing::Trusted), Err(TrustError::Unknown(_))));
        assert!(matches!(list.decide("zz", Standing::Trusted), Err(TrustError::Digits(_))));
        assert!(matches!(list.decide("", Standing::Trusted), Err(TrustError::Digits(_))));
    }

    #[test]
    fn a_certificate_put_there_by_hand_is_trusted_and_another_file_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let certificate = Own::keep(&folder.path().join("own"), 0).unwrap().certificate;
        let list = TrustList::open(&folder.path().join("trust")).unwrap();
        fs::write(list.folder().join("trusted/mine.der"), &certificate.der).unwrap();
        fs::write(list.folder().join("trusted/readme.der"), "not one").unwrap();
        assert_eq!(list.standing(&certificate).unwrap(), Some(Standing::Trusted));
        assert_eq!(list.entries().unwrap().len(), 1);
    }
}
