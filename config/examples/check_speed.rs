//! Checks 1,000 devices of 50 points each, once with a model and once with everything written out, and says how long
//! it took: `cargo run --release -p twinspan-config --example check_speed`.

use std::io::{Write as _, stdout};
use std::time::Instant;

use config::{Check, Loader, NoSecrets, Protocol, Source};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(PartialEq, Deserialize, JsonSchema)]
struct Link {
    tcp: String,
    unit: u8,
}
impl Check for Link {}

#[derive(PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Point {
    Input(u16),
}
impl Check for Point {}

fn properties(indent: &str) -> String {
    let property = |n| {
        format!(
            "{indent}p{n}: {{type: float, unit: bar, range: [0, 16], modbus: {{input: {n}}}, every: 1s, \
             report: {{deadband: 0.05, max_silence: 60s}}}}\n"
        )
    };
    (0..50).map(property).collect()
}

fn main() -> std::io::Result<()> {
    let gateway = "gateway: {node: speed}\n";
    let device = |n: usize, rest: &str| {
        format!("  meter-{n}:\n    modbus: {{tcp: 'h:502', unit: {}}}\n{rest}", n % 247)
    };
    let model = format!("models:\n  meter:\n    properties:\n{}", properties("      "));
    let short: String = (0..1000).map(|n| device(n, "    model: meter\n")).collect();
    let own = format!("    properties:\n{}", properties("      "));
    let long: String = (0..1000).map(|n| device(n, &own)).collect();
    let link = "    modbus: {tcp: '$(host):502', unit: $(unit)}\n";
    let parameters = "    parameters: {host: {type: string}, unit: {type: int}, base: {type: int}}\n";
    let open = format!("models:\n  meter:\n{parameters}{link}    properties:\n{}", properties("      "))
        .replace("input: ", "input: $(base+")
        .replace("}, every", ")}, every");
    let mut table = "name,host,unit,base\n".to_owned();
    for n in 0..1000 {
        table += &format!("meter-{n},h,{},{n}\n", n % 247);
    }
    let bad = long.replace("every: 1s", "evry: 1s");

    let from = "{file: m.csv, model: meter}";
    let read = |_: &str, _: &str| Ok(("m.csv".to_owned(), table.clone().into_bytes()));

    let mut out = stdout();
    for (name, text) in [
        ("one model", format!("{gateway}{model}devices:\n{short}")),
        ("all written out", format!("{gateway}devices:\n{long}")),
        ("one table, every property with a parameter", format!("{gateway}{open}devices_from: {from}\n")),
        ("all written out, each with a fault", format!("{gateway}devices:\n{bad}")),
    ] {
        let bytes = text.len();
        let sources = [Source::new("plant.yaml", text)];
        let begin = Instant::now();
        let protocols = [Protocol::of::<Link, Point>("modbus")];
        let loaded = Loader::new(&protocols).tables(&read).load(&sources, &NoSecrets);
        let took_ms = begin.elapsed().as_millis();
        let outcome = match &loaded {
            Ok(loaded) => {
                let points: usize =
                    loaded.config.devices.values().map(|device| device.properties.len()).sum();
                format!("{} devices, {points} points", loaded.config.devices.len())
            }
            Err(faults) => format!("{} faults", faults.faults.len() + faults.left_out),
        };
        writeln!(out, "{name}: {outcome}, {bytes} bytes, {took_ms} ms")?;
    }
    Ok(())
}
