//! The page: one file, nothing from outside.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{Html, IntoResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

const PAGE: &str = include_str!("page.html");

/// Only the page's own script and style run; only this server is asked (CSP level 3).
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |open: &str, close: &str| {
        let inside =
            PAGE.split_once(open).and_then(|(_, rest)| rest.split_once(close)).map_or("", |(i, _)| i);
        BASE64.encode(Sha256::digest(inside))
    };
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash("<script>", "</script>"),
        hash("<style>", "</style>")
    )
});

pub(crate) async fn page() -> impl IntoResponse {
    let headers =
        [(header::CONTENT_SECURITY_POLICY, POLICY.as_str()), (header::REFERRER_POLICY, "no-referrer")];
    std::future::ready((headers, Html(PAGE))).await
}
