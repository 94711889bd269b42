//! Guards and alarms as integrators write them, and what is said when they are wrong.

mod common;

use common::read;
use std::time::Duration;
use twin_core::{AlarmRule, Condition, Rate, Severity, Value};

const PLANT: &str = r#"gateway: {node: plant-7}
models:
  tank:
    parameters: {limit: {type: float, default: 80.0}}
    properties:
      level: {type: float, unit: "%", range: [0, 100], modbus: {input: 1}}
      temperature:
        type: float
        unit: °C
        modbus: {input: 2}
        alarms:
          hot:
            high: $(limit)
            hysteresis: 2
            delay: 10s
            severity: critical
            message: "too hot"
          cold: {low: 5}
          silent: {stale: 5m}
      mode: {type: string, modbus: {input: 3}, alarms: {by-hand: {equals: manual, severity: info}}}
      fault: {type: bool, modbus: {coil: 4}, alarms: {fault: {equals: true}}}
      valve:
        type: float
        unit: "%"
        access: read_write
        range: [0, 100]
        modbus: {holding: {at: 5}}
        guard: {step: 10, rate: {most: 20, per: 1m}, when: 'level < 95.0 && device["boiler"].running', message: "the tank is full"}
devices:
  tank-1: {model: tank, with: {limit: 70}, modbus: {tcp: h}}
  tank-2: {model: tank, modbus: {tcp: h, unit: 2}}
  boiler: {modbus: {tcp: h, unit: 3}, properties: {running: {type: bool, modbus: {coil: 0}}}}
"#;

#[test]
fn guards_and_alarms_are_read_through_models() {
    let loaded = read(&[("plant.yaml", PLANT)]).unwrap_or_else(|faults| panic!("{faults}"));
    let tank = &loaded.config.devices[&"tank-1".parse().unwrap()];
    let temperature = &tank.properties[&"temperature".parse().unwrap()];
    let alarms = &temperature.definition.alarms;
    let hot = AlarmRule {
        condition: Condition::High { limit: 70.0, hysteresis: 2.0 },
        delay_ms: 10_000,
        severity: Severity::Critical,
        message: Some("too hot".into()),
    };
    assert_eq!(alarms[&"hot".parse().unwrap()], hot);
    assert_eq!(
        alarms[&"cold".parse().unwrap()],
        AlarmRule::new(Condition::Low { limit: 5.0, hysteresis: 0.0 })
    );
    let by_hand = &tank.definition.properties[&"mode".parse().unwrap()].alarms[&"by-hand".parse().unwrap()];
    assert_eq!(by_hand.condition, Condition::Equals { value: Value::String("manual".into()) });
    // An unchanged value must come before it would count as stale.
    assert_eq!(temperature.report.max_silence, Some(Duration::from_secs(150)));
    let guard = tank.definition.properties[&"valve".parse().unwrap()].guard.clone().unwrap();
    assert_eq!((guard.step, guard.rate), (Some(10.0), Some(Rate { most: 20.0, per_ms: 60_000 })));
    assert_eq!(guard.when.as_deref(), Some("level < 95.0 && device[\"boiler\"].running"));
    let other = &loaded.config.devices[&"tank-2".parse().unwrap()];
    let limit = &other.definition.properties[&"temperature".parse().unwrap()].alarms[&"hot".parse().unwrap()];
    assert_eq!(limit.condition, Condition::High { limit: 80.0, hysteresis: 2.0 });
}

#[test]
fn a_changed_guard_and_a_changed_alarm_are_shown_in_the_difference() {
    let old = read(&[("plant.yaml", PLANT)]).unwrap_or_else(|faults| panic!("{faults}")).config;
    let text = PLANT.replace("step: 10", "step: 5").replace("cold: {low: 5}", "cold: {low: 4}");
    let new = read(&[("plant.yaml", &text)]).unwrap_or_else(|faults| panic!("{faults}")).config;
    let shown = config::Diff::between(&old, &new).to_string();
    for words in ["guard.step", "alarms.cold", "low 4, hysteresis 0, delay 0s, warning"] {
        assert!(shown.contains(words), "{words} is not in {shown}");
    }
}

/// The faults of one property, each as `path | message | hint`.
fn faults(property: &str) -> Vec<String> {
    let text = format!(
        "gateway: {{node: plant-7}}\ndevices:\n  pump:\n    modbus: {{tcp: h}}\n    properties:\n      \
         pressure: {{type: float, modbus: {{input: 1}}}}\n      log: {{type: json, modbus: {{input: 2}}}}\n      \
         x: {property}\n"
    );
    match read(&[("p.yaml", &text)]) {
        Ok(_) => vec!["all well".into()],
        Err(faults) => faults
            .faults
            .iter()
            .map(|f| {
                let path = f.path.trim_start_matches("devices.pump.properties.");
                format!("{path} | {} | {}", f.message, f.hint.as_deref().unwrap_or("-"))
            })
            .collect(),
    }
}

