//! REST of edge and cloud, held to what their own OpenAPI documents say: a public validator takes the documents, and a
//! fuzzing client that reads them finds no failure of a server, and no answer that they do not name.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stdout, reason = "how much was tried is worth knowing")]

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use integration_tests::harness::{Cloud, Edge, Meters, Uplink, eventually, python, request};
use serde_json::{Value, json};
use tokio::process::Command;

/// How many inputs the client makes up for each operation and phase; `REST_EXAMPLES` says otherwise.
const EXAMPLES: &str = "12";
const EXAMPLES_FROM: &str = "REST_EXAMPLES";
/// How long the client may take.
const MOST_TIME: Duration = Duration::from_secs(240);
/// Which inputs are made up depends on it alone; `REST_SEED` says otherwise.
const SEED: &str = "20261123";
const SEED_FROM: &str = "REST_SEED";

async fn document(address: &str) -> Value {
    let answer = request(address, "GET", "/openapi.json", None).await.unwrap();
    assert_eq!(answer.status, 200);
    answer.body
}

/// The document for the client: streams that never end are left out, nobody waits, and `known` names what is there, so
/// that more than the answer 404 is tried.
fn narrowed(mut document: Value, known: &[(&str, Value)]) -> Value {
    let paths = document["paths"].as_object_mut().unwrap();
    paths.retain(|path, _| !path.ends_with("/events"));
    for operation in paths.values_mut().flat_map(|path| path.as_object_mut().unwrap().values_mut()) {
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        let Some(parameters) = parameters else { continue };
        parameters.retain(|parameter| parameter["name"] != "wait");
        for parameter in parameters.iter_mut().filter(|parameter| parameter["in"] == "path") {
            if let Some((_, values)) = known.iter().find(|(name, _)| parameter["name"] == *name) {
                parameter["schema"] = json!({"type": "string", "enum": values});
            }
        }
    }
    document
}

async fn run(python: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(python);
    let running = command.args(arguments).env("NO_COLOR", "1").kill_on_drop(true).output();
    tokio::time::timeout(MOST_TIME, running).await.expect("it ends in time").unwrap()
}

async fn validate(python: &Path, document: &Value, folder: &Path) {
    let file = folder.join("document.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let said = run(python, &["-m", "openapi_spec_validator", &file.display().to_string()]).await;
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
}

async fn fuzz(python: &Path, document: &Value, address: &str, folder: &Path) {
    let file = folder.join("narrowed.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let from = |name: &str, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.to_owned());
    let said = run(
        python,
        &[
            "-m",
            "schemathesis.cli",
            "run",
            &file.display().to_string(),
            "--url",
            &format!("http://{address}"),
            "--max-examples",
            &from(EXAMPLES_FROM, EXAMPLES),
            "--seed",
            &from(SEED_FROM, SEED),
            "--request-timeout",
            "10",
            "--phases",
            "examples,coverage,fuzzing",
            // A value that the document allows may be wrong for a device: 404, 409 and 422 are right answers. That a
            // parameter or a header may be left out is not refused.
            "--exclude-checks",
            "positive_data_acceptance,missing_required_header",
            "--continue-on-failure",
            "--generation-database",
            "none",
            "--no-color",
        ],
    )
    .await;
    let told = String::from_utf8_lossy(&said.stdout);
    let count = told.lines().find(|line| line.contains(" generated, ")).unwrap_or_default();
    println!("{address}: {}", count.trim());
    assert!(said.status.success(), "{told}\n{}", String::from_utf8_lossy(&said.stderr));
    assert!(count.contains("passed"), "{told}");
}

#[tokio::test]
async fn a_fuzzing_client_finds_nothing_that_the_documents_do_not_say() {
    let Some(python) = python() else { return };
    let meters = Meters::start(1).await;
    let devices = format!(
        "devices:\n  meter:\n    modbus: {{ tcp: \"127.0.0.1:{}\", timeout: 1s }}\n    properties:\n      \
         power: {{ type: int, every: 1s, modbus: {{ holding: 10 }} }}\n      \
         limit: {{ type: float, access: read_write, range: [0, 100], every: 1s, modbus: {{ holding: 20 }} }}\n  \
         outside:\n    properties:\n      recipe: {{ type: json, access: read_write }}\n",
        meters.all()[0].port()
    );
    let mut cloud = Cloud::start().await;
    let mut edge = Edge::start("edge-1", Some(Uplink::plain(&cloud)), &devices).await;
    eventually("the cloud knows the devices", async || {
        let path = "/api/v1/nodes/edge-1/devices/default/meter";
        let answer = request(&cloud.rest(), "GET", path, None).await.map_err(|e| e.to_string())?;
        if answer.status == 200 { Ok(()) } else { Err(answer.body.to_string()) }
    })
    .await;
    let names = [("namespace", json!(["default"])), ("name", json!(["meter", "outside"]))];
    let with_node = [&names[..], &[("node", json!(["edge-1"]))]].concat();
    for (address, known) in [(edge.api(), &names[..]), (cloud.rest(), &with_node[..])] {
        let document = document(&address).await;
        validate(&python, &document, &edge.folder()).await;
        fuzz(&python, &narrowed(document, known), &address, &edge.folder()).await;
    }
    edge.assert_no_panic();
    assert!(!cloud.process().log().contains("panicked"));
    let ready = request(&edge.api(), "GET", "/readyz", None).await.unwrap();
    assert_eq!(ready.status, 200, "{}", ready.body);
}
