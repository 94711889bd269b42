//! One commit, one transaction.

use sqlx::Connection as _;
use twin_core::Cursor;
use twin_core::history::Place;
use twin_core::replica::{Commit, Followed};

use crate::documents::revision_column;
use crate::{NewSample, StoreError, TwinStore, cursors, documents, history, staging};

pub(crate) async fn store(
    store: &mut TwinStore,
    commit: &Commit,
    samples: &[NewSample],
) -> Result<Option<Place>, StoreError> {
    let mut followed_seq = store.followed_seq;
    let mut next = || {
        followed_seq += 1;
        followed_seq
    };
    let mut transaction = store.connection.begin_with("BEGIN IMMEDIATE").await?;
    if !commit.authored.is_empty() {
        let rows = documents::rows_json(commit.authored.iter(), |e| revision_column(e.revision))?;
        documents::upsert(&mut transaction, rows).await?;
    }
    for step in &commit.followed {
        match step {
            Followed::Apply { entries, cursor } => {
                if !entries.is_empty() {
                    let rows = documents::rows_json(entries.iter(), |_| next())?;
                    documents::upsert(&mut transaction, rows).await?;
                }
                if entries.iter().any(|e| e.change.is_deletion()) {
                    documents::delete_followed_tombstones(&mut transaction, commit.stream).await?;
                }
                cursors::set_followed(&mut transaction, commit.stream, *cursor).await?;
            }
            Followed::ResetBegin => staging::clear(&mut transaction, commit.stream).await?,
            Followed::Stage { entries } => {
                let rows = documents::rows_json(entries.iter(), |_| next())?;
                staging::upsert(&mut transaction, rows).await?;
            }
            Followed::ResetEnd { cursor } => {
                staging::swap_in(&mut transaction, commit.stream).await?;
                cursors::set_followed(&mut transaction, commit.stream, *cursor).await?;
            }
        }
    }
    if let Some(forget) = commit.forget {
        documents::forget_tombstones(&mut transaction, commit.stream, forget.up_to).await?;
        cursors::raise_floor(&mut transaction, commit.stream, forget).await?;
    }
    if let Some(cursor) = commit.author {
        cursors::record(&mut transaction, commit.stream, cursor).await?;
    }
    let logged = match commit.author {
        Some(Cursor { incarnation, .. }) => {
            history::append(&store.log, &mut transaction, incarnation, samples).await?
        }
        None => history::Appended::default(),
    };
    transaction.commit().await?;
    store.followed_seq = followed_seq;
    Ok(store.log.remember(logged))
}
