//! Join tokens: only the hash of the secret is kept.

use sqlx::SqliteConnection;

use crate::error::TokenRefused;

pub(crate) const SCHEMA: &str = "
    CREATE TABLE join_tokens (
        secret_sha256 BLOB PRIMARY KEY,
        node TEXT NOT NULL,
        expires INTEGER NOT NULL,
        used_at INTEGER
    ) STRICT, WITHOUT ROWID;
";

/// How long a token is kept after its end, so that its owner is told why it is refused: a week, in milliseconds.
const KEPT_MS: i64 = 7 * 24 * 3600 * 1000;

pub(crate) async fn create(
    connection: &mut SqliteConnection,
    node: &str,
    secret_sha256: &[u8; 32],
    expires: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO join_tokens (secret_sha256, node, expires) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET expires = excluded.expires WHERE used_at IS NULL AND node = excluded.node",
    )
    .bind(&secret_sha256[..])
    .bind(node)
    .bind(expires)
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn redeem(
    connection: &mut SqliteConnection,
    node: &str,
    secret_sha256: &[u8; 32],
    now: i64,
) -> Result<Result<(), TokenRefused>, sqlx::Error> {
    let row: Option<(String, i64, Option<i64>)> =
        sqlx::query_as("SELECT node, expires, used_at FROM join_tokens WHERE secret_sha256 = ?")
            .bind(&secret_sha256[..])
            .fetch_optional(&mut *connection)
            .await?;
    Ok(match row {
        None => Err(TokenRefused::Unknown),
        Some((owner, _, _)) if owner != node => Err(TokenRefused::Unknown),
        Some((_, _, Some(_))) => Err(TokenRefused::Used),
        Some((_, expires, None)) if expires <= now => Err(TokenRefused::Expired),
        Some((_, _, None)) => {
            sqlx::query("UPDATE join_tokens SET used_at = ? WHERE secret_sha256 = ?")
                .bind(now)
                .bind(&secret_sha256[..])
                .execute(connection)
                .await?;
            Ok(())
        }
    })
}

pub(crate) async fn purge(connection: &mut SqliteConnection, now: i64) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM join_tokens WHERE expires < ?").bind(now - KEPT_MS).execute(connection).await?;
    Ok(())
}
