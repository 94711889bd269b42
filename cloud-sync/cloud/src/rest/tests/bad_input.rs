use super::*;

#[tokio::test]
async fn every_bad_request_gets_a_problem_that_says_what_to_do() {
    let app = App::with_pumps().await;
    let node = "/api/v1/nodes/edge-1";
    let pump = "/api/v1/nodes/edge-1/devices/default/pump-1";
    let get = |path: &str| request(Method::GET, path, None);
    let patch = |body: &str| {
        let mut request = request(Method::PATCH, &format!("{pump}/desired"), Some(&Json::Null));
        *request.body_mut() = Body::from(body.to_owned());
        request
    };
    let without_type = |mut request: Request<Body>| {
        request.headers_mut().remove("content-type");
        request
    };
    let host = |name: &str| {
        let mut request = get("/api/v1/nodes");
        request.headers_mut().insert("host", name.parse().unwrap());
        request
    };
    let event_id = || {
        let mut request = get("/api/v1/events");
        request.headers_mut().insert("last-event-id", "abc".parse().unwrap());
        request
    };
    let deep = format!("{{\"speed\": {}1{}}}", "[".repeat(500), "]".repeat(500));
    let large = format!("{{\"speed\": \"{}\"}}", "x".repeat(1024 * 1024));
    for (request, status, slug, words) in [
        (get("/nothing"), 404, "no-such-path", "/openapi.json"),
        (get("/api/v1/nodes/"), 404, "no-such-path", "nothing"),
        (request(Method::POST, "/api/v1/nodes", None), 405, "method-not-allowed", "POST"),
        (get("/api/v1/nodes/Bad_Name"), 400, "bad-request", "use 1 to 63"),
        (get("/api/v1/nodes/%FF"), 400, "bad-request", "path cannot be read"),
        (get("/api/v1/nodes?page=2"), 400, "bad-request", "unknown field `page`"),
        (get("/api/v1/nodes/edge-9/devices"), 404, "unknown-node", "edge-9"),
        (get(&format!("{node}/devices?state=broken")), 400, "bad-request", "unknown variant `broken`"),
        (get(&format!("{node}/devices?stat=online")), 400, "bad-request", "unknown field `stat`"),
        (get(&format!("{node}/devices?state=online&state=offline")), 400, "bad-request", "duplicate field"),
        (get(&format!("{node}/devices?label=line")), 400, "bad-request", "KEY=VALUE"),
        (get(&format!("{node}/devices?limit=0")), 400, "bad-request", "between 1 and 1000"),
        (get(&format!("{node}/devices?limit=many")), 400, "bad-request", "invalid digit"),
        (get(&format!("{node}/devices?after=A%20B")), 400, "bad-request", "use 1 to 63"),
        (get(&format!("{node}/devices/default/pump-9/twin")), 404, "unknown-device", "lists its devices"),
        (get(&format!("{pump}/twin?full=1")), 400, "bad-request", "unknown field"),
        (get("/api/v1/changes?since=-1"), 400, "bad-request", "invalid digit"),
        (get("/api/v1/changes?since=99"), 410, "changes-gone", "since=0"),
        (get("/api/v1/changes?wait=61"), 400, "bad-request", "0 and 60"),
        (get("/api/v1/changes?node=A%20B"), 400, "bad-request", "node: "),
        (event_id(), 400, "bad-request", "Last-Event-ID"),
        (patch("not json"), 400, "bad-request", "not JSON"),
        (patch("[]"), 400, "bad-request", "must be a JSON object"),
        (patch(&deep), 400, "bad-request", "recursion limit"),
        (patch(&large), 413, "too-large", "at most 1048576"),
        (patch("{\"colour\": 1}"), 404, "unknown-property", "it has in/pressure, speed"),
        (patch("{\"in/pressure\": 1}"), 422, "unacceptable-value", "read only"),
        (patch("{\"speed\": 3001}"), 422, "unacceptable-value", "outside the range 0 to 3000"),
        (patch("{\"speed\": \"fast\"}"), 422, "unacceptable-value", "write a finite number"),
        (patch("{\"speed\": {\"value\": 1, \"valid_until\": 1}}"), 422, "unacceptable-value", "is past"),
        (without_type(patch("{\"speed\": 1}")), 415, "unsupported-media-type", "merge-patch+json"),
        (host("evil.example"), 403, "host-refused", "--host"),
    ] {
        let shown = format!("{} {}", request.method(), request.uri());
        let answer = app.send(request).await;
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{shown}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{shown}");
        assert_eq!(
            (answer.status, answer.body["type"].as_str().unwrap()),
            (status, &*format!("urn:twinspan:problem:{slug}")),
            "{shown}"
        );
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{shown}: {detail}");
    }
    assert_eq!(app.get(&format!("{pump}/twin")).await.body["desired_revision"], 0, "nothing was set");
}
