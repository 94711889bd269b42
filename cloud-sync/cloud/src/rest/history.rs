//! The history of one property.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use twin_api::{HistoryAsk, HistoryPage, HistoryQuery, HistoryRequest, Problem};

use super::Rest;
use super::answer::Failure;
use super::devices::no_device;
use super::parameters::{DevicePath, Strict};

/// What a property was: sample by sample, or put together in steps. As JSON or, with `format=csv` or `Accept: text/csv`,
/// as CSV, of which the header `twinspan-next` says how to go on.
#[utoipa::path(get, path = "/api/v1/nodes/{node}/devices/{namespace}/{name}/history", tag = "devices",
    params(
        ("node" = String, Path, description = "The node's name"),
        ("namespace" = String, Path, description = "The device's namespace"),
        ("name" = String, Path, description = "The device's name"),
        HistoryQuery,
    ),
    responses(
        (status = 200, content((HistoryPage = "application/json"), (String = "text/csv"))),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn page(
    State(rest): State<Rest>,
    DevicePath { node, id }: DevicePath,
    Strict(query): Strict<HistoryQuery>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let device = rest.store.twin(&node, &id).await?.device;
    let Some(device) = device else { return Err(no_device(&rest, &node, &id).await) };
    let definition = &device.body.definition;
    let request = HistoryRequest::read(&query, &id, definition, accepts_csv(&headers), (rest.now)())?;
    let store = rest.store.history();
    let before = match request.subject() {
        (property, from) if request.wants_before() => store.sample_before(&node, property, from).await?,
        _ => None,
    };
    let page = match &request.ask {
        HistoryAsk::Samples(range) => request.samples(before.as_ref(), &store.samples(&node, range).await?),
        HistoryAsk::Steps(span, fold) => {
            request.steps(before.as_ref(), &store.buckets(&node, span, *fold).await?)
        }
    };
    if !request.csv {
        return Ok(Json(page).into_response());
    }
    let next = page.next.clone().map(|next| [(HistoryPage::NEXT_HEADER, next)]);
    let body = ([(header::CONTENT_TYPE, HistoryPage::CSV_TYPE)], page.csv());
    Ok(match next {
        Some(next) => (next, body).into_response(),
        None => body.into_response(),
    })
}

/// Whether CSV is what is asked for.
fn accepts_csv(headers: &HeaderMap) -> bool {
    let wanted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    wanted.split(',').any(|media| media.trim().to_ascii_lowercase().starts_with("text/csv"))
}
