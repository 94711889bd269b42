//! One field: its registers, its type and its byte order.

use crate::fields::Fields;
use crate::plan::{Area, Data, Point, Property, Type};
use crate::report::Report;

/// The order of the bytes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Order {
    bytes_swapped: bool,
    words_swapped: bool,
}

impl Order {
    /// `ABCD` and its like, as both the old style and the new ones write it.
    pub(super) fn of(word: &str) -> Option<Self> {
        let (bytes_swapped, words_swapped) = match word {
            "AB" | "ABCD" | "ABCDEFGH" | "MSW-BE" => (false, false),
            "BA" | "DCBA" | "HGFEDCBA" | "LSW-LE" => (true, true),
            "BADC" | "BADCFEHG" | "MSW-LE" => (true, false),
            "CDAB" | "GHEFCDAB" | "LSW-BE" => (false, true),
            _ => return None,
        };
        Some(Self { bytes_swapped, words_swapped })
    }
}

/// A field of the `register` style.
pub(super) fn register_field(
    field: Fields<'_>,
    area: Area,
    report: &mut Report,
) -> Option<(Option<String>, Property)> {
    let name = field.text("name", report).unwrap_or_default().to_owned();
    let measurement = field.text("measurement", report).map(str::to_owned);
    let places: Option<Vec<u16>> = field.get("address").and_then(|node| {
        let items = node.items().unwrap_or(std::slice::from_ref(node));
        items.iter().map(|item| item.int().and_then(|n| u16::try_from(n).ok())).collect()
    });
    let consecutive =
        |places: &Vec<u16>| places.windows(2).all(|pair| u32::from(pair[0]) + 1 == u32::from(pair[1]));
    let Some(places) = places.filter(|places| !places.is_empty() && consecutive(places)) else {
        field.left("address", "a list of one to four addresses in a row is wanted", report);
        return None;
    };
    let words = u16::try_from(places.len()).unwrap_or(u16::MAX);
    if area.is_bits() {
        let point = Point::new(area, places[0], Data::Bit);
        field.pass_over(&["byte_order", "data_type", "scale"]);
        field.finish(report);
        return Some((measurement, Property::new(name, point)));
    }
    let word = field.text("data_type", report).unwrap_or_default();
    // FLOAT32 is an old word for UFIXED: the registers hold a whole number.
    let (data, wanted) = match word {
        "FIXED" => (Data::int(words, true), Some(Type::Float)),
        "UFIXED" | "FLOAT32" => (Data::int(words, false), Some(Type::Float)),
        "FLOAT32-IEEE" => (Data::float(2), None),
        "FLOAT64-IEEE" => (Data::float(4), None),
        other => (data_of(other, words), None),
    };
    let order = Order::of(field.text("byte_order", report).unwrap_or("AB"));
    let (Some(data), Some(order)) = (data.filter(|data| data.words() == words), order) else {
        let what = format!("`{word}` in {words} registers, or its byte order, is not read here");
        field.left("data_type", what, report);
        return None;
    };
    let scale = field.float("scale", report);
    let point = Point::new(area, places[0], data).scaled(scale, None);
    let mut property = Property::new(name, point.ordered(order.bytes_swapped, order.words_swapped));
    property.value_type = wanted.or_else(|| whole(data));
    field.finish(report);
    Some((measurement, property))
}

/// A field of the `request` and `metric` styles.
pub(super) fn property(
    field: Fields<'_>,
    area: Area,
    order: Order,
    style: &str,
    report: &mut Report,
) -> Option<Property> {
    let name = field.text("name", report).unwrap_or_default().to_owned();
    let address = field.int("address", report).and_then(|n| u16::try_from(n).ok());
    let Some(start) = address else {
        field.left("address", "an address from 0 to 65535 is wanted", report);
        return None;
    };
    let output = field.text("output", report).map(str::to_owned);
    if area.is_bits() {
        field.pass_over(&["type", "scale", "length", "bit"]);
        field.finish(report);
        return Some(Property::new(name, Point::new(area, start, Data::Bit)));
    }
    let word = field.text("type", report).unwrap_or_default();
    let length = field.int("length", report).and_then(|n| u16::try_from(n).ok()).unwrap_or(0);
    let data = match word {
        "FLOAT32" => Data::float(2),
        "FLOAT64" => Data::float(4),
        "STRING" => Some(Data::Text { words: length }),
        "BIT" => Some(Data::Bit),
        other => data_of(other, 0),
    };
    let Some(data) = data else {
        field.left("type", format!("`{word}` is not read here"), report);
        return None;
    };
    let scale = field.float("scale", report).filter(|scale| *scale != 0.0);
    let mut point = Point::new(area, start, data).scaled(scale, None);
    let bit = field.int("bit", report).unwrap_or(0);
    point.bit = u8::try_from(bit).unwrap_or(u8::MAX);
    // In a text only the bytes of a register change places.
    let words_swapped = order.words_swapped && data.is_number();
    let mut property = Property::new(name, point.ordered(order.bytes_swapped, words_swapped));
    property.value_type = match (output.as_deref(), data) {
        (Some("FLOAT64"), _) if data.is_number() => Some(Type::Float),
        (Some("INT64" | "UINT64"), _) if data.is_number() => Some(Type::Int),
        // Scaled values are floats in these styles, even by a scale of one.
        (None, _) if scale.is_some() => Some(Type::Float),
        (Some(_) | None, _) => None,
    };
    if style == "metric" || style == "request" {
        field.pass_over(&["omit", "register", "measurement"]);
    }
    field.finish(report);
    Some(property)
}

fn whole(data: Data) -> Option<Type> {
    matches!(data, Data::Int { .. } | Data::Byte { .. }).then_some(Type::Int)
}

fn data_of(word: &str, words: u16) -> Option<Data> {
    let byte = |high, signed| Some(Data::Byte { high, signed });
    let int = |wanted, signed| if words == 0 || words == wanted { Data::int(wanted, signed) } else { None };
    match word {
        "INT8L" => byte(false, true),
        "INT8H" => byte(true, true),
        "UINT8L" => byte(false, false),
        "UINT8H" => byte(true, false),
        "INT16" => int(1, true),
        "UINT16" => int(1, false),
        "INT32" => int(2, true),
        "UINT32" => int(2, false),
        "INT64" => int(4, true),
        "UINT64" => int(4, false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Order;

    #[test]
    fn the_four_orders_of_both_spellings_are_known() {
        let of = |word| Order::of(word).map(|order| (order.bytes_swapped, order.words_swapped));
        assert_eq!(of("ABCDEFGH"), of("MSW-BE"));
        assert_eq!(of("CDAB"), Some((false, true)));
        assert_eq!(of("BADC"), Some((true, false)));
        assert_eq!(of("DCBA"), Some((true, true)));
        assert_eq!(of("abcd"), None);
    }
}
