//! Files of other gateways, in the shapes in which they are written there, become configurations that say the same.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use config::{Loader, Source};
use config_import::{From, Imported, import};
use modbus::{Link, Point};
use twin_core::{Access, Value, ValueType};

fn sample(name: &str) -> Source {
    let path = format!("{}/tests/samples/{name}", env!("CARGO_MANIFEST_DIR"));
    Source::new(name, std::fs::read_to_string(path).unwrap())
}

struct Taken {
    imported: Imported,
    devices: BTreeMap<String, std::sync::Arc<config::DeviceConfig>>,
}

fn taken(from: From, files: &[&str]) -> Taken {
    let sources: Vec<Source> = files.iter().map(|name| sample(name)).collect();
    let imported = import(from, &sources).unwrap();
    let text = format!("gateway: {{ node: test }}\n{}", imported.yaml);
    let protocols = [modbus::protocol()];
    let checked = match Loader::new(&protocols).check(&[Source::new("taken.yaml", &text)]) {
        Ok(checked) => checked,
        Err(faults) => panic!("{text}\n{faults}"),
    };
    let devices = checked.devices.into_iter().map(|(id, device)| (id.to_string(), device)).collect();
    Taken { imported, devices }
}

impl Taken {
    fn device(&self, id: &str) -> &config::DeviceConfig {
        self.devices.get(id).unwrap_or_else(|| panic!("{id} is not in\n{}", self.imported.yaml))
    }

    fn property(&self, id: &str, name: &str) -> &config::PropertyConfig {
        let device = self.device(id);
        let found = device.properties.iter().find(|(property, _)| property.to_string() == name);
        found.unwrap_or_else(|| panic!("{name} is not in\n{}", self.imported.yaml)).1
    }

    /// What the mapper makes of raw registers, and where it reads them.
    fn decoded(&self, id: &str, name: &str, registers: &[u16]) -> (String, Value) {
        let layout = self.property(id, name).point::<Point>().unwrap().layout().unwrap();
        assert_eq!(usize::from(layout.len), registers.len(), "{name}");
        let value = layout.codec.decode(registers).unwrap();
        (format!("{} {}", layout.area.key(), layout.start), value)
    }

    fn link(&self, id: &str) -> String {
        let link = self.device(id).link::<Link>().unwrap();
        format!("{} unit {} {:?}", link.way().unwrap(), link.unit(), link.timeout())
    }

    fn left(&self, words: &[&str]) {
        for word in words {
            let found = self.imported.left.iter().filter(|left| left.to_string().contains(word)).count();
            assert_eq!(found, 1, "{word} in\n{}", all(&self.imported));
            assert!(self.imported.yaml.contains(word), "{word} is not in the comment");
        }
        assert_eq!(self.imported.left.len(), words.len(), "{}", all(&self.imported));
    }
}

fn all(imported: &Imported) -> String {
    imported.left.iter().map(|left| format!("{left}\n")).collect()
}

fn float(number: f64) -> Value {
    Value::float(number).unwrap()
}

/// The registers of a number whose bytes, from the highest on, stand in this order on the wire.
fn wire(high_first: &[u8], order: &[usize]) -> Vec<u16> {
    let bytes: Vec<u8> = order.iter().map(|at| high_first[*at]).collect();
    bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect()
}

const ABCD: [usize; 4] = [0, 1, 2, 3];
const CDAB: [usize; 4] = [2, 3, 0, 1];
const BADC: [usize; 4] = [1, 0, 3, 2];
const DCBA: [usize; 4] = [3, 2, 1, 0];

