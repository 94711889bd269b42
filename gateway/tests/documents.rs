//! What is checked in beside the program agrees with the program.

use std::path::{Path, PathBuf};

use config::{Loader, Protocol, Source};
use serde_json::Value;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn protocols() -> Vec<Protocol> {
    twinspan::wiring::protocols()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn agrees(path: &str, command: &str, now: &Value) {
    let written = std::fs::read_to_string(repository().join(path)).unwrap_or_default();
    let written = serde_json::from_str::<Value>(&written).unwrap_or_default();
    assert!(written == *now, "{path} is not what the program says; renew it: {command} > {path}");
}

#[test]
fn the_schema_is_the_one_that_the_program_prints() {
    let now = config::json_schema(&protocols());
    agrees("config/schema/twinspan.schema.json", "cargo run -p twinspan -- schema", &now);
}

#[test]
fn the_openapi_document_is_the_one_that_the_program_prints() {
    let now = serde_json::to_value(twinspan::api::openapi()).expect("a document");
    agrees("docs/openapi/edge.json", "cargo run -p twinspan -- openapi", &now);
}

#[test]
fn every_example_file_is_right() {
    let folder = repository().join("config/examples");
    let files = std::fs::read_dir(&folder).expect("the folder of the examples");
    let mut count = 0;
    for file in files.map(|entry| entry.expect("an entry").path()) {
        if file.extension().is_some_and(|extension| extension == "yaml") {
            count += 1;
            if let Err(error) = twinspan::files::check(&file) {
                panic!("{error}");
            }
        }
    }
    assert!(count > 0);
}

/// The blocks that are marked as YAML.
fn blocks(text: &str) -> Vec<&str> {
    text.split("```yaml\n").skip(1).filter_map(|after| after.split("```").next()).collect()
}

#[test]
fn every_example_in_the_documentation_is_right() {
    let text = read(&repository().join("docs/configuration.md"));
    let (mut count, mut models) = (0, String::new());
    let csv = read(&repository().join("config/examples/meters.csv"));
    let table = |_: &str, _: &str| Ok(("meters.csv".to_owned(), csv.clone().into_bytes()));
    let protocols = protocols();
    for block in blocks(&text) {
        if block.starts_with("# yaml-language-server") {
            continue;
        }
        count += 1;
        // Some show the properties of a model alone.
        let block = &if block.starts_with("properties:") {
            format!(
                "models:\n  shown:\n{}",
                block.lines().map(|line| format!("    {line}\n")).collect::<String>()
            )
        } else {
            block.to_owned()
        };
        let mut sources = vec![Source::new("docs/configuration.md", block)];
        // An example may need the model of the one before it, and a table.
        if block.contains("devices_from:") && !block.contains("models:") {
            let model = models.replace("meter-1:", "other-1:").replace("meter-2:", "other-2:");
            sources.push(Source::new("the model above", model));
        } else if block.starts_with("models:") {
            models = block.to_owned();
        }
        if !block.contains("gateway:") {
            sources.push(Source::new("the gateway", "gateway: { node: plant-7 }\n"));
        }
        if let Err(faults) = Loader::new(&protocols).tables(&table).check(&sources) {
            panic!("{block}\n{faults}");
        }
    }
    assert!(count > 0);
}
