//! A configuration that was written as tables and read back is the same configuration.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use config::{Config, Loader, SecretRef, Source, TableSource};
use config_import::tables::{FILES, Faults, Whole, export, import};
use proptest::prelude::*;

fn secrets(wanted: SecretRef<'_>) -> Result<String, String> {
    match wanted {
        SecretRef::Env(name) => Ok(format!("{}\n", name.to_lowercase())),
        SecretRef::File(_) => Ok("10.9.8.7".into()),
    }
}

fn read(sources: &[Source], tables: &dyn TableSource) -> Config {
    let protocols = [modbus::protocol()];
    match Loader::new(&protocols).tables(tables).load(sources, &secrets) {
        Ok(loaded) => loaded.config,
        Err(faults) => panic!("{}\n{faults}", sources[0].text),
    }
}

fn there_and_back(sources: &[Source], tables: &dyn TableSource) -> Whole {
    let before = read(sources, tables);
    let files = export(sources, tables).unwrap();
    assert_eq!(files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), FILES);
    let whole = match import(&files) {
        Ok(whole) => whole,
        Err(faults) => panic!("{faults}"),
    };
    let after = read(&[Source::new("back.yaml", &whole.yaml)], &config::NoTables);
    assert_eq!(before, after, "{}", whole.yaml);
    for file in &files {
        assert!(!file.text.contains("10.9.8.7") && !file.text.contains("hush_value"), "{}", file.text);
    }
    whole
}

fn example(name: &str) -> Source {
    let path = format!("{}/../examples/{name}", env!("CARGO_MANIFEST_DIR"));
    Source::new(name, std::fs::read_to_string(path).unwrap())
}

fn example_table(file: &str, _: &str) -> Result<(String, Vec<u8>), String> {
    Ok((file.to_owned(), example(file).text.into_bytes()))
}

#[test]
fn the_example_files_survive() {
    for name in ["plant.yaml", "meters.yaml"] {
        there_and_back(&[example(name)], &example_table);
    }
    let demo = include_str!("../../../mappers/modbus/src/sim/demo.yaml").replace("{ADDR}", "127.0.0.1:502");
    let demo = Source::new("demo.yaml", format!("gateway: {{ node: demo }}\n{demo}"));
    there_and_back(&[demo], &config::NoTables);
}

#[test]
fn models_stay_models_and_rows_of_a_table_become_devices_of_them() {
    let whole = there_and_back(&[example("meters.yaml")], &example_table);
    assert!(whole.yaml.contains("modbus:\n      tcp: \"$(host):502\""), "{}", whole.yaml);
    assert!(whole.yaml.contains("  meter-3:\n    model: meter\n"), "{}", whole.yaml);
    assert_eq!(whole.yaml.matches("float32").count(), 1, "the property is written once: {}", whole.yaml);
}

const TRICKY: &str = r#"
gateway:
  node: g
  mqtt: { external: { url: "mqtts://b:8883", username: u, password: "${env:HUSH_VALUE}" } }
  shutdown_grace: 20s
models:
  m:
    description: "  = not a formula, \"quoted\"; $$(not) $(host) "
    parameters:
      host: { type: string, default: "007" }
      unit: { type: int, range: [1, 247] }
      on: { type: bool, default: false, description: "a, b" }
    modbus: { tcp: "$(host):502", unit: $(unit), forbid: { holding: [[100, 119], [7, 7]] } }
    properties:
      a/b#1: { type: string, modbus: { holding: $(unit), enum: { 0: "off", 1: "null", 2: "3", 3: "a, b" } } }
      t: { type: float, range: [-5, 1.5], one_of: [-1, 0x1, 1.5], tolerance: 0.5, access: read_write, modbus: { holding: 2, type: float32 } }
devices:
  x: { model: m, with: { unit: 3 }, labels: { a: "3", B-c: "", "app/x": "true" } }
  ns/y:
    model: m
    with: { unit: 0x10, host: "${file:/host}" }
    description: "line one\nline two"
    properties: { s: { type: int, description: "null", unit: "%", modbus: { holding: 9 } } }
  over-mqtt: { properties: { v: { type: json, one_of: [{ a: 1 }, [1, "1", null]] } } }
  bare: ~
  text: { properties: { w: { type: string, one_of: [yes, "no", "1", 2] } } }
