use super::*;

/// The next event of a stream that is a change: its id, and the change.
async fn event(body: &mut Body, buffer: &mut String) -> (String, Json) {
    loop {
        if let Some((event, rest)) = buffer.clone().split_once("\n\n") {
            *buffer = rest.to_owned();
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            if let (Some(id), Some(data)) = (field("id:"), field("data:")) {
                return (id.to_owned(), serde_json::from_str(data).unwrap());
            }
            continue;
        }
        let frame =
            tokio::time::timeout(Duration::from_secs(10), body.frame()).await.unwrap().unwrap().unwrap();
        buffer.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
}

async fn open(app: &App, path: &str, headers: &[(&str, &str)]) -> Body {
    let answer = app.raw(request(Method::GET, path, headers, None)).await;
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    answer.into_body()
}

#[tokio::test]
async fn a_stream_that_broke_off_goes_on_where_it_was() {
    let app = App::start().await;
    let end = app.get("/api/v1/changes?limit=1000").await.body["next"].as_str().unwrap().to_owned();
    let (mut body, mut buffer) =
        (open(&app, &format!("/api/v1/events?since={end}"), &[]).await, String::new());
    app.report("outside", "level", Value::Int(1), Quality::Good).await;
    let (id, change) = event(&mut body, &mut buffer).await;
    assert_eq!(
        (&change["property"], &change["property_now"]["reported"]["value"]),
        (&json!("level"), &json!(1))
    );
    drop(body);
    app.report("outside", "level", Value::Int(2), Quality::Good).await;
    app.report("pump-1", "heat", Value::float(2.0).unwrap(), Quality::Good).await;
    let (mut body, mut buffer) =
        (open(&app, "/api/v1/events", &[("last-event-id", &id)]).await, String::new());
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let (_, change) = event(&mut body, &mut buffer).await;
        seen.push((change["device"].clone(), change["property_now"]["reported"]["value"].clone()));
    }
    assert_eq!(seen, [(json!("default/outside"), json!(2)), (json!("default/pump-1"), json!(2.0))]);
    app.end().await;
}

#[tokio::test]
async fn changes_are_a_stream_for_who_accepts_one() {
    let app = App::start().await;
    let accept = ("accept", "text/html, text/event-stream;q=0.9");
    let end = app.get("/api/v1/changes?limit=1000").await.body["next"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/changes?since={end}");
    let (mut body, mut buffer) = (open(&app, &path, &[accept]).await, String::new());
    app.report("outside", "level", Value::Int(1), Quality::Good).await;
    assert_eq!(event(&mut body, &mut buffer).await.1["property"], "level");
    app.end().await;
}

#[tokio::test]
async fn a_long_poll_ends_with_the_first_change_and_a_page_tells_where_to_go_on() {
    let app = App::start().await;
    let (mut since, mut seen) = ("0".to_owned(), 0);
    loop {
        let page = app.get(&format!("/api/v1/changes?since={since}&limit=2")).await.body;
        seen += page["items"].as_array().unwrap().len();
        page["next"].as_str().unwrap().clone_into(&mut since);
        if page["more"] == false {
            break;
        }
    }
    assert!(seen >= 4, "three devices and a value: {seen}");
    let mut waiting = JoinSet::new();
    let path = format!("/api/v1/changes?since={since}&wait=30");
    waiting.spawn(app.router.clone().oneshot(request(Method::GET, &path, &[], None)));
    tokio::task::yield_now().await;
    app.report("outside", "level", Value::Int(1), Quality::Good).await;
    let answer = tokio::time::timeout(Duration::from_secs(10), waiting.join_next()).await.unwrap();
    let body = answer.unwrap().unwrap().unwrap().into_body().collect().await.unwrap().to_bytes();
    let page: Json = serde_json::from_slice(&body).unwrap();
    assert_eq!(page["items"][0]["property_now"]["reported"]["value"], 1);
    app.end().await;
}
