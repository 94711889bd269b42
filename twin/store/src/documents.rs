//! Table `documents`: the newest state of every part of every twin.
//!
//! `author` is 0 for the edge's own parts of the twins, 1 for the cloud's and 2 for the edge's alarms: what has revisions
//! of its own has a number of its own. `seq` orders changes within it: for the edge's own it is the revision, for the
//! cloud's a counter of this database, since the cloud's revisions may start again.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use twin_core::{AlarmId, Change, DeviceId, Entry, Part, PropertyId, PropertyName, Revision, Side, Stream};

use crate::StoreError;

pub(crate) const SCHEMA: &str = "
CREATE TABLE documents (
    part INTEGER NOT NULL,
    device TEXT NOT NULL,
    property TEXT NOT NULL,
    author INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    body TEXT,
    PRIMARY KEY (device, property, part)
) WITHOUT ROWID;
CREATE INDEX documents_by_seq ON documents (author, seq);
";

pub(crate) const COLUMNS: &str = "part, device, property, author, revision, seq, body";

pub(crate) fn author_number(stream: Stream, side: Side) -> i64 {
    match (stream, side) {
        (Stream::Twin, Side::Edge) => 0,
        (Stream::Twin, Side::Cloud) => 1,
        (Stream::Alarm, Side::Edge) => 2,
        (Stream::Alarm, Side::Cloud) => 3,
    }
}

/// One row as `json_each` takes it.
#[derive(Serialize)]
struct Row<'a>(i64, &'a str, &'a str, i64, i64, i64, Option<Body<'a>>);

