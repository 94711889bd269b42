//! Making a backup, whether or not the gateway runs.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ::backup::{Database, FileEntry, Hash, Manifest, PackError, Packer, Place};
use twin_store::{StoreError, copy};

use super::survey::{Left, survey};
use crate::clock;

/// A backup that was made.
#[derive(Debug)]
pub struct Made {
    /// What is in it.
    pub manifest: Manifest,
    /// What is not, besides keys, with why.
    pub left: Vec<Left>,
    /// Its length.
    pub bytes: u64,
}

/// Why no backup was made. What was begun is gone.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no such folder, or it holds nothing.
    #[error("{folder} holds no data of a gateway; name its `gateway.data_dir` with --data-dir")]
    NoData {
        /// The folder.
        folder: PathBuf,
    },
    /// The backup would be a part of the next one.
    #[error("{file} lies in the data folder; write the backup to another place, best to another disk")]
    Inside {
        /// The file.
        file: PathBuf,
    },
    /// There is one already.
    #[error("{file} is there already; give the backup another name")]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// A file or folder cannot be read or written.
    #[error("{path}: {source}; run this as the gateway's user or as root, and see that the disk has room")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A database cannot be copied.
    #[error("the database {path} cannot be copied: {source}")]
    Database {
        /// Which.
        path: PathBuf,
        /// Why.
        source: StoreError,
    },
    /// A database is damaged.
    #[error(
        "the database {path} is damaged, so there would be nothing to restore: {what}; keep the older backup"
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What SQLite says.
        what: String,
    },
    /// The archive cannot be written.
    #[error(transparent)]
    Pack(#[from] PackError),
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { path, source }
}

/// Writes a backup of the data folder `folder` to the new file `file`, which only its owner can read. Each database is
/// in it as of one moment, and whole.
///
/// # Errors
/// [`BackupError`] says what to do; there is no file then.
pub async fn make(folder: &Path, file: &Path, with_keys: bool) -> Result<Made, BackupError> {
    let no_data = || BackupError::NoData { folder: folder.to_owned() };
    let folder = folder.canonicalize().map_err(|_| no_data())?;
    if file.exists() {
        return Err(BackupError::Exists { file: file.to_owned() });
    }
    let beside = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if beside.canonicalize().map_err(at(beside))?.starts_with(&folder) {
        return Err(BackupError::Inside { file: file.to_owned() });
    }
    let found = survey(&folder).map_err(at(&folder))?;
    if found.databases.is_empty() {
        return Err(no_data());
    }
    let staging = Staging::beside(file).map_err(at(beside))?;
    let mut sources = Vec::new();
    for (number, place) in found.databases.iter().enumerate() {
        let (from, to) = (place.within(&folder), staging.0.join(format!("{number}.db")));
        let failed = |source| BackupError::Database { path: from.clone(), source };
        copy::copy(&from, &to).await.map_err(failed)?;
        if let Some(what) = copy::damage(&to).await.map_err(failed)? {
            return Err(BackupError::Damaged { path: from, what });
        }
        let schema = copy::schema_version(&to).await.map_err(failed)?;
        sources.push((entry(place, &to, Some(Database { schema }))?, to));
    }
    let keys: &[Place] = if with_keys { &found.keys } else { &[] };
    for place in found.files.iter().chain(keys) {
        let from = place.within(&folder);
        sources.push((entry(place, &from, None)?, from));
    }
    let manifest = Manifest {
        format: Manifest::FORMAT,
        program: concat!("twinspan ", env!("CARGO_PKG_VERSION")).to_owned(),
        created_at: clock::now().as_millis(),
        with_keys,
        files: sources.iter().map(|(entry, _)| entry.clone()).collect(),
        left_out: if with_keys { Vec::new() } else { found.keys },
    };
    let whole = staging.0.join("backup");
    let bytes = write(&whole, &manifest, &sources)?;
    // A hard link, unlike a rename, does not replace what came meanwhile.
    std::fs::hard_link(&whole, file).or_else(|_| std::fs::rename(&whole, file)).map_err(at(file))?;
    File::open(beside).and_then(|folder| folder.sync_all()).map_err(at(beside))?;
    Ok(Made { manifest, left: found.left, bytes })
}

fn write(to: &Path, manifest: &Manifest, sources: &[(FileEntry, PathBuf)]) -> Result<u64, BackupError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(at(to))?;
    let mut packer = Packer::new(BufWriter::new(file), manifest)?;
    for (_, source) in sources {
        packer.append(File::open(source).map_err(at(source))?)?;
    }
    let mut file = packer.finish()?;
    file.flush().map_err(at(to))?;
    file.get_ref().sync_all().map_err(at(to))?;
    Ok(file.get_ref().metadata().map_err(at(to))?.len())
}

/// Length and digest of a file as it is now.
fn entry(place: &Place, path: &Path, database: Option<Database>) -> Result<FileEntry, BackupError> {
    let mut file = File::open(path).map_err(at(path))?;
    let (mut hash, mut buffer, mut bytes) = (Hash::default(), vec![0; 64 * 1024], 0_u64);
    loop {
        let read = file.read(&mut buffer).map_err(at(path))?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
    Ok(FileEntry { path: place.clone(), bytes, sha256: hash.hex(), database })
}

/// A folder for what is on its way, which ends with its owner.
struct Staging(PathBuf);

impl Staging {
    fn beside(file: &Path) -> io::Result<Self> {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(format!(".part-{}", std::process::id()));
        let path = file.with_file_name(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
