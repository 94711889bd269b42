//! What has changed since.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use twin_api::{ChangeView, Problem, ProblemKind};
use twin_store::ChangesToken;
use utoipa::{IntoParams, ToSchema};

use super::problem::{Query, Rejection};
use super::{State, events, views};
use crate::clock::now;

/// From where, and how many.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Since {
    /// Where to go on: the `next` of the page before; 0 or left out: from the beginning.
    since: Option<String>,
    /// The most changes of each author, 1 to 1000; 100 when left out.
    limit: Option<usize>,
    /// How many seconds to wait for a change when there is none yet, 0 to 60.
    wait: Option<u64>,
}

/// Changes at the edge. Of several changes of one document only the newest is told.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct EdgeChangePage {
    /// The changes, in order within each author.
    items: Vec<ChangeView>,
    /// To be given as `since` to go on after them.
    next: String,
    /// Whether there are more already.
    more: bool,
}

/// What has changed since a place in the changes. With `Accept: text/event-stream` every change from there on as it is
/// committed, as `/api/v1/events` gives it; `limit` and `wait` then say nothing.
#[utoipa::path(get, path = "/api/v1/changes", params(Since, ("Last-Event-ID" = Option<String>, Header)), tag = "changes",
    responses((status = 200, content((EdgeChangePage = "application/json"), (String = "text/event-stream"))),
        (status = 400, body = Problem), (status = 410, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn list(
    axum::extract::State(state): axum::extract::State<State>,
    Query(query): Query<Since>,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if accepts.flat_map(|text| text.split(',')).any(|one| one.trim().starts_with("text/event-stream")) {
        return events::open(state, &headers, query.since).await.map(IntoResponse::into_response);
    }
    page(&state, query).await.map(|page| Json(page).into_response())
}

async fn page(state: &State, query: Since) -> Result<EdgeChangePage, Rejection> {
    let bad = |detail: String| Rejection::new(ProblemKind::BadRequest, detail);
    let since: ChangesToken = match query.since.as_deref() {
        Some(text) => text.parse().map_err(|e: twin_store::InvalidToken| bad(e.to_string()))?,
        None => ChangesToken::default(),
    };
    let limit = query.limit.unwrap_or(100);
    let wait = query.wait.unwrap_or(0);
    if !(1..=1000).contains(&limit) || wait > 60 {
        return Err(bad("limit must be 1 to 1000 and wait 0 to 60 seconds".to_owned()));
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(wait);
    let mut events = state.service.events();
    loop {
        let page = state.reader.changes(since, limit).await?;
        if !page.entries.is_empty() || tokio::time::Instant::now() >= deadline {
            let items = views::changes(&state.reader, &state.node, &page.entries, now()).await?;
            return Ok(EdgeChangePage { items, next: page.next.to_string(), more: page.more });
        }
        let woken = tokio::select! {
            () = state.stop.cancelled() => Err(RecvError::Closed),
            () = tokio::time::sleep_until(deadline) => Ok(()),
            event = events.recv() => event.map(|_| ()),
        };
        if let Err(RecvError::Closed) = woken {
            let next = page.next.to_string();
            return Ok(EdgeChangePage { items: Vec::new(), next, more: false });
        }
    }
}
