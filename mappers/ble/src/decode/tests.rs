use super::*;
use crate::decode::assigned::Assigned;
use proptest::prelude::*;

fn integer(bytes: usize, signed: bool, order: Order) -> Codec {
    Codec { order, ..Codec::plain(Kind::Integer { bytes, signed }) }
}

fn float(number: f64) -> Value {
    Value::float(number).unwrap()
}

#[test]
fn numbers_are_found_at_their_place_in_both_orders() {
    let bytes = [9, 0x12, 0x34, 0x56];
    let at = |codec: Codec| Codec { at: 1, ..codec }.decode(&bytes);
    assert_eq!(at(integer(2, false, Order::Little)), Ok(Value::Int(0x3412)));
    assert_eq!(at(integer(3, false, Order::Big)), Ok(Value::Int(0x12_3456)));
    assert_eq!(at(integer(3, false, Order::Little)), Ok(Value::Int(0x56_3412)));
    assert!(at(integer(4, false, Order::Little)).is_err(), "one byte is missing");
    assert_eq!(integer(3, true, Order::Big).decode(&[0xFF, 0xFF, 0xFE]), Ok(Value::Int(-2)));
    assert!(integer(8, false, Order::Big).decode(&[0xFF; 8]).is_err(), "more than a value can hold");
}

#[test]
fn floats_of_all_widths_are_read() {
    let value = |kind, bytes: &[u8]| Codec::plain(kind).decode(bytes);
    assert_eq!(value(Kind::Float16, &[0x00, 0x3E]), Ok(float(1.5)));
    assert_eq!(value(Kind::Float16, &[0x01, 0x00]), Ok(float(2f64.powi(-24))));
    assert!(value(Kind::Float16, &[0x00, 0x7C]).is_err() && value(Kind::Float16, &[0x01, 0x7C]).is_err());
    assert_eq!(value(Kind::Float32, &1.5f32.to_le_bytes()), Ok(float(1.5)));
    assert!(value(Kind::Float32, &f32::NAN.to_le_bytes()).is_err());
    assert_eq!(value(Kind::Float64, &(-2.25f64).to_le_bytes()), Ok(float(-2.25)));
    assert_eq!(value(Kind::Medfloat16, &[0x6C, 0xF1]), Ok(float(36.4)));
}

#[test]
fn bits_are_a_bool_or_a_number_with_or_without_a_sign() {
    let part = |first, count, signed| Codec {
        part: Some(Part { first, count }),
        ..integer(2, signed, Order::Little)
    };
    let bytes = 0b1011_0000_0110_0001u16.to_le_bytes();
    assert_eq!(part(0, 1, false).decode(&bytes), Ok(Value::Bool(true)));
    assert_eq!(part(1, 1, false).decode(&bytes), Ok(Value::Bool(false)));
    assert_eq!(part(5, 2, false).decode(&bytes), Ok(Value::Int(3)));
    assert_eq!(part(12, 4, true).decode(&bytes), Ok(Value::Int(-5)));
    let patch = part(12, 4, true).encode(&Value::Int(2)).unwrap();
    assert_eq!(patch.over(&bytes), Ok(0b0010_0000_0110_0001u16.to_le_bytes().into()));
    assert!(part(12, 4, true).encode(&Value::Int(8)).is_err());
}

#[test]
fn names_stand_for_numbers() {
    let codec =
        Codec { names: [(0, "off".into()), (2, "on".into())].into(), ..integer(1, false, Order::Little) };
    assert_eq!(codec.value_type(), ValueType::String);
    assert_eq!(codec.decode(&[2]), Ok(Value::String("on".into())));
    assert!(codec.decode(&[1]).is_err());
    assert_eq!(codec.encode(&Value::String("on".into())).unwrap().over(&[]), Ok(vec![2]));
    assert!(codec.encode(&Value::String("dim".into())).unwrap_err().to_string().contains("off, on"));
}

#[test]
fn a_scale_stands_behind_the_unit_of_the_characteristic() {
    let pressure = Assigned::named("pressure").unwrap().fields[0].codec();
    let hectopascal = Codec { scale: Some(0.01), precision: Some(1), ..pressure };
    assert_eq!(hectopascal.decode(&1_013_250u32.to_le_bytes()), Ok(float(1013.3)));
    let fahrenheit = Assigned::named("temperature").unwrap().fields[0].codec();
    let fahrenheit = Codec { scale: Some(1.8), offset: Some(32.0), ..fahrenheit };
    assert_eq!(fahrenheit.decode(&2000i16.to_le_bytes()), Ok(float(68.0)));
    assert_eq!(fahrenheit.encode(&float(68.0)).unwrap().over(&[]), Ok(2000i16.to_le_bytes().into()));
}

#[test]
fn texts_end_at_a_zero_and_bytes_have_their_length() {
    let text = Codec { at: 1, ..Codec::plain(Kind::Text(None)) };
    assert_eq!(text.decode(b"xab\0cd"), Ok(Value::String("ab".into())));
    assert!(text.decode(&[0, 0xFF]).is_err());
    let fixed = Codec::plain(Kind::Text(Some(4)));
    assert_eq!(fixed.encode(&Value::String("ab".into())).unwrap().over(&[]), Ok(b"ab\0\0".to_vec()));
    assert!(fixed.encode(&Value::String("abcde".into())).is_err());
    assert!(fixed.encode(&Value::String("a\0".into())).is_err());
    let bytes = Codec::plain(Kind::Bytes(Some(2)));
    assert_eq!(bytes.decode(&[1, 2, 3]), Ok(Value::Bytes(vec![1, 2])));
    assert!(bytes.encode(&Value::Bytes(vec![1])).is_err());
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Flag),
        (1usize..=8, any::<bool>()).prop_map(|(bytes, signed)| Kind::Integer { bytes, signed }),
        Just(Kind::Float16),
        Just(Kind::Float32),
        Just(Kind::Float64),
        Just(Kind::Medfloat16),
        Just(Kind::Text(None)),
        Just(Kind::Text(Some(5))),
        Just(Kind::Bytes(None)),
        Just(Kind::Bytes(Some(3))),
    ]
}

proptest! {
    /// What was read is written such that the same is read again, and nothing beside it changes.
    #[test]
    fn writing_is_the_inverse_of_reading(
        kind in any_kind(),
        at in 0usize..4,
        big: bool,
        first in 0u32..64,
        count in 1u32..64,
        bytes in prop::collection::vec(any::<u8>(), 0..16),
    ) {
        let order = if big { Order::Big } else { Order::Little };
        let mut codec = Codec { at, order, ..Codec::plain(kind) };
        if let Kind::Integer { bytes, .. } = kind {
            codec.part = Some(Part { first, count }).filter(|part| part.first + part.count <= 8 * bytes as u32);
        }
        if let Ok(value) = codec.decode(&bytes) {
            prop_assert_eq!(value.value_type(), codec.value_type());
            let after = codec.encode(&value).unwrap().over(&bytes).unwrap();
            prop_assert_eq!(codec.decode(&after), Ok(value.clone()));
            if !matches!(kind, Kind::Text(_) | Kind::Flag | Kind::Medfloat16) {
                prop_assert_eq!(after, bytes);
            }
        }
    }

    #[test]
    fn all_assigned_formats_stand_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..24)) {
        for field in Assigned::all().iter().flat_map(|assigned| assigned.fields) {
            if let Ok(value) = field.codec().decode(&bytes) {
                prop_assert_eq!(value.value_type(), field.codec().value_type());
            }
        }
    }
}
