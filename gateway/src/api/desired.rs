//! What is not written here: desired values are the cloud's.

use twin_api::{Problem, ProblemKind};

use super::State;
use super::devices;
use super::input::{MergePatch, NoQuery};
use super::problem::{Path, Rejection};

/// Refused: each part of a twin has one author, and that of `desired` is the cloud. The answer says what to do here.
#[utoipa::path(patch, path = "/api/v1/devices/{namespace}/{name}/desired", tag = "devices",
    params(("namespace" = String, Path), ("name" = String, Path)),
    request_body(content = std::collections::BTreeMap<String, serde_json::Value>,
        content_type = "application/merge-patch+json"),
    responses((status = 400, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn set(
    axum::extract::State(state): axum::extract::State<State>,
    Path((namespace, name)): Path<(String, String)>,
    NoQuery: NoQuery,
    MergePatch(_): MergePatch,
) -> Result<(), Rejection> {
    let id = devices::id(&namespace, &name)?;
    devices::show(&state, &id).await?;
    let whose = if state.overview.link.is_some() {
        "desired values are written in the cloud"
    } else {
        "desired values are written in the cloud, and no cloud is configured"
    };
    let detail = format!("{whose}; here set an override: PATCH /api/v1/devices/{id}/override");
    Err(Rejection::new(ProblemKind::WrittenElsewhere, detail))
}
