//! All documents of all nodes. A row without a body is a deletion: kept for a while for those who follow the changes,
//! and, of a desired value, until the node has acknowledged it.

use sqlx::SqliteConnection;
use twin_core::{Part, Revision, Stream};

use crate::codec;
use crate::tables::json_rows;

/// `seq` is the place of the document's last change among all changes of the database.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE documents (
        node TEXT NOT NULL,
        part INTEGER NOT NULL,
        device TEXT NOT NULL,
        property TEXT NOT NULL,
        revision INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        cloud_time INTEGER NOT NULL,
        body TEXT,
        PRIMARY KEY (node, part, device, property)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX documents_by_seq ON documents (seq);
    CREATE INDEX desired_by_revision ON documents (node, revision) WHERE part = 4;
    CREATE INDEX deletions ON documents (cloud_time) WHERE body IS NULL;
";

/// Node, part, device, property, revision, seq, cloud time, body.
pub(crate) type Row = (String, i64, String, String, i64, i64, i64, Option<String>);

pub(crate) async fn write(connection: &mut SqliteConnection, rows: &[Row]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO documents (node, part, device, property, revision, seq, cloud_time, body)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3,
                value ->> 4, value ->> 5, value ->> 6, value ->> 7
         FROM json_each(?) WHERE true
         ON CONFLICT DO UPDATE SET revision = excluded.revision, seq = excluded.seq,
                                   cloud_time = excluded.cloud_time, body = excluded.body",
    )
    .bind(json_rows(rows)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Replaces what the node has written in a stream by what is staged. Gives the seq of the last change. What is staged as it was
/// does not change.
pub(crate) async fn replace_by_staging(
    connection: &mut SqliteConnection,
    node: &str,
    stream: Stream,
    seq: i64,
    now: i64,
) -> Result<i64, sqlx::Error> {
    let parts = super::staging::parts(stream)?;
    let deleted = sqlx::query(
        "UPDATE documents SET body = NULL, cloud_time = ?1, seq = ?2 + gone.place
         FROM (SELECT part, device, property, row_number() OVER (ORDER BY part, device, property) AS place
               FROM documents AS d
               WHERE node = ?3 AND part IN (SELECT value FROM json_each(?4)) AND body IS NOT NULL AND NOT EXISTS (
                   SELECT 1 FROM staging AS s WHERE s.node = d.node AND s.part = d.part
                   AND s.device = d.device AND s.property = d.property AND s.body IS NOT NULL)) AS gone
         WHERE documents.node = ?3 AND documents.part = gone.part
           AND documents.device = gone.device AND documents.property = gone.property",
    )
    .bind(now)
    .bind(seq)
    .bind(node)
    .bind(&parts)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    let seq = seq.saturating_add_unsigned(deleted);
    let staged = sqlx::query(
        "INSERT INTO documents (node, part, device, property, revision, seq, cloud_time, body)
         SELECT node, part, device, property, revision, ?2 + row_number() OVER (ORDER BY revision), ?1, body
         FROM staging AS s
         WHERE node = ?3 AND part IN (SELECT value FROM json_each(?4)) AND body IS NOT NULL AND NOT EXISTS (
             SELECT 1 FROM documents AS d WHERE d.node = s.node AND d.part = s.part AND d.device = s.device
             AND d.property = s.property AND d.body = s.body AND d.revision = s.revision)
         ON CONFLICT DO UPDATE SET revision = excluded.revision, seq = excluded.seq,
                                   cloud_time = excluded.cloud_time, body = excluded.body",
    )
    .bind(now)
    .bind(seq)
    .bind(node)
    .bind(&parts)
    .execute(connection)
    .await?
    .rows_affected();
    Ok(seq.saturating_add_unsigned(staged))
}

/// The oldest and newest deletion of a desired value that the node has not acknowledged.
pub(crate) async fn tombstones(
    connection: &mut SqliteConnection,
    node: &str,
    floor: Revision,
) -> Result<Option<(Revision, Revision)>, sqlx::Error> {
    let row: (Option<i64>, Option<i64>) = sqlx::query_as(
        "SELECT min(revision), max(revision) FROM documents
         WHERE node = ? AND part = 4 AND revision > ? AND body IS NULL",
    )
    .bind(node)
    .bind(codec::number(floor))
    .fetch_one(connection)
    .await?;
    Ok(row.0.zip(row.1).map(|(oldest, newest)| (codec::revision(oldest), codec::revision(newest))))
}

/// The body of one document; none when there is none.
pub(crate) async fn body(
    connection: &mut SqliteConnection,
    node: &str,
    part: Part,
    device: &str,
    property: &str,
) -> Result<Option<String>, sqlx::Error> {
    let body: Option<Option<String>> = sqlx::query_scalar(
        "SELECT body FROM documents WHERE node = ? AND part = ? AND device = ? AND property = ?",
    )
    .bind(node)
    .bind(part as i64)
    .bind(device)
    .bind(property)
    .fetch_optional(connection)
    .await?;
    Ok(body.flatten())
}

/// Removes deletions older than `before` that nobody needs any more. Gives the highest seq removed.
pub(crate) async fn purge(
    connection: &mut SqliteConnection,
    before: i64,
) -> Result<Option<i64>, sqlx::Error> {
    let removed: Vec<i64> = sqlx::query_scalar(
        "DELETE FROM documents WHERE body IS NULL AND cloud_time < ?
         AND (part <> 4 OR revision <= (SELECT floor FROM floors
                                    WHERE floors.node = documents.node AND floors.stream = 16))
         RETURNING seq",
    )
    .bind(before)
    .fetch_all(connection)
    .await?;
    Ok(removed.into_iter().max())
}