#[test]
fn thingsboard_slaves_are_read_as_there() {
    let taken = taken(From::ThingsBoard, &["thingsboard.json"]);
    let of = |name: &str, registers: &[u16]| taken.decoded("default/boiler-house-1", name, registers);
    assert_eq!(taken.link("default/boiler-house-1"), "tcp 10.20.0.5:502 unit 3 2s");
    assert_eq!(taken.link("default/meter-7"), "rtu /dev/ttyUSB0 9600 8E1 unit 7 1s");
    assert_eq!(of("flow_temp__C", &[3]), ("input 0".into(), float(0.3)), "three tenths, without dust");
    let energy = wire(&123_456u32.to_be_bytes(), &CDAB);
    assert_eq!(of("energy", &energy), ("holding 20".into(), float(1234.56)));
    assert_eq!(of("power", &wire(&1.5f32.to_be_bytes(), &CDAB)).1, float(1.5));
    let total = wire(&(-5i64).wrapping_mul(1 << 40).to_be_bytes(), &[7, 6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(of("total", &total).1, Value::Int((-5i64).wrapping_mul(1 << 40)));
    assert_eq!(of("alarm", &[1 << 3]).1, Value::Bool(true));
    assert_eq!(of("zone", &[0x2A01]).1, Value::Int(42), "the first byte, whatever the order");
    assert_eq!(of("firmware", &[0x5631, 0x2E32, 0, 0]).1, Value::String("V1.2".into()));
    assert_eq!(of("mode", &[1]).1, Value::String("heat".into()));
    assert_eq!(of("cell_70", &[7]).0, "input 70");
    assert_eq!(of("middle_cell", &[7]).0, "input 72");
    let relay = taken.property("default/boiler-house-1", "relay");
    assert_eq!(relay.definition.access, Access::ReadWrite);
    assert_eq!(relay.every.unwrap().as_secs(), 5);
    assert_eq!(relay.report.max_silence.unwrap().as_secs(), 60);
    let setpoint = taken.property("default/boiler-house-1", "setSetpoint");
    assert_eq!((setpoint.definition.access, setpoint.every), (Access::Write, None));
    taken.left(&[
        "(slave): the gateway as a Modbus server",
        "timeseries[8].objectsCount): several bits as one value",
        "timeseries[9].type): `16float` of 1 registers",
        "master.slaves[0]): no counterpart here: retries, retryOnEmpty",
        "master.slaves[2].type): a connection of type `udp`",
    ]);
}

#[test]
fn the_older_form_of_thingsboard_is_read_too() {
    let taken = taken(From::ThingsBoard, &["thingsboard_old.json"]);
    assert_eq!(taken.link("default/sensor-two"), "tcp 10.20.1.1:5021 unit 2 3s");
    let pressure = wire(&2.25f64.to_be_bytes(), &[0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(taken.decoded("default/sensor-two", "pressure", &pressure), ("input 8".into(), float(2.25)));
    assert_eq!(taken.property("default/sensor-two", "pressure").every.unwrap().as_secs(), 2);
    taken.left(&["attributesPollPeriod"]);
}

#[test]
fn telegraf_is_read_in_its_three_styles() {
    let taken = taken(From::Telegraf, &["telegraf.toml"]);
    let hall = |name: &str, registers: &[u16]| taken.decoded("default/pump-hall", name, registers);
    assert_eq!(taken.link("default/pump-hall"), "tcp 10.30.0.2:502 unit 4 1.5s");
    assert_eq!(hall("power_factor", &[0xFFF6]), ("holding 8".into(), float(-0.1)));
    assert_eq!(hall("energy", &wire(&70_000u32.to_be_bytes(), &CDAB)).1, Value::Int(70_000));
    assert_eq!(hall("pressure", &wire(&1.25f32.to_be_bytes(), &BADC)).1, float(1.25));
    let volume = wire(&(-7i64).to_be_bytes(), &[7, 6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(hall("volume", &volume).1, Value::Int(-7));
    assert_eq!(hall("level", &[0xF6FF]), ("input 0".into(), float(-1.0)));
    assert_eq!(taken.property("default/pump-hall", "run").every.unwrap().as_secs(), 10);
    let line = |name: &str, registers: &[u16]| taken.decoded("default/line-1", name, registers);
    assert_eq!(taken.link("default/line-1"), "rtu /dev/ttyUSB1 38400 8N1 unit 1 1s");
    assert_eq!(taken.link("default/line-2"), "rtu /dev/ttyUSB1 38400 8N1 unit 2 1s");
    assert_eq!(line("voltage", &[(-30i16 as u16).swap_bytes()]).1, float(-3.0));
    assert_eq!(line("current", &wire(&2_000i32.to_be_bytes(), &DCBA)).1, float(2.0));
    assert_eq!(line("energy", &wire(&0.5f32.to_be_bytes(), &DCBA)).1, float(0.5));
    assert_eq!(taken.device("default/line-1").definition.labels["machine"], "press");
    assert_eq!(taken.property("default/line-2", "door").every.unwrap().as_secs(), 2);
    let plc = |name: &str, registers: &[u16]| taken.decoded("default/plc", name, registers);
    assert_eq!(taken.link("default/plc"), "rtu_over_tcp 10.30.0.3:502 unit 9 1s");
    assert_eq!(plc("speed", &wire(&1_500i32.to_be_bytes(), &CDAB)).1, float(1.5));
    assert_eq!(plc("ready", &[1 << 4]), ("holding 3".into(), Value::Bool(true)));
    assert_eq!(plc("temp", &[0x0AFE]).1, Value::Int(-2));
    assert_eq!(plc("label", &[0x4142, 0x4300, 0, 0]).1, Value::String("ABC".into()));
    taken.left(&[
        "holding_registers[4].address): a list of one to four addresses in a row",
        "workarounds): no counterpart here: one_request_per_field",
        "inputs.modbus[0]): no counterpart here: busy_retries",
        "fields[4].type): `FLOAT16` is not read here",
    ]);
}

#[test]
fn neuron_tags_are_read_as_there() {
    let taken = taken(From::Neuron, &["boiler.csv", "boiler.json"]);
    let of = |name: &str, registers: &[u16]| taken.decoded("default/boiler-1", name, registers);
    assert_eq!(taken.link("default/boiler-1"), "tcp 10.40.0.7:502 unit 1 3s");
    assert_eq!(taken.link("default/boiler-2"), "tcp 10.40.0.7:502 unit 2 3s");
    assert_eq!(of("temp", &[215]), ("holding 0".into(), float(21.5)));
    assert_eq!(of("power", &wire(&1.128f32.to_be_bytes(), &ABCD)).1, float(1.13));
    assert_eq!(of("energy", &wire(&70_000u32.to_be_bytes(), &CDAB)).1, Value::Int(70_000));
    assert_eq!(of("volume", &wire(&70_000u32.to_be_bytes(), &DCBA)).1, Value::Int(70_000));
    assert_eq!(of("mass", &wire(&70_000u32.to_be_bytes(), &BADC)).1, float(69_995.0));
    assert_eq!(of("alarm", &[1 << 7]), ("input 3".into(), Value::Bool(true)));
    assert_eq!(of("name", &[0x4241, 0x0043, 0, 0]).1, Value::String("ABC".into()));
    assert_eq!(of("slow/temp", &[0x0100]), ("holding 19".into(), Value::Int(1)));
    assert_eq!(taken.property("default/boiler-1", "pump").definition.access, Access::ReadWrite);
    assert_eq!(taken.property("default/boiler-1", "temp").every.unwrap().as_millis(), 500);
    assert!(taken.imported.yaml.contains("# look: #BB: older manuals"), "{}", taken.imported.yaml);
    taken.left(&[
        "boiler.json (params.max_retries)",
        "boiler.csv: row 12, column address: odd: a text with one byte in each register",
        "boiler.csv: row 13, column attribute: a static tag",
    ]);
}

#[test]
fn neuron_tags_without_a_node_become_a_model() {
    let taken = taken(From::Neuron, &["boiler.csv"]);
    assert!(taken.devices.is_empty());
    assert!(taken.imported.yaml.contains("models:\n  boiler-1:\n"), "{}", taken.imported.yaml);
    assert!(taken.imported.left[0].what.starts_with("nothing says how the device is reached"));
}

#[test]
fn edgex_profiles_become_models_and_their_devices_stay_devices() {
    let taken = taken(From::EdgeX, &["profile.yml", "devices.yaml"]);
    let of = |name: &str, registers: &[u16]| taken.decoded("default/chiller-1", name, registers);
    assert_eq!(taken.link("default/chiller-1"), "tcp 10.50.0.1:1502 unit 1 5s");
    assert_eq!(taken.link("default/chiller-2"), "rtu /dev/ttyS3 19200 8N1 unit 9 1s");
    assert_eq!(taken.device("default/chiller-1").definition.model.as_deref(), Some("chiller-profile"));
    assert_eq!(of("Mode", &[3]), ("holding 1".into(), Value::Int(3)));
    assert_eq!(of("Fault", &[1 << 10]), ("holding 10".into(), Value::Bool(true)));
    assert_eq!(of("Room_temperature", &[0xFF38]), ("input 3".into(), float(-20.0)));
    assert_eq!(of("Energy", &wire(&70_000u32.to_be_bytes(), &CDAB)).1, Value::Int(70_000));
    assert_eq!(of("Power", &wire(&2.5f32.to_be_bytes(), &DCBA)).1, float(2.5));
    assert_eq!(of("Serial", &[0x4142, 0, 0, 0]).1, Value::String("AB".into()));
    let room = taken.property("default/chiller-2", "Room_temperature");
    assert_eq!(room.definition.unit.as_deref(), Some("°C"));
    assert_eq!((room.every.unwrap().as_secs(), room.report.max_silence.unwrap().as_secs()), (20, 20));
    let power = taken.property("default/chiller-1", "Power");
    assert_eq!((power.every.unwrap().as_secs(), power.report.deadband), (2, 0.5));
    assert_eq!(taken.property("default/chiller-1", "Switch").definition.access, Access::ReadWrite);
    taken.left(&[
        "(deviceResources[0].properties): no counterpart here: defaultValue",
        "(deviceResources[7].properties.mask): no counterpart",
        "mappings): names of values",
        "deviceList[2].profileName): its profile `Unknown-Profile`",
    ]);
}

#[test]
fn an_edgex_profile_alone_is_a_model() {
    let taken = taken(From::EdgeX, &["profile.yml"]);
    assert!(taken.imported.yaml.contains("models:\n  chiller-profile:\n    description: A chiller\n"));
}

#[test]
fn kubeedge_devices_are_read_as_its_mappers_do() {
    let taken = taken(From::KubeEdge, &["kubeedge.yaml"]);
    let of = |name: &str, registers: &[u16]| taken.decoded("hall/tank-1", name, registers);
    assert_eq!(taken.link("hall/tank-1"), "tcp 10.60.0.3:1502 unit 2 1s");
    assert_eq!(of("temperature", &wire(&21.5f32.to_be_bytes(), &DCBA)), ("input 2".into(), float(21.5)));
    assert_eq!(of("level", &wire(&70_000u32.to_be_bytes(), &CDAB)), ("holding 4".into(), Value::Int(70_000)));
    assert_eq!(of("mass", &[215]), ("holding 8".into(), float(21.5)));
    let temperature = taken.property("hall/tank-1", "temperature");
    assert_eq!(temperature.definition.range.map(|r| (r.min, r.max)), Some((1.0, 100.0)));
    assert_eq!(temperature.every.unwrap().as_secs(), 10);
    let level = taken.property("hall/tank-1", "level");
    assert_eq!((level.definition.access, level.every.unwrap().as_secs()), (Access::ReadWrite, 2));
    assert_eq!(taken.property("hall/tank-1", "valve").definition.value_type, ValueType::Bool);
    assert_eq!(taken.device("hall/tank-1").definition.labels["node"], "edge-1");
    taken.left(&[
        "`devices.kubeedge.io/v1alpha2` is not",
        "properties[1].desired): a wanted value",
        "no counterpart here: pushMethod",
        "properties[4].visitors.configData.limit): a value of type `stream`",
        "the protocol `bluetooth` is not taken over",
    ]);
}

#[test]
fn a_file_that_is_not_one_of_the_gateway_is_unreadable() {
    for from in From::ALL {
        for text in ["", "{", "hello", "[1, 2]", "a: 1"] {
            let read = import(from, &[Source::new("x", text)]);
            assert!(read.is_err(), "{from} took {text:?}");
        }
    }
}
