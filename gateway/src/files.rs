//! Reading the configuration from files: the only place where it touches the disk and the environment.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use config::{Checked, Faults, Loaded, Loader, SecretRef, Source};

use crate::running::texts::{Table, Texts};
use crate::wiring;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder has no configuration in it.
    #[error("{path} holds no file that ends in .yaml or .yml; name the file, or put one there")]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A file is too long.
    #[error("{path} has {bytes} bytes; at most {} are read", Source::MAX_BYTES)]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// The text is wrong.
    #[error("{0}")]
    Faults(Faults),
}

/// Reads and checks a file, or all `*.yaml` and `*.yml` of a folder.
///
/// # Errors
/// [`ReadError`] with every fault in it.
pub fn load(path: &Path) -> Result<Loaded, ReadError> {
    load_texts(path).map(|(_, loaded)| loaded)
}

/// As [`load`], with everything that was read, to read it again when the files are gone.
///
/// # Errors
/// As [`load`].
pub fn load_texts(path: &Path) -> Result<(Texts, Loaded), ReadError> {
    let sources = sources(path)?;
    let tables = RefCell::new(Vec::new());
    let recorded = |file: &str, named_in: &str| {
        let (name, bytes) = table(file, named_in)?;
        let recorded = Table {
            file: file.to_owned(),
            named_in: named_in.to_owned(),
            name: name.clone(),
            bytes: bytes.clone(),
        };
        tables.borrow_mut().push(recorded);
        Ok((name, bytes))
    };
    let protocols = wiring::protocols();
    let loaded = Loader::new(&protocols).tables(&recorded).load(&sources, &secret);
    let loaded = loaded.map_err(ReadError::Faults)?;
    Ok((Texts::new(sources, tables.into_inner()), loaded))
}

/// Reads texts again that were read before; secrets are read as they are now.
///
/// # Errors
/// [`Faults`] with everything that is wrong in them.
pub fn load_again(texts: &Texts) -> Result<Loaded, Faults> {
    let protocols = wiring::protocols();
    Loader::new(&protocols).tables(texts).load(&texts.sources(), &secret)
}

/// As [`load`], without reading secrets: for checking a configuration on another machine.
///
/// # Errors
/// As [`load`].
pub fn check(path: &Path) -> Result<Checked, ReadError> {
    let sources = sources(path)?;
    let protocols = wiring::protocols();
    Loader::new(&protocols).tables(&table).check(&sources).map_err(ReadError::Faults)
}

/// The texts of the YAML files, each with its name.
///
/// # Errors
/// [`ReadError`] when they cannot be read, or are no text.
pub fn texts(path: &Path) -> Result<Vec<(String, String)>, ReadError> {
    let texts = sources(path)?.into_iter().map(|source| (source.name, source.text));
    Ok(texts.collect())
}

/// The secrets that a configuration names and that can be read, whatever else is wrong with it.
#[must_use]
pub fn secrets(path: &Path) -> Vec<String> {
    let found = RefCell::new(Vec::new());
    let recorded = |wanted: SecretRef<'_>| {
        let read = secret(wanted);
        found.borrow_mut().extend(read.clone());
        read
    };
    if let Ok(sources) = sources(path) {
        let protocols = wiring::protocols();
        // What is wrong with it is for others to say.
        let _ = Loader::new(&protocols).tables(&table).load(&sources, &recorded);
    }
    found.into_inner()
}

fn sources(path: &Path) -> Result<Vec<Source>, ReadError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| ReadError::Unreadable { path, source }
    };
    if !path.is_dir() {
        return Ok(vec![read(path)?]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable(path))? {
        let file = entry.map_err(unreadable(path))?.path();
        if file.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(ReadError::Empty { path: path.to_owned() });
    }
    files.sort();
    files.iter().map(|file| read(file)).collect()
}

fn read(path: &Path) -> Result<Source, ReadError> {
    let unreadable = |source| ReadError::Unreadable { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > Source::MAX_BYTES as u64 {
        return Err(ReadError::TooLong { path: path.to_owned(), bytes });
    }
    let text = std::fs::read(path).map_err(unreadable)?;
    Source::from_bytes(path.display().to_string(), text).map_err(ReadError::Faults)
}

fn secret(wanted: SecretRef<'_>) -> Result<String, String> {
    match wanted {
        SecretRef::File(path) => std::fs::read_to_string(path).map_err(|e| e.to_string()),
        SecretRef::Env(name) => std::env::var(name).map_err(|e| e.to_string()),
    }
}

/// Reads a table that is named in a YAML file, relative to the folder of that file.
fn table(file: &str, named_in: &str) -> Result<(String, Vec<u8>), String> {
    let path = Path::new(named_in).parent().unwrap_or(Path::new("")).join(file);
    let bytes = std::fs::metadata(&path).map_err(|e| e.to_string())?.len();
    if bytes > Source::MAX_BYTES as u64 {
        return Err(format!("it has {bytes} bytes; at most {} are read", Source::MAX_BYTES));
    }
    let text = std::fs::read(&path).map_err(|e| e.to_string())?;
    Ok((path.display().to_string(), text))
}
