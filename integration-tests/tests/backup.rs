//! Backups made while the gateway works, and what both sides hold after one was brought back.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use integration_tests::harness::{
    Cloud, Edge, Mqtt, Uplink, binary, difference, eventually, eventually_within,
};
use serde_json::{Value, json};

const NODE: &str = "plant-31";
const DEVICES: &str = "devices:\n  dev-0:\n    properties:\n      a: { type: int }\n      b: { type: int, access: read_write }\n";
const DEVICE: &str = "default/dev-0";
const TOPIC: &str = "$hw/events/device/default/dev-0/twin/update";
const GRACE: Duration = Duration::from_secs(11);

async fn report(mqtt: &mut Mqtt, value: i64) {
    let body = json!({"twin": {"a": {"actual": {"value": value}}}});
    let answer = mqtt.ask(TOPIC, body, Duration::from_secs(10)).await.expect("an answer");
    assert!(answer.get("code").is_none(), "{answer}");
}

async fn want(cloud: &Cloud, value: i64) {
    let answer = cloud.want(NODE, DEVICE, &json!({"b": value})).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
}

async fn equal(edge: &Edge, cloud: &Cloud) -> (Value, Value) {
    eventually_within(Duration::from_secs(30), "both sides are equal", async || {
        let (at_edge, in_cloud) = (edge.twin(DEVICE).await?, cloud.twin(NODE, DEVICE).await?);
        difference(&at_edge, &in_cloud).map_or(Ok((at_edge, in_cloud)), Err)
    })
    .await
}