#[test]
fn what_is_wrong_has_its_place_and_its_mend() {
    let written = |guard: &str| {
        format!("{{type: float, access: read_write, modbus: {{holding: {{at: 1}}}}, guard: {guard}}}")
    };
    let alarm = |alarm: &str| {
        format!("{{type: float, range: [0, 10], modbus: {{input: 1}}, alarms: {{a: {alarm}}}}}")
    };
    for (property, wanted) in [
        (written("{step: 0}"), "x.guard.step | no change at all would be allowed | write a number above 0"),
        (written("{rate: {most: 1}}"), "x.guard.rate | the key `per` is missing here | write `per: ...`"),
        (written("{rate: {most: 1, per: 1ms}}"), "x.guard.rate.per | 1ms is not between 1s and 1d"),
        (
            written("{when: 'presure < 1.0'}"),
            "x.guard.when | `presure` is not a property of this device that can be read | did you mean `pressure`?",
        ),
        (
            written("{when: 'pressure'}"),
            "x.guard.when | an interlock gives true or false, and this gives float",
        ),
        (written("{when: 'log == 1'}"), "x.guard.when | `log` is of type json"),
        (
            written("{when: 'device[\"boiler\"].on'}"),
            "x.guard.when | there is no property `on` of a device `default/boiler`",
        ),
        (written("{when: 'pressure <'}"), "x.guard.when | this is no expression"),
        (
            written("{when: 'size(\"a\") > 1'}"),
            "x.guard.when | the function `size` cannot be used in an interlock",
        ),
        (written("{message: no}"), "x.guard.message | the message is for the interlock, and there is none"),
        (
            written("{whem: 'pressure < 1.0'}"),
            "x.guard.whem | the key `whem` is not known here | did you mean `when`?",
        ),
        (
            "{type: float, modbus: {input: 1}, guard: {step: 1}}".into(),
            "x.guard | this property is only read, so there is nothing to guard",
        ),
        (
            "{type: bool, access: read_write, modbus: {coil: 1}, guard: {step: 1}}".into(),
            "x.guard.step | a change is measured of numbers",
        ),
        (
            "{type: float, access: write, modbus: {holding: {at: 1}}, guard: {step: 1}}".into(),
            "x.guard.step | a change is measured against what was read",
        ),
        (
            alarm("{}"),
            "x.alarms.a | nothing says when this alarm is raised | write one of `high`, `low`, `equals` and `stale`",
        ),
        (alarm("{high: 5, low: 1}"), "x.alarms.a.low | an alarm has one rule only"),
        (
            alarm("{high: 10}"),
            "x.alarms.a.high | this is never raised: a value outside the range 0 to 10 is bad",
        ),
        (alarm("{high: 5, hysteresis: 6}"), "x.alarms.a.hysteresis | this is never cleared"),
        (alarm("{high: 5, hysteresis: -1}"), "x.alarms.a.hysteresis | a hysteresis is not negative"),
        (
            alarm("{equals: high}"),
            "x.alarms.a.equals | `high` is not a value of type float | write a finite number",
        ),
        (alarm("{equals: 5, hysteresis: 1}"), "x.alarms.a.hysteresis | a hysteresis is for `high` and `low`"),
        (alarm("{stale: 5m, delay: 1s}"), "x.alarms.a.delay | `stale` says already how long to wait"),
        (alarm("{stale: 1s}"), "x.alarms.a.stale | the property is not read that often"),
        (alarm("{high: 5, severity: bad}"), "x.alarms.a.severity | "),
        (
            "{type: bool, modbus: {coil: 1}, alarms: {a: {high: 1}}}".into(),
            "x.alarms.a.high | a limit is for numbers",
        ),
        (
            "{type: bool, access: write, modbus: {coil: 1}, alarms: {a: {equals: true}}}".into(),
            "x.alarms | this property can only be written",
        ),
        (
            "{type: bool, modbus: {coil: 1}, alarms: {'too hot': {equals: true}}}".into(),
            "x.alarms.too hot | `too hot` is not a name of an alarm",
        ),
    ] {
        let found = faults(&property);
        assert_eq!(found.len(), 1, "{property}: {found:#?}");
        assert!(found[0].starts_with(wanted), "{property}:\n{}\n{wanted}", found[0]);
    }
}
