//! What a right configuration becomes, and what is never shown of it.

mod common;

use std::time::Duration;

use common::{Link, Point, protocols, read, secrets};
use config::{Config, Mqtt, Source, load};
use twin_core::{Access, DeviceId, PropertyName, Range, Value};

const EXAMPLE: &str = include_str!("common/plant.yaml");

fn config(text: &str) -> Config {
    read(&[("plant.yaml", text)]).unwrap_or_else(|faults| panic!("{faults}")).config
}

fn id(text: &str) -> DeviceId {
    text.parse().expect("a good name")
}

fn name(text: &str) -> PropertyName {
    text.parse().expect("a good name")
}

#[test]
fn the_shortest_configuration_gets_every_default() {
    let loaded = read(&[("plant.yaml", "gateway: {node: plant-7}\n")]).unwrap();
    let gateway = &loaded.config.gateway;
    assert_eq!(gateway.data_dir.to_str(), Some("./data"));
    let Mqtt::Embedded(broker) = &gateway.mqtt else { panic!("{:?}", gateway.mqtt) };
    assert_eq!(broker.listen.to_string(), "127.0.0.1:1883");
    assert_eq!(gateway.cloud, None);
    assert_eq!(gateway.api.listen.to_string(), "127.0.0.1:7480");
    assert_eq!(gateway.log.level.word(), "info");
    assert_eq!(gateway.shutdown_grace, Duration::from_secs(10));
    assert_eq!(loaded.warnings.len(), 1, "no devices is allowed, and said");
}

#[test]
fn the_example_is_right_and_holds_what_it_says() {
    let loaded = read(&[("plant.yaml", EXAMPLE)]).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(loaded.warnings, []);
    let device = &loaded.config.devices[&id("pump-1")];
    assert_eq!(device.protocol.as_deref(), Some("modbus"));
    assert_eq!(device.definition.protocol, "modbus");
    assert_eq!(device.definition.model.as_deref(), Some("pump"));
    assert_eq!(device.definition.labels["line"], "a");
    assert_eq!(device.link::<Link>().unwrap().tcp.as_deref(), Some("127.0.0.1:502"));
    assert!(device.link::<Point>().is_none(), "a link is not a point");
    let pressure = &device.properties[&name("pressure")];
    assert_eq!(pressure.point::<Point>(), Some(&Point::Input(0)));
    assert_eq!(pressure.definition.range, Some(Range { min: 0.0, max: 16.0 }));
    assert_eq!(pressure.every, Some(Duration::from_secs(1)));
    let half_of_stale_after = Duration::from_secs(5);
    assert_eq!(
        pressure.report.max_silence,
        Some(half_of_stale_after),
        "it never gets stale by standing still"
    );
    let mode = &device.properties[&name("mode")];
    assert_eq!(mode.definition.access, Access::ReadWrite);
    assert_eq!(mode.definition.one_of, [Value::Int(0), Value::Int(1), Value::Int(2)]);
}

#[test]
fn a_property_of_the_device_stands_before_that_of_the_model() {
    let text = "gateway: {node: a}\nmodels:\n  m: {description: of the model, properties: {x: {type: int, unit: bar}, y: {type: int}}}\n\
                devices:\n  d: {model: m, properties: {x: {type: float}}}\n  e: {model: m, description: own}\n";
    let config = config(text);
    let device = &config.devices[&id("d")];
    assert_eq!(device.properties.len(), 2);
    assert_eq!(device.definition.properties[&name("x")].unit, None, "the whole property is replaced");
    assert_eq!(device.definition.description.as_deref(), Some("of the model"));
    assert_eq!(config.devices[&id("e")].definition.description.as_deref(), Some("own"));
}

#[test]
fn what_is_only_written_is_never_polled() {
    let config = config("gateway: {node: a}\ndevices: {d: {properties: {x: {type: int, access: write}}}}\n");
    assert_eq!(config.devices[&id("d")].properties[&name("x")].every, None);
}

#[test]
fn two_ways_to_write_the_same_are_equal_and_another_value_is_not() {
    let point = |point: &str| {
        config(&format!(
            "gateway: {{node: a}}\ndevices:\n  d:\n    modbus: {{tcp: h}}\n    properties:\n      x:\n        type: int\n        modbus: {point}\n"
        ))
    };
    let plain = point("{holding: {at: 3}}");
    assert_eq!(plain, point("\n          holding:\n            order: abcd\n            at: 0x3\n"));
    assert_ne!(plain, point("{holding: {at: 4}}"));
}

#[test]
fn aliases_stand_for_what_they_name() {
    let text = "gateway: {node: a}\ndevices:\n  d:\n    properties:\n      x: &x {type: int}\n      y: *x\n";
    assert_eq!(config(text).devices[&id("d")].properties.len(), 2);
}

#[test]
fn several_files_are_one_configuration() {
    let one = ("a.yaml", "gateway: {node: a}\ndevices: {x: {properties: {p: {type: int}}}}\n");
    let two = ("b.yaml", "gateway: {data_dir: /var/lib/x}\ndevices: {y: {properties: {p: {type: int}}}}\n");
    let config = read(&[one, two]).unwrap().config;
    assert_eq!(config.devices.len(), 2);
    assert_eq!(config.gateway.data_dir.to_str(), Some("/var/lib/x"));
}