#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Device(&'a twin_core::Device),
    Reported(&'a twin_core::Reported),
    Override(&'a twin_core::Override),
    Desired(&'a twin_core::Desired),
    Alarm(&'a twin_core::Alarm),
}

/// The rows of `entries` as one JSON array; `seq` gives the place of each.
pub(crate) fn rows_json<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    mut seq: impl FnMut(&Entry) -> i64,
) -> Result<String, StoreError> {
    let rows: Vec<Row<'_>> = entries
        .map(|entry| {
            let (id, body) = match &entry.change {
                Change::Device(device, body) => ((device, ""), body.as_ref().map(Body::Device)),
                Change::Reported(id, body) => {
                    ((&id.device, id.property.as_str()), body.as_ref().map(Body::Reported))
                }
                Change::Override(id, body) => {
                    ((&id.device, id.property.as_str()), body.as_ref().map(Body::Override))
                }
                Change::Desired(id, body) => {
                    ((&id.device, id.property.as_str()), body.as_ref().map(Body::Desired))
                }
                Change::Alarm(id, body) => ((id.device(), id.column()), body.as_ref().map(Body::Alarm)),
            };
            let part = entry.change.part();
            let author = author_number(part.stream(), part.author());
            Row(part as i64, id.0.as_str(), id.1, author, revision_column(entry.revision), seq(entry), body)
        })
        .collect();
    serde_json::to_string(&rows).map_err(|e| StoreError::unreadable("a commit", e))
}

pub(crate) fn revision_column(revision: Revision) -> i64 {
    i64::try_from(revision.get()).unwrap_or(i64::MAX)
}

pub(crate) fn revision_of(column: i64) -> Revision {
    Revision::new(u64::try_from(column).unwrap_or(0))
}

/// The columns of a row of [`rows_json`], as `json_each` gives it.
pub(crate) const FROM_JSON: &str = "SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, \
     value ->> 5, NULLIF(value -> 6, 'null') FROM json_each(?1) WHERE true";

pub(crate) const UPSERT: &str = "ON CONFLICT (device, property, part) DO UPDATE SET \
     revision = excluded.revision, seq = excluded.seq, body = excluded.body";

/// Writes all rows with one statement.
pub(crate) async fn upsert(connection: &mut SqliteConnection, rows: String) -> Result<(), StoreError> {
    let sql = format!("INSERT INTO documents ({COLUMNS}) {FROM_JSON} {UPSERT}");
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(rows).execute(connection).await?;
    Ok(())
}

/// Removes what the cloud has deleted: its tombstones are the cloud's to keep.
pub(crate) async fn delete_followed_tombstones(
    connection: &mut SqliteConnection,
    stream: Stream,
) -> Result<(), StoreError> {
    let author = author_number(stream, Side::Cloud);
    sqlx::query("DELETE FROM documents WHERE author = ?1 AND body IS NULL")
        .bind(author)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn delete_followed(
    connection: &mut SqliteConnection,
    stream: Stream,
) -> Result<(), StoreError> {
    let author = author_number(stream, Side::Cloud);
    sqlx::query("DELETE FROM documents WHERE author = ?1").bind(author).execute(connection).await?;
    Ok(())
}

pub(crate) async fn forget_tombstones(
    connection: &mut SqliteConnection,
    stream: Stream,
    up_to: Revision,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM documents WHERE author = ?1 AND body IS NULL AND seq <= ?2")
        .bind(author_number(stream, Side::Edge))
        .bind(revision_column(up_to))
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn tombstones(
    connection: &mut SqliteConnection,
    stream: Stream,
) -> Result<Option<(Revision, Revision)>, StoreError> {
    let row = sqlx::query("SELECT min(seq), max(seq) FROM documents WHERE author = ?1 AND body IS NULL")
        .bind(author_number(stream, Side::Edge))
        .fetch_one(connection)
        .await?;
    let (oldest, newest): (Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    Ok(oldest.zip(newest).map(|(o, n)| (revision_of(o), revision_of(n))))
}

pub(crate) async fn last_followed_seq(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let last: Option<i64> =
        sqlx::query_scalar("SELECT max(seq) FROM documents WHERE author = 1").fetch_one(connection).await?;
    Ok(last.unwrap_or(0))
}

pub(crate) async fn by_revision(
    connection: &mut SqliteConnection,
    stream: Stream,
    side: Side,
    after: Revision,
    up_to: Revision,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM documents WHERE author = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(author_number(stream, side))
        .bind(revision_column(after))
        .bind(revision_column(up_to))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?
        .iter()
        .map(entry)
        .collect()
}

pub(crate) async fn all(connection: &mut SqliteConnection) -> Result<Vec<Entry>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM documents WHERE body IS NOT NULL");
    sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(connection).await?.iter().map(entry).collect()
}

/// Reads a row back.
pub(crate) fn entry(row: &SqliteRow) -> Result<Entry, StoreError> {
    let part: i64 = row.try_get("part")?;
    let device: String = row.try_get("device")?;
    let property: String = row.try_get("property")?;
    let revision: i64 = row.try_get("revision")?;
    let body: Option<String> = row.try_get("body")?;
    let place = || format!("part {part} of {device} {property}");
    let unreadable = |reason: String| StoreError::Unreadable { place: place(), reason };
    let device: DeviceId = device.parse().map_err(|e: twin_core::InvalidId| unreadable(e.to_string()))?;
    let id = || -> Result<PropertyId, StoreError> {
        let name: PropertyName =
            property.parse().map_err(|e: twin_core::InvalidId| unreadable(e.to_string()))?;
        Ok(PropertyId::new(device.clone(), name))
    };
    let change = match Part::from_number(part) {
        Some(Part::Device) => Change::Device(device.clone(), read(body, &place)?),
        Some(Part::Reported) => Change::Reported(id()?, read(body, &place)?),
        Some(Part::Override) => Change::Override(id()?, read(body, &place)?),
        Some(Part::Desired) => Change::Desired(id()?, read(body, &place)?),
        Some(Part::Alarm) => {
            let id =
                AlarmId::from_column(device.clone(), &property).map_err(|e| unreadable(e.to_string()))?;
            Change::Alarm(id, read(body, &place)?)
        }
        None => return Err(unreadable("no such part".into())),
    };
    Ok(Entry { revision: revision_of(revision), change })
}

fn read<T: DeserializeOwned>(
    body: Option<String>,
    place: &impl Fn() -> String,
) -> Result<Option<T>, StoreError> {
    body.map(|text| serde_json::from_str(&text).map_err(|e| StoreError::unreadable(place(), e))).transpose()
}
