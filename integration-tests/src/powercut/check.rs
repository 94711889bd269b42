//! What must hold on every disk that is left.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use twin_core::{Change, Entry, Stream, Value};
use twin_store::TwinStore;

/// Opens the store, compares it with what was acknowledged, and closes it in order.
pub(super) async fn open_and_look<'a>(
    folder: &Path,
    acks: impl Iterator<Item = &'a str>,
) -> anyhow::Result<()> {
    let (mut store, reader) = TwinStore::open(folder).await?;
    if let Some(damage) = store.take_damage() {
        bail!("the database is damaged: {}", damage.reason);
    }
    let found: BTreeMap<String, i64> = store.all().await?.into_iter().filter_map(number_of).collect();
    let mut acknowledged: BTreeMap<&str, i64> = BTreeMap::new();
    for ack in acks {
        let (name, number) = ack.rsplit_once(' ').context("an acknowledgement is a name and a number")?;
        acknowledged.insert(name, number.parse()?);
    }
    for (name, least) in acknowledged {
        let held = found.get(name).copied();
        ensure!(held >= Some(least), "{name} was acknowledged as {least} and is {held:?}");
    }
    for (name, held) in &found {
        if let Some(pair) = name.strip_suffix("-a") {
            let other = found.get(&format!("{pair}-b"));
            ensure!(other == Some(held), "half of a report: {name} is {held}, the other half {other:?}");
        }
    }
    let stored = store.stored(Stream::Twin).await?;
    let last = stored.incarnations.iter().map(|cursor| cursor.revision).max().unwrap_or_default();
    let newest = store.fetch(Stream::Twin, last, twin_core::Revision::new(u64::MAX >> 1), 1).await?;
    ensure!(newest.is_empty(), "a document is newer than the last revision {last} that is recorded");
    reader.close().await;
    store.close().await?;
    let options = SqliteConnectOptions::new().filename(folder.join(TwinStore::FILE));
    let mut connection = options.connect().await?;
    let verdict: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await?;
    connection.close().await?;
    ensure!(verdict == "ok", "{verdict}");
    Ok(())
}

/// What the acknowledgement of a document would say.
fn number_of(entry: Entry) -> Option<(String, i64)> {
    let (what, id, value) = match entry.change {
        Change::Reported(id, Some(reported)) => ("reported", id, reported.value?),
        Change::Override(id, Some(wanted)) => ("override", id, wanted.value),
        Change::Desired(id, Some(wanted)) => ("desired", id, wanted.value),
        Change::Reported(..)
        | Change::Override(..)
        | Change::Desired(..)
        | Change::Device(..)
        | Change::Alarm(..) => {
            return None;
        }
    };
    let Value::String(text) = value else { return None };
    let number = text.split_once(' ')?.0.parse().ok()?;
    Some((format!("{what} {}", id.property), number))
}