fn twinspan(arguments: &[&str], files: &[(&str, &Path)]) -> Output {
    let mut command = Command::new(binary("twinspan"));
    command.args(arguments).env_remove("TWINSPAN_DATA_DIR");
    for (option, file) in files {
        if !option.is_empty() {
            command.arg(option);
        }
        command.arg(file);
    }
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn after_a_backup_was_brought_back_both_sides_are_equal_again() {
    let cloud = Cloud::start().await;
    let mut edge = Edge::start(NODE, Some(Uplink::tls(&cloud, NODE)), DEVICES).await;
    let (data, file) = (edge.folder().join("data"), edge.folder().join("plant.tar.gz"));
    eventually("the node is connected", async || cloud.linked(NODE).await).await;
    let mut mqtt = Mqtt::connect(edge.mqtt(), "app");
    mqtt.subscribe(&format!("{TOPIC}/result")).await;
    report(&mut mqtt, 1).await;
    let _ = equal(&edge, &cloud).await;
    want(&cloud, 10).await;
    let _ = equal(&edge, &cloud).await;

    // While it works: another client reports as fast as it can.
    let flood = Mqtt::connect(edge.mqtt(), "flood");
    for value in 2..200 {
        let body = json!({"twin": {"a": {"actual": {"value": value}}}}).to_string();
        flood.publish_unsure(TOPIC, body).await;
    }
    let made = twinspan(&["backup"], &[("", &file), ("--data-dir", &data)]);
    assert!(made.status.success(), "{}", said(&made));
    assert!(said(&made).contains("--with-keys"), "{}", said(&made));
    let refused = twinspan(&["backup"], &[("", &file), ("--data-dir", &data)]);
    assert!(!refused.status.success() && said(&refused).contains("another name"), "{}", said(&refused));

    eventually("what was reported meanwhile is taken", async || {
        let twin = edge.twin(DEVICE).await?;
        if twin["properties"]["a"]["reported"]["value"] == 199 { Ok(()) } else { Err(twin.to_string()) }
    })
    .await;

    // What happens afterwards is in the cloud, and will not be at the edge.
    report(&mut mqtt, 1000).await;
    want(&cloud, 20).await;
    let (at_edge, in_cloud) = eventually("the cloud has it", async || {
        let (at_edge, in_cloud) = equal(&edge, &cloud).await;
        if in_cloud["properties"]["b"]["desired"]["value"] == 20
            && at_edge["properties"]["b"]["desired"]["value"] == 20
        {
            Ok((at_edge, in_cloud))
        } else {
            Err(in_cloud.to_string())
        }
    })
    .await;
    assert_eq!(at_edge["properties"]["a"]["reported"]["value"], 1000);
    assert_eq!(in_cloud["properties"]["a"]["reported"]["value"], 1000);

    let refused = twinspan(&["restore", "--force"], &[("", &file), ("--data-dir", &data)]);
    assert!(!refused.status.success() && said(&refused).contains("is running on"), "{}", said(&refused));
    edge.process().terminate();
    assert_eq!(edge.process().end(GRACE).await.code(), Some(0));
    let refused = twinspan(&["restore"], &[("", &file), ("--data-dir", &data)]);
    assert!(!refused.status.success() && said(&refused).contains("--force"), "{}", said(&refused));
    let restored = twinspan(&["restore", "--force"], &[("", &file), ("--data-dir", &data)]);
    assert!(restored.status.success(), "{}", said(&restored));
    assert!(
        said(&restored).contains("link/identity.pem was not in the backup and stays"),
        "{}",
        said(&restored)
    );

    edge.start_again().await;
    eventually("the node is connected again", async || cloud.linked(NODE).await).await;
    let (at_edge, _) =
        eventually_within(Duration::from_secs(30), "the older value is on both sides", async || {
            let (at_edge, in_cloud) = equal(&edge, &cloud).await;
            let old =
                |twin: &Value| twin["properties"]["a"]["reported"]["value"].as_i64().is_some_and(|a| a < 200);
            if old(&at_edge) && old(&in_cloud) { Ok((at_edge, in_cloud)) } else { Err(in_cloud.to_string()) }
        })
        .await;
    // What the cloud wants is the cloud's, and came again.
    assert_eq!(at_edge["properties"]["b"]["desired"]["value"], 20, "{at_edge}");
    let mut mqtt = Mqtt::connect(edge.mqtt(), "app");
    mqtt.subscribe(&format!("{TOPIC}/result")).await;
    report(&mut mqtt, 3000).await;
    let (at_edge, _) = eventually("what is new goes up as before", async || {
        let (at_edge, in_cloud) = equal(&edge, &cloud).await;
        let new = |twin: &Value| twin["properties"]["a"]["reported"]["value"] == 3000;
        if new(&at_edge) && new(&in_cloud) { Ok((at_edge, in_cloud)) } else { Err(in_cloud.to_string()) }
    })
    .await;
    assert_eq!(at_edge["properties"]["a"]["reported"]["value"], 3000);
    edge.assert_no_panic();
}

#[tokio::test]
async fn a_lost_disk_comes_back_with_its_keys_and_joins_without_a_new_token() {
    let cloud = Cloud::start().await;
    let mut edge = Edge::start(NODE, Some(Uplink::tls(&cloud, NODE)), DEVICES).await;
    let (data, file) = (edge.folder().join("data"), edge.folder().join("whole.tar.gz"));
    eventually("the node is connected", async || cloud.linked(NODE).await).await;
    let made = twinspan(&["backup", "--with-keys"], &[("", &file), ("--data-dir", &data)]);
    assert!(made.status.success(), "{}", said(&made));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    edge.process().kill();
    std::fs::remove_dir_all(&data).unwrap();
    let restored = twinspan(&["restore"], &[("", &file), ("--data-dir", &data)]);
    assert!(restored.status.success(), "{}", said(&restored));
    edge.start_again().await;
    eventually("the node is connected again", async || cloud.linked(NODE).await).await;
    let _ = equal(&edge, &cloud).await;
}

#[tokio::test]
async fn what_is_no_backup_leaves_the_folder_as_it_was() {
    let mut edge = Edge::start(NODE, None, DEVICES).await;
    let (data, file) = (edge.folder().join("data"), edge.folder().join("bad.tar.gz"));
    edge.process().terminate();
    assert_eq!(edge.process().end(GRACE).await.code(), Some(0));
    let made = twinspan(&["backup"], &[("", &file), ("--data-dir", &data)]);
    assert!(made.status.success(), "{}", said(&made));
    let names = || {
        let mut names: Vec<_> =
            std::fs::read_dir(edge.folder()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let (before, whole) = (names(), std::fs::read(&file).unwrap());
    let cut = whole[..whole.len() / 2].to_vec();
    for (bytes, word) in
        [(b"nonsense".to_vec(), "not a backup"), (Vec::new(), "not a backup"), (cut, "missing")]
    {
        std::fs::write(&file, bytes).unwrap();
        let refused = twinspan(&["restore", "--force"], &[("", &file), ("--data-dir", &data)]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(said(&refused).contains(word), "{}", said(&refused));
        assert_eq!(names(), before);
    }
    let inside = data.join("in.tar.gz");
    let refused = twinspan(&["backup"], &[("", &inside), ("--data-dir", &data)]);
    assert!(said(&refused).contains("another place"), "{}", said(&refused));
    let nothing =
        twinspan(&["backup"], &[("", &file.with_extension("x")), ("--data-dir", Path::new("/nowhere"))]);
    assert!(said(&nothing).contains("--data-dir"), "{}", said(&nothing));
    edge.start_again().await;
}
