use proptest::prelude::*;

use super::*;
use crate::point::{Byte, DataType, Point};

const ORDERS: [(Order, Order); 4] = [
    (Order::Big, Order::Big),
    (Order::Big, Order::Little),
    (Order::Little, Order::Big),
    (Order::Little, Order::Little),
];

fn codec(data_type: DataType, length: u16) -> Codec {
    let byte = matches!(data_type, DataType::Int8 | DataType::Uint8).then_some(Byte::Low);
    let length = (length > 0).then_some(length);
    let point = Point { holding: Some(0), data_type: Some(data_type), byte, length, ..Point::default() };
    point.layout().unwrap().codec
}

fn of(kind: Kind) -> Codec {
    Codec { kind, ..codec(DataType::Uint16, 0) }
}

fn named(kind: Kind) -> Codec {
    let names = [(0, "off"), (1, "on"), (7, "fault")];
    Codec { names: names.map(|(number, name)| (number, name.to_owned())).into(), ..of(kind) }
}

fn any_order() -> impl Strategy<Value = (Order, Order)> {
    (0usize..4).prop_map(|n| ORDERS[n])
}

fn any_named() -> impl Strategy<Value = Codec> {
    let kinds = [
        Kind::Byte { high: true, signed: false },
        Kind::Integer { words: 1, signed: true },
        Kind::Integer { words: 4, signed: false },
        Kind::Bcd { words: 2 },
    ];
    (0usize..4).prop_map(move |n| named(kinds[n]))
}

fn any_codec_and_value() -> impl Strategy<Value = (Codec, Value)> {
    let int = |data_type, least: i64, most: i64| {
        (least..=most).prop_map(move |n| (codec(data_type, 0), Value::Int(n))).boxed()
    };
    let kinds = prop_oneof![
        any::<bool>().prop_map(|b| (codec(DataType::Bool, 0), Value::Bool(b))).boxed(),
        (0u8..16, any::<bool>())
            .prop_map(|(n, b)| (Codec { kind: Kind::Bit(n), ..codec(DataType::Bool, 0) }, Value::Bool(b)))
            .boxed(),
        (any::<bool>(), any::<i8>())
            .prop_map(|(high, n)| (of(Kind::Byte { high, signed: true }), Value::Int(n.into())))
            .boxed(),
        (any::<bool>(), any::<u8>())
            .prop_map(|(high, n)| (of(Kind::Byte { high, signed: false }), Value::Int(n.into())))
            .boxed(),
        int(DataType::Bcd16, 0, 9_999),
        int(DataType::Bcd32, 0, 99_999_999),
        (any_named(), 0usize..3)
            .prop_map(|(codec, n)| {
                let name = codec.names.values().nth(n).cloned().unwrap();
                (codec, Value::String(name))
            })
            .boxed(),
        int(DataType::Int16, i16::MIN.into(), i16::MAX.into()),
        int(DataType::Uint16, 0, u16::MAX.into()),
        int(DataType::Int32, i32::MIN.into(), i32::MAX.into()),
        int(DataType::Uint32, 0, u32::MAX.into()),
        int(DataType::Int64, i64::MIN, i64::MAX),
        int(DataType::Uint64, 0, i64::MAX),
        any::<f32>()
            .prop_filter_map("finite", |f| Some((codec(DataType::Float32, 0), Value::float(f.into()).ok()?)))
            .boxed(),
        any::<f64>()
            .prop_filter_map("finite", |f| Some((codec(DataType::Float64, 0), Value::float(f).ok()?)))
            .boxed(),
        "[a-zA-Z0-9äß]{0,10}".prop_map(|s| (codec(DataType::String, 10), Value::String(s))).boxed(),
        proptest::collection::vec(any::<u8>(), 8)
            .prop_map(|b| (codec(DataType::Bytes, 4), Value::Bytes(b)))
            .boxed(),
    ];
    (kinds, any_order()).prop_map(|((codec, value), (byte_order, word_order))| {
        (Codec { byte_order, word_order, ..codec }, value)
    })
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same_value((codec, value) in any_codec_and_value()) {
        let registers = codec.encode(&value).unwrap();
        prop_assert_eq!(registers.len(), usize::from(codec.registers()));
        prop_assert_eq!(codec.decode(&registers).unwrap(), value.clone());
        prop_assert_eq!(codec.value_type(), value.value_type());
    }

    #[test]
    fn what_is_decoded_encodes_to_the_same_registers(
        registers in proptest::collection::vec(any::<u16>(), 4),
        (byte_order, word_order) in any_order(),
    ) {
        for data_type in [DataType::Int16, DataType::Uint16, DataType::Int32, DataType::Uint32, DataType::Int64,
            DataType::Uint64, DataType::Float32, DataType::Float64, DataType::Bcd16, DataType::Bcd32]
        {
            let codec = Codec { byte_order, word_order, ..codec(data_type, 0) };
            let registers = &registers[..usize::from(codec.registers())];
            if let Ok(value) = codec.decode(registers) {
                prop_assert_eq!(codec.encode(&value).unwrap(), registers);
            }
        }
    }

    #[test]
    fn a_part_of_a_register_is_read_whatever_the_rest_of_it_holds(
        register: u16,
        high: bool,
        signed: bool,
        (byte_order, word_order) in any_order(),
    ) {
        let codec = Codec { byte_order, word_order, ..of(Kind::Byte { high, signed }) };
        let mask = codec.mask().unwrap();
        let value = codec.decode(&[register]).unwrap();
        prop_assert_eq!(codec.encode(&value).unwrap(), vec![register & mask]);
    }

    #[test]
    fn a_rounded_number_is_within_half_a_step_and_comes_back(number in -1e6f64..1e6, precision in 0u8..=9) {
        let codec = Codec { precision: Some(precision), ..of(Kind::Float64) };
        let rounded = codec.decode(&codec.encode(&Value::float(number).unwrap()).unwrap()).unwrap();
        let step = 10f64.powi(-i32::from(precision));
        prop_assert!((rounded.as_number().unwrap() - number).abs() <= step * 0.500_001 + 1e-9);
        prop_assert_eq!(codec.decode(&codec.encode(&rounded).unwrap()).unwrap(), rounded);
    }

    #[test]
    fn a_scaled_number_comes_back_within_half_a_step(raw in 0u16..=u16::MAX, scale in 0.001f64..100.0, offset in -100.0f64..100.0) {
        let codec = Codec { scale: Some(scale), offset: Some(offset), ..codec(DataType::Uint16, 0) };
        let value = codec.decode(&[raw]).unwrap();
        prop_assert_eq!(codec.encode(&value).unwrap(), vec![raw]);
    }

    #[test]
    fn no_registers_make_it_panic(
        (codec, _) in any_codec_and_value(),
        registers in proptest::collection::vec(any::<u16>(), 0..12),
    ) {
        let _ = codec.decode(&registers);
    }
}

