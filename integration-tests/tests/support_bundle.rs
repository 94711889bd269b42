//! A bundle tells what helps, and none of the secrets that were planted.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use integration_tests::harness::{Edge, Mqtt, Process, binary};
use serde_json::json;

const NODE: &str = "plant-33";

/// Everything that must not be in a bundle.
const PLANTED: [&str; 12] = [
    "planted-in-a-comment",
    "planted-opcua-password",
    "planted-opcua-user",
    "planted-file-token",
    "planted-env-password",
    "planted-url-password",
    "planted-log-password",
    "planted-pem-material",
    "planted-payload-user",
    "planted-bearer",
    "planted-stored-configuration",
    "planted-broker-user",
];

fn unpack(path: &Path) -> BTreeMap<String, String> {
    let list = std::process::Command::new("tar").arg("-tzf").arg(path).output().unwrap();
    let names = String::from_utf8(list.stdout).unwrap();
    let one = |name: &str| {
        let output = std::process::Command::new("tar").arg("-xzOf").arg(path).arg(name).output().unwrap();
        let mut text = String::new();
        output.stdout.as_slice().read_to_string(&mut text).unwrap();
        (name.trim_start_matches("twinspan-support/").to_owned(), text)
    };
    names.lines().map(one).collect()
}

fn devices(folder: &Path) -> String {
    std::fs::write(folder.join("key.pem"), "x").unwrap();
    "# the old password: planted-in-a-comment\n\
         devices:\n  dev-0:\n    properties:\n      a: { type: int }\n  \
         plc:\n    opcua: { url: \"opc.tcp://127.0.0.1:1\", user: planted-opcua-user, password: planted-opcua-password }\n    \
         properties:\n      b: { type: int, opcua: { node: \"ns=2;s=b\" } }\n"
        .to_owned()
}

#[tokio::test]
async fn no_secret_leaves_the_plant_and_what_helps_does() {
    let prepared = Edge::prepare(NODE, None, None, "");
    let mut edge = Edge::prepare(NODE, None, None, &devices(&prepared.folder()));
    edge.start_again().await;
    let mut mqtt = Mqtt::connect(edge.mqtt(), "planted-payload-user");
    let topic = "$hw/events/device/default/dev-0/twin/update";
    mqtt.subscribe(&format!("{topic}/result")).await;
    let body = json!({"twin": {"a": {"actual": {"value": 4711}}}, "user": "planted-payload-user"});
    let _ = mqtt.ask(topic, body, Duration::from_secs(10)).await;

    // Beside the configuration that runs: one with what a real plant has.
    let config = edge.folder().join("plant.yaml");
    let token = edge.folder().join("join-token");
    std::fs::write(&token, "planted-file-token\n").unwrap();
    let text = std::fs::read_to_string(edge.config()).unwrap();
    let text = text.replace(
        "  log:",
        &format!(
            "  cloud: {{ url: \"wss://cloud.example:7443\", token: \"${{file:{}}}\" }}\n  log:",
            token.display()
        ),
    );
    let broker = "    external: { url: \"mqtt://broker.example:1883\", username: planted-broker-user, password: \"${env:BROKER_PASSWORD}\" }\n";
    let lines: Vec<String> = text
        .lines()
        .map(|line| if line.contains("embedded:") { broker.trim_end().to_owned() } else { line.to_owned() })
        .collect();
    std::fs::write(&config, lines.join("\n") + "\n# mqtt://x:planted-url-password@broker\n").unwrap();
    let log = edge.folder().join("some.log");
    std::fs::write(
        &log,
        "{\"level\":\"DEBUG\",\"message\":\"connecting\",\"password\":\"planted-log-password\",\"url\":\"mqtt://a:planted-url-password@b\"}\n\
         it was told planted-file-token and planted-env-password\n\
         Authorization: Bearer planted-bearer\n{\"payload\":{\"user\":\"planted-payload-user\"}}\n\
         -----BEGIN PRIVATE KEY-----\nplanted-pem-material\n-----END PRIVATE KEY-----\n\
         \"body\":\"password: planted-stored-configuration\"\nthe pump does not answer\n",
    )
    .unwrap();
    let file = edge.folder().join("support.tar.gz");
    let mut command = std::process::Command::new(binary("twinspan"));
    command.arg("support-bundle").arg(&file).arg(&config).arg("--log").arg(&log);
    command.args(["--gateway", &format!("http://{}", edge.api())]);
    command
        .env("BROKER_PASSWORD", "planted-env-password")
        .env("TWINSPAN_DATA_DIR", edge.folder().join("data"));
    let mut process = Process::start("support-bundle", &mut command, &edge.folder().join("bundle.log"));
    let status = process.end(Duration::from_secs(60)).await;
    assert!(status.success(), "{}", process.log());

    let files = unpack(&file);
    for (name, text) in &files {
        for secret in PLANTED {
            assert!(!text.contains(secret), "{secret} is in {name}:\n{text}");
        }
    }
    let has = |name: &str, word: &str| {
        let text = files.get(name).unwrap_or_else(|| panic!("{name} is not in {:?}", files.keys()));
        assert!(text.contains(word), "{word} is not in {name}:\n{text}");
    };
    has("versions.json", env!("CARGO_PKG_VERSION"));
    has("configuration/0.json", "opc.tcp://127.0.0.1:1");
    has("configuration/0.json", "${env:BROKER_PASSWORD}");
    has("status.json", "\"online\"");
    has("metrics.txt", "twinspan_devices{state=\"online\"}");
    has("doctor.json", "\"topic\": \"disk\"");
    has("tables.json", "\"documents\"");
    has("files.txt", "twin.db");
    has("log.txt", "the pump does not answer");
    has("config-history.json", "revisions");
}
