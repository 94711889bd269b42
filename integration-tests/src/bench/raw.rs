//! The same upserts with nothing around them: what SQLite can do here.

use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};
use twin_core::{PropertyId, Quality, Reported, Timestamp, Value};
use twin_store::TwinStore;

use super::Plan;

/// Rows in a transaction.
const BATCH: usize = 1000;
/// For how long.
const SECONDS: u64 = 5;

/// Rows a second. The table is the edge's own, made by its store.
pub(super) async fn measure(plan: &Plan) -> anyhow::Result<f64> {
    let dir = tempfile::tempdir()?;
    let (store, _) = TwinStore::open(dir.path()).await?;
    store.close().await?;
    let options = SqliteConnectOptions::new()
        .filename(dir.path().join(TwinStore::FILE))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", "4000")
        .pragma("cache_size", "-2048");
    let mut connection = options.connect().await?;
    let ids: Vec<PropertyId> = (0..plan.devices)
        .flat_map(|d| (0..plan.properties).map(move |p| (d, p)))
        .map(|(d, p)| Ok(PropertyId::new(format!("dev-{d}").parse()?, format!("p{p}").parse()?)))
        .collect::<anyhow::Result<_>>()?;
    let (started, mut revision) = (Instant::now(), 0_usize);
    while started.elapsed() < Duration::from_secs(SECONDS) {
        let rows: Vec<serde_json::Value> = (0..BATCH)
            .map(|n| {
                revision += 1;
                let id = &ids[(revision + n) % ids.len()];
                let body = Reported {
                    value: Value::float(revision as f64 / 7.0).ok(),
                    quality: Quality::Good,
                    source_time: None,
                    gateway_time: Some(Timestamp::from_millis(1_800_000_000_000)),
                    outcome: None,
                };
                serde_json::json!([2, id.device, id.property, 0, revision, revision, body])
            })
            .collect();
        let rows = serde_json::to_string(&rows)?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO documents (part, device, property, author, revision, seq, body) \
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value -> 6 \
             FROM json_each(?1) WHERE true ON CONFLICT (device, property, part) DO UPDATE SET \
             revision = excluded.revision, seq = excluded.seq, body = excluded.body",
        )
        .bind(rows)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
    }
    let rate = revision as f64 / started.elapsed().as_secs_f64();
    connection.close().await?;
    Ok(rate)
}
