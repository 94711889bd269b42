use super::*;

#[tokio::test]
async fn nodes_are_listed_with_their_links() {
    let app = App::with_pumps().await;
    insta::assert_json_snapshot!(app.get("/api/v1/nodes").await.shown(), @r#"
        [
          200,
          {
            "items": [
              {
                "connected_since": 900,
                "devices": 2,
                "first_seen": "[ms]",
                "last_seen": "[ms]",
                "link": "connected",
                "name": "edge-1"
              }
            ]
          }
        ]
        "#);
    assert_eq!(app.get("/api/v1/nodes/edge-1").await.body["name"], "edge-1");
    insta::assert_json_snapshot!(app.get("/api/v1/nodes/edge-9").await.shown(), @r#"
        [
          404,
          {
            "detail": "no node edge-9 has ever joined: GET /api/v1/nodes lists those that have",
            "status": 404,
            "title": "There is no such node",
            "type": "urn:twinspan:problem:unknown-node"
          }
        ]
        "#);
}

#[tokio::test]
async fn devices_are_listed_and_filtered_page_by_page() {
    let app = App::with_pumps().await;
    let base = "/api/v1/nodes/edge-1/devices";
    insta::assert_json_snapshot!(app.get(&format!("{base}?limit=1")).await.shown(), @r#"
        [
          200,
          {
            "items": [
              {
                "id": "default/pump-1",
                "labels": {
                  "line": "1"
                },
                "name": "pump-1",
                "namespace": "default",
                "not_good": 0,
                "properties": 2,
                "protocol": "modbus",
                "revision": 1,
                "state": "online",
                "state_since": 5
              }
            ],
            "next": "default/pump-1"
          }
        ]
        "#);
    for (query, found) in [
        ("", json!(["pump-1", "pump-2"])),
        ("?after=default/pump-1", json!(["pump-2"])),
        ("?label=line%3D2", json!(["pump-2"])),
        ("?label=line=3", json!([])),
        ("?protocol=modbus&state=online", json!(["pump-1"])),
        ("?quality=bad", json!(["pump-2"])),
        ("?quality=good", json!(["pump-1"])),
    ] {
        let body = app.get(&format!("{base}{query}")).await.body;
        let names: Json = body["items"].as_array().unwrap().iter().map(|d| d["name"].clone()).collect();
        assert_eq!(names, found, "{query}");
    }
    assert_eq!(app.get(&format!("{base}/default/pump-2")).await.body["state"], "offline");
}

#[tokio::test]
async fn a_wish_is_pending_until_the_device_answers_and_then_in_sync_or_refused() {
    let mut app = App::with_pumps().await;
    let device = "/api/v1/nodes/edge-1/devices/default/pump-1";
    let desired = format!("{device}/desired");
    let answer = app.patch(&desired, json!({"speed": 1200})).await;
    assert_eq!(answer.headers["etag"], "\"1\"");
    insta::assert_json_snapshot!(answer.shown(), @r#"
        [
          200,
          {
            "desired_revision": 1,
            "device": {
              "id": "default/pump-1",
              "labels": {
                "line": "1"
              },
              "name": "pump-1",
              "namespace": "default",
              "not_good": 0,
              "properties": 2,
              "protocol": "modbus",
              "revision": 1,
              "state": "online",
              "state_since": 5
            },
            "properties": {
              "in/pressure": {
                "convergence": {
                  "state": "none"
                },
                "definition": {
                  "access": "read",
                  "type": "float"
                }
              },
              "speed": {
                "convergence": {
                  "state": "pending"
                },
                "definition": {
                  "access": "read_write",
                  "range": {
                    "max": 3000.0,
                    "min": 0.0
                  },
                  "type": "float",
                  "unit": "rpm"
                },
                "desired": {
                  "revision": 1,
                  "set_at": 1000,
                  "set_by": "rest",
                  "value": 1200.0
                },
                "effective": {
                  "part": "desired",
                  "revision": 1,
                  "value": 1200.0
                },
                "reported": {
                  "cloud_time": "[ms]",
                  "gateway_time": 20,
                  "quality": "good",
                  "revision": 3,
                  "value": 900.0
                }
              }
            }
          }
        ]
        "#);
    let speed = Value::float(1200.0).unwrap();
    app.node_says(vec![reported(
        1,
        "speed",
        speed.clone(),
        Quality::Good,
        outcome(1, 1200.0, WriteResult::Applied),
    )])
    .await;
    let twin = app.get(&format!("{device}/twin")).await;
    assert_eq!(twin.headers["etag"], "\"1\"");
    assert_eq!(twin.body["properties"]["speed"]["convergence"], json!({"state": "in_sync"}));
    app.patch(&desired, json!({"speed": {"value": 1300, "valid_until": NOW + 1}})).await;
    let refused = WriteResult::Refused { reason: "interlock".into() };
    app.node_says(vec![reported(1, "speed", speed, Quality::Good, outcome(2, 1300.0, refused))]).await;
    let twin = app.get(&format!("{device}/twin")).await;
    assert_eq!(
        twin.body["properties"]["speed"]["convergence"],
        json!({"state": "refused", "reason": "interlock"})
    );
}

#[tokio::test]
async fn a_stale_if_match_changes_nothing() {
    let app = App::with_pumps().await;
    let desired = "/api/v1/nodes/edge-1/devices/default/pump-1/desired";
    let with = |tag: &str, speed: i64| {
        let mut request = request(Method::PATCH, desired, Some(&json!({"speed": speed})));
        request.headers_mut().insert("if-match", tag.parse().unwrap());
        request
    };
    assert_eq!(app.send(with("\"0\"", 1)).await.status, 200);
    insta::assert_json_snapshot!(app.send(with("\"0\"", 2)).await.shown(), @r#"
        [
          412,
          {
            "detail": "the desired values of default/pump-1 are at \"1\"; read the twin again",
            "status": 412,
            "title": "It has been changed meanwhile",
            "type": "urn:twinspan:problem:revision-mismatch"
          }
        ]
        "#);
    assert_eq!(app.send(with("\"1\"", 2)).await.status, 200);
    assert_eq!(app.send(with("*", 3)).await.status, 200);
    assert_eq!(app.send(with("W/\"3\"", 4)).await.status, 412);
}

#[tokio::test]
async fn a_wish_that_is_deleted_is_wanted_no_more() {
    let app = App::with_pumps().await;
    let device = "/api/v1/nodes/edge-1/devices/default/pump-1";
    app.patch(&format!("{device}/desired"), json!({"speed": 1200})).await;
    let delete = |property: &str| request(Method::DELETE, &format!("{device}/desired/{property}"), None);
    assert_eq!(app.send(delete("speed")).await.status, 204);
    assert_eq!(
        app.send(delete("speed")).await.status,
        204,
        "it is not there any more, which is what was asked"
    );
    assert_eq!(app.send(delete("in/pressure")).await.status, 204, "a name may hold a slash");
    assert_eq!(app.send(delete("colour")).await.status, 404);
    let twin = app.get(&format!("{device}/twin")).await;
    assert_eq!(twin.body["properties"]["speed"]["convergence"], json!({"state": "none"}));
    assert_eq!(twin.headers["etag"], "\"2\"");
}

#[tokio::test]
async fn the_page_runs_nothing_but_its_own_script() {
    let app = App::empty().await;
    let answer = app.raw(request(Method::GET, "/", None)).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
    let page = answer.into_body().collect().await.unwrap().to_bytes();
    let page = String::from_utf8(page.to_vec()).unwrap();
    assert_eq!((page.matches("<script").count(), page.matches("<style").count()), (1, 1));
    for forbidden in
        ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "style=\"", "onclick=", "://"]
    {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}

#[tokio::test]
async fn health_is_told_and_what_is_not_ready_is_named() {
    let app = App::empty().await;
    assert_eq!(app.get("/healthz").await.body["status"], "ok");
    assert_eq!(app.get("/readyz").await.shown(), json!([200, {"ready": true}]));
    app.store.close().await;
    app.stop.cancel();
    insta::assert_json_snapshot!(app.get("/readyz").await.shown(), @r#"
        [
          503,
          {
            "not_ready": [
              {
                "name": "store",
                "why": "the store is closed"
              },
              {
                "name": "server",
                "why": "it is stopping"
              }
            ],
            "ready": false
          }
        ]
        "#);
    assert_eq!(app.get("/api/v1/nodes").await.status, 503);
}
