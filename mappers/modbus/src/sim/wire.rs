//! The server's side of Modbus TCP, as far as a simulated unit needs it. (MODBUS Application Protocol V1.1b3, 6)

use crate::point::Area;
use crate::sim::unit::Tables;

const ILLEGAL_FUNCTION: u8 = 1;
const ILLEGAL_ADDRESS: u8 = 2;
const ILLEGAL_VALUE: u8 = 3;

/// The answer to a request, both without the header of the transport.
pub(super) fn answer(tables: &mut Tables, request: &[u8]) -> Vec<u8> {
    let Some((function, body)) = request.split_first() else { return vec![0x80, ILLEGAL_FUNCTION] };
    let result = match *function {
        1 => read(tables, Area::Coil, body),
        2 => read(tables, Area::Discrete, body),
        3 => read(tables, Area::Holding, body),
        4 => read(tables, Area::Input, body),
        5 | 6 | 15 | 16 | 22 => write(tables, *function, body),
        _ => Err(ILLEGAL_FUNCTION),
    };
    match result {
        Ok(mut body) => {
            body.insert(0, *function);
            body
        }
        Err(exception) => vec![function | 0x80, exception],
    }
}

fn words<const N: usize>(body: &[u8]) -> Result<[u16; N], u8> {
    let (pairs, _) = body.as_chunks::<2>();
    let mut words = [0; N];
    for (n, word) in words.iter_mut().enumerate() {
        *word = u16::from_be_bytes(*pairs.get(n).ok_or(ILLEGAL_VALUE)?);
    }
    Ok(words)
}

fn read(tables: &Tables, area: Area, body: &[u8]) -> Result<Vec<u8>, u8> {
    let [start, count] = words(body)?;
    let most = if area.is_bits() { 2000 } else { 125 };
    if count == 0 || count > most {
        return Err(ILLEGAL_VALUE);
    }
    if count > tables.longest || !tables.has(area, start, count) {
        return Err(ILLEGAL_ADDRESS);
    }
    let range = usize::from(start)..usize::from(start) + usize::from(count);
    let data: Vec<u8> = match area {
        Area::Coil => pack(&tables.coils[range]),
        Area::Discrete => pack(&tables.discrete[range]),
        Area::Input => tables.input[range].iter().flat_map(|word| word.to_be_bytes()).collect(),
        Area::Holding => tables.holding[range].iter().flat_map(|word| word.to_be_bytes()).collect(),
    };
    let mut answer = vec![u8::try_from(data.len()).unwrap_or(u8::MAX)];
    answer.extend(data);
    Ok(answer)
}

fn pack(bits: &[bool]) -> Vec<u8> {
    bits.chunks(8).map(|eight| eight.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect()
}

fn write(tables: &mut Tables, function: u8, body: &[u8]) -> Result<Vec<u8>, u8> {
    let [start, second] = words(body)?;
    let at = usize::from(start);
    let there = |tables: &Tables, area, count| {
        if count > 0 && tables.has(area, start, count) { Ok(()) } else { Err(ILLEGAL_ADDRESS) }
    };
    match function {
        5 => {
            there(tables, Area::Coil, 1)?;
            tables.coils[at] = match second {
                0 => false,
                0xFF00 => true,
                _ => return Err(ILLEGAL_VALUE),
            };
        }
        6 => {
            if !tables.single_write {
                return Err(ILLEGAL_FUNCTION);
            }
            there(tables, Area::Holding, 1)?;
            tables.holding[at] = second;
        }
        15 => {
            there(tables, Area::Coil, second)?;
            let bytes = body.get(5..).filter(|b| b.len() * 8 >= usize::from(second)).ok_or(ILLEGAL_VALUE)?;
            for n in 0..usize::from(second) {
                tables.coils[at + n] = bytes[n / 8] >> (n % 8) & 1 == 1;
            }
        }
        16 => {
            there(tables, Area::Holding, second)?;
            let (pairs, _) = body.get(5..).ok_or(ILLEGAL_VALUE)?.as_chunks::<2>();
            if pairs.len() != usize::from(second) || pairs.len() > 123 {
                return Err(ILLEGAL_VALUE);
            }
            for (n, pair) in pairs.iter().enumerate() {
                tables.holding[at + n] = u16::from_be_bytes(*pair);
            }
        }
        _ => {
            if !tables.mask_write {
                return Err(ILLEGAL_FUNCTION);
            }
            let [_, and, or] = words(body)?;
            there(tables, Area::Holding, 1)?;
            tables.holding[at] = tables.holding[at] & and | or & !and;
            tables.writes += 1;
            return Ok(body[..6].to_vec());
        }
    }
    tables.writes += 1;
    Ok(body[..4].to_vec())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sim::SimUnit;

    #[test]
    fn it_answers_as_the_examples_of_the_standard_do() {
        let unit = SimUnit::new(200);
        let mut tables = unit.tables();
        tables.holding[107..110].copy_from_slice(&[0x022B, 0, 0x64]);
        let read = [0x03, 0x00, 0x6B, 0x00, 0x03];
        assert_eq!(answer(&mut tables, &read), [0x03, 0x06, 0x02, 0x2B, 0x00, 0x00, 0x00, 0x64]);
        let coil = [0x05, 0x00, 0xAC, 0xFF, 0x00];
        assert_eq!(answer(&mut tables, &coil), coil);
        assert!(tables.coils[0xAC]);
        let several = [0x10, 0x00, 0x01, 0x00, 0x02, 0x04, 0x00, 0x0A, 0x01, 0x02];
        assert_eq!(answer(&mut tables, &several), [0x10, 0x00, 0x01, 0x00, 0x02]);
        tables.holding[4] = 0x12;
        let mask = [0x16, 0x00, 0x04, 0x00, 0xF2, 0x00, 0x25];
        assert_eq!(answer(&mut tables, &mask), mask);
        assert_eq!(tables.holding[4], 0x17);
        assert_eq!(answer(&mut tables, &[0x03, 0x00, 0xC8, 0x00, 0x01]), [0x83, 0x02]);
        assert_eq!(answer(&mut tables, &[0x2B]), [0xAB, 0x01]);
    }

    proptest! {
        #[test]
        fn no_request_makes_it_panic(request in proptest::collection::vec(any::<u8>(), 0..260)) {
            let _ = answer(&mut SimUnit::new(100).tables(), &request);
        }
    }
}
