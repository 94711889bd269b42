//! `1!400001#BL`, `1!300004.7`, `1!400010.20L`.

use crate::plan::{Area, Data, Point};

/// What an address says beside the point.
pub(super) struct Address {
    pub(super) station: u8,
    /// The type is a whole number.
    pub(super) is_whole: bool,
    /// What a person should look at.
    pub(super) look: Option<String>,
}

impl Address {
    /// Reads an address of a tag of this type; addresses count from 1, or from 0 where the node says so.
    pub(super) fn read(text: &str, kind: &str, from_one: bool) -> Result<(Self, Point), String> {
        let not_one = || format!("`{text}` is no address like 1!400001");
        let (station, rest) = text.split_once('!').ok_or_else(not_one)?;
        let station: u8 = station.trim().parse().map_err(|_| not_one())?;
        let (rest, order) = rest.split_once('#').map_or((rest, None), |(rest, order)| (rest, Some(order)));
        let (digits, tail) = rest.split_once('.').map_or((rest, None), |(digits, tail)| (digits, Some(tail)));
        let digits = digits.trim();
        let area = match digits.as_bytes().first() {
            Some(b'0') => Area::Coil,
            Some(b'1') => Area::Discrete,
            Some(b'3') => Area::Input,
            Some(b'4') => Area::Holding,
            Some(_) | None => return Err(not_one()),
        };
        let number: u32 = digits.get(1..).and_then(|digits| digits.parse().ok()).ok_or_else(not_one)?;
        let start = number.checked_sub(u32::from(from_one)).and_then(|start| u16::try_from(start).ok());
        let start = start.ok_or_else(|| format!("`{text}`: a table has the places 1 to 65536"))?;
        let mut point = Point::new(area, start, data(kind, tail, area)?);
        let mut address = Self { station, is_whole: false, look: None };
        address.is_whole = matches!(point.data, Data::Int { .. });
        if point.data == Data::Bit && !area.is_bits() {
            let bit = tail.unwrap_or("0").trim();
            point.bit = bit.parse().map_err(|_| format!("`{bit}` is not a bit from 0 to 15"))?;
        }
        if let (Data::Text { .. }, Some(tail)) = (point.data, tail) {
            match tail.trim_start_matches(|c: char| c.is_ascii_digit()) {
                "" | "H" => {}
                "L" => point = point.ordered(true, false),
                other => {
                    return Err(format!(
                        "a text with one byte in each register (`{other}`) is not read here"
                    ));
                }
            }
        }
        if let Some(order) = order {
            let (bytes, words) = order_of(order, point.data)
                .ok_or_else(|| format!("`#{order}` is no byte order of a {kind}"))?;
            point = point.ordered(bytes, words);
            if matches!(order, "BB" | "BL") {
                address.look = Some(format!("#{order}: older manuals have #BB and #BL the other way round"));
            }
        }
        Ok((address, point))
    }
}

fn data(kind: &str, tail: Option<&str>, area: Area) -> Result<Data, String> {
    let length = || {
        let digits: String = tail.unwrap_or("").chars().take_while(char::is_ascii_digit).collect();
        let bytes: u16 =
            digits.parse().map_err(|_| "a text needs its length in bytes, like .20".to_owned())?;
        Ok::<_, String>(bytes.div_ceil(2))
    };
    let data = match kind {
        "BIT" | "BOOL" => Some(Data::Bit),
        "INT16" => Data::int(1, true),
        "UINT16" | "WORD" => Data::int(1, false),
        "INT32" => Data::int(2, true),
        "UINT32" | "DWORD" => Data::int(2, false),
        "INT64" => Data::int(4, true),
        "UINT64" | "LWORD" => Data::int(4, false),
        "FLOAT" => Data::float(2),
        "DOUBLE" => Data::float(4),
        "STRING" => Some(Data::Text { words: length()? }),
        "BYTES" => Some(Data::Bytes { words: length()? }),
        _ => None,
    };
    let data = data.ok_or_else(|| format!("the type `{kind}` is not read here"))?;
    if area.is_bits() && data != Data::Bit {
        return Err(format!("a {} holds one bit, not a {kind}", area.key()));
    }
    Ok(data)
}

/// Whether the bytes of a register and the registers of a value change places.
fn order_of(order: &str, data: Data) -> Option<(bool, bool)> {
    Some(match (order, data.words()) {
        ("L", 1 | 4) | ("LL", 2 | 4) => (false, false),
        ("B", 1) => (true, false),
        ("LB", 2 | 4) => (true, false),
        ("BL", 2 | 4) => (false, true),
        ("BB", 2 | 4) | ("B", 4) => (true, true),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let read = |text, kind| Address::read(text, kind, true).map(|(_, point)| point);
        let point = read("1!400001#BL", "FLOAT").unwrap();
        assert_eq!((point.area, point.start), (Area::Holding, 0));
        assert_eq!((point.bytes_swapped, point.words_swapped), (false, true));
        assert_eq!(read("1!300004.7", "BIT").unwrap().bit, 7);
        assert_eq!(read("2!40010.20L", "STRING").unwrap().data, Data::Text { words: 10 });
        assert_eq!(read("1!000001", "BIT").unwrap().area, Area::Coil);
        assert_eq!(Address::read("1!400000", "INT16", false).unwrap().1.start, 0);
        for wrong in ["", "1", "1!", "1!5", "300!40001", "1!400000", "1!465537", "1!40001#XX", "é!40001"] {
            assert!(read(wrong, "INT16").is_err(), "{wrong}");
        }
        assert!(read("1!40001.20D", "STRING").is_err());
        assert!(read("1!00001", "INT16").is_err());
    }
}
