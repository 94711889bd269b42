//! Who did what.

use audit::{Head, Stored};
use axum::Json;
use serde::{Deserialize, Serialize};
use twin_api::{Problem, ProblemKind};
use twin_core::Timestamp;
use utoipa::{IntoParams, ToSchema};

use super::State;
use super::problem::{Query, Rejection};

/// Which records.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only those before this number: the `next` of the page before.
    before: Option<i64>,
    /// Only those since this moment, in milliseconds since 1970.
    since: Option<i64>,
    /// The most records, 1 to 1000; 100 when left out.
    limit: Option<u32>,
}

/// The end of the chain of records. Kept outside the gateway, it proves later that nothing before it was changed:
/// `twinspan audit verify --head NUMBER:DIGEST`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeadView {
    /// The number of the last record; 0 when there is none.
    pub seq: i64,
    /// Its SHA-256 digest, over all before it, in hexadecimal.
    pub digest: String,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordView {
    /// Its number.
    pub seq: i64,
    /// When it was written, in milliseconds since 1970.
    pub at: i64,
    /// Its SHA-256 digest, over all before it, in hexadecimal.
    pub digest: String,
    /// What was done: `action`, `by`, `role`, `from`, `subject`, `old`, `new`, `revision`, `outcome`, `answers`, `note`, each where
    /// there is one.
    #[schema(value_type = Object)]
    pub record: serde_json::Value,
}

/// Records, the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// They.
    pub items: Vec<RecordView>,
    /// Where to go on with `before`; none: these were the oldest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
    /// The end of the chain.
    pub head: HeadView,
}

impl From<Head> for HeadView {
    fn from(head: Head) -> Self {
        Self { seq: head.seq, digest: head.digest.to_string() }
    }
}

impl From<Stored> for RecordView {
    fn from(stored: Stored) -> Self {
        let Stored { seq, at, body, digest } = stored;
        // A text that was tampered with is shown as it is.
        let record = serde_json::from_str(&body).unwrap_or(serde_json::Value::String(body));
        Self { seq, at: at.as_millis(), digest: digest.to_string(), record }
    }
}

/// The records of who did what, the newest first.
#[utoipa::path(get, path = "/api/v1/audit", params(Which), tag = "audit",
    responses((status = 200, body = AuditPage), (status = 400, body = Problem), (status = 500, body = Problem)))]
pub(super) async fn page(
    axum::extract::State(state): axum::extract::State<State>,
    Query(which): Query<Which>,
) -> Result<Json<AuditPage>, Rejection> {
    let limit = which.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        return Err(Rejection::new(ProblemKind::BadRequest, "limit must be 1 to 1000"));
    }
    let book = state.audit.book();
    let page = book.page(which.before, which.since.map(Timestamp::from_millis), limit).await?;
    let next = page.records.last().filter(|_| page.more).map(|last| last.seq);
    let items = page.records.into_iter().map(RecordView::from).collect();
    Ok(Json(AuditPage { items, next, head: book.head().await?.into() }))
}

/// The end of the chain of records.
#[utoipa::path(get, path = "/api/v1/audit/head", tag = "audit",
    responses((status = 200, body = HeadView), (status = 500, body = Problem)))]
pub(super) async fn head(
    axum::extract::State(state): axum::extract::State<State>,
) -> Result<Json<HeadView>, Rejection> {
    Ok(Json(state.audit.book().head().await?.into()))
}