#[test]
fn the_four_orders_of_one_float_are_those_of_the_manuals() {
    // 123.456 is 42 F6 E9 79.
    for ((byte_order, word_order), registers) in
        ORDERS.into_iter().zip([[0x42F6, 0xE979], [0xE979, 0x42F6], [0xF642, 0x79E9], [0x79E9, 0xF642]])
    {
        let codec = Codec { byte_order, word_order, ..codec(DataType::Float32, 0) };
        assert_eq!(codec.decode(&registers).unwrap(), Value::float(f64::from(123.456f32)).unwrap());
        assert_eq!(codec.encode(&Value::float(123.456).unwrap()).unwrap(), registers);
    }
}

#[test]
fn what_does_not_fit_is_said_with_the_number() {
    let text = |codec: &Codec, value: Value| codec.encode(&value).unwrap_err().to_string();
    assert_eq!(text(&codec(DataType::Uint16, 0), Value::Int(70_000)), "does not fit uint16: 70000");
    assert_eq!(text(&codec(DataType::Int16, 0), Value::Int(-32_769)), "does not fit int16: -32769");
    let tenth = Codec { scale: Some(0.1), ..codec(DataType::Uint16, 0) };
    let said = text(&tenth, Value::float(7000.0).unwrap());
    assert_eq!(said, "7000.0 does not fit uint16: with scale and offset it would be 70000");
    assert!(
        text(&codec(DataType::Float32, 0), Value::float(1e300).unwrap()).contains("does not fit float32")
    );
    assert!(text(&codec(DataType::Uint16, 0), Value::float(1.5).unwrap()).contains("not a whole number"));
    assert!(text(&codec(DataType::Uint16, 0), Value::Bool(true)).contains("not a number"));
    assert!(text(&codec(DataType::String, 1), Value::String("abc".into())).contains("do not fit"));
}

#[test]
fn what_is_no_value_is_not_taken_for_one() {
    let nan = f32::NAN.to_bits();
    let registers = [(nan >> 16) as u16, nan as u16];
    assert!(matches!(codec(DataType::Float32, 0).decode(&registers), Err(Fault::NotAValue(_))));
    assert!(matches!(codec(DataType::Uint64, 0).decode(&[0xFFFF; 4]), Err(Fault::NotAValue(_))));
    assert!(matches!(codec(DataType::String, 1).decode(&[0xFFFE]), Err(Fault::NotAValue(_))));
}

#[test]
fn a_text_ends_at_its_first_zero_and_loses_the_blanks_that_fill_it_up() {
    let text = |registers: &[u16]| codec(DataType::String, 3).decode(registers).unwrap();
    assert_eq!(text(&[0x4142, 0x4300, 0x4445]), Value::String("ABC".into()));
    assert_eq!(text(&[0x4142, 0x4320, 0x2020]), Value::String("ABC".into()));
}

#[test]
fn decimal_digits_are_read_as_the_number_that_they_show() {
    assert_eq!(codec(DataType::Bcd16, 0).decode(&[0x1234]).unwrap(), Value::Int(1234));
    assert_eq!(codec(DataType::Bcd32, 0).decode(&[0x1234, 0x5678]).unwrap(), Value::Int(12_345_678));
    assert!(matches!(codec(DataType::Bcd16, 0).decode(&[0x12A4]), Err(Fault::NotAValue(_))));
    let said = codec(DataType::Bcd16, 0).encode(&Value::Int(10_000)).unwrap_err().to_string();
    assert_eq!(said, "does not fit bcd16: 10000");
}

#[test]
fn a_number_without_a_name_is_no_value_and_a_name_without_a_number_cannot_be_written() {
    let codec = named(Kind::Integer { words: 1, signed: false });
    assert_eq!(codec.value_type(), ValueType::String);
    assert_eq!(codec.decode(&[7]).unwrap(), Value::String("fault".into()));
    let said = codec.decode(&[2]).unwrap_err().to_string();
    assert_eq!(said, "the registers hold 2, which has no name");
    let said = codec.encode(&Value::String("open".into())).unwrap_err().to_string();
    assert_eq!(said, "`open` is none of: off, on, fault");
    let coil = named(Kind::Flag);
    assert_eq!(coil.decode_bit(true).unwrap(), Value::String("on".into()));
    assert!(coil.encode_bit(&Value::String("on".into())).unwrap());
}

#[test]
fn rounding_comes_after_the_scale() {
    let codec =
        Codec { scale: Some(0.125), precision: Some(1), ..of(Kind::Integer { words: 1, signed: false }) };
    assert_eq!(codec.decode(&[171]).unwrap(), Value::float(21.4).unwrap());
}