#[test]
fn a_key_in_two_files_is_a_fault_that_names_both_places() {
    let one = ("a.yaml", "gateway: {node: a}\ndevices: {x: {}}\n");
    let two = ("b.yaml", "gateway: {node: b}\ndevices:\n  x: {}\n");
    let faults = read(&[one, two]).unwrap_err();
    let shown = faults.to_string();
    assert_eq!(faults.faults.len(), 2, "{shown}");
    assert!(shown.contains("b.yaml:1:11 (gateway.node)"), "{shown}");
    assert!(shown.contains("the other one: a.yaml:1:11"), "{shown}");
    assert!(shown.contains("b.yaml:3:3 (devices.x)"), "{shown}");
    assert!(shown.ends_with("2 faults in b.yaml"), "{shown}");
}

#[test]
fn several_faults_in_one_file_all_come_out_in_its_order() {
    let text = "\
gateway:
  node: Plant
  api: {listen: nowhere}
  logs: {}
devices:
  pump-1:
    modle: pump
    modbus: {tcp: h, unit: 300, keep_open: on}
    properties:
      speed: {type: flot, every: 5}
      level: {type: float, range: [1, 0], report: {deadbnd: 1}}
";
    let faults = read(&[("plant.yaml", text)]).unwrap_err();
    let places = faults.faults.iter().map(|f| (f.place.line, f.path.as_str())).collect::<Vec<_>>();
    assert_eq!(
        places,
        [
            (2, "gateway.node"),
            (3, "gateway.api.listen"),
            (4, "gateway.logs"),
            (7, "devices.pump-1.modle"),
            (8, "devices.pump-1.modbus.unit"),
            (8, "devices.pump-1.modbus.keep_open"),
            (10, "devices.pump-1.properties.speed.type"),
            (10, "devices.pump-1.properties.speed.every"),
            (11, "devices.pump-1.properties.level"),
            (11, "devices.pump-1.properties.level.range"),
            (11, "devices.pump-1.properties.level.report.deadbnd"),
        ],
        "{faults}"
    );
}

#[test]
fn a_fault_is_shown_with_its_line_underlined_and_a_mend() {
    let text = "gateway: {node: a}\ndevices:\n  größe-1: {}\n  pump:\n    modle: x\n";
    let faults = read(&[("plant.yaml", text)]).unwrap_err();
    let shown = faults.faults[1].to_string();
    let expected = "\
fault: the key `modle` is not known here
 --> plant.yaml:5:5 (devices.pump.modle)
  |
5 |     modle: x
  |     ^^^^^
  = hint: did you mean `model`?
";
    assert_eq!(shown, expected);
    let coloured = faults.render(true);
    assert!(coloured.contains("\x1b[1;31m^^^^^^^\x1b[0m"), "{coloured:?}");
}

#[test]
fn control_characters_of_the_file_do_not_reach_the_terminal() {
    let text = "gateway: {node: \"a\\e[2J\", x\u{85}y: 1}\n";
    let shown = read(&[("plant.yaml", text)]).unwrap_err().to_string();
    assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
}

#[test]
fn references_are_read_and_never_shown() {
    let text = "gateway:\n  node: a\n  api: {listen: '${env:LISTEN}'}\n  cloud: {url: 'wss://c', token: '${file:/secret}'}\n\
                devices:\n  d:\n    modbus: {tcp: h, key: '${file:/secret}'}\n    properties: {x: {type: int, modbus: {input: 1}}}\n";
    let loaded = read(&[("plant.yaml", text)]).unwrap();
    assert_eq!(loaded.warnings, []);
    let gateway = &loaded.config.gateway;
    assert_eq!(gateway.api.listen.to_string(), "127.0.0.1:9");
    assert_eq!(gateway.cloud.as_ref().unwrap().token.as_ref().unwrap().expose(), "hush");
    assert_eq!(
        loaded.config.devices[&id("d")].link::<Link>().unwrap().key.as_ref().unwrap().expose(),
        "hush"
    );
    assert!(!format!("{loaded:?}").contains("hush"));
}

#[test]
fn a_secret_in_the_file_itself_is_taken_with_a_warning_and_never_shown() {
    let text = "gateway:\n  node: a\n  mqtt:\n    external:\n      url: mqtt://broker\n      username: u\n      password: hush\n\
                devices:\n  d:\n    modbus: {tcp: h, key: hush}\n    properties: {x: {type: int, modbus: {input: 1}}}\n";
    let loaded = read(&[("plant.yaml", text)]).unwrap();
    let shown = loaded.warnings.iter().map(|warning| warning.render("warning", false)).collect::<String>();
    assert_eq!(loaded.warnings.len(), 3, "{shown}");
    assert!(shown.contains("warning: a secret stands in the file itself"), "{shown}");
    assert!(shown.contains("7 |       password: ****\n"), "{shown}");
    assert!(shown.contains("key: ****}"), "{shown}");
    assert!(!shown.contains("hush") && !format!("{loaded:?}").contains("hush"), "{shown}");
}

