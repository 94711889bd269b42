//! The history of one property.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, header};
use twin_api::{HistoryAsk, HistoryPage, HistoryQuery, HistoryRequest, Problem};

use super::State;
use super::devices::{id, unknown};
use super::problem::{Path, Query, Rejection};
use crate::clock::now;

/// What a property was: sample by sample, or put together in steps. As JSON or, with `format=csv` or `Accept: text/csv`,
/// as CSV, of which the header `twinspan-next` says how to go on.
#[utoipa::path(get, path = "/api/v1/devices/{namespace}/{name}/history", tag = "devices",
    params(("namespace" = String, Path), ("name" = String, Path), HistoryQuery),
    responses((status = 200, content((HistoryPage = "application/json"), (String = "text/csv"))),
        (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem, description = "No history is kept of the property")))]
pub(super) async fn page(
    axum::extract::State(state): axum::extract::State<State>,
    Path((namespace, name)): Path<(String, String)>,
    Query(query): Query<HistoryQuery>,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    let id = id(&namespace, &name)?;
    let stored = state.reader.twin(&id).await?;
    let (device, _) = stored.device.ok_or_else(|| unknown(&id))?;
    let request = HistoryRequest::read(&query, &id, &device.definition, accepts_csv(&headers), now())?;
    let before = match request.subject() {
        (property, from) if request.wants_before() => state.reader.sample_before(property, from).await?,
        _ => None,
    };
    let page = match &request.ask {
        HistoryAsk::Samples(range) => {
            let samples = state.reader.samples(range).await?;
            let samples: Vec<_> = samples.into_iter().map(|s| (s.seq, s.reading)).collect();
            request.samples(before.as_ref(), &samples)
        }
        HistoryAsk::Steps(span, fold) => {
            request.steps(before.as_ref(), &state.reader.buckets(span, *fold).await?)
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
