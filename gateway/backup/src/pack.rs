//! Writing a backup.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{FileEntry, MANIFEST, Manifest};

/// Why a backup cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The bytes cannot be written.
    #[error("the backup cannot be written: {0}")]
    Write(#[from] io::Error),
    /// A file is not what the manifest says: it was changed meanwhile.
    #[error("{0} was changed while it was copied; try again")]
    Changed(String),
}

/// Writes a backup: the files of the manifest, in its order.
pub struct Packer<W: Write> {
    archive: tar::Builder<GzEncoder<W>>,
    rest: std::vec::IntoIter<FileEntry>,
    at: u64,
}

impl<W: Write> Packer<W> {
    /// Begins with the manifest.
    ///
    /// # Errors
    /// [`PackError`] when it cannot be written.
    pub fn new(to: W, manifest: &Manifest) -> Result<Self, PackError> {
        let mut archive = tar::Builder::new(GzEncoder::new(to, Compression::default()));
        let json = serde_json::to_vec_pretty(manifest).map_err(io::Error::from)?;
        let at = u64::try_from(manifest.created_at / 1000).unwrap_or(0);
        archive.append(&header(MANIFEST, json.len() as u64, at)?, &*json)?;
        Ok(Self { archive, rest: manifest.files.clone().into_iter(), at })
    }

    /// The next file that is to be given.
    #[must_use]
    pub fn next_file(&self) -> Option<&FileEntry> {
        self.rest.as_slice().first()
    }

    /// Writes the next file of the manifest.
    ///
    /// # Errors
    /// [`PackError`] when it cannot be read or written, or is shorter than the manifest says.
    pub fn append(&mut self, from: impl Read) -> Result<(), PackError> {
        let Some(file) = self.rest.next() else { return Ok(()) };
        let mut from = Counted { from: from.take(file.bytes), bytes: 0 };
        self.archive.append(&header(file.path.as_str(), file.bytes, self.at)?, &mut from)?;
        if from.bytes == file.bytes { Ok(()) } else { Err(PackError::Changed(file.path.to_string())) }
    }

    /// Ends the archive; gives what it was written to.
    ///
    /// # Errors
    /// [`PackError`] when it cannot be written, or a file of the manifest was not given.
    pub fn finish(self) -> Result<W, PackError> {
        if let Some(missing) = self.next_file() {
            return Err(PackError::Changed(missing.path.to_string()));
        }
        Ok(self.archive.into_inner()?.finish()?)
    }
}

fn header(path: &str, bytes: u64, at: u64) -> io::Result<tar::Header> {
    let mut header = tar::Header::new_ustar();
    header.set_path(path)?;
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(at);
    header.set_cksum();
    Ok(header)
}

struct Counted<R> {
    from: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}
