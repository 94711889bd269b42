//! Devices and their twins.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use cloud_store::DeviceFilter;
use serde::Deserialize;
use twin_api::{DevicePage, DeviceView, Problem, ProblemKind, QualityWord, StateWord, TwinView, etag};
use twin_core::{DeviceId, NodeName, Revision};
use utoipa::IntoParams;

use super::answer::Failure;
use super::nodes::unknown;
use super::parameters::{DevicePath, NoParameters, NodePath, Strict};
use super::{Rest, views};

/// The most devices on a page.
const MOST: usize = 1000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only devices with this label: `KEY=VALUE`.
    label: Option<String>,
    /// Only devices served by this protocol.
    protocol: Option<String>,
    /// Only devices in this state.
    state: Option<StateWord>,
    /// Only devices with at least one property of this quality.
    quality: Option<QualityWord>,
    /// Only devices after this one: `next` of the page before.
    after: Option<String>,
    /// The most devices on the page, 1 to 1000; 100 when left out.
    limit: Option<usize>,
}

/// Lists devices of a node in order of name.
#[utoipa::path(get, path = "/api/v1/nodes/{node}/devices", tag = "devices",
    params(("node" = String, Path, description = "The node's name"), ListQuery),
    responses(
        (status = 200, body = DevicePage),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    NodePath(node): NodePath,
    Strict(query): Strict<ListQuery>,
) -> Result<Json<DevicePage>, Failure> {
    let limit = limit(query.limit, MOST)?;
    let label = match query.label.as_deref().map(|label| label.split_once('=')) {
        None => None,
        Some(Some((key, value))) => Some((key.to_owned(), value.to_owned())),
        Some(None) => return Err(Failure::bad_request("label must be written KEY=VALUE")),
    };
    let after: Option<DeviceId> = query
        .after
        .map(|after| after.parse())
        .transpose()
        .map_err(|error| Failure::bad_request(format!("after: {error}")))?;
    let filter = DeviceFilter {
        label,
        protocol: query.protocol,
        state: query.state.map(Into::into),
        quality: query.quality.map(|word| word.as_str().to_owned()),
    };
    let mut rows = rest.store.devices(&node, &filter, after.as_ref(), limit + 1).await?;
    if rows.is_empty() && rest.store.node(&node).await?.is_none() {
        return Err(unknown(&node));
    }
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| row.id.to_string());
    Ok(Json(DevicePage { items: rows.iter().map(views::device).collect(), next }))
}

/// Shows one device.
#[utoipa::path(get, path = "/api/v1/nodes/{node}/devices/{namespace}/{name}", tag = "devices",
    params(
        ("node" = String, Path, description = "The node's name"),
        ("namespace" = String, Path, description = "The device's namespace"),
        ("name" = String, Path, description = "The device's name"),
    ),
    responses(
        (status = 200, body = DeviceView),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn one(
    State(rest): State<Rest>,
    DevicePath { node, id }: DevicePath,
    Strict(NoParameters {}): Strict<NoParameters>,
) -> Result<Json<DeviceView>, Failure> {
    Ok(Json(read_twin(&rest, &node, &id).await?.device))
}

/// Shows one device with all its properties. The `ETag` is the revision of its desired values.
#[utoipa::path(get, path = "/api/v1/nodes/{node}/devices/{namespace}/{name}/twin", tag = "devices",
    params(
        ("node" = String, Path, description = "The node's name"),
        ("namespace" = String, Path, description = "The device's namespace"),
        ("name" = String, Path, description = "The device's name"),
    ),
    responses(
        (status = 200, body = TwinView, headers(("ETag" = String, description = "For If-Match"))),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn twin(
    State(rest): State<Rest>,
    DevicePath { node, id }: DevicePath,
    Strict(NoParameters {}): Strict<NoParameters>,
) -> Result<([(HeaderName, String); 1], Json<TwinView>), Failure> {
    let twin = read_twin(&rest, &node, &id).await?;
    Ok(tagged(twin))
}

pub(crate) fn tagged(twin: TwinView) -> ([(HeaderName, String); 1], Json<TwinView>) {
    let tag = etag(Revision::new(twin.desired_revision));
    ([(header::ETAG, tag)], Json(twin))
}

pub(crate) async fn read_twin(rest: &Rest, node: &NodeName, id: &DeviceId) -> Result<TwinView, Failure> {
    let rows = rest.store.twin(node, id).await?;
    match views::twin(id, &rows, (rest.now)()) {
        Some(twin) => Ok(twin),
        None => Err(no_device(rest, node, id).await),
    }
}

/// Whether it is the node or the device that is not known.
pub(crate) async fn no_device(rest: &Rest, node: &NodeName, id: &DeviceId) -> Failure {
    match rest.store.node(node).await {
        Err(error) => error.into(),
        Ok(None) => unknown(node),
        Ok(Some(_)) => {
            let detail =
                format!("node {node} has no device {id}: GET /api/v1/nodes/{node}/devices lists its devices");
            Failure::new(ProblemKind::UnknownDevice, detail)
        }
    }
}

/// A page's size.
pub(crate) fn limit(limit: Option<usize>, most: usize) -> Result<usize, Failure> {
    match limit {
        None => Ok(100),
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(_) => Err(Failure::bad_request(format!("limit must lie between 1 and {most}"))),
    }
}
