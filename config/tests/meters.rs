//! Models with parameters, and devices from tables.

mod common;

use common::{Link, Point, protocols, secrets};
use config::{DeviceConfig, Faults, Loaded, Loader, Source};

const MODEL: &str = "\
gateway: {node: a}
models:
  meter:
    description: Meter at $(host), unit $(unit)
    parameters:
      host: {type: string}
      unit: {type: int, range: [1, 247]}
      base: {type: int, default: 0}
      period: {type: string, default: 1s}
      offset_ok: {type: bool, default: false}
    modbus: {tcp: $(host):502, unit: $(unit), keep_open: $(offset_ok)}
    properties:
      energy: {type: float, every: $(period), modbus: {holding: {at: $(base + 10), scale: 0.1}}}
      power: {type: float, modbus: {input: $(base)}}
      serial: {type: string, description: $$(base) of $(unit), modbus: {holding: {at: 7}}}
";

/// Loads a text with tables that are given by name.
fn load(text: &str, tables: &[(&str, &str)]) -> Result<Loaded, Faults> {
    let read = |file: &str, named_in: &str| {
        assert_eq!(named_in, "plant.yaml");
        let table = tables.iter().find(|(name, _)| *name == file).ok_or("no such file")?;
        Ok((format!("tables/{file}"), table.1.as_bytes().to_vec()))
    };
    Loader::new(&protocols()).tables(&read).load(&[Source::new("plant.yaml", text)], &secrets)
}

fn right(text: &str, tables: &[(&str, &str)]) -> Loaded {
    load(text, tables).unwrap_or_else(|faults| panic!("{faults}"))
}

fn device<'a>(loaded: &'a Loaded, id: &str) -> &'a DeviceConfig {
    &loaded.config.devices[&id.parse().expect("a name")]
}

fn point(device: &DeviceConfig, name: &str) -> Point {
    let property = &device.properties[&name.parse().expect("a name")];
    property.point::<Point>().expect("a point of Modbus").clone()
}

/// `place path | message | hint | related`, one line a fault.
fn faults(text: &str, tables: &[(&str, &str)]) -> String {
    match load(text, tables) {
        Ok(_) => "all well".into(),
        Err(faults) => {
            let line = |fault: &config::Fault| {
                let hint = fault.hint.as_deref().unwrap_or("-");
                let related = fault.related.as_ref().map_or("-".into(), |(at, what)| format!("{what}: {at}"));
                format!("{} {} | {} | {hint} | {related}", fault.place, fault.path, fault.message)
            };
            faults.faults.iter().map(line).collect::<Vec<_>>().join("\n")
        }
    }
}

#[test]
fn a_device_puts_its_values_into_its_model() {
    let text = format!(
        "{MODEL}devices:\n  one: {{model: meter, with: {{host: h, unit: 0x10, base: 100, period: 5s}}}}\n  \
         two: {{model: meter, with: {{host: i, unit: 2, offset_ok: true}}, modbus: {{tcp: own}}}}\n"
    );
    let loaded = right(&text, &[]);
    assert_eq!(loaded.warnings, []);
    let one = device(&loaded, "one");
    let link = one.link::<Link>().unwrap();
    assert_eq!((link.tcp.as_deref(), link.unit, link.keep_open), (Some("h:502"), 16, false));
    assert_eq!(one.definition.description.as_deref(), Some("Meter at h, unit 16"));
    assert_eq!(one.definition.protocol, "modbus");
    assert!(matches!(point(one, "energy"), Point::Holding(register) if register.at == 110));
    assert_eq!(point(one, "power"), Point::Input(100));
    let serial = &one.properties[&"serial".parse().unwrap()];
    assert_eq!(serial.definition.description.as_deref(), Some("$(base) of 16"));
    assert_eq!(one.properties[&"energy".parse().unwrap()].every, Some(std::time::Duration::from_secs(5)));
    let two = device(&loaded, "two");
    assert_eq!(
        two.link::<Link>().unwrap().tcp.as_deref(),
        Some("own"),
        "its own link stands before the model's"
    );
    assert_eq!(point(two, "power"), Point::Input(0));
}

#[test]
fn a_number_that_is_given_as_a_text_stays_a_text() {
    let text = "gateway: {node: a}\nmodels: {m: {parameters: {n: {type: string}}, properties: {x: {type: int, description: $(n)}}}}\n\
                devices: {d: {model: m, with: {n: 0017}}}\n";
    let loaded = right(text, &[]);
    let property = &device(&loaded, "d").properties[&"x".parse().unwrap()];
    assert_eq!(property.definition.description.as_deref(), Some("0017"));
}

