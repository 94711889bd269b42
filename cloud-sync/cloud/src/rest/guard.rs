//! What is true of every request: whom it is addressed to, how long it may take, what its answer says to a browser.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use twin_api::ProblemKind;

use super::answer::Failure;
use super::{Rest, changes};

/// The longest that a request may take besides the longest wait that it can ask for.
const TIME_LIMIT: Duration = Duration::from_secs(15);

/// The host names that requests may be addressed to; none: any. A page of another site that makes its own name point
/// to this machine is refused by it.
#[derive(Debug, Clone)]
pub(crate) struct Hosts(pub(crate) Option<Arc<[String]>>);

impl Hosts {
    fn allow(&self, host: Option<&str>) -> bool {
        let Some(names) = &self.0 else { return true };
        let Some(host) = host else { return false };
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            Some(_) | None => host,
        };
        let loopback = ["localhost", "127.0.0.1", "[::1]"];
        loopback.iter().any(|l| name.eq_ignore_ascii_case(l))
            || names.iter().any(|n| n.eq_ignore_ascii_case(name))
    }
}

pub(crate) async fn guard(State(rest): State<Rest>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    if !rest.hosts.allow(host) {
        let detail =
            "use http://localhost or http://127.0.0.1, or start the server with --host and this name";
        return finish(Failure::new(ProblemKind::HostRefused, detail).into_response());
    }
    let limit = TIME_LIMIT + changes::LONGEST_WAIT;
    let answer = tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        Failure::new(ProblemKind::Timeout, "the request took too long: try again, with less at once")
            .into_response()
    });
    finish(answer)
}

fn finish(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

pub(crate) async fn no_such_path(request: Request) -> Failure {
    let detail = format!("there is nothing at {}: /openapi.json lists what there is", request.uri().path());
    Failure::new(ProblemKind::NoSuchPath, detail)
}

pub(crate) async fn method_not_allowed(request: Request) -> Failure {
    let detail = format!("{} does not know {}", request.uri().path(), request.method());
    Failure::new(ProblemKind::MethodNotAllowed, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_and_those_given_are_answered_for() {
        let hosts = Hosts(Some(Arc::from(["plant.example".to_owned()])));
        for good in ["localhost", "LocalHost:8480", "127.0.0.1:1", "[::1]:80", "[::1]", "plant.example:9"] {
            assert!(hosts.allow(Some(good)), "{good}");
        }
        for bad in ["evil.example", "localhost.evil.example:8480", "127.0.0.1.evil.example", ""] {
            assert!(!hosts.allow(Some(bad)), "{bad}");
        }
        assert!(!hosts.allow(None));
        assert!(Hosts(None).allow(None));
    }
}
