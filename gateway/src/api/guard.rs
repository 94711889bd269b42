//! Which names are answered for. A page of some other site, open in a browser on a machine that may come in, must not:
//! without TLS only names of this machine are answered for, and no request of another origin ever.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header;
use twin_api::ProblemKind;

use super::doors::Peer;
use super::problem::Rejection;

pub(super) async fn own_names_only(request: Request, next: Next) -> Response {
    let tls = request.extensions().get::<Peer>().is_some_and(|peer| peer.tls);
    if tls {
        return match foreign_origin(&request) {
            Some(name) => {
                let detail = format!("this gateway takes no requests of pages of {name}");
                Rejection::new(ProblemKind::HostRefused, detail).into_response()
            }
            None => next.run(request).await,
        };
    }
    match foreign_name(&request) {
        Some(name) => {
            let detail = format!("this gateway answers for localhost, 127.0.0.1 and [::1], not for {name}");
            Rejection::new(ProblemKind::HostRefused, detail).into_response()
        }
        None => next.run(request).await,
    }
}

/// The host that the request names, and the origin of the page that makes it.
fn names(request: &Request) -> (Option<&str>, Option<&str>) {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    let origin = text(header::ORIGIN).map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    (host, origin)
}

fn foreign_origin(request: &Request) -> Option<String> {
    let (host, origin) = names(request);
    origin.filter(|origin| Some(*origin) != host).map(|origin| origin.chars().take(100).collect())
}

fn foreign_name(request: &Request) -> Option<String> {
    let (host, origin) = names(request);
    let foreign = [host, origin].into_iter().flatten().find(|name| !is_local(name));
    foreign.map(|name| name.chars().take(100).collect())
}

fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn only_names_of_this_machine_are_local() {
        for name in ["localhost", "LocalHost:80", "127.0.0.1:7480", "127.1.2.3", "[::1]:7480", "[::1]"] {
            assert!(is_local(name), "{name}");
        }
        for name in ["example.com", "localhost.example.com:80", "10.0.0.1", "", "127.0.0.1.nip.io", "null"] {
            assert!(!is_local(name), "{name}");
        }
    }
}