#[test]
fn what_is_wrong_in_a_model_is_said_once_and_what_comes_from_a_value_names_both_places() {
    let text = format!(
        "{MODEL}devices:\n  one: {{model: meter, with: {{host: h, unit: 300, base: x}}}}\n  \
         two: {{model: meter, with: {{unit: 2, bse: 1}}}}\n  three: {{model: meter, with: {{host: h, unit: 1, base: 65530, period: 1}}}}\n"
    );
    assert_eq!(
        faults(&text, &[]),
        "plant.yaml:13:36 models.meter.properties.energy.every | `1` is not a duration | write a number and a unit: 250ms, 1s, 5m, 24h or 30d | with this value: plant.yaml:19:71\n\
         plant.yaml:13:70 models.meter.properties.energy.modbus.holding.at | a whole number from 0 to 65535 is wanted here, not `65540` | - | with this value: plant.yaml:19:56\n\
         plant.yaml:17:45 devices.one.with.unit | 300 is not between 1 and 247 | the model says so | the parameter: plant.yaml:7:7\n\
         plant.yaml:17:56 devices.one.with.base | a whole number is wanted here, not `x` | - | -\n\
         plant.yaml:18:23 devices.two | the model `meter` wants a value for `host` | write it below `with:` | the parameter: plant.yaml:6:7\n\
         plant.yaml:18:39 devices.two.with.bse | `meter` has no parameter `bse` | did you mean `base`? | -"
    );
    let text = "gateway: {node: a}\nmodels:\n  m:\n    parameters: {a: {type: string}, B: {type: int}, c: {type: flot}, d: {type: bool, range: [0, 1]}}\n    \
                properties:\n      x: {type: int, unit: $(b), evry: $(a), description: $(a+1)}\n      y: {type: int, unit: $(a}\n\
                devices:\n  d: {model: m, with: {a: 1}}\n  e: {model: m, with: {a: 2}}\n  f: {with: {a: 1}}\n";
    assert_eq!(
        faults(text, &[]),
        "plant.yaml:4:37 models.m.parameters.B | `B` is not a name for a parameter | use 1 to 63 of a-z, 0-9 and `_`, beginning with a letter | -\n\
         plant.yaml:4:63 models.m.parameters.c.type | `bool`, `int`, `float` or `string` is wanted here, not `flot` | did you mean `float`? | -\n\
         plant.yaml:4:93 models.m.parameters.d.range | a range is for numbers | - | -\n\
         plant.yaml:6:28 models.m.properties.x.unit | the model has no parameter `b` | did you mean $(B)? | -\n\
         plant.yaml:6:34 models.m.properties.x.evry | the key `evry` is not known here | did you mean `every`? | -\n\
         plant.yaml:6:59 models.m.properties.x.description | `a` is not a whole number, so nothing can be added to it | write `type: int` at the parameter | -\n\
         plant.yaml:7:28 models.m.properties.y.unit | this is not a placeholder of a parameter | write $(name) or $(name+10); $$( stands for $( itself | -\n\
         plant.yaml:9:17 devices.d | the model `m` wants a value for `B` | write it below `with:` | the parameter: plant.yaml:4:37\n\
         plant.yaml:9:17 devices.d | the model `m` wants a value for `d` | write it below `with:` | the parameter: plant.yaml:4:70\n\
         plant.yaml:10:17 devices.e | the model `m` wants a value for `B` | write it below `with:` | the parameter: plant.yaml:4:37\n\
         plant.yaml:10:17 devices.e | the model `m` wants a value for `d` | write it below `with:` | the parameter: plant.yaml:4:70\n\
         plant.yaml:11:7 devices.f.with | `with` is for the parameters of a model | write `model: NAME`, or remove the key | -"
    );
}

#[test]
fn one_table_makes_three_hundred_devices() {
    let mut table = "\u{feff}name;host;unit;base;labels.hall;description;#remark\r\n".to_owned();
    for n in 1..=300 {
        table += &format!(
            "meter-{n};10.0.0.{};{};{};h{};\"Meter; {n}\";\r\n",
            n % 250,
            n % 247 + 1,
            n * 10,
            n % 3
        );
    }
    let text = format!(
        "{MODEL}devices_from: {{file: meters.csv, model: meter, labels: {{site: x}}, with: {{offset_ok: true}}}}\n"
    );
    let loaded = right(&text, &[("meters.csv", &table)]);
    assert_eq!((loaded.config.devices.len(), loaded.warnings.len()), (300, 0));
    let device = device(&loaded, "meter-17");
    let link = device.link::<Link>().unwrap();
    assert_eq!((link.tcp.as_deref(), link.unit, link.keep_open), (Some("10.0.0.17:502"), 18, true));
    assert_eq!(point(device, "power"), Point::Input(170));
    assert_eq!(device.definition.description.as_deref(), Some("Meter; 17"));
    assert_eq!(device.definition.labels["hall"], "h2");
    assert_eq!(device.definition.labels["site"], "x");
    assert_eq!(device.definition.model.as_deref(), Some("meter"));
}

