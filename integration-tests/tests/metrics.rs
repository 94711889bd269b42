//! The figures that a monitoring system reads: in the forms that it reads, and all those that the dashboard and the alerts
//! name.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use integration_tests::harness::{Cloud, Edge, Meters, SKIP_PEERS, Uplink, eventually, raw};
use serde_json::Value;

const NODE: &str = "plant-34";
/// Figures that are there in trouble only.
const IN_TROUBLE: [&str; 1] = ["twinspan_not_ready"];

fn docs(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs").join(path)
}

async fn scrape(edge: &Edge, accept: &str) -> (String, String) {
    let request =
        format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
    let answer = String::from_utf8(raw(&edge.api(), request.as_bytes()).await.unwrap()).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    (head.to_ascii_lowercase(), body.to_owned())
}

/// The names of all samples.
fn samples(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line[..line.find(['{', ' ']).unwrap()].to_owned()).collect()
}

/// The names of figures of ours in an expression of PromQL.
fn named(expression: &str, found: &mut BTreeSet<String>) {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = |word: &&str| word.starts_with("twinspan_") || word.starts_with("process_");
    found.extend(words.filter(ours).map(ToOwned::to_owned));
}

fn expressions(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str() {
                    Some(text) if ["expr", "query", "definition"].contains(&key.as_str()) => {
                        named(text, found)
                    }
                    _ => expressions(value, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| expressions(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Runs promtool; none where it is not there and need not be.
fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    if std::env::var_os(SKIP_PEERS).is_some_and(|value| value == "1") {
        return None;
    }
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        command.spawn().expect("promtool is there (Debian: prometheus); scripts/test installs it");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[tokio::test]
async fn the_figures_are_well_formed_and_the_dashboard_and_the_alerts_name_none_that_is_not_there() {
    let cloud = Cloud::start().await;
    let meters = Meters::start(1).await;
    let devices = format!(
        "devices:\n  meter:\n    modbus: {{ tcp: \"127.0.0.1:{}\" }}\n    properties:\n      \
         power: {{ type: int, every: 100ms, modbus: {{ holding: 7 }} }}\n",
        meters.all()[0].port()
    );
    let edge = Edge::start(NODE, Some(Uplink::tls(&cloud, NODE)), &devices).await;
    eventually("the node is connected", async || cloud.linked(NODE).await).await;
    let plain = eventually("readings and acknowledgements are counted", async || {
        let (_, text) = scrape(&edge, "*/*").await;
        let counted = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
                .is_some_and(|count| count > 0.0)
        };
        let all = [
            "twinspan_read_seconds_count{mapper=\"modbus\"}",
            "twinspan_sync_lag_seconds_count",
            "twinspan_commit_seconds_count",
        ];
        if all.iter().all(|name| counted(name)) { Ok(text) } else { Err(text) }
    })
    .await;
    if let Some((fine, said)) = promtool(&["check", "metrics"], &plain) {
        assert!(fine && said.trim().is_empty(), "{said}\n{plain}");
    }

    let (head, open) = scrape(&edge, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5").await;
    assert!(head.contains("application/openmetrics-text") && open.ends_with("# EOF\n"), "{head}");
    let there = samples(&plain);
    assert_eq!(samples(&open), there, "both forms have the same samples");
    assert!(plain.contains(&format!("twinspan_build_info{{node=\"{NODE}\"")), "{plain}");

    let dashboard: Value =
        serde_json::from_str(&std::fs::read_to_string(docs("grafana/twinspan.json")).unwrap()).unwrap();
    let (mut wanted, mut panels) = (BTreeSet::new(), BTreeSet::new());
    expressions(&dashboard, &mut wanted);
    assert!(wanted.len() > 20, "{wanted:?}");
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(panels.insert(panel["id"].as_u64().unwrap()), "two panels have one id");
        assert!(
            panel["gridPos"]["w"].as_u64().unwrap() + panel["gridPos"]["x"].as_u64().unwrap() <= 24,
            "{panel}"
        );
    }
    let alerts = std::fs::read_to_string(docs("prometheus/twinspan-alerts.yaml")).unwrap();
    for line in alerts.lines().filter(|line| line.trim_start().starts_with("expr:")) {
        named(line, &mut wanted);
    }
    for name in wanted {
        assert!(there.contains(&name) || IN_TROUBLE.contains(&name.as_str()), "{name} is not in\n{plain}");
    }
    let file = docs("prometheus/twinspan-alerts.yaml");
    if let Some((fine, said)) = promtool(&["check", "rules", file.to_str().unwrap()], "") {
        assert!(fine, "{said}");
    }
}
