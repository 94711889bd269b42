//! With which configuration the gateway starts: the file's, or the one that is kept. Nothing is logged here, for how to
//! log is part of the configuration.

use std::path::{Path, PathBuf};

use config::Loaded;
use twin_store::{ConfigStore, StoredConfiguration};

use super::texts::Texts;
use super::view::FileState;
use crate::files::{self, ReadError};

/// The configuration that the gateway starts with.
pub struct Choice {
    /// The configuration.
    pub loaded: Loaded,
    /// Where it comes from; none for one that is made by a program.
    pub kept: Option<Kept>,
}

/// Where a configuration comes from.
pub struct Kept {
    /// Its texts.
    pub(crate) texts: Texts,
    /// The file that the gateway was started with.
    pub(crate) file: PathBuf,
    /// What the file says now.
    pub(crate) file_digest: Option<String>,
    /// Whether that is what is chosen.
    pub(crate) file_state: FileState,
    /// Why the file was not taken, where it is broken.
    pub(crate) broken: Option<String>,
    /// When it is in the store already.
    pub(crate) stored: Option<StoredConfiguration>,
}

impl Choice {
    /// A configuration that no file holds and that is not kept.
    #[must_use]
    pub fn fixed(loaded: Loaded) -> Self {
        Self { loaded, kept: None }
    }

    /// The configuration of the file, unless another was brought into force since the file was last seen, or the file
    /// cannot be used: then the one that is kept. `data_dir` is where to look for that when the file does not say.
    ///
    /// # Errors
    /// [`ReadError`] when the file cannot be used and none is kept.
    pub async fn make(file: &Path, data_dir: &Path) -> Result<Self, ReadError> {
        match files::load_texts(file) {
            Ok((texts, loaded)) => Ok(Self::beside_file(file, texts, loaded).await),
            Err(fault) => match Self::without_file(file, data_dir, &fault).await {
                Some(choice) => Ok(choice),
                None => Err(fault),
            },
        }
    }

    async fn beside_file(file: &Path, texts: Texts, loaded: Loaded) -> Self {
        let digest = texts.digest();
        let kept = newest(&loaded.config.gateway.data_dir).await;
        let (file_digest, stored) = (Some(digest.clone()), kept.as_ref().map(|(stored, _)| stored.clone()));
        let mut from_file = Kept {
            texts,
            file: file.to_owned(),
            file_digest,
            file_state: FileState::Same,
            broken: None,
            stored: None,
        };
        let Some((stored, texts)) = stored.zip(kept.map(|(_, texts)| texts)) else {
            return Self { loaded, kept: Some(from_file) };
        };
        if stored.digest == digest {
            from_file.stored = Some(stored);
            return Self { loaded, kept: Some(from_file) };
        }
        if stored.file_digest.as_ref() != Some(&digest) {
            // The file was written since: it is meant.
            return Self { loaded, kept: Some(from_file) };
        }
        match files::load_again(&texts) {
            Ok(kept_loaded) => {
                let kept = Kept { texts, file_state: FileState::Differs, stored: Some(stored), ..from_file };
                Self { loaded: kept_loaded, kept: Some(kept) }
            }
            Err(faults) => {
                let revision = stored.revision;
                eprintln!(
                    "warning: the file is taken, for the configuration in force, revision {revision}, is wrong now:\n{faults}"
                );
                Self { loaded, kept: Some(from_file) }
            }
        }
    }

    async fn without_file(file: &Path, data_dir: &Path, fault: &ReadError) -> Option<Self> {
        let (stored, texts) = newest(data_dir).await?;
        let revision = stored.revision;
        match files::load_again(&texts) {
            Ok(mut loaded) => {
                data_dir.clone_into(&mut loaded.config.gateway.data_dir);
                let kept = Kept {
                    texts,
                    file: file.to_owned(),
                    file_digest: None,
                    file_state: FileState::Broken,
                    broken: Some(fault.to_string()),
                    stored: Some(stored),
                };
                Some(Self { loaded, kept: Some(kept) })
            }
            Err(faults) => {
                eprintln!(
                    "error: the configuration with revision {revision} that is kept cannot be used either:\n{faults}"
                );
                None
            }
        }
    }
}

/// What is kept in a data folder, as far as it can be read.
async fn newest(data_dir: &Path) -> Option<(StoredConfiguration, Texts)> {
    let read = async {
        let Some(mut store) = ConfigStore::open_existing(data_dir).await? else { return Ok(None) };
        let newest = store.newest().await;
        store.close().await?;
        newest
    };
    let (stored, body) = match read.await {
        Ok(newest) => newest?,
        Err(fault) => {
            eprintln!("warning: the configurations kept in {} cannot be read: {fault}", data_dir.display());
            return None;
        }
    };
    match serde_json::from_str(&body) {
        Ok(texts) => Some((stored, texts)),
        Err(fault) => {
            eprintln!("warning: the configuration with revision {} cannot be read: {fault}", stored.revision);
            None
        }
    }
}
