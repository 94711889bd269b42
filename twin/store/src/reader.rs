//! Reading what is committed, beside the writer.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use sqlx::SqlitePool;
use twin_core::{
    Alarm, AlarmId, Change, Desired, Device, DeviceId, Entry, Override, Part, PropertyName, Reported,
    Revision, Side, Stream,
};

use crate::StoreError;
use crate::documents::{COLUMNS, author_number, entry};

/// The connections of all readers, which are others after the database was made anew.
#[derive(Debug, Clone)]
pub(crate) struct Pool(Arc<RwLock<SqlitePool>>);

impl Pool {
    pub(crate) fn new(pool: SqlitePool) -> Self {
        Self(Arc::new(RwLock::new(pool)))
    }

    pub(crate) fn get(&self) -> SqlitePool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those that read now end when they are done.
    pub(crate) fn set(&self, pool: SqlitePool) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = pool;
    }
}

/// Reads committed twins. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(crate) pool: Pool,
}

/// One device with all its parts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoredTwin {
    /// The device.
    pub device: Option<(Device, Revision)>,
    /// What it holds.
    pub reported: Vec<(PropertyName, Reported, Revision)>,
    /// What a local operator wants.
    pub overrides: Vec<(PropertyName, Override, Revision)>,
    /// What the cloud wants.
    pub desired: Vec<(PropertyName, Desired, Revision)>,
    /// What its alarms have found.
    pub alarms: Vec<(AlarmId, Alarm, Revision)>,
}

/// Where a listener stands: in the edge's own history, in what came from the cloud, and in the alarms. Written `17.4.2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChangesToken {
    /// The revision of the edge.
    pub own: u64,
    /// The counter of what came from the cloud.
    pub followed: u64,
    /// The revision of the alarms.
    pub alarms: u64,
}

impl fmt::Display for ChangesToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.own, self.followed, self.alarms)
    }
}

impl ChangesToken {
    /// Each place with the number of its author.
    fn places(&mut self) -> [(i64, &mut u64); 3] {
        [
            (author_number(Stream::Twin, Side::Edge), &mut self.own),
            (author_number(Stream::Twin, Side::Cloud), &mut self.followed),
            (author_number(Stream::Alarm, Side::Edge), &mut self.alarms),
        ]
    }
}

/// A text that is no [`ChangesToken`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a place in the changes: give 0, or the `next` of an earlier answer")]
pub struct InvalidToken(String);

impl FromStr for ChangesToken {
    type Err = InvalidToken;
    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let mut parts = text.split('.');
        let number = |part: &str| {
            part.parse::<u64>()
                .ok()
                .filter(|n| i64::try_from(*n).is_ok())
                .ok_or_else(|| InvalidToken(text.chars().take(40).collect()))
        };
        let mut next = || number(parts.next().unwrap_or("0"));
        let token = Self { own: next()?, followed: next()?, alarms: next()? };
        match parts.next() {
            Some(_) => Err(InvalidToken(text.chars().take(40).collect())),
            None => Ok(token),
        }
    }
}

/// How many properties of a device hold a value that is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NotGood {
    /// How many there are that hold anything.
    pub reported: u64,
    /// Of those: in doubt.
    pub uncertain: u64,
    /// Of those: not to be used.
    pub bad: u64,
}

/// A page of changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The changed documents as they are now, tombstones among them.
    pub entries: Vec<Entry>,
    /// Where to go on.
    pub next: ChangesToken,
    /// Whether there is more at once.
    pub more: bool,
}

impl Reader {
    pub(crate) fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// All devices, in order of their ids.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn devices(&self) -> Result<Vec<(DeviceId, Device, Revision)>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM documents WHERE property = '' AND part = 1 AND body IS NOT NULL ORDER BY device"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool.get()).await?;
        let mut devices = Vec::with_capacity(rows.len());
        for row in &rows {
            let entry = entry(row)?;
            if let Change::Device(id, Some(device)) = entry.change {
                devices.push((id, device, entry.revision));
            }
        }
        Ok(devices)
    }

    /// Of all devices that hold anything, how many values are not good.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn not_good(&self) -> Result<BTreeMap<DeviceId, NotGood>, StoreError> {
        // The quality of a document is a text when it is good, and an object with one key otherwise.
        let sql = "SELECT device, count(*), sum(body -> '$.quality.uncertain' IS NOT NULL), \
                   sum(body -> '$.quality.bad' IS NOT NULL) \
                   FROM documents WHERE part = ?1 AND body IS NOT NULL GROUP BY device";
        let rows = sqlx::query(sql).bind(Part::Reported as i64).fetch_all(&self.pool.get()).await?;
        let mut counts = BTreeMap::new();
        for row in &rows {
            let count = |index: usize| {
                sqlx::Row::try_get::<i64, _>(row, index).map(|n| u64::try_from(n).unwrap_or_default())
            };
            let device: &str = sqlx::Row::try_get(row, 0)?;
            let id = device.parse().map_err(|error| StoreError::unreadable("a device", error))?;
            counts.insert(id, NotGood { reported: count(1)?, uncertain: count(2)?, bad: count(3)? });
        }
        Ok(counts)
    }

    /// One device with all its parts.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn twin(&self, device: &DeviceId) -> Result<StoredTwin, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM documents WHERE device = ?1 AND body IS NOT NULL");
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(device.as_str()).fetch_all(&self.pool.get()).await?;
        let mut twin = StoredTwin::default();
        for row in &rows {
            let Entry { revision, change } = entry(row)?;
            match change {
                Change::Device(_, body) => twin.device = body.map(|device| (device, revision)),
                Change::Reported(id, body) => twin.reported.extend(body.map(|b| (id.property, b, revision))),
                Change::Override(id, body) => twin.overrides.extend(body.map(|b| (id.property, b, revision))),
                Change::Desired(id, body) => twin.desired.extend(body.map(|b| (id.property, b, revision))),
                Change::Alarm(id, body) => twin.alarms.extend(body.map(|b| (id, b, revision))),
            }
        }
        Ok(twin)
    }

    /// All alarms.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn alarms(&self) -> Result<Vec<(AlarmId, Alarm, Revision)>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM documents WHERE author = ?1 AND body IS NOT NULL");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(author_number(Stream::Alarm, Side::Edge))
            .fetch_all(&self.pool.get())
            .await?;
        let mut alarms = Vec::with_capacity(rows.len());
        for row in &rows {
            let Entry { revision, change } = entry(row)?;
            if let Change::Alarm(id, Some(alarm)) = change {
                alarms.push((id, alarm, revision));
            }
        }
        Ok(alarms)
    }

    /// What has changed since `since`, oldest first within each author, at most `limit` documents.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn changes(&self, since: ChangesToken, limit: usize) -> Result<Page, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM documents WHERE author = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3");
        let mut next = since;
        let mut entries = Vec::new();
        let mut more = false;
        for (author, place) in next.places() {
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
                .bind(author)
                .bind(i64::try_from(*place).unwrap_or(i64::MAX))
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(&self.pool.get())
                .await?;
            more |= rows.len() >= limit;
            for row in &rows {
                let seq: i64 = sqlx::Row::try_get(row, "seq")?;
                *place = u64::try_from(seq).unwrap_or(*place);
                entries.push(entry(row)?);
            }
        }
        Ok(Page { entries, next, more })
    }

    /// Proves that the database answers.
    ///
    /// # Errors
    /// [`StoreError`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool.get()).await?;
        Ok(())
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.pool.get().close().await;
    }
}
