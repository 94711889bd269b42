//! A database that is damaged: moved aside, and what can be read of it saved.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::TryStreamExt as _;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use twin_core::{Entry, Key};

use crate::documents::{COLUMNS, entry};
use crate::open::OpenError;

/// How many damaged files are kept; older ones are deleted.
const KEPT: usize = 3;

/// What was wrong with a database, and what was saved of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Damage {
    /// What is wrong with it.
    pub reason: String,
    /// Where the file lies now.
    pub moved_to: PathBuf,
    /// The documents that could be read, those of the cloud among them.
    pub saved: Vec<Entry>,
}

impl Damage {
    /// Moves the file aside and reads what can be read of it.
    pub(crate) async fn set_aside(path: &Path, reason: String) -> Result<Self, OpenError> {
        let moved_to = Self::move_aside(path, &reason)?;
        let saved = saved_of(&moved_to).await;
        Ok(Self { reason, moved_to, saved })
    }

    /// Moves the file with its log aside, and deletes the oldest of those that lie there.
    pub(crate) fn move_aside(path: &Path, reason: &str) -> Result<PathBuf, OpenError> {
        let failed = |source| OpenError::Aside { path: path.to_owned(), reason: reason.to_owned(), source };
        let moved_to = free_name(path);
        std::fs::rename(path, &moved_to).map_err(failed)?;
        for end in ["-wal", "-shm"] {
            match std::fs::rename(with_end(path, end), with_end(&moved_to, end)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
                Ok(()) | Err(_) => {}
            }
        }
        delete_oldest(path);
        Ok(moved_to)
    }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// `twin.db.corrupt-20261123-014007`, and with a number when that is taken.
fn free_name(path: &Path) -> PathBuf {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let name = with_end(path, &format!(".corrupt-{}", stamp(now)));
    let numbered = (2..100).map(|n| with_end(&name, &format!("-{n}")));
    std::iter::once(name.clone()).chain(numbered).find(|name| !name.exists()).unwrap_or(name)
}

/// Date and time of day in UTC, of seconds since 1970 (days to civil date as in Howard Hinnant's `chrono` notes).
fn stamp(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}-{:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60)
}

fn delete_oldest(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return;
    };
    let start = format!("{name}.corrupt-");
    let Ok(listed) = std::fs::read_dir(folder) else { return };
    let mut aside: Vec<PathBuf> = listed
        .flatten()
        .map(|found| found.path())
        .filter(|found| {
            let name = found.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(&start) && !name.ends_with("-wal") && !name.ends_with("-shm")
        })
        .collect();
    aside.sort();
    let surplus = aside.len().saturating_sub(KEPT);
    for old in aside.into_iter().take(surplus) {
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(with_end(&old, end));
        }
    }
}

/// Every document that can be read, from both ends of the table up to where it is damaged.
async fn saved_of(path: &Path) -> Vec<Entry> {
    let mut saved: BTreeMap<Key, Entry> = BTreeMap::new();
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(false);
    let Ok(mut connection) = options.connect().await else { return Vec::new() };
    let orders = [
        "ORDER BY device, property, part",
        "ORDER BY device DESC, property DESC, part DESC",
        "AND author = 0 ORDER BY author, seq DESC",
        "AND author = 1 ORDER BY author, seq DESC",
    ];
    for order in orders {
        read_some(&mut connection, order, &mut saved).await;
    }
    drop(connection.close().await);
    saved.into_values().collect()
}

/// Reads rows until one cannot be had.
async fn read_some(connection: &mut SqliteConnection, order: &str, saved: &mut BTreeMap<Key, Entry>) {
    let sql = format!("SELECT {COLUMNS} FROM documents WHERE body IS NOT NULL {order}");
    let mut rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch(connection);
    while let Ok(Some(row)) = rows.try_next().await {
        if let Ok(entry) = entry(&row) {
            let newest = saved.entry(entry.change.key()).or_insert_with(|| entry.clone());
            if newest.revision < entry.revision {
                *newest = entry;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_damaged_file_says_when() {
        assert_eq!(stamp(0), "19700101-000000");
        assert_eq!(stamp(951_827_696), "20000229-123456");
        assert_eq!(stamp(1_795_398_007), "20261123-014007");
    }

    #[test]
    fn the_three_newest_damaged_files_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("twin.db");
        for round in 0..5 {
            std::fs::write(&path, round.to_string()).unwrap();
            std::fs::write(dir.path().join("twin.db-wal"), "log").unwrap();
            Damage::move_aside(&path, "test").unwrap();
            assert!(!dir.path().join("twin.db-wal").exists(), "a log of another database would be replayed");
        }
        let count = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(count, 6, "three with their logs");
    }
}
