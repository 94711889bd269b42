//! Changes as they happen: server-sent events (WHATWG HTML, 9.2). The id of an event is the place of its change, so a
//! browser that reconnects goes on where it was.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use cloud_store::Committed;
use futures_util::Stream;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};
use twin_api::{PartWord, Problem, ProblemKind};
use twin_core::NodeName;
use utoipa::IntoParams;

use super::answer::Failure;
use super::changes::{check_since, node_name};
use super::parameters::Strict;
use super::{Rest, views};

/// The most changes read at once.
const PAGE: usize = 200;
/// Changes of one document that come closer together than this are told as one.
const GATHER: Duration = Duration::from_millis(3);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StreamQuery {
    /// Only changes after this place; when left out, from now on. `Last-Event-ID` goes before it.
    since: Option<u64>,
    /// Only changes of this node.
    node: Option<String>,
}

/// Streams changes as they happen. The first event, `start`, tells the place from which the stream goes on; each
/// `change` has the place of the change as its id and a ChangeView as its data. A client that was away sends
/// `Last-Event-ID`, as browsers do, and misses nothing; `nodes` tells that a link came up or went
/// down; when that is no longer possible the stream begins with `reset`
/// and the client is to read everything again.
#[utoipa::path(get, path = "/api/v1/events", tag = "changes",
    params(StreamQuery, ("Last-Event-ID" = Option<u64>, Header, description = "The id of the last event seen")),
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn stream(
    State(rest): State<Rest>,
    Strict(query): Strict<StreamQuery>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let node = node_name(query.node)?;
    let seen = match headers.get("last-event-id") {
        None => query.since,
        Some(id) => {
            let id = id.to_str().ok().and_then(|id| id.trim().parse().ok());
            Some(
                id.ok_or_else(|| Failure::bad_request("Last-Event-ID must be the id of an event: a number"))?,
            )
        }
    };
    let permit = Arc::clone(&rest.streams).try_acquire_owned().map_err(|_| {
        Failure::new(
            ProblemKind::Unavailable,
            "too many event streams are open: close one or try again later",
        )
    })?;
    let committed = rest.store.changes();
    let links = rest.links.changes.clone();
    let (_, last) = rest.store.changes_range().await?;
    let complete = match seen {
        None => true,
        Some(since) => match check_since(&rest, since).await {
            Ok(()) => true,
            Err(failure) if failure.0.status == ProblemKind::ChangesGone.status() => false,
            Err(failure) => return Err(failure),
        },
    };
    let since = seen.filter(|_| complete).unwrap_or(last);
    let first = Event::default()
        .event(if complete { "start" } else { "reset" })
        .id(since.to_string())
        .data(format!("{{\"seq\":{since}}}"))
        .retry(Duration::from_secs(2));
    let follower =
        Follower { rest, node, since, ready: VecDeque::from([first]), committed, links, _permit: permit };
    let events = futures_util::stream::unfold(follower, |mut follower| async move {
        follower.next().await.map(|event| (Ok(event), follower))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

struct Follower {
    rest: Rest,
    node: Option<NodeName>,
    since: u64,
    ready: VecDeque<Event>,
    committed: broadcast::Receiver<Arc<Committed>>,
    links: watch::Receiver<u64>,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    /// The next event; none when the server stops.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.rest.stop.is_cancelled() {
                return None;
            }
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let page = match self.rest.store.changes_page(self.since, self.node.as_ref(), PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(%error, "an event stream ends");
                    return None;
                }
            };
            self.since = page.up_to;
            for change in views::changes(&page, (self.rest.now)()) {
                let kind = if change.part == PartWord::Alarm { "alarm" } else { "change" };
                let event = Event::default().event(kind).id(change.seq.to_string());
                self.ready.extend(event.json_data(&change));
            }
            if self.ready.is_empty() {
                let stop = self.rest.stop.clone();
                tokio::select! {
                    // Having missed some is as good as having seen one: the next page tells.
                    _ = self.committed.recv() => {}
                    Ok(()) = self.links.changed() => {
                        self.ready.push_back(Event::default().event("nodes").data("{}"));
                    }
                    () = stop.cancelled() => return None,
                }
                tokio::time::sleep(GATHER).await;
            }
        }
    }
}
