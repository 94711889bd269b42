//! What is said inside a frame. (MODBUS Application Protocol V1.1b3, 6)

use tokio_modbus::{ExceptionCode, Request, Response};

use crate::bus::Answer;

/// The function and data of a request; none for one that this driver does not make.
pub(super) fn request(request: &Request<'_>) -> Option<Vec<u8>> {
    let words = |function: u8, words: &[u16]| {
        let data = words.iter().flat_map(|word| word.to_be_bytes());
        Some(std::iter::once(function).chain(data).collect())
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library knows functions that are not used here")]
    match request {
        Request::ReadCoils(start, count) => words(1, &[*start, *count]),
        Request::ReadDiscreteInputs(start, count) => words(2, &[*start, *count]),
        Request::ReadHoldingRegisters(start, count) => words(3, &[*start, *count]),
        Request::ReadInputRegisters(start, count) => words(4, &[*start, *count]),
        Request::WriteSingleCoil(at, on) => words(5, &[*at, if *on { 0xFF00 } else { 0 }]),
        Request::WriteSingleRegister(at, word) => words(6, &[*at, *word]),
        Request::WriteMultipleRegisters(start, data) => {
            let count = u8::try_from(data.len()).ok().filter(|count| (1..=123).contains(count))?;
            let mut body: Vec<u8> = words(16, &[*start, u16::from(count)])?;
            body.push(2 * count);
            body.extend(data.iter().flat_map(|word| word.to_be_bytes()));
            Some(body)
        }
        Request::MaskWriteRegister(at, and, or) => words(22, &[*at, *and, *or]),
        _ => None,
    }
}

/// How long the body of an answer is that begins like this; none while that cannot be known.
///
/// # Errors
/// Why this is not the beginning of an answer.
pub(super) fn answer_len(body: &[u8]) -> Result<Option<usize>, &'static str> {
    let Some(function) = body.first() else { return Ok(None) };
    match *function {
        0x80.. => Ok(Some(2)),
        1..=4 => match body.get(1) {
            None => Ok(None),
            // 125 registers or 2,000 bits are the most. (6.1 to 6.4)
            Some(count @ 1..=250) => Ok(Some(2 + usize::from(*count))),
            Some(_) => Err("a count that cannot be"),
        },
        5 | 6 | 15 | 16 => Ok(Some(5)),
        22 => Ok(Some(7)),
        _ => Err("a function that nobody asked for"),
    }
}

/// What a body of the right function says; none when it is not an answer to a request for `count` registers or bits.
pub(super) fn answer(body: &[u8], count: usize) -> Option<Answer> {
    let (function, data) = body.split_first()?;
    if *function >= 0x80 {
        return Some(Err(exception(*data.first()?)));
    }
    let (pairs, _) = data.as_chunks::<2>();
    let word = |n: usize| pairs.get(n).map(|pair| u16::from_be_bytes(*pair));
    let response = match function {
        1..=4 => {
            let data = data.get(1..)?;
            let wanted = if *function <= 2 { count.div_ceil(8) } else { 2 * count };
            if data.len() != wanted {
                return None;
            }
            let bits = || data.iter().flat_map(|byte| (0..8).map(move |n| byte >> n & 1 == 1)).collect();
            let words = || data.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            match function {
                1 => Response::ReadCoils(bits()),
                2 => Response::ReadDiscreteInputs(bits()),
                3 => Response::ReadHoldingRegisters(words()),
                _ => Response::ReadInputRegisters(words()),
            }
        }
        5 => match word(1)? {
            0xFF00 => Response::WriteSingleCoil(word(0)?, true),
            0 => Response::WriteSingleCoil(word(0)?, false),
            _ => return None,
        },
        6 => Response::WriteSingleRegister(word(0)?, word(1)?),
        16 => Response::WriteMultipleRegisters(word(0)?, word(1)?),
        22 => Response::MaskWriteRegister(word(0)?, word(1)?, word(2)?),
        _ => return None,
    };
    Some(Ok(response))
}

fn exception(code: u8) -> ExceptionCode {
    match code {
        1 => ExceptionCode::IllegalFunction,
        2 => ExceptionCode::IllegalDataAddress,
        3 => ExceptionCode::IllegalDataValue,
        4 => ExceptionCode::ServerDeviceFailure,
        5 => ExceptionCode::Acknowledge,
        6 => ExceptionCode::ServerDeviceBusy,
        8 => ExceptionCode::MemoryParityError,
        10 => ExceptionCode::GatewayPathUnavailable,
        11 => ExceptionCode::GatewayTargetDevice,
        other => ExceptionCode::Custom(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{SimUnit, answer_of};
    use proptest::prelude::*;

    #[test]
    fn what_a_simulated_unit_answers_is_understood() {
        let unit = SimUnit::new(50);
        unit.tables().holding[3] = 0xABCD;
        unit.tables().coils[9] = true;
        let ask = |of: &Request<'_>, count| answer(&answer_of(&unit, &request(of).unwrap()), count).unwrap();
        assert_eq!(
            ask(&Request::ReadHoldingRegisters(2, 2), 2),
            Ok(Response::ReadHoldingRegisters(vec![0, 0xABCD]))
        );
        let Ok(Response::ReadCoils(bits)) = ask(&Request::ReadCoils(8, 3), 3) else { panic!("no coils") };
        assert_eq!(bits[..3], [false, true, false]);
        let write = Request::WriteMultipleRegisters(4, vec![1, 2].into());
        assert_eq!(ask(&write, 0), Ok(Response::WriteMultipleRegisters(4, 2)));
        let mask = Request::MaskWriteRegister(4, 0, 7);
        assert_eq!(ask(&mask, 0), Ok(Response::MaskWriteRegister(4, 0, 7)));
        assert_eq!(ask(&Request::WriteSingleCoil(1, true), 0), Ok(Response::WriteSingleCoil(1, true)));
        assert_eq!(ask(&Request::WriteSingleRegister(1, 9), 0), Ok(Response::WriteSingleRegister(1, 9)));
        assert_eq!(ask(&Request::ReadInputRegisters(50, 1), 1), Err(ExceptionCode::IllegalDataAddress));
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..260), count in 0usize..2000) {
            let _ = answer(&body, count);
        }
    }
}
