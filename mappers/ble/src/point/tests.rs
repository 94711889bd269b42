use super::*;
use config::{NoSecrets, Source, load};

/// What is said of a property of this type with this point.
fn said(property: &str, point: &str) -> String {
    let ble = "ble: {address: C4:7C:8D:6A:12:34}";
    let body = if property.is_empty() { String::new() } else { format!("{property}, ") };
    let text = format!(
        "gateway: {{node: n}}\ndevices:\n  d:\n    {ble}\n    properties:\n      p: {{{body}ble: {point}}}\n"
    );
    match load(&[Source::new("t.yaml", &text)], &[crate::protocol()], &NoSecrets) {
        Ok(_) => String::new(),
        Err(faults) => faults
            .faults
            .iter()
            .map(|fault| format!("{fault} {}\n", fault.hint.as_deref().unwrap_or("")))
            .collect(),
    }
}

#[test]
fn what_can_be_written_is_taken() {
    for (property, point) in [
        ("type: float, unit: °C", "{characteristic: temperature}"),
        ("type: float", "{characteristic: 2A6E}"),
        ("type: int", "{characteristic: 1800, type: uint8}"),
        ("type: int", "{characteristic: heart_rate_measurement}"),
        ("type: bool", "{characteristic: heart_rate_measurement, field: contact}"),
        ("type: float, unit: hPa", "{characteristic: pressure, scale: 0.01, precision: 1}"),
        (
            "type: float, unit: °F",
            "{characteristic: temperature, service: 181A, instance: 1, scale: 1.8, offset: 32}",
        ),
        (
            "type: int, access: read_write",
            "{characteristic: 12345678-1234-5678-1234-56789abcdef1, type: uint16, at: 2, byte_order: big, write: without_response}",
        ),
        ("type: bool", "{manufacturer: 0x0499, type: uint8, at: 5, bit: 0}"),
        ("type: string", "{service_data: FCD2, at: 1, bit: 4, bits: 2, enum: {0: low, 1: high}}"),
        ("type: string", "{characteristic: manufacturer_name}"),
        ("type: bytes", "{characteristic: system_id, length: 8, type: bytes}"),
        ("type: int, unit: dBm", "{link: rssi}"),
        ("type: bool", "{link: connected}"),
    ] {
        assert_eq!(said(property, point), "", "{property} {point}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_a_mend() {
    for (property, point, part) in [
        ("type: float", "{}", "where the property lives"),
        ("type: float", "{characteristic: temperature, link: rssi}", "two places"),
        ("type: float", "{characteristic: temp}", "temperature"),
        ("type: float", "{characteristic: 12345678-1234-5678-1234-56789abcdef1}", "what the bytes mean"),
        ("type: float, unit: K", "{characteristic: temperature}", "°C"),
        ("type: bool", "{characteristic: temperature}", "float"),
        ("type: float", "{characteristic: heart_rate_measurement, field: pulse}", "rate, contact, energy"),
        ("type: int, access: read_write", "{manufacturer: 0x0499, type: uint8}", "only sends"),
        ("type: int, access: read_write", "{link: rssi}", "only sends"),
        ("type: int", "{manufacturer: 0x0499}", "what the bytes mean"),
        ("type: int", "{manufacturer: 0x0499, type: uint8, service: 181A}", "only a characteristic"),
        ("type: int", "{link: rssi, scale: 2}", "about the connection"),
        ("type: int", "{characteristic: 2A19, type: uint8, bit: 6, bits: 3}", "not within 8"),
        ("type: int", "{characteristic: 2A19, type: uint8, bits: 3}", "which bits"),
        ("type: int", "{characteristic: 2A19, type: uint8, at: 512}", "512"),
        ("type: int", "{characteristic: 2A19, type: uint8, length: 2}", "length"),
        ("type: string", "{characteristic: 2A19, type: uint8, enum: {256: x}}", "outside"),
        ("type: float", "{characteristic: 2A19, type: uint8, scale: 0}", "not zero"),
        ("type: float", "{characteristic: 2A19, type: uint8, precision: 2}", "decimals"),
    ] {
        let found = said(property, point);
        assert!(found.contains(part), "{property} {point}: {found}");
    }
}

#[test]
fn the_unit_is_known_only_while_nothing_scales_it() {
    let unit = |point: Point| point.layout().unwrap().unit;
    assert_eq!(unit(Point::characteristic("pressure")), "Pa");
    assert_eq!(unit(Point { scale: Some(Number(0.01)), ..Point::characteristic("pressure") }), "");
    assert_eq!(unit(Point { data_type: Some(DataType::Uint32), ..Point::characteristic("pressure") }), "");
}
