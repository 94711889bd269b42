//! Numbers of medical devices: IEEE 11073-20601, 8.2 (FLOAT, 32 bits) and 8.3 (SFLOAT, 16 bits): a signed exponent of
//! ten above a signed mantissa.

use mapper_sdk::Fault;

/// A 32-bit FLOAT: 8 bits of exponent, 24 of mantissa.
pub(super) fn long(bits: u32) -> Result<f64, Fault> {
    decode(i64::from(bits), 24)
}

/// A 16-bit SFLOAT: 4 bits of exponent, 12 of mantissa.
pub(super) fn short(bits: u16) -> Result<f64, Fault> {
    decode(i64::from(bits), 12)
}

pub(super) fn to_long(number: f64) -> Result<u32, Fault> {
    encode(number, 24, 8).map(|bits| bits as u32)
}

pub(super) fn to_short(number: f64) -> Result<u16, Fault> {
    encode(number, 12, 4).map(|bits| bits as u16)
}

fn decode(bits: i64, mantissa_bits: u32) -> Result<f64, Fault> {
    let top = 1i64 << (mantissa_bits - 1);
    let mantissa = bits & ((top << 1) - 1);
    let exponent = bits >> mantissa_bits;
    // The five mantissas around the least one are names, when the exponent is zero.
    if exponent == 0 && (top - 2..=top + 2).contains(&mantissa) {
        let name = match mantissa - top {
            -2 => "more than can be measured",
            -1 => "not a number",
            0 => "not at this resolution",
            2 => "less than can be measured",
            _ => "reserved",
        };
        return Err(Fault::NotAValue(format!("the device says: {name}")));
    }
    let mantissa = if mantissa >= top { mantissa - (top << 1) } else { mantissa };
    let exponent_top = if mantissa_bits == 24 { 128 } else { 8 };
    let exponent = if exponent >= exponent_top { exponent - 2 * exponent_top } else { exponent };
    Ok(times_ten_to(mantissa as f64, exponent as i32))
}

/// Dividing by a power of ten is exact where multiplying by its inverse is not.
fn times_ten_to(mantissa: f64, exponent: i32) -> f64 {
    if exponent >= 0 { mantissa * 10f64.powi(exponent) } else { mantissa / 10f64.powi(-exponent) }
}

fn encode(number: f64, mantissa_bits: u32, exponent_bits: u32) -> Result<i64, Fault> {
    let top = 1i64 << (mantissa_bits - 1);
    let (lowest, highest) = (-(1i32 << (exponent_bits - 1)), (1i32 << (exponent_bits - 1)) - 1);
    let unfit = || Fault::Unsuitable(format!("{number} does not fit {} bits", mantissa_bits + exponent_bits));
    if !number.is_finite() {
        return Err(unfit());
    }
    // The smallest exponent keeps the most digits; of those that say the same, the one nearest to zero is written.
    for exponent in lowest..=highest {
        let mantissa = times_ten_to(number, -exponent).round();
        // With the exponent zero the mantissas at the ends are names.
        let (least, most) = if exponent == 0 { (3 - top, top - 3) } else { (-top, top - 1) };
        if !(least as f64..=most as f64).contains(&mantissa) {
            continue;
        }
        let (mut mantissa, mut exponent) = (mantissa as i64, exponent);
        while exponent < 0 && mantissa % 10 == 0 {
            (mantissa, exponent) = (mantissa / 10, exponent + 1);
        }
        let mask = (1i64 << mantissa_bits) - 1;
        let exponent = i64::from(exponent) & ((1 << exponent_bits) - 1);
        return Ok(exponent << mantissa_bits | mantissa & mask);
    }
    Err(unfit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_the_standard_are_read() {
        assert_eq!(long(0xFF00_016C), Ok(36.4));
        assert_eq!(long(0x0000_0072), Ok(114.0));
        assert_eq!(short(0xF16C), Ok(36.4));
        assert_eq!(short(0x0072), Ok(114.0));
        assert_eq!(short(0x0FFF), Ok(-1.0));
    }

    #[test]
    fn what_is_no_number_is_none() {
        for bits in [0x07FF, 0x0800, 0x07FE, 0x0802, 0x0801] {
            assert!(short(bits).is_err(), "{bits:#x}");
        }
        for bits in [0x007F_FFFF, 0x0080_0000, 0x007F_FFFE, 0x0080_0002, 0x0080_0001] {
            assert!(long(bits).is_err(), "{bits:#x}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_as_the_same_number(short_bits: u16, mantissa in -8_388_605i64..8_388_605, exponent in -20i64..20) {
            if let Ok(number) = short(short_bits) {
                prop_assert_eq!(short(to_short(number).unwrap()), Ok(number));
            }
            let bits = ((exponent & 0xFF) << 24 | mantissa & 0xFF_FFFF) as u32;
            if let Ok(number) = long(bits) {
                let again = long(to_long(number).unwrap()).unwrap();
                prop_assert!((again - number).abs() <= number.abs() * 1e-6, "{} {}", number, again);
            }
        }

        #[test]
        fn any_number_is_written_or_refused(number: f64) {
            if let Ok(bits) = to_short(number) {
                prop_assert!(short(bits).is_ok());
            }
            if let Ok(bits) = to_long(number) {
                prop_assert!(long(bits).is_ok());
            }
        }
    }
}