#[test]
fn no_fault_shows_a_secret_that_stands_on_its_line() {
    for line in [
        "  mqtt: {external: {urll: x, password: hush}}",
        "  mqtt: {external: {url: 'mqtt://u:hush@h'}}",
        "  cloud: {url: ws://far, token: hush}",
        "  cloud: {token: hush, token: hush}",
        "  mqtt: {external: {urll: 'mqtt://u:x@h', password: hush}}",
        "  cloud: {ur: x, password: '${env:LISTEN}', token: hush}",
        "  mqtt: {external: {url: x, password: [hush}",
        "  password: \"hush",
    ] {
        let text = format!("devices: {{}}\ngateway:\n  node: a\n{line}\n");
        let shown = read(&[("plant.yaml", &text)]).unwrap_err().to_string();
        assert!(!shown.contains("hush"), "{shown}");
    }
}

#[test]
fn the_line_of_a_very_long_file_is_cut() {
    let text = format!("gateway: {{node: a, {}: 1}}\n", "x".repeat(100_000));
    let shown = read(&[("plant.yaml", &text)]).unwrap_err().to_string();
    assert!(shown.len() < 2_000, "{} bytes", shown.len());
}

#[test]
fn more_faults_than_are_kept_are_counted() {
    let devices = (0..1500).map(|n| format!("  D{n}: {{}}\n")).collect::<String>();
    let faults = read(&[("plant.yaml", &format!("gateway: {{node: a}}\ndevices:\n{devices}"))]).unwrap_err();
    assert_eq!((faults.faults.len(), faults.left_out), (1000, 500));
    assert!(faults.to_string().ends_with("1500 faults in plant.yaml, 500 of them not shown"));
}

#[test]
fn a_text_that_is_too_long_is_refused_before_it_is_read() {
    let text = " ".repeat(Source::MAX_BYTES + 1);
    let faults = load(&[Source::new("big.yaml", text)], &protocols(), &secrets).unwrap_err();
    assert_eq!(faults.faults[0].message, "the file is longer than 16 MiB");
}

#[test]
fn a_file_that_is_not_utf_8_is_refused_with_the_place() {
    let faults = Source::from_bytes("plant.yaml", b"gateway:\n  node: gr\xf6sse\n".to_vec()).unwrap_err();
    assert_eq!(faults.faults[0].place.to_string(), "plant.yaml:2:11");
    assert!(Source::from_bytes("plant.yaml", "größe".into()).is_ok());
}

#[test]
fn faults_in_one_very_long_line_are_counted_and_shown_cut() {
    let devices = (0..200_000).map(|n| format!("D{n}: {{}}, ")).collect::<String>();
    let faults =
        read(&[("plant.yaml", &format!("{{gateway: {{node: a}}, devices: {{{devices}}}}}"))]).unwrap_err();
    assert_eq!(faults.faults.len() + faults.left_out, 200_000);
    assert!(faults.to_string().len() < 1_000_000);
}

#[test]
fn no_file_at_all_is_a_fault_and_not_a_panic() {
    let faults = read(&[]).unwrap_err();
    assert_eq!(faults.faults[0].message, "there is no `gateway`");
    assert!(faults.to_string().ends_with("1 fault"));
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_do_not_move_the_place() {
    let faults =
        read(&[("plant.yaml", "\u{feff}gateway:\r\n  node: a\r\n  é: 1\r\n  nod: b\r\n")]).unwrap_err();
    let shown = faults.to_string();
    assert_eq!(faults.faults.iter().map(|f| f.place.line).collect::<Vec<_>>(), [3, 4], "{shown}");
    assert!(shown.contains("3 |   é: 1\n  |   ^\n"), "{shown}");
    assert!(shown.contains("4 |   nod: b\n  |   ^^^\n"), "{shown}");
}

#[test]
fn a_check_without_secrets_takes_every_reference_for_right_and_finds_the_other_faults() {
    let text = "gateway:\n  node: a\n  api: {listen: '${env:NOBODY}'}\n  cloud: {url: 'wss://${env:NOBODY}', token: '${file:/nobody}'}\n\
                \x20 mqtt: {external: {url: '${env:NOBODY}', username: '${env:NOBODY}', password: p}}\n\
                devices:\n  d:\n    modbus:\n      tcp: '${env:NOBODY}:502'\n      unit: ${env:NOBODY}\n    properties: {x: {type: int, modbus: {input: 1}}}\n";
    let check = |text: &str| config::Loader::new(&protocols()).check(&[Source::new("plant.yaml", text)]);
    let checked = check(text).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!((checked.unread, checked.devices.len()), (7, 1));
    assert_eq!(checked.devices[&id("d")].link, None, "a link that is not known is not made up");
    let faults =
        check(&text.replace("unit:", "unt:").replace("${env:NOBODY}:502", "${evn:NOBODY}")).unwrap_err();
    let messages = faults.faults.iter().map(|fault| fault.message.as_str()).collect::<Vec<_>>();
    assert_eq!(messages, ["this is not a reference to a secret", "the key `unt` is not known here"]);
}