"#;

#[test]
fn what_is_hard_to_write_in_a_cell_survives_and_references_stay_references() {
    let whole = there_and_back(&[Source::new("t.yaml", TRICKY)], &config::NoTables);
    assert!(whole.yaml.contains("\"${env:HUSH_VALUE}\""), "{}", whole.yaml);
    assert!(whole.yaml.contains("\"${file:/host}\""), "{}", whole.yaml);
}

#[test]
fn several_files_become_one_set_of_tables() {
    let a =
        Source::new("a.yaml", "gateway: { node: g }\ndevices:\n  a: { properties: { v: { type: int } } }\n");
    let b = Source::new(
        "b.yaml",
        "gateway: { data_dir: ./d }\ndevices:\n  b: { properties: { v: { type: int } } }\n",
    );
    there_and_back(&[a, b], &config::NoTables);
}

fn table(name: &str, text: &str) -> Source {
    Source::new(name, text)
}

fn messages(files: &[Source]) -> Vec<String> {
    match import(files) {
        Err(Faults::Cells(faults)) => faults.iter().map(ToString::to_string).collect(),
        Err(other) => vec![other.to_string()],
        Ok(whole) => panic!("nothing is wrong with {}", whole.yaml),
    }
}

#[test]
fn a_wrong_cell_is_named_by_row_and_column() {
    let devices =
        table("devices.csv", "device;model;modbus.unit;modbus\na;;1;{unit: 2}\na;;;\n;m;;\nb;;[1;\n");
    let properties = table(
        "properties.csv",
        "model,device,property,type\n,zz,p,int\n,,p,int\nm,a,p,int\n,a,,int\n,a,v,int\n,a,v,int\n",
    );
    let found = messages(&[devices, properties]);
    let wanted = [
        "devices.csv: row 2, column modbus: another column says the same",
        "devices.csv: row 3, column device: `a` stands here a second time",
        "devices.csv: row 4, column device: the name is missing",
        "devices.csv: row 5, column modbus.unit: this cannot be read",
        "properties.csv: row 2, column device: there is no device `zz`",
        "properties.csv: row 3, column model: the property belongs to no model",
        "properties.csv: row 4, column device: a property belongs to a model or to a device",
        "properties.csv: row 5, column property: the name is missing",
        "properties.csv: row 7, column property: `v` stands here a second time",
    ];
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    for (found, wanted) in found.iter().zip(wanted) {
        assert!(found.starts_with(wanted), "{found}\n{wanted}");
    }
    assert!(
        messages(&[table("devices.csv", "device,x\na,\"1\n")])[0].contains("row 2: a quote is not closed")
    );
}

#[test]
fn what_the_loader_finds_leads_back_to_the_cell() {
    let files = [
        table("gateway.yaml", "gateway: { node: g }\n"),
        table("devices.csv", "device,modbus.tcp,modbus.unit\na,h:502,300\n"),
        table("properties.csv", "device,property,type,modbus.holding,every\na,v.1,int,1,1 year\n"),
    ];
    let whole = import(&files).unwrap();
    let protocols = [modbus::protocol()];
    let source = Source::new("back.yaml", &whole.yaml);
    let faults = Loader::new(&protocols).check(&[source]).unwrap_err();
    let cells: Vec<_> =
        faults.faults.iter().map(|fault| whole.cell(&fault.path).unwrap().to_string()).collect();
    assert_eq!(cells, ["devices.csv: row 2, column modbus.unit", "properties.csv: row 2, column every"]);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,8}", "[ -~°]{0,12}", "[0-9.]{1,4}", Just("null".to_owned()), Just("true".to_owned())]
}