#[test]
fn several_tables_and_written_devices_are_one_configuration() {
    let text = format!(
        "{MODEL}devices:\n  hand: {{model: meter, with: {{host: h, unit: 1}}}}\n\
         devices_from:\n  - {{file: a.csv, model: meter, name: \"hall-a/m-$(id+1)\", with: {{host: a}}}}\n  - {{file: b.csv, model: meter}}\n"
    );
    let loaded =
        right(&text, &[("a.csv", "id,unit\n1,7\n\n2,8\n"), ("b.csv", "name\tunit\thost\nm-1\t9\tb\n")]);
    let ids = loaded.config.devices.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(ids, ["default/hand", "default/m-1", "hall-a/m-2", "hall-a/m-3"]);
}

#[test]
fn a_device_from_a_table_equals_the_same_device_written_out() {
    let table = right(
        &format!("{MODEL}devices_from: {{file: m.csv, model: meter}}\n"),
        &[("m.csv", "name,host,unit,base,period\nd,h,3,,5s\n")],
    );
    let written = right(
        &format!("{MODEL}devices: {{d: {{model: meter, with: {{host: h, unit: 3, period: 5s}}}}}}\n"),
        &[],
    );
    assert_eq!(table.config, written.config);
}

#[test]
fn a_link_in_a_model_may_name_a_secret_for_each_device() {
    let text = "gateway: {node: a}\nmodels: {m: {parameters: {key: {type: string}}, modbus: {tcp: h, key: $(key)}, properties: {x: {type: int, modbus: {input: 1}}}}}\n\
                devices_from: {file: m.csv, model: m}\n";
    let loaded = right(text, &[("m.csv", "name,key\nd,${file:/secret}\n")]);
    assert_eq!(device(&loaded, "d").link::<Link>().unwrap().key.as_ref().unwrap().expose(), "hush");
    assert!(!format!("{loaded:?}").contains("hush"));
}

#[test]
fn faults_in_a_table_name_row_and_column() {
    let text = format!("{MODEL}devices: {{m-1: {{}}}}\ndevices_from: {{file: m.csv, model: meter}}\n");
    let table = "name,host,unit,base\nm-1,h,1,0\nM_2,h,1,0\nm-3,h,x,0\nm-4,h,300,0\nm-5,,1,0\nm-6,h,1,65530\nm-3,h,1,0,z\n,h,1,0\n\nm-9,h,1,\"0\n";
    assert_eq!(
        faults(&text, &[("m.csv", table)]),
        "plant.yaml:13:70 models.meter.properties.energy.modbus.holding.at | a whole number from 0 to 65535 is wanted here, not `65540` | - | with this value: tables/m.csv:7:9\n\
         tables/m.csv:2:1 row 2 | this device stands here a second time | remove one of the two | the first one: plant.yaml:16:11\n\
         tables/m.csv:3:1 row 3 | `M_2` is not a device name | use 1 to 63 of a-z, 0-9 and `-`, beginning and ending with a letter or digit | -\n\
         tables/m.csv:4:7 row 4, column unit | a whole number is wanted here, not `x` | - | -\n\
         tables/m.csv:5:7 row 5, column unit | 300 is not between 1 and 247 | the model says so | the parameter: plant.yaml:7:7\n\
         tables/m.csv:6:1 row 6 | the model `meter` wants a value for `host` | write it into its column, or give the parameter a default | the parameter: plant.yaml:6:7\n\
         tables/m.csv:8:1 row 8 | this device stands here a second time | remove one of the two | the first one: tables/m.csv:4:1\n\
         tables/m.csv:8:11 row 8 | this cell stands under none of the 4 columns | put a text that holds a comma or semicolon into quotes | -\n\
         tables/m.csv:9:1 row 9 | the column `name` is empty, which makes the name of the device | write something into it, or remove the row | -\n\
         tables/m.csv:11:9 row 11 | this quote is not closed | end the text with a quote; one inside it is written twice | -"
    );
}

