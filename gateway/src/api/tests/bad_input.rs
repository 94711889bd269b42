use super::*;

#[tokio::test]
async fn what_is_not_known_or_not_well_formed_is_answered_with_a_problem() {
    let app = App::start().await;
    for (path, wanted) in [
        ("/nothing", (404, "no-such-path")),
        ("/api/v1/nothing", (404, "no-such-path")),
        ("/api/v1/devices/", (404, "no-such-path")),
        ("/api/v1/devices/default/nobody", (404, "unknown-device")),
        ("/api/v1/devices/Default/pump-1", (400, "bad-request")),
        ("/api/v1/devices/default/a%20b", (400, "bad-request")),
        ("/api/v1/devices/%ff/x", (400, "bad-request")),
        ("/api/v1/devices/%00/x/twin", (400, "bad-request")),
        ("/api/v1/devices/default/%2e%2e%2f/twin", (400, "bad-request")),
        ("/api/v1/devices?limit=0", (400, "bad-request")),
        ("/api/v1/devices?limit=1001", (400, "bad-request")),
        ("/api/v1/devices?limit=-1", (400, "bad-request")),
        ("/api/v1/devices?limit=1&limit=2", (400, "bad-request")),
        ("/api/v1/devices?state=sleeping", (400, "bad-request")),
        ("/api/v1/devices?label=line", (400, "bad-request")),
        ("/api/v1/devices?after=A/B", (400, "bad-request")),
        ("/api/v1/devices?colour=red", (400, "bad-request")),
        ("/api/v1/devices/default/pump-1?x=1", (400, "bad-request")),
        ("/api/v1/devices/default/pump-1/twin?x=1", (400, "bad-request")),
        ("/api/v1/devices/default/pump-1/override?x=1", (400, "bad-request")),
        ("/api/v1/changes?since=x", (400, "bad-request")),
        ("/api/v1/changes?since=1.2.3.4", (400, "bad-request")),
        ("/api/v1/changes?since=-1", (400, "bad-request")),
        ("/api/v1/changes?wait=61", (400, "bad-request")),
        ("/api/v1/changes?limit=0", (400, "bad-request")),
        ("/api/v1/changes?since=%ff", (400, "bad-request")),
        ("/api/v1/events?since=x", (400, "bad-request")),
        ("/api/v1/status?x=1", (400, "bad-request")),
        ("/api/v1/config?x=1", (400, "bad-request")),
        ("/api/v1/config/history?x=1", (400, "bad-request")),
        ("/healthz?x=1", (400, "bad-request")),
        ("/readyz?x=1", (400, "bad-request")),
        ("/metrics?x=1", (400, "bad-request")),
        ("/openapi.json?x=1", (400, "bad-request")),
        ("/api/v1/devices/default/pump-1/actions/poll", (405, "method-not-allowed")),
        ("/api/v1/config/apply", (405, "method-not-allowed")),
    ] {
        assert_eq!(app.get(path).await.problem(), wanted, "{path}");
    }
    let foreign =
        Request::builder().uri("/healthz").header("host", "example.com").body(Body::empty()).unwrap();
    assert_eq!(app.send(foreign).await.problem(), (403, "host-refused"));
    app.end().await;
}

#[tokio::test]
async fn a_method_that_is_not_known_is_told_those_that_are() {
    let app = App::start().await;
    let path = "/api/v1/devices/default/pump-1/override";
    for (method, status) in [("DELETE", 405), ("PUT", 405), ("TRACE", 405), ("BREW", 405), ("OPTIONS", 204)] {
        let request = request(Method::from_bytes(method.as_bytes()).unwrap(), path, &[], None);
        let answer = app.send(request).await;
        assert_eq!(answer.status, status, "{method}");
        assert_eq!(answer.headers["allow"], "GET,HEAD,PATCH", "{method}");
    }
    app.end().await;
}

#[tokio::test]
async fn a_body_that_cannot_be_taken_says_why() {
    let app = App::start().await;
    let send = async |method: &str, path: &str, content_type: &str, body: Vec<u8>| {
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request =
            if content_type.is_empty() { request } else { request.header("content-type", content_type) };
        app.send(request.body(Body::from(body)).unwrap()).await
    };
    let (patch, merge) = ("/api/v1/devices/default/pump-1/override", "application/merge-patch+json");
    for (content_type, body, wanted) in [
        ("", "{}", (415, "unsupported-media-type")),
        ("text/plain", "{}", (415, "unsupported-media-type")),
        ("application/xml+json", "{}", (415, "unsupported-media-type")),
        ("application/json-patch+json", "[]", (415, "unsupported-media-type")),
        (merge, "", (400, "bad-request")),
        (merge, "{", (400, "bad-request")),
        (merge, "[]", (400, "bad-request")),
        (merge, "1e999", (400, "bad-request")),
        (merge, "\"\\ud800\"", (400, "bad-request")),
        (merge, "{\"colour\": 1}", (404, "unknown-property")),
        (merge, "{\"speed\": 101}", (422, "unacceptable-value")),
        (merge, "{\"speed\": 1.5}", (422, "unacceptable-value")),
        (merge, "{\"speed\": {\"value\": 1, \"valid_until\": 5}}", (422, "unacceptable-value")),
        (merge, "{\"heat\": 1.0}", (422, "unacceptable-value")),
    ] {
        let answer = send("PATCH", patch, content_type, body.into()).await;
        assert_eq!(answer.problem(), wanted, "{content_type} {body}");
        assert_eq!(answer.headers.contains_key("accept-patch"), answer.status == 415);
    }
    for content_type in ["application/json", "Application/Merge-Patch+JSON; charset=utf-8"] {
        assert_eq!(send("PATCH", patch, content_type, "{\"speed\": 1}".into()).await.status, 200);
    }
    let long = vec![b' '; 1024 * 1024 + 1];
    assert_eq!(send("PATCH", patch, merge, long.clone()).await.problem(), (413, "too-large"));
    let pause = "/api/v1/devices/default/pump-1/actions/pause";
    for (content_type, body, wanted) in [
        ("text/plain", "{}", (415, "unsupported-media-type")),
        ("application/json", "[1]", (400, "bad-request")),
        ("application/json", "{\"why\": 1}", (400, "bad-request")),
    ] {
        assert_eq!(send("POST", pause, content_type, body.into()).await.problem(), wanted, "{body}");
    }
    let apply = "/api/v1/config/apply";
    for (content_type, body, wanted) in [
        ("", "{}", (415, "unsupported-media-type")),
        ("application/json", "{", (400, "bad-request")),
        ("application/json", "{}", (400, "bad-request")),
        ("application/json", "{\"texts\": {}, \"colour\": 1}", (400, "bad-request")),
    ] {
        assert_eq!(send("POST", apply, content_type, body.into()).await.problem(), wanted, "{body}");
    }
    let rollback = "/api/v1/config/rollback";
    let unknown = send("POST", rollback, "application/json", "{\"revision\": 9}".into()).await;
    assert_eq!(unknown.problem(), (404, "unknown-revision"));
    assert_eq!(app.post("/api/v1/config/reload", None).await.problem(), (409, "no-file"));
    app.end().await;
}
