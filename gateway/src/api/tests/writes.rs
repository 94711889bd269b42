use super::*;

const OVERRIDE: &str = "/api/v1/devices/default/pump-1/override";

#[tokio::test]
async fn an_override_is_set_shown_and_released() {
    let app = App::start().await;
    assert_eq!(app.get(OVERRIDE).await.shown(), json!([200, {}]));
    let set = app.patch(OVERRIDE, &[], &json!({"speed": 40})).await;
    assert_eq!(set.status, 200, "{}", set.body);
    insta::assert_json_snapshot!(set.body["properties"]["speed"], @r#"
    {
      "convergence": {
        "state": "pending"
      },
      "definition": {
        "access": "read_write",
        "range": {
          "max": 100.0,
          "min": 0.0
        },
        "type": "int",
        "unit": "rpm"
      },
      "effective": {
        "part": "override",
        "revision": 5,
        "value": 40
      },
      "override": {
        "revision": 5,
        "set_at": "[ms]",
        "set_by": "local@127.0.0.1",
        "value": 40
      }
    }
    "#);
    insta::assert_json_snapshot!(app.get(OVERRIDE).await.shown(), @r#"
    [
      200,
      {
        "speed": {
          "revision": 5,
          "set_at": "[ms]",
          "set_by": "local@127.0.0.1",
          "value": 40
        }
      }
    ]
    "#);
    let until = now().after(Duration::from_secs(3600)).as_millis();
    let set = app.patch(OVERRIDE, &[], &json!({"speed": {"value": 41, "valid_until": until}})).await;
    assert_eq!(set.body["properties"]["speed"]["override"]["expires_at"], "[ms]");
    let same = app.patch(OVERRIDE, &[], &json!({})).await;
    assert_eq!((same.status, same.tag()), (200, set.tag()), "an empty patch changes nothing");
    let released = app.patch(OVERRIDE, &[], &json!({"speed": null})).await;
    assert_eq!(released.body["properties"]["speed"].get("override"), None);
    assert_eq!(app.patch(OVERRIDE, &[], &json!({"speed": null})).await.status, 200, "again is no fault");
    app.end().await;
}

#[tokio::test]
async fn of_two_who_have_read_the_same_one_writes() {
    let app = App::start().await;
    let nothing = app.get(OVERRIDE).await.tag().to_owned();
    let first = app.patch(OVERRIDE, &[("if-match", &nothing)], &json!({"speed": 1})).await;
    assert_eq!(first.status, 200);
    let second = app.patch(OVERRIDE, &[("if-match", &nothing)], &json!({"speed": 2})).await;
    assert_eq!(second.problem(), (412, "revision-mismatch"));
    // The tag of the twin does as well, also when a value was read meanwhile, and so does the one of the answer.
    let twin = app.get("/api/v1/devices/default/pump-1/twin").await.tag().to_owned();
    app.report("pump-1", "heat", Value::float(3.0).unwrap(), Quality::Good).await;
    let third = app.patch(OVERRIDE, &[("if-match", &twin)], &json!({"speed": 3})).await;
    assert_eq!(third.status, 200, "{}", third.body);
    let list = format!("\"x\", {}", third.tag());
    assert_eq!(app.patch(OVERRIDE, &[("if-match", &list)], &json!({"speed": null})).await.status, 200);
    // What was released comes to where it was before anything was set, which is the same.
    assert_eq!(app.patch(OVERRIDE, &[("if-match", &nothing)], &json!({"speed": 4})).await.status, 200);
    for (condition, wanted) in [("*", 200), ("W/\"1\"", 412), ("\"1\"", 412), ("1", 400), ("", 400)] {
        let answer = app.patch(OVERRIDE, &[("if-match", condition)], &json!({"speed": 5})).await;
        assert_eq!(answer.status, wanted, "{condition}: {}", answer.body);
    }
    let none = app.patch(OVERRIDE, &[("if-none-match", "*")], &json!({"speed": 6})).await;
    assert_eq!(none.problem(), (412, "revision-mismatch"));
    assert_eq!(app.get(OVERRIDE).await.body["speed"]["value"], 5);
    app.end().await;
}

#[tokio::test]
async fn of_many_who_write_at_the_same_time_with_the_same_tag_exactly_one_does() {
    let app = App::start().await;
    let tag = app.get(OVERRIDE).await.tag().to_owned();
    let mut writers = JoinSet::new();
    for n in 0..16 {
        let headers = [("content-type", "application/merge-patch+json"), ("if-match", tag.as_str())];
        let request = request(Method::PATCH, OVERRIDE, &headers, Some(&json!({"speed": n})));
        writers.spawn(app.router.clone().oneshot(request));
    }
    let mut statuses = Vec::new();
    while let Some(answer) = writers.join_next().await {
        statuses.push(answer.unwrap().unwrap().status().as_u16());
    }
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (200, &[412; 15][..]));
    app.end().await;
}

#[tokio::test]
async fn desired_values_are_written_elsewhere_and_the_answer_says_what_to_do_here() {
    let app = App::start().await;
    let answer = app.patch("/api/v1/devices/default/pump-1/desired", &[], &json!({"speed": 1})).await;
    assert_eq!(answer.problem(), (409, "written-elsewhere"));
    assert!(
        answer.body["detail"].as_str().unwrap().contains("PATCH /api/v1/devices/default/pump-1/override")
    );
    let answer = app.patch("/api/v1/devices/default/nobody/desired", &[], &json!({"speed": 1})).await;
    assert_eq!(answer.problem(), (404, "unknown-device"));
    app.end().await;
}

#[tokio::test]
async fn a_device_that_does_not_answer_can_be_polled_probed_and_paused() {
    let app = App::start().await;
    let pump = "/api/v1/devices/default/pump-1/actions";
    // The mapper starts a moment after the gateway.
    let polled = loop {
        let polled = app.post(&format!("{pump}/poll"), None).await;
        if polled.status != 503 {
            break polled;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((polled.status, &polled.body["answered"]), (200, &json!(false)), "{}", polled.body);
    assert!(polled.body["fault"]["mend"].as_str().unwrap().contains("address and port"));
    let probed = app.post(&format!("{pump}/probe"), None).await;
    assert_eq!((probed.status, &probed.body["reached"]), (200, &json!(false)), "{}", probed.body);
    let paused = app.post(&format!("{pump}/pause"), Some(&json!({"note": "n".repeat(300)}))).await;
    assert_eq!(paused.status, 200, "{}", paused.body);
    assert_eq!(paused.body["serving"]["paused"]["note"].as_str().unwrap().len(), 200);
    assert_eq!(app.get("/api/v1/devices?paused=true").await.body["items"][0]["id"], "default/pump-1");
    assert_eq!(app.get("/api/v1/status").await.body["devices"]["paused"], 1);
    assert_eq!(app.post(&format!("{pump}/poll"), None).await.problem(), (409, "not-now"));
    assert_eq!(app.post(&format!("{pump}/pause"), None).await.status, 200, "again is no fault");
    let resumed = app.post(&format!("{pump}/resume"), None).await;
    assert_eq!(resumed.body["serving"].get("paused"), None);
    let outside = app.post("/api/v1/devices/default/outside/actions/pause", None).await;
    assert_eq!(outside.problem(), (409, "not-served-here"));
    app.end().await;
}
