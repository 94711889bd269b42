//! What `twinspan doctor` says of a gateway that works, of one that does not run, and of trouble that was made for it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use integration_tests::harness::{Cloud, Edge, Port, Uplink, binary, eventually};
use serde_json::Value;

const NODE: &str = "plant-32";
const DEVICES: &str = "devices:\n  dev-0:\n    properties:\n      a: { type: int }\n";
const GRACE: Duration = Duration::from_secs(11);

struct Said {
    code: Option<i32>,
    report: Value,
}

impl Said {
    /// What was said of a topic: level, what, mend.
    fn of(&self, topic: &str) -> Vec<(String, String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let all = self.report["findings"].as_array().unwrap().iter();
        let of = all.filter(|finding| finding["topic"] == topic);
        of.map(|f| (text(&f["level"]), text(&f["says"]), text(&f["mend"]))).collect()
    }

    /// That something of this level, with these words, was said of the topic.
    #[track_caller]
    fn has(&self, topic: &str, level: &str, words: &[&str]) {
        let found = self.of(topic);
        let fits = |(found, says, mend): &(String, String, String)| {
            found == level && words.iter().all(|word| says.contains(word) || mend.contains(word))
        };
        assert!(found.iter().any(fits), "no {level} with {words:?} among {found:?}");
    }
}

async fn doctor(edge: &Edge) -> Said {
    let mut command = tokio::process::Command::new(binary("twinspan"));
    command.arg("doctor").arg(edge.config()).arg("--json");
    command.args(["--gateway", &format!("http://{}", edge.api())]).env_remove("TWINSPAN_DATA_DIR");
    let output = command.output().await.unwrap();
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    Said { code: output.status.code(), report }
}

#[tokio::test]
async fn a_gateway_that_works_is_found_to_work() {
    let cloud = Cloud::start().await;
    let edge = Edge::start(NODE, Some(Uplink::tls(&cloud, NODE)), DEVICES).await;
    eventually("the node is connected", async || cloud.linked(NODE).await).await;
    let said = doctor(&edge).await;
    said.has("configuration", "ok", &["1 devices"]);
    said.has("gateway", "ok", &["is ready"]);
    said.has("cloud", "ok", &["takes connections"]);
    said.has("cloud", "ok", &["belongs to (TLS)"]);
    said.has("clock", "ok", &["agrees with the cloud's"]);
    said.has("certificates", "ok", &["identity.pem", "days"]);
    said.has("permissions", "ok", &["nobody else"]);
    said.has("ports", "ok", &["REST", "twinspan"]);
    said.has("ports", "ok", &["MQTT", "twinspan"]);
    said.has("devices", "ok", &["were not asked"]);
    let failed: Vec<_> =
        said.report["findings"].as_array().unwrap().iter().filter(|f| f["level"] == "fail").collect();
    assert!(failed.is_empty() && said.code == Some(0), "{failed:?}");
    assert_eq!(said.report["running"], true);
}

#[tokio::test]
async fn trouble_is_named_with_its_mend_whether_or_not_the_gateway_runs() {
    let nowhere = Port::free();
    let device = Port::free();
    let devices = format!(
        "devices:\n  meter:\n    modbus: {{ tcp: \"{}\", timeout: 200ms }}\n    properties:\n      a: {{ type: int, modbus: {{ holding: 1 }} }}\n  \
         line:\n    modbus: {{ rtu: /dev/no-such-port, baud: 9600, unit: 3 }}\n    properties:\n      a: {{ type: int, modbus: {{ holding: 1 }} }}\n",
        device.address()
    );
    let mut edge = Edge::prepare(NODE, Some(Uplink::nowhere(&nowhere)), None, &devices);
    let said = doctor(&edge).await;
    assert_eq!(said.code, Some(1));
    said.has("gateway", "warn", &["no gateway runs", "systemctl start twinspan"]);
    said.has("cloud", "fail", &["cannot be reached", "firewalls"]);
    said.has("ports", "ok", &["is free for REST"]);
    said.has("serial ports", "fail", &["/dev/no-such-port", "/dev/serial/by-id"]);
    said.has("devices", "warn", &["default/meter does not answer"]);

    let mqtt = std::net::TcpListener::bind(("127.0.0.1", edge.mqtt())).unwrap();
    let said = doctor(&edge).await;
    said.has("ports", "fail", &["MQTT", "process", "gateway.mqtt.embedded.listen"]);
    drop(mqtt);

    edge.start_again().await;
    let key = edge.folder().join("data/link/identity.pem");
    std::fs::create_dir_all(key.parent().unwrap()).unwrap();
    std::fs::write(&key, "-----BEGIN PRIVATE KEY-----").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = doctor(&edge).await;
    said.has("gateway", "ok", &["is ready"]);
    said.has("permissions", "fail", &["identity.pem", "chmod 600"]);
    edge.process().terminate();
    assert_eq!(edge.process().end(GRACE).await.code(), Some(0));
}

#[tokio::test]
async fn a_broken_configuration_does_not_keep_it_from_looking_at_the_rest() {
    let edge = Edge::prepare(NODE, None, None, "devices: 7\n");
    let said = doctor(&edge).await;
    assert_eq!(said.code, Some(1));
    said.has("configuration", "fail", &["cannot be used", "twinspan check"]);
    assert!(!said.of("disk").is_empty() && !said.of("clock").is_empty());
    let output = Command::new(binary("twinspan")).arg("doctor").arg(edge.config()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("fail  configuration") && text.contains("-> `twinspan check"), "{text}");
}