#[test]
fn faults_of_a_whole_table_are_said_once() {
    let with = |rest: &str| format!("{MODEL}devices_from: {rest}\n");
    let header = "id,unt,host,host\n1,1,h,i\n2,2,h,i\n";
    for (rest, table, wanted) in [
        (
            "{file: none.csv, model: meter}",
            "",
            "plant.yaml:16:22 devices_from.file | the table `none.csv` cannot be read: no such file | the path begins at the folder of this file | -",
        ),
        (
            "{file: m.csv, model: metr}",
            "",
            "plant.yaml:16:36 devices_from.model | there is no model `metr` | did you mean `meter`? | -",
        ),
        (
            "{file: m.csv, model: meter}",
            "\n\n",
            "plant.yaml:16:22 devices_from.file | the table `m.csv` is empty | its first row names the parameters of the model | -",
        ),
        (
            "{fil: m.csv, model: meter}",
            "",
            "plant.yaml:16:16 devices_from.fil | the key `fil` is not known here | did you mean `file`? | -",
        ),
        (
            "hello",
            "",
            "plant.yaml:16:15 devices_from | a map is wanted here, not `hello` | known here: `file`, `model`, `name` or `labels` | -",
        ),
        (
            "{file: m.csv, model: meter}",
            header,
            "plant.yaml:16:1 devices_from | the table has no column `name`, which makes the names of devices | write `name: meter-$(COLUMN)`; the columns are `id`, `unt`, `host` or `host` | -\n\
          tables/m.csv:1:1 row 1, column id | `meter` has no parameter `id` | the parameters are `base`, `host`, `offset_ok`, `period` or `unit`; a column `#id` is passed over | -\n\
          tables/m.csv:1:4 row 1, column unt | `meter` has no parameter `unt` | did you mean `unit`?; a column `#unt` is passed over | -\n\
          tables/m.csv:1:13 row 1, column host | the column `host` stands here a second time | remove one of the two | the first one: tables/m.csv:1:8",
        ),
        (
            "{file: m.csv, model: meter, name: m-$(id, with: {bas: 1}}",
            header,
            "plant.yaml:16:49 devices_from.name | this is not a name with columns in it | write it like meter-$(id) | -\n\
          plant.yaml:16:64 devices_from.with | `meter` has no parameter `bas` | did you mean `base`? | -",
        ),
    ] {
        assert_eq!(faults(&with(rest), &[("m.csv", table)]), wanted, "{rest}");
    }
    let text = "gateway: {node: a}\nmodels: {m: {parameters: {a: {type: int}}, properties: {x: {type: int, modbus: {input: $(a)}}}}}\ndevices_from: {file: m.csv, model: m}\n";
    assert_eq!(
        faults(text, &[("m.csv", "name,a\nb,1\nc,1\n")]),
        "plant.yaml:3:36 devices_from.model | nothing says how devices of `m` are reached, but its properties live in `modbus` | write `modbus: ...` into the model, with placeholders | -"
    );
}

#[test]
fn a_table_that_is_not_utf_8_is_refused_with_the_place() {
    let read = |_: &str, _: &str| Ok(("m.csv".to_owned(), b"name,host\nm-1,gr\xf6n\n".to_vec()));
    let text = format!("{MODEL}devices_from: {{file: m.csv, model: meter}}\n");
    let faults =
        Loader::new(&protocols()).tables(&read).load(&[Source::new("a.yaml", text)], &secrets).unwrap_err();
    assert_eq!(faults.faults[0].place.to_string(), "m.csv:2:7");
    assert_eq!(faults.faults[0].message, "the table is not UTF-8 from here on");
}

#[test]
fn any_table_is_read_or_refused() {
    let text = format!("{MODEL}devices_from: {{file: m.csv, model: meter}}\n");
    proptest::proptest!(|(table in "(name|host|unit|m-1|[,;\"\n\r\t]|\\$\\{|\\$\\(|é|1){0,30}")| {
        if let Err(faults) = load(&text, &[("m.csv", &table)]) {
            assert!(!faults.faults.is_empty());
            drop(faults.render(true));
        }
    });
}

#[test]
fn rules_between_keys_wait_for_the_values_they_hang_on() {
    let text = "gateway: {node: a}\nmodels:\n  m:\n    parameters: {every: {type: string}, low: {type: float}, high: {type: float}, access: {type: string, default: read}}\n    \
                properties:\n      x: {type: float, every: $(every), stale_after: 500ms, range: [$(low), $(high)], one_of: [$(high)], access: $(access), report: {deadband_span_percent: 1}}\n";
    let with = |values: &str| format!("{text}devices: {{d: {{model: m, with: {{{values}}}}}}}\n");
    let loaded = right(&with("every: 100ms, low: 0, high: 5"), &[]);
    let property = &device(&loaded, "d").properties[&"x".parse().unwrap()];
    assert_eq!(property.definition.range, Some(twin_core::Range { min: 0.0, max: 5.0 }));
    assert_eq!(
        faults(&with("every: 1s, low: 6, high: 5"), &[]),
        "plant.yaml:6:54 models.m.properties.x.stale_after | every value would be stale before the next comes, since it is read every 1s | write a longer time, some times that of `every` | in this device: plant.yaml:7:11\n\
         plant.yaml:6:68 models.m.properties.x.range | the lowest number must be below the highest | write [5, 6] | with this value: plant.yaml:7:48"
    );
}
