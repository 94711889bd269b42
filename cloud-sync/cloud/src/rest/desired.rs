//! Setting and deleting desired values.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use cloud_store::TwinRows;
use twin_api::{Condition, FieldFault, Problem, ProblemKind, TwinView, Wish, etag, read_wishes};
use twin_core::{DeviceDefinition, DeviceId, PropertyId, Revision};

use super::Rest;
use super::answer::Failure;
use super::devices::{no_device, read_twin, tagged};
use super::nodes::unknown;
use super::parameters::{DevicePath, NoParameters, Peer, PropertyPath, Strict, condition, json_body};

/// Sets desired values of a device by a JSON merge patch: `{"PROPERTY": value, "OTHER": null}`, or for a value with an
/// end `{"PROPERTY": {"value": value, "valid_until": milliseconds}}`. All of them are set or none. With `If-Match` only
/// when the twin still has that `ETag`.
#[utoipa::path(patch, path = "/api/v1/nodes/{node}/devices/{namespace}/{name}/desired", tag = "desired",
    params(
        ("node" = String, Path, description = "The node's name"),
        ("namespace" = String, Path, description = "The device's namespace"),
        ("name" = String, Path, description = "The device's name"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the twin"),
    ),
    request_body(
        content = BTreeMap<String, serde_json::Value>,
        content_type = "application/merge-patch+json",
        description = "A value alone may stand for the object with a value in it; null deletes",
        example = json!({"mode": {"valid_until": 1900000000000i64, "value": "auto"}, "old": null, "speed": 1200}),
    ),
    responses(
        (status = 200, body = TwinView, headers(("ETag" = String, description = "For the next If-Match"))),
        (status = 412, body = Problem, content_type = "application/problem+json", description = "The ETag is stale"),
        (status = 422, body = Problem, content_type = "application/problem+json",
            description = "A value breaks its property's rule"),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn set(
    State(rest): State<Rest>,
    DevicePath { node, id }: DevicePath,
    Strict(NoParameters {}): Strict<NoParameters>,
    peer: Option<axum::Extension<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Result<([(HeaderName, String); 1], Json<TwinView>), Failure> {
    let if_match = condition(&headers, &header::IF_MATCH)?;
    let patch = json_body(&headers, body).await?;
    let now = (rest.now)();
    let rows = rest.store.twin(&node, &id).await?;
    let Some(device) = &rows.device else { return Err(no_device(&rest, &node, &id).await) };
    let wishes = read_wishes(&id, &device.body.definition, &patch, now)?;
    check_steps(&id, &device.body.definition, &rows, &wishes)?;
    let set_by = peer.map_or_else(|| "rest".to_owned(), |peer| format!("rest@{}", peer.0.0.ip()));
    let expected = expected(if_match, &id, rows.desired_revision)?;
    if wishes.is_empty() {
        // An empty patch changes nothing (RFC 7396).
        return Ok(tagged(read_twin(&rest, &node, &id).await?));
    }
    let wishes = wishes
        .into_iter()
        .map(|wish| {
            let property = PropertyId::new(id.clone(), wish.property);
            (property, wish.wanted.map(|wanted| wanted.into_desired(&set_by, now)))
        })
        .collect();
    rest.store.set_desired(&node, wishes, expected).await?;
    Ok(tagged(read_twin(&rest, &node, &id).await?))
}

/// Whether each wish is near enough to what was last read. The edge asks its guards again before the write.
fn check_steps(
    id: &DeviceId,
    definition: &DeviceDefinition,
    rows: &TwinRows,
    wishes: &[Wish],
) -> Result<(), Problem> {
    let far = wishes.iter().filter_map(|wish| {
        let guard = definition.properties.get(&wish.property)?.guard.as_ref()?;
        let reported = rows.reported.get(&wish.property).map(|row| &row.body);
        let no = guard.check_step_if_known(&wish.wanted.as_ref()?.value, reported).err()?;
        Some(FieldFault { name: wish.property.to_string(), detail: no.to_string() })
    });
    let faults: Vec<FieldFault> = far.collect();
    let Some(first) = faults.first() else { return Ok(()) };
    let detail = format!("{id} {}: {}", first.name, first.detail);
    Err(Problem::new(ProblemKind::UnacceptableValue, detail).with_faults(faults))
}

/// Deletes one desired value: nothing is wanted of that property any more. Deleting what is not there is no fault.
#[utoipa::path(delete, path = "/api/v1/nodes/{node}/devices/{namespace}/{name}/desired/{property}", tag = "desired",
    params(
        ("node" = String, Path, description = "The node's name"),
        ("namespace" = String, Path, description = "The device's namespace"),
        ("name" = String, Path, description = "The device's name"),
        ("property" = String, Path, description = "The property's name; `/` may stand as it is"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the twin"),
    ),
    responses(
        (status = 204),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn remove(
    State(rest): State<Rest>,
    PropertyPath { node, id }: PropertyPath,
    Strict(NoParameters {}): Strict<NoParameters>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let if_match = condition(&headers, &header::IF_MATCH)?;
    if rest.store.node(&node).await?.is_none() {
        return Err(unknown(&node));
    }
    let revision = rest.store.twin(&node, &id.device).await?.desired_revision;
    let expected = expected(if_match, &id.device, revision)?;
    rest.store.set_desired(&node, vec![(id, None)], expected).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The revision that the store is to find, so that of two who have read the same only one writes.
fn expected(
    if_match: Option<Condition>,
    id: &DeviceId,
    found: Revision,
) -> Result<Option<Revision>, Failure> {
    match if_match {
        None | Some(Condition::Any) => Ok(None),
        Some(condition) if condition.names(&found.to_string()) => Ok(Some(found)),
        Some(Condition::Tags(_)) => {
            let detail = format!("the desired values of {id} are at {}; read the twin again", etag(found));
            Err(Failure::new(ProblemKind::RevisionMismatch, detail))
        }
    }
}
