//! The event stream: every change as it is committed, from any place on.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use http::HeaderMap;
use serde::Deserialize;
use tokio::sync::broadcast;
use twin_api::{ChangeView, PartWord, Problem, ProblemKind};
use twin_store::ChangesToken;
use utoipa::IntoParams;

use super::problem::{Query, Rejection};
use super::{State, views};
use crate::clock::now;

/// Changes read from the store at a time.
const PAGE: usize = 200;

/// From where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Since {
    /// Where to go on; `Last-Event-ID` says the same and wins. Left out: everything that is there, then every change.
    since: Option<String>,
}

struct Feed {
    state: State,
    wake: broadcast::Receiver<device_twin::Event>,
    place: ChangesToken,
    ready: VecDeque<(ChangesToken, ChangeView)>,
}

/// Every change as a server-sent event `change`, whose id is the place to go on from.
#[utoipa::path(get, path = "/api/v1/events", params(Since, ("Last-Event-ID" = Option<String>, Header)), tag = "changes",
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 400, body = Problem)))]
pub(super) async fn stream(
    axum::extract::State(state): axum::extract::State<State>,
    headers: HeaderMap,
    Query(query): Query<Since>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Rejection> {
    open(state, &headers, query.since).await
}

pub(super) async fn open(
    state: State,
    headers: &HeaderMap,
    since: Option<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>, Rejection> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let place = match last.or(since) {
        Some(text) => {
            let bad = |e: twin_store::InvalidToken| Rejection::new(ProblemKind::BadRequest, e.to_string());
            text.parse().map_err(bad)?
        }
        None => ChangesToken::default(),
    };
    let wake = state.service.events();
    state.reader.ping().await?;
    let stop = state.stop.clone();
    let feed = Feed { state, wake, place, ready: VecDeque::new() };
    let events = stream::unfold(feed, next);
    let events = futures_util::StreamExt::take_until(events, stop.cancelled_owned());
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

async fn next(mut feed: Feed) -> Option<(Result<Event, Infallible>, Feed)> {
    loop {
        if let Some((place, change)) = feed.ready.pop_front() {
            let kind = if change.part == PartWord::Alarm { "alarm" } else { "change" };
            let event = Event::default().event(kind).id(place.to_string());
            let event = event.json_data(&change).ok()?;
            return Some((Ok(event), feed));
        }
        let page = feed.state.reader.changes(feed.place, PAGE).await.ok()?;
        if page.entries.is_empty() {
            match feed.wake.recv().await {
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => continue,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
        let views = views::changes(&feed.state.reader, &feed.state.node, &page.entries, now()).await.ok()?;
        // Only the last of a page names the new place: whoever breaks off before gets the page again.
        let count = views.len();
        let old = feed.place;
        feed.place = page.next;
        let place = |index: usize| if index + 1 == count { page.next } else { old };
        feed.ready = views.into_iter().enumerate().map(|(i, view)| (place(i), view)).collect();
    }
}
