//! Tells when the files of the configuration were written.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often the files are looked at. Looking needs no rights and works on every file system and through links.
const EVERY: Duration = Duration::from_secs(1);

/// What is looked at of each file.
type Look = Vec<(PathBuf, Option<(SystemTime, u64)>)>;

/// Looks at the configuration's files from time to time.
pub(super) struct Watch {
    path: PathBuf,
    seen: Look,
    /// They differ from what was seen, and may still be being written.
    changing: Option<Look>,
}

impl Watch {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), seen: look(path), changing: None }
    }

    /// Returns when the files have changed and then stayed the same for one look. Cancel-safe.
    pub(super) async fn changed(&mut self) {
        loop {
            tokio::time::sleep(EVERY).await;
            let now = look(&self.path);
            if now == self.seen {
                self.changing = None;
            } else if self.changing.as_ref() == Some(&now) {
                self.seen = now;
                self.changing = None;
                return;
            } else {
                self.changing = Some(now);
            }
        }
    }
}

/// The file, or every file of the folder: tables are in it as well.
fn look(path: &Path) -> Look {
    let of = |path: PathBuf| {
        let seen = std::fs::metadata(&path).ok();
        let seen = seen.and_then(|metadata| Some((metadata.modified().ok()?, metadata.len())));
        (path, seen)
    };
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let is_meant = |file: &Path| {
        let yaml = file.extension().is_some_and(|e| e == "yaml" || e == "yml");
        let table = file.extension().is_some_and(|e| e == "csv");
        table || file == path || (yaml && path.is_dir())
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|file| is_meant(file)).collect();
    files.sort();
    files.into_iter().map(of).collect()
}
