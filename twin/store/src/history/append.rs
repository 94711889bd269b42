//! New samples, in the transaction of the commit that they belong to.

use sqlx::SqliteConnection;
use twin_core::history::Place;
use twin_core::{Incarnation, PropertyId};

use super::{Log, NewSample, columns, keys, runs};
use crate::StoreError;

/// So many rows one statement takes; the sizes are few, so that each is prepared once.
const CHUNKS: [usize; 4] = [256, 32, 4, 1];

/// What has been appended, to be remembered once the transaction is done.
#[derive(Debug, Default)]
pub(crate) struct Appended {
    keys: Vec<(PropertyId, i64)>,
    last: Option<(Place, u64)>,
}

/// Appends samples to the log.
pub(crate) async fn append(
    log: &Log,
    connection: &mut SqliteConnection,
    incarnation: Incarnation,
    samples: &[NewSample],
) -> Result<Appended, StoreError> {
    let mut done = Appended::default();
    if samples.is_empty() {
        return Ok(done);
    }
    let first = match log.run {
        Some((first, whose)) if whose == incarnation => first,
        Some(_) | None => {
            // Of the run before it, the last samples may have been known by themselves alone.
            runs::extend(connection, log.next - 1).await?;
            runs::begin(connection, incarnation, log.next).await?;
            log.next
        }
    };
    let mut rows = Vec::with_capacity(samples.len());
    for (seq, sample) in (log.next..).zip(samples) {
        let added = done.keys.iter().find(|(id, _)| *id == sample.id).map(|(_, key)| *key);
        let key = match log.keys.get(&sample.id).copied().or(added) {
            Some(key) => key,
            None => {
                let key = keys::add(connection, &sample.id).await?;
                done.keys.push((sample.id.clone(), key));
                key
            }
        };
        rows.push((seq, key, &sample.reading));
    }
    let mut rest = rows.as_slice();
    for size in CHUNKS {
        while let Some((chunk, behind)) = rest.split_at_checked(size) {
            let places = vec!["(?, ?, ?, ?, ?, ?, ?)"; size].join(", ");
            let sql = format!(
                "INSERT INTO samples_fresh (seq, property, at, tag, source, value, note) VALUES {places}"
            );
            let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
            for (seq, key, reading) in chunk {
                query = columns::bind(query, *seq, *key, reading);
            }
            query.execute(&mut *connection).await?;
            rest = behind;
        }
    }
    let seq = rows.last().map_or(log.next, |(seq, ..)| *seq);
    done.last = Some((Place { incarnation, seq }, first));
    Ok(done)
}

impl Log {
    /// The transaction is done: gives the place of the last sample, if there was one.
    pub(crate) fn remember(&mut self, done: Appended) -> Option<Place> {
        self.keys.extend(done.keys);
        let (place, first) = done.last?;
        self.run = Some((first, place.incarnation));
        self.next = place.seq + 1;
        Some(place)
    }
}
