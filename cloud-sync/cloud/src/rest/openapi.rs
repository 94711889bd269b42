//! The OpenAPI document, made from the handlers.

use axum::Json;
use twin_api::EveryRoute;
use utoipa::OpenApi;

use super::{alarms, changes, desired, devices, events, health, history, nodes};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Twinspan cloud",
        description = "Twins of devices behind edge nodes: what they hold, what they should hold, and how far they \
                       have got. All moments are milliseconds since 1970 in UTC.",
        license(name = "Apache-2.0"),
    ),
    paths(
        nodes::list,
        nodes::one,
        alarms::list,
        alarms::of_node,
        devices::list,
        devices::one,
        devices::twin,
        history::page,
        desired::set,
        desired::remove,
        changes::list,
        events::stream,
        health::healthz,
        health::readyz,
    ),
    components(schemas(twin_api::ChangeView, twin_api::LongWish)),
    modifiers(&EveryRoute)
)]
struct Document;

/// The document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

pub(crate) async fn openapi_json() -> Json<utoipa::openapi::OpenApi> {
    std::future::ready(Json(document())).await
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_checked_in_is_that_of_the_handlers() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi/cloud.json");
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        let made = super::document().to_pretty_json().unwrap() + "\n";
        assert!(
            kept == made,
            "docs/openapi/cloud.json is not what the handlers say; renew it:\n\
             cargo run -p twinspan-cloud -- openapi > docs/openapi/cloud.json"
        );
    }
}
