//! What integrators write, and what registers hold.

use config::{NoSecrets, Source};
use modbus::Point;

use twin_core::{Value, ValueType};
use twin_guard::{Input, Interlock};

use super::text;

/// A configuration.
pub fn config_text(data: &[u8]) {
    let source = match Source::from_bytes("any.yaml", data.to_vec()) {
        Ok(source) => source,
        Err(faults) => return drop(faults.render(true)),
    };
    let lines = source.text.split('\n').count();
    match config::load(&[source], &[modbus::protocol()], &NoSecrets) {
        Ok(loaded) => drop(format!("{loaded:?}")),
        Err(faults) => {
            assert!(!faults.faults.is_empty(), "refused without a reason");
            for fault in &faults.faults {
                assert!((1..=lines).contains(&fault.place.line), "{fault}");
            }
            drop(faults.render(true));
        }
    }
}

/// An interlock: what is read and fits its types gives an answer or words.
pub fn guard_expression(data: &[u8]) {
    let Some(Ok(interlock)) = text(data).map(Interlock::parse) else { return };
    let types = |input: &Input| match input.property.as_str() {
        "b" => Some(ValueType::Bool),
        "i" => Some(ValueType::Int),
        "s" => Some(ValueType::String),
        _ => Some(ValueType::Float),
    };
    let value = |input: &Input| match input.property.as_str() {
        "b" => Some(Value::Bool(true)),
        "i" => Some(Value::Int(i64::MAX)),
        "s" => Some(Value::String("text".to_owned())),
        _ => Value::float(1.5).ok(),
    };
    if interlock.check(types, ValueType::Int).is_ok() {
        let _ = interlock.judge(&Value::Int(i64::MIN), value);
    }
}

/// A point as JSON, a zero byte, and registers: what they mean is a value or a fault, and a value that can be written
/// takes as many registers as the point has.
pub fn modbus_codec(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (Some(point), registers) = (parts.next().and_then(text), parts.next().unwrap_or_default()) else {
        return;
    };
    let Ok(point) = serde_json::from_str::<Point>(point) else { return };
    let Ok(layout) = point.layout() else { return };
    let (pairs, _) = registers.as_chunks::<2>();
    let words: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
    let codec = &layout.codec;
    let _ = codec.decode(&words);
    let _ = codec.decode_bit(words.first().is_some_and(|word| word & 1 == 1));
    let mut filled = words;
    filled.resize(usize::from(codec.registers()), 0);
    let Ok(value) = codec.decode(&filled) else { return };
    assert_eq!(value.value_type(), codec.value_type());
    let _ = codec.encode_bit(&value);
    if let Ok(written) = codec.encode(&value) {
        assert_eq!(written.len(), usize::from(codec.registers()));
        assert!(codec.decode(&written).is_ok(), "{value:?} written as {written:?}");
    }
}
