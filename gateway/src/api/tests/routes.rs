use super::*;

#[tokio::test]
async fn devices_are_listed_page_by_page_and_filtered() {
    let app = App::start().await;
    app.report("pump-2", "heat", Value::Int(0), Quality::Bad(Why::PointRefused)).await;
    app.report("pump-1", "heat", Value::float(1.5).unwrap(), Quality::Good).await;
    app.service.state("pump-2".parse().unwrap(), DeviceState::Offline).await.unwrap();
    let names = |answer: &Answer| -> Vec<String> {
        let items = answer.body["items"].as_array().unwrap();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    let first = app.get("/api/v1/devices?limit=2").await;
    assert_eq!(
        (names(&first), &first.body["next"]),
        (vec!["outside".into(), "pump-1".into()], &json!("default/pump-1"))
    );
    let second = app.get("/api/v1/devices?limit=2&after=default/pump-1").await;
    assert_eq!((names(&second), second.body.get("next")), (vec!["pump-2".to_owned()], None));
    for (query, wanted) in [
        ("protocol=modbus", "pump-1 pump-2"),
        ("protocol=", "outside"),
        ("state=offline", "pump-2"),
        ("quality=good", "outside pump-1"),
        ("quality=bad", "pump-2"),
        ("quality=uncertain", ""),
        ("model=pump", "pump-1 pump-2"),
        ("model=fan", ""),
        ("label=line%3D2", "pump-2"),
        ("label=line=1", "pump-1"),
        ("text=PUMP", "pump-1 pump-2"),
        ("text=the%20sp", "pump-2"),
        ("text=default/o", "outside"),
        ("paused=true", ""),
        ("paused=false&limit=1", "outside"),
    ] {
        let answer = app.get(&format!("/api/v1/devices?{query}")).await;
        assert_eq!(names(&answer).join(" "), wanted, "{query}: {}", answer.body);
    }
    app.end().await;
}

#[tokio::test]
async fn a_device_of_an_outside_mapper_and_its_twin_are_shown() {
    let app = App::start().await;
    insta::assert_json_snapshot!(app.get("/api/v1/devices/default/outside").await.shown(), @r#"
    [
      200,
      {
        "id": "default/outside",
        "name": "outside",
        "namespace": "default",
        "not_good": 0,
        "properties": 1,
        "protocol": "",
        "revision": 1,
        "state": "unknown"
      }
    ]
    "#);
    insta::assert_json_snapshot!(app.get("/api/v1/devices/default/outside/twin").await.shown(), @r#"
    [
      200,
      {
        "desired_revision": 0,
        "device": {
          "id": "default/outside",
          "name": "outside",
          "namespace": "default",
          "not_good": 0,
          "properties": 1,
          "protocol": "",
          "revision": 1,
          "state": "unknown"
        },
        "properties": {
          "level": {
            "convergence": {
              "state": "none"
            },
            "definition": {
              "access": "read_write",
              "type": "int"
            },
            "reported": {
              "gateway_time": 20,
              "quality": "good",
              "revision": 4,
              "value": 7
            }
          }
        }
      }
    ]
    "#);
    insta::assert_json_snapshot!(app.get("/api/v1/devices/default/nobody/twin").await.shown(), @r#"
    [
      404,
      {
        "detail": "there is no device default/nobody; GET /api/v1/devices lists them",
        "status": 404,
        "title": "There is no such device",
        "type": "urn:twinspan:problem:unknown-device"
      }
    ]
    "#);
    app.end().await;
}

#[tokio::test]
async fn a_twin_that_is_as_it_was_is_not_sent_again() {
    let app = App::start().await;
    let path = "/api/v1/devices/default/outside/twin";
    let tag = app.get(path).await.tag().to_owned();
    let ask = async |condition: &str| {
        app.send(request(Method::GET, path, &[("if-none-match", condition)], None)).await
    };
    for condition in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        let same = ask(&condition).await;
        assert_eq!((same.status, same.tag(), &same.body), (304, tag.as_str(), &Json::Null), "{condition}");
    }
    assert_eq!(ask("\"x\"").await.status, 200);
    assert_eq!(ask("x").await.problem(), (400, "bad-request"));
    let head = app.send(request(Method::HEAD, path, &[], None)).await;
    assert_eq!((head.status, head.tag(), &head.body), (200, tag.as_str(), &Json::Null));
    app.report("outside", "level", Value::Int(8), Quality::Good).await;
    let other = ask(&tag).await;
    assert_eq!(other.status, 200);
    assert_ne!(other.tag(), tag, "it changes with the values");
    app.end().await;
}

#[tokio::test]
async fn many_values_come_in_one_answer() {
    let app = App::start().await;
    app.report("pump-1", "heat", Value::float(1.5).unwrap(), Quality::Good).await;
    app.report("pump-2", "heat", Value::Int(0), Quality::Bad(Why::PointRefused)).await;
    let answer =
        app.get("/api/v1/values?device=pump-1&device=default/outside&property=heat&property=level").await;
    insta::assert_json_snapshot!(answer.shown(), @r#"
    [
      200,
      {
        "devices": {
          "default/outside": {
            "level": {
              "quality": "good",
              "time": 20,
              "value": 7
            }
          },
          "default/pump-1": {
            "heat": {
              "quality": "good",
              "time": 20,
              "value": 1.5
            }
          }
        }
      }
    ]
    "#);
    let page = app.get("/api/v1/values?protocol=modbus&limit=1&property=heat").await.body;
    assert_eq!((page["devices"].as_object().unwrap().len(), &page["next"]), (1, &json!("default/pump-1")));
    for bad in ["device=A", "property=a%20b", "limit=0", "limit=many", "colour=red", "device=%ff"] {
        assert_eq!(app.get(&format!("/api/v1/values?{bad}")).await.problem(), (400, "bad-request"), "{bad}");
    }
    let many = "property=a&".repeat(1001);
    assert_eq!(app.get(&format!("/api/v1/values?{many}")).await.problem(), (400, "bad-request"));
    app.end().await;
}

#[tokio::test]
async fn the_gateway_says_that_it_lives_and_what_it_serves() {
    let app = App::start().await;
    assert_eq!(app.get("/healthz").await.body["status"], "ok");
    assert_eq!(app.get("/readyz").await.shown(), json!([200, {"ready": true}]));
    let document = app.get("/openapi.json").await.body;
    assert_eq!(document["paths"]["/api/v1/values"]["get"]["tags"], json!(["devices"]));
    let status = app.get("/api/v1/status").await.body;
    assert_eq!((&status["node"], &status["devices"]["paused"]), (&json!("edge-1"), &json!(0)));
    assert_eq!(app.get("/api/v1/config").await.body["devices"], 3);
    assert_eq!(app.get("/api/v1/config/history").await.shown(), json!([200, {"revisions": []}]));
    app.end().await;
}

#[tokio::test]
async fn every_problem_has_the_one_media_type_in_the_document_and_every_route_may_answer_with_one() {
    let document = serde_json::to_value(super::super::openapi()).unwrap();
    let problem = json!({"$ref": "#/components/schemas/Problem"});
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("default"), "{method} {path}");
            for (status, response) in responses {
                assert_ne!(
                    response["content"]["application/json"]["schema"], problem,
                    "{method} {path} {status}"
                );
            }
        }
    }
}