/// The text as YAML has it between quotes; in a model `$(` begins a placeholder.
fn quoted(text: &str) -> String {
    let text = text.replace("${", "$ {").replace("$(", "$ (");
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn point() -> impl Strategy<Value = (&'static str, String)> {
    let register = (
        0u16..60_000,
        prop_oneof!["int16", "uint32", "float32"],
        proptest::option::of(-9i32..9),
        any::<bool>(),
    );
    let register = register.prop_map(|(at, kind, scale, little)| {
        let scale =
            scale.filter(|n| *n != 0).map_or(String::new(), |n| format!(", scale: {}", f64::from(n) / 10.0));
        let order = if little && kind != "int16" { ", word_order: little" } else { "" };
        ("float", format!("{{ holding: {at}, type: {kind}{scale}{order} }}"))
    });
    prop_oneof![
        register,
        (1u32..9_999).prop_map(|at| ("bool", format!("{{ address: {at} }}"))),
        (0u16..9, text(), 1u16..9).prop_map(|(bit, name, at)| {
            let name = quoted(&format!("x{name}"));
            ("string", format!("{{ input: {at}, bit: {bit}, enum: {{ 0: none, 1: {name} }} }}"))
        }),
    ]
}

fn property() -> impl Strategy<Value = String> {
    let words = (proptest::option::of(text()), proptest::option::of(text()), proptest::option::of(1u32..60));
    (point(), words, any::<bool>()).prop_map(|((kind, point), (unit, description, every), report)| {
        let mut body = format!("type: {kind}, modbus: {point}");
        let mut add = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                body.push_str(&format!(", {key}: {value}"));
            }
        };
        add("unit", unit.map(|unit| quoted(&unit)));
        add("description", description.map(|text| quoted(&text)));
        add("every", every.map(|every| format!("{every}s")));
        let deadband = if kind == "float" { ", deadband: 0.5" } else { "" };
        add("report", report.then(|| format!("{{ max_silence: 1h{deadband} }}")));
        format!("{{ {body} }}")
    })
}

fn properties() -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::btree_map("[a-zA-Z][a-z.:#/_-]{0,6}", property(), 0..4)
        .prop_map(|all| all.into_iter().collect())
}

fn configuration() -> impl Strategy<Value = String> {
    let labels = proptest::collection::btree_map("[a-z/.]{1,5}", text(), 0..3);
    let device = (any::<bool>(), 1u8..200, text(), labels, properties());
    let devices = proptest::collection::btree_map("[a-z]{1,6}", device, 1..5);
    (properties(), text(), devices).prop_map(|(model, description, devices)| {
        let list = |properties: &[(String, String)]| {
            let each = properties.iter().map(|(name, body)| format!("      {}: {body}\n", quoted(name)));
            each.collect::<String>()
        };
        let mut yaml = format!(
            "gateway: {{ node: g }}\nmodels:\n  m:\n    description: {}\n    parameters: {{ unit: {{ type: int }}, host: {{ type: string }} }}\n    modbus: {{ tcp: \"$(host):502\", unit: $(unit) }}\n    properties:\n{}devices:\n",
            quoted(&description),
            list(&model)
        );
        for (name, (with_model, unit, description, labels, properties)) in devices {
            let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{}: {}", quoted(k), quoted(v))).collect();
            let reached = if with_model {
                format!("    model: m\n    with: {{ unit: {unit}, host: \"10.0.0.{unit}\" }}\n")
            } else {
                format!("    modbus: {{ tcp: \"${{env:HOST}}:502\", unit: {unit} }}\n")
            };
            yaml.push_str(&format!(
                "  {name}:\n{reached}    description: {}\n    labels: {{ {} }}\n    properties:\n{}",
                quoted(&description),
                labels.join(", "),
                list(&properties)
            ));
        }
        yaml.replace("${env:HOST}", "${file:/host}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_configuration_survives(yaml in configuration()) {
        there_and_back(&[Source::new("any.yaml", yaml)], &config::NoTables);
    }

    #[test]
    fn no_tables_panic(devices in "[a-z.,;\"\n\\[\\]{} :]{0,80}", properties in "[a-z.,;\"\n\\[\\]{} :]{0,80}") {
        let _ = import(&[
            Source::new("devices.csv", format!("device,{devices}")),
            Source::new("properties.csv", format!("device,property,{properties}")),
        ]);
    }
}
