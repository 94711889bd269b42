//! The revision of the last change of any desired value of each device: what `If-Match` is compared with. It outlives
//! the tombstones, so that a value deleted meanwhile cannot go unnoticed.

use sqlx::SqliteConnection;
use twin_core::Revision;

use crate::codec;
use crate::tables::json_rows;

pub(crate) const SCHEMA: &str = "
    CREATE TABLE heads (
        node TEXT NOT NULL,
        device TEXT NOT NULL,
        revision INTEGER NOT NULL,
        PRIMARY KEY (node, device)
    ) STRICT, WITHOUT ROWID;
";

pub(crate) type Row = (String, String, i64);

pub(crate) async fn write(connection: &mut SqliteConnection, rows: &[Row]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO heads (node, device, revision)
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE true
         ON CONFLICT DO UPDATE SET revision = max(revision, excluded.revision)",
    )
    .bind(json_rows(rows)?)
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn read(
    connection: &mut SqliteConnection,
    node: &str,
    device: &str,
) -> Result<Revision, sqlx::Error> {
    let revision: Option<i64> =
        sqlx::query_scalar("SELECT revision FROM heads WHERE node = ? AND device = ?")
            .bind(node)
            .bind(device)
            .fetch_optional(connection)
            .await?;
    Ok(codec::revision(revision.unwrap_or(0)))
}
