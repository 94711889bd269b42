//! What has changed since a place: page by page, or waiting for the next.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use cloud_store::ChangesPage;
use serde::Deserialize;
use tokio::time::Instant;
use twin_api::{ChangePage, Problem, ProblemKind};
use twin_core::NodeName;
use utoipa::IntoParams;

use super::answer::Failure;
use super::devices::limit;
use super::parameters::Strict;
use super::{Rest, views};

/// The longest that a request can wait for a change.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The most changes on a page.
pub(crate) const MOST: usize = 1000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only changes after this place: `next` of the page before, or 0 for everything that is there.
    #[serde(default)]
    since: u64,
    /// Only changes of this node.
    node: Option<String>,
    /// The most changes on the page, 1 to 1000; 100 when left out.
    limit: Option<usize>,
    /// When there is no change, wait for one so many seconds, 0 to 60.
    #[serde(default)]
    wait: u64,
}

/// Lists what has changed since a place, in order. Of several changes of one document only the newest is told, so the
/// list from 0 is everything that is there. 410 when deletions after that place have been dropped: read everything
/// again and go on from there.
#[utoipa::path(get, path = "/api/v1/changes", tag = "changes", params(ListQuery),
    responses(
        (status = 200, body = ChangePage),
        (status = 410, body = Problem, content_type = "application/problem+json",
            description = "Deletions after that place have been dropped"),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    Strict(query): Strict<ListQuery>,
) -> Result<Json<ChangePage>, Failure> {
    let limit = limit(query.limit, MOST)?;
    let node = node_name(query.node)?;
    let wait = Duration::from_secs(query.wait);
    if wait > LONGEST_WAIT {
        return Err(Failure::bad_request("wait must lie between 0 and 60 seconds"));
    }
    check_since(&rest, query.since).await?;
    let until = Instant::now() + wait;
    let mut committed = rest.store.changes();
    let mut since = query.since;
    loop {
        let page = rest.store.changes_page(since, node.as_ref(), limit).await?;
        if !page.changes.is_empty() || Instant::now() >= until {
            return Ok(Json(shape(&rest, &page, limit)));
        }
        since = page.up_to;
        tokio::select! {
            // Having missed some is as good as having seen one: the next page tells.
            _ = committed.recv() => {}
            () = tokio::time::sleep_until(until) => {}
            () = rest.stop.cancelled() => return Ok(Json(shape(&rest, &page, limit))),
        }
    }
}

fn shape(rest: &Rest, page: &ChangesPage, limit: usize) -> ChangePage {
    let more = page.changes.len() >= limit;
    ChangePage { items: views::changes(page, (rest.now)()), next: page.up_to, more }
}

/// Refuses a place from which the changes are not complete. From 0 they are: what was deleted was never seen.
pub(crate) async fn check_since(rest: &Rest, since: u64) -> Result<(), Failure> {
    if i64::try_from(since).is_err() {
        return Err(Failure::bad_request(
            "since must be a place in the changes: 0, or `next` of an earlier answer",
        ));
    }
    let (floor, last) = rest.store.changes_range().await?;
    if since != 0 && since < floor {
        let detail = format!(
            "deletions after {since} have been dropped (complete since {floor}): read everything again with since=0"
        );
        return Err(Failure::new(ProblemKind::ChangesGone, detail));
    }
    if since > last {
        let detail = format!(
            "{since} lies ahead of the last change, {last}: the database was restored; read everything again with since=0"
        );
        return Err(Failure::new(ProblemKind::ChangesGone, detail));
    }
    Ok(())
}

pub(crate) fn node_name(node: Option<String>) -> Result<Option<NodeName>, Failure> {
    node.map(|node| node.parse()).transpose().map_err(|error| Failure::bad_request(format!("node: {error}")))
}
