//! Alarms as the edges have told them. They are acknowledged and shelved where they are: at the edge.

use axum::Json;
use axum::extract::State;
use cloud_store::{AlarmFilter, AlarmRow};
use serde::Deserialize;
use twin_api::{AlarmPage, AlarmView, Problem, read_words};
use twin_core::NodeName;
use utoipa::IntoParams;

use super::Rest;
use super::answer::Failure;
use super::devices::limit;
use super::nodes::unknown;
use super::parameters::{NodePath, Strict};

/// The most alarms on a page.
const MOST: usize = 1000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only those in these states, with commas: active, acknowledged, cleared_unacknowledged, cleared, shelved.
    state: Option<String>,
    /// Only those of these severities, with commas: info, warning, critical.
    severity: Option<String>,
    /// Only those of this device, `namespace/name`.
    device: Option<String>,
    /// Only alarms after this one: `next` of the page before.
    after: Option<String>,
    /// The most alarms on the page, 1 to 1000; 100 when left out.
    limit: Option<usize>,
}

/// Lists the alarms of all nodes in order of node, device, property and rule.
#[utoipa::path(get, path = "/api/v1/alarms", tag = "alarms", params(ListQuery),
    responses(
        (status = 200, body = AlarmPage),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    Strict(query): Strict<ListQuery>,
) -> Result<Json<AlarmPage>, Failure> {
    page(&rest, None, query).await.map(Json)
}

/// Lists the alarms of a node in order of device, property and rule.
#[utoipa::path(get, path = "/api/v1/nodes/{node}/alarms", tag = "alarms",
    params(("node" = String, Path, description = "The node's name"), ListQuery),
    responses(
        (status = 200, body = AlarmPage),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn of_node(
    State(rest): State<Rest>,
    NodePath(node): NodePath,
    Strict(query): Strict<ListQuery>,
) -> Result<Json<AlarmPage>, Failure> {
    let page = page(&rest, Some(node.clone()), query).await?;
    if page.items.is_empty() && rest.store.node(&node).await?.is_none() {
        return Err(unknown(&node));
    }
    Ok(Json(page))
}

async fn page(rest: &Rest, node: Option<NodeName>, query: ListQuery) -> Result<AlarmPage, Failure> {
    let limit = limit(query.limit, MOST)?;
    let filter = AlarmFilter {
        node,
        states: read_words(query.state.as_deref())?,
        severities: read_words(query.severity.as_deref())?,
        device: query.device,
    };
    let mut rows = rest.store.alarms(&filter, query.after.as_deref(), limit + 1).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(AlarmRow::place);
    let view = |row: &AlarmRow| AlarmView::new(Some(row.node.as_str()), &row.id, &row.alarm, row.revision);
    Ok(AlarmPage { items: rows.iter().map(view).collect(), next })
}
