//! Interlocks as people write them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use twin_core::{Value, ValueType};
use twin_guard::{Input, Interlock};

fn type_of(input: &Input) -> Option<ValueType> {
    match (input.device.as_ref().map(|d| d.as_str()), input.property.as_str()) {
        (None, "pressure" | "flow-rate") | (Some("default/boiler-1"), "pressure") => Some(ValueType::Float),
        (None, "count") => Some(ValueType::Int),
        (None, "mode") => Some(ValueType::String),
        (None, "open") => Some(ValueType::Bool),
        (None, "blob") => Some(ValueType::Bytes),
        _ => None,
    }
}

fn value_of(input: &Input) -> Option<Value> {
    match (input.device.as_ref().map(|d| d.as_str()), input.property.as_str()) {
        (None, "pressure") => Value::float(4.0).ok(),
        (None, "flow-rate") => Value::float(1.5).ok(),
        (Some("default/boiler-1"), "pressure") => Value::float(9.0).ok(),
        (None, "count") => Some(Value::Int(3)),
        (None, "mode") => Some(Value::String("auto".into())),
        (None, "open") => Some(Value::Bool(true)),
        _ => None,
    }
}

fn judged(text: &str) -> Result<bool, String> {
    let interlock = Interlock::parse(text).map_err(|fault| fault.to_string())?;
    interlock.check(type_of, ValueType::Float).map_err(|fault| fault.to_string())?;
    interlock.judge(&Value::float(10.0).unwrap(), value_of)
}

#[test]
fn an_interlock_holds_or_not() {
    for (text, holds) in [
        ("pressure < 5.0", true),
        ("pressure < 5", true),
        ("pressure > 5.0 || open", true),
        ("!open", false),
        ("self[\"flow-rate\"] <= 1.5 && mode == \"auto\"", true),
        ("mode in [\"manual\", 'service']", false),
        ("device[\"boiler-1\"].pressure < 5.0", false),
        ("device[\"default/boiler-1\"][\"pressure\"] - pressure == 5.0", true),
        ("value <= pressure * 2.5", true),
        ("count % 2 == 1", true),
        ("open ? value < 11.0 : value < 5.0", true),
        ("-pressure < 0.0", true),
    ] {
        assert_eq!(judged(text), Ok(holds), "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_before_it_is_used() {
    for (text, words) in [
        ("", "not empty"),
        ("pressure <", "no expression"),
        ("presure < 5.0", "`presure` is not a property of this device"),
        (
            "device[\"boiler-2\"].pressure < 5.0",
            "there is no property `pressure` of a device `default/boiler-2`",
        ),
        ("device[\"Boiler\"].pressure < 5.0", "is not a device name"),
        ("pressure", "gives true or false, and this gives float"),
        ("pressure * 2 < 5.0", "two numbers of one type"),
        ("mode < 5", "never the same"),
        ("mode + \"x\" == \"autox\"", "not joined"),
        ("open > false", "not for true and false"),
        ("count && open", "is for true and false"),
        ("blob == mode", "which an interlock cannot use"),
        ("self == 3", "alone is no value"),
        ("pressure.x == 1", "a property has no parts"),
        ("size(mode) > 2", "the function `size`"),
        ("mode.startsWith('a')", "the function `startsWith`"),
        ("[1, 2].all(x, x > 0)", "a macro"),
        ("timestamp('2026-01-01T00:00:00Z') > timestamp('2025-01-01T00:00:00Z')", "the function `timestamp`"),
        ("{'a': 1}['a'] == 1", ""),
        ("count in [count]", "anything but literals"),
        ("5u == 5u", "`u` number"),
    ] {
        let error = judged(text).unwrap_err();
        assert!(error.contains(words), "{text}: {error}");
    }
    assert!(judged(&format!("open {}", "|| open ".repeat(80))).unwrap_err().contains("512 bytes"));
    assert!(judged(&format!("{}open", "!".repeat(100))).unwrap_err().contains("deep"));
}

#[test]
fn what_cannot_be_judged_is_said_in_words_and_nothing_panics() {
    for (text, words) in [("1 / (count - 3) == 1", "zero"), ("count * 9223372036854775807 > 0", "verflow")] {
        let error = judged(text).unwrap_err();
        assert!(error.contains(words), "{text}: {error}");
    }
    let interlock = Interlock::parse("unknown").unwrap();
    assert_eq!(interlock.judge(&Value::Int(1), value_of), Err("unknown has no value".into()));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof![
        ".{0,60}",
        "[a-c0-9.+*/%<>=!&|?:()\\[\\]{}\"' -]{0,80}",
        "(open|pressure|count|value|mode|device|self|1|2.0|'a'| |\\(|\\)|\\[|\\]|&&|\\|\\||!|-|\\+|<|==|in|\\?|:|\\.|,){0,30}",
    ]) {
        if let Ok(interlock) = Interlock::parse(&text)
            && interlock.check(type_of, ValueType::Float).is_ok()
        {
            // What was checked gives an answer, or words.
            if let Err(words) = interlock.judge(&Value::float(1.0).unwrap(), value_of) {
                prop_assert!(words.contains("zero") || words.contains("verflow"), "{}: {}", text, words);
            }
        }
    }
}
