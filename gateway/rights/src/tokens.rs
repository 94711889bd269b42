//! The tokens of a gateway: a small database beside the twins, written by the command line and read by the gateway at each
//! request, so that a revocation holds at once.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Row as _, sqlite::SqliteRow};
use twin_core::{Role, Timestamp};

use crate::files::private_file;
use crate::token::TokenHash;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS tokens (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER
) STRICT";
/// A use is written down once in this time.
const USE_NOTED_EVERY: Duration = Duration::from_secs(60);
/// The longest name of a token, in bytes.
const NAME_BYTES: usize = 63;

/// Why the tokens cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The folder or file cannot be used.
    #[error(
        "cannot use {path}: {source}; name the gateway's data folder with --data-dir, and be its owner or root"
    )]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite failed.
    #[error("the database of the tokens failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A name that cannot be one.
    #[error("`{0}` cannot be the name of a token: write 1 to 63 letters, digits, `.`, `-` or `_`")]
    Name(String),
    /// A name that is taken.
    #[error("there is a token {0} already: revoke it first, or give another name")]
    Taken(String),
    /// No token of this name.
    #[error("there is no token {0}; `twinspan token list` shows those there are")]
    Unknown(String),
    /// A role that this program does not know.
    #[error("the database of the tokens holds a role that this version does not know: {0}")]
    Role(#[from] twin_core::UnknownRole),
}

/// Whether the disk is full or read-only, and the gateway starts all the same.
#[must_use]
pub fn is_disk(error: &std::io::Error) -> bool {
    let kinds = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::ReadOnlyFilesystem];
    kinds.contains(&error.kind())
}

/// The same as SQLite says it: READONLY, IOERR, FULL, CANTOPEN (<https://www.sqlite.org/rescode.html>).
#[must_use]
pub fn is_unwritable(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    let code: Option<i32> = code.and_then(|code| code.parse().ok());
    code.is_some_and(|code| [8, 10, 13, 14].contains(&(code & 0xff)))
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// What it allows.
    pub role: Role,
}

/// A token as it is listed: everything but itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it holds; none: until it is revoked.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, give or take a minute.
    pub last_used_at: Option<Timestamp>,
}

/// The tokens; cheap to clone.
#[derive(Debug, Clone)]
pub struct Tokens {
    pool: SqlitePool,
}

impl Tokens {
    /// The name of the database in the data folder.
    pub const FILE: &'static str = "rights.db";

    /// Opens them in the data folder `dir`, which must be there.
    ///
    /// # Errors
    /// [`TokensError`] names the file and the mend.
    pub async fn open(dir: &Path) -> Result<Self, TokensError> {
        let path = dir.join(Self::FILE);
        match private_file(dir, &path) {
            Err(source) if !is_disk(&source) => return Err(TokensError::File { path, source }),
            Ok(()) | Err(_) => {}
        }
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .pragma("cache_size", "-128");
        let pool = SqlitePoolOptions::new().max_connections(2).after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(SCHEMA).execute(connection).await?;
                Ok(())
            })
        });
        let pool = pool.connect_lazy_with(options);
        match pool.acquire().await {
            Err(error) if !is_unwritable(&error) => Err(error.into()),
            Err(error) => {
                tracing::error!(%error, "tokens cannot be looked up until the disk can be written: who shows one is refused");
                Ok(Self { pool })
            }
            Ok(_) => Ok(Self { pool }),
        }
    }

    /// Adds a token.
    ///
    /// # Errors
    /// [`TokensError`]; there is no new token then.
    pub async fn add(
        &self,
        name: &str,
        role: Role,
        hash: TokenHash,
        now: Timestamp,
        expires_at: Option<Timestamp>,
    ) -> Result<(), TokensError> {
        if !is_name(name) {
            return Err(TokensError::Name(name.chars().take(80).collect()));
        }
        let added = sqlx::query(
            "INSERT INTO tokens (name, role, hash, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (name) DO NOTHING",
        )
        .bind(name)
        .bind(role.word())
        .bind(hash.0.as_slice())
        .bind(now.as_millis())
        .bind(expires_at.map(Timestamp::as_millis))
        .execute(&self.pool)
        .await?;
        if added.rows_affected() == 0 { Err(TokensError::Taken(name.to_owned())) } else { Ok(()) }
    }

    /// Takes a token back; it is refused from then on.
    ///
    /// # Errors
    /// [`TokensError::Unknown`] when there is none of that name.
    pub async fn revoke(&self, name: &str) -> Result<Role, TokensError> {
        let row = sqlx::query("DELETE FROM tokens WHERE name = ?1 RETURNING role")
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
        let row = row.ok_or_else(|| TokensError::Unknown(name.chars().take(80).collect()))?;
        Ok(row.try_get::<String, _>(0)?.parse()?)
    }

    /// All of them, by name.
    ///
    /// # Errors
    /// [`TokensError`] when the database fails.
    pub async fn list(&self) -> Result<Vec<Listed>, TokensError> {
        let sql = "SELECT name, role, created_at, expires_at, last_used_at FROM tokens ORDER BY name";
        sqlx::query(sql).fetch_all(&self.pool).await?.iter().map(listed).collect()
    }

    /// Whose token this is; none when it is nobody's, or its time is over. Takes note of the use.
    ///
    /// # Errors
    /// [`TokensError`] when the database fails.
    pub async fn find(&self, hash: TokenHash, now: Timestamp) -> Result<Option<Found>, TokensError> {
        let sql = "SELECT name, role, created_at, expires_at, last_used_at FROM tokens WHERE hash = ?1";
        let row = sqlx::query(sql).bind(hash.0.as_slice()).fetch_optional(&self.pool).await?;
        let Some(token) = row.as_ref().map(listed).transpose()? else { return Ok(None) };
        if token.expires_at.is_some_and(|end| end <= now) {
            return Ok(None);
        }
        // A clock that was set back counts as a use long ago.
        if token.last_used_at.is_none_or(|last| now < last || now.since(last) >= USE_NOTED_EVERY) {
            let noted = sqlx::query("UPDATE tokens SET last_used_at = ?2 WHERE hash = ?1")
                .bind(hash.0.as_slice())
                .bind(now.as_millis())
                .execute(&self.pool)
                .await;
            if let Err(error) = noted {
                // On a full disk tokens still open the door.
                tracing::warn!(%error, "the use of a token could not be noted");
            }
        }
        Ok(Some(Found { name: token.name, role: token.role }))
    }

    /// Closes the database.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn listed(row: &SqliteRow) -> Result<Listed, TokensError> {
    let at = |name| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(name)?.map(Timestamp::from_millis));
    Ok(Listed {
        name: row.try_get("name")?,
        role: row.try_get::<String, _>("role")?.parse()?,
        created_at: Timestamp::from_millis(row.try_get("created_at")?),
        expires_at: at("expires_at")?,
        last_used_at: at("last_used_at")?,
    })
}

fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Token;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[tokio::test]
    async fn a_token_opens_until_it_ends_or_is_revoked_even_by_another_process() {
        let dir = tempfile::tempdir().unwrap();
        let gateway = Tokens::open(dir.path()).await.unwrap();
        let command_line = Tokens::open(dir.path()).await.unwrap();
        let (lasting, ending) = (Token::draw().unwrap(), Token::draw().unwrap());
        command_line.add("hmi", Role::Operator, lasting.hash(), at(1), None).await.unwrap();
        command_line.add("guest", Role::Viewer, ending.hash(), at(1), Some(at(100))).await.unwrap();
        let found = gateway.find(lasting.hash(), at(2)).await.unwrap().unwrap();
        assert_eq!(found, Found { name: "hmi".into(), role: Role::Operator });
        assert!(gateway.find(ending.hash(), at(99)).await.unwrap().is_some());
        assert_eq!(gateway.find(ending.hash(), at(100)).await.unwrap(), None);
        assert_eq!(gateway.find(TokenHash::of("guess"), at(2)).await.unwrap(), None);
        assert_eq!(command_line.revoke("hmi").await.unwrap(), Role::Operator);
        assert_eq!(gateway.find(lasting.hash(), at(3)).await.unwrap(), None);
        assert!(matches!(command_line.revoke("hmi").await, Err(TokensError::Unknown(_))));
    }

    #[tokio::test]
    async fn a_name_is_taken_once_and_checked() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(dir.path()).await.unwrap();
        let hash = || Token::draw().unwrap().hash();
        tokens.add("a.b-C_1", Role::Admin, hash(), at(1), None).await.unwrap();
        assert!(matches!(
            tokens.add("a.b-C_1", Role::Admin, hash(), at(1), None).await,
            Err(TokensError::Taken(_))
        ));
        for wrong in ["", "a b", "a@b", "ä", &"x".repeat(64)] {
            let added = tokens.add(wrong, Role::Viewer, hash(), at(1), None).await;
            assert!(matches!(added, Err(TokensError::Name(_))), "{wrong}");
        }
    }

    #[tokio::test]
    async fn the_use_is_noted_once_a_minute_and_nobody_else_reads_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(dir.path()).await.unwrap();
        let token = Token::draw().unwrap();
        tokens.add("hmi", Role::Viewer, token.hash(), at(0), None).await.unwrap();
        let last = async || tokens.list().await.unwrap()[0].last_used_at;
        assert_eq!(last().await, None);
        for (now, noted) in [(1_000, 1_000), (60_000, 1_000), (61_000, 61_000), (5_000, 5_000)] {
            tokens.find(token.hash(), at(now)).await.unwrap();
            assert_eq!(last().await, Some(at(noted)), "at {now}");
        }
        for file in [Tokens::FILE, "rights.db-wal"] {
            let mode = fs::metadata(dir.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        let bytes = fs::read(dir.path().join("rights.db-wal")).unwrap();
        assert!(!bytes.windows(20).any(|window| window == &token.expose().as_bytes()[..20]));
    }
}
