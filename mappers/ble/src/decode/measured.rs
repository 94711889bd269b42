//! Characteristics whose first byte says what is in them (GATT Specification Supplement).

use mapper_sdk::Fault;

use crate::decode::medfloat;

/// One field of such a characteristic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// Heart Rate Measurement: beats per minute.
    HeartRate,
    /// Heart Rate Measurement: whether the sensor touches the skin.
    HeartContact,
    /// Heart Rate Measurement: energy expended in kJ.
    HeartEnergy,
    /// Temperature Measurement of a health thermometer, in °C also where the device uses °F.
    Temperature,
    /// Blood Pressure Measurement in mmHg, also where the device uses kPa.
    Pressure(Pressure),
    /// Blood Pressure Measurement: pulse in beats per minute.
    PressurePulse,
    /// PLX Continuous and Spot-check Measurement: oxygen saturation in %.
    Oxygen,
    /// PLX Continuous and Spot-check Measurement: pulse in beats per minute.
    OxygenPulse,
    /// Weight Measurement in kg, also where the device uses pounds.
    Weight,
}

/// Which of the three pressures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressure {
    /// The highest.
    Systolic,
    /// The lowest.
    Diastolic,
    /// The mean.
    Mean,
}

/// What is in the field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Found {
    Flag(bool),
    Whole(i64),
    Float(f64),
}

const MMHG_PER_KPA: f64 = 7.500_615_05;
const KG_PER_POUND: f64 = 0.453_592_37;

impl Measured {
    /// Whether it is a number.
    #[must_use]
    pub fn is_number(self) -> bool {
        self != Self::HeartContact
    }

    /// Whether it is a number with a fraction.
    #[must_use]
    pub fn is_float(self) -> bool {
        !matches!(self, Self::HeartContact | Self::HeartRate | Self::HeartEnergy)
    }

    pub(super) fn decode(self, bytes: &[u8]) -> Result<Found, Fault> {
        let flags = *bytes.first().ok_or_else(short)?;
        let has = |bit: u8| flags >> bit & 1 == 1;
        match self {
            Self::HeartRate if has(0) => Ok(Found::Whole(u16_at(bytes, 1)?.into())),
            Self::HeartRate => Ok(Found::Whole((*bytes.get(1).ok_or_else(short)?).into())),
            Self::HeartContact if has(2) => Ok(Found::Flag(has(1))),
            Self::HeartEnergy if has(3) => Ok(Found::Whole(u16_at(bytes, 2 + usize::from(has(0)))?.into())),
            Self::Temperature => {
                let raw = bytes.get(1..5).and_then(|raw| raw.try_into().ok()).ok_or_else(short)?;
                let number = medfloat::long(u32::from_le_bytes(raw))?;
                Ok(Found::Float(if has(0) { (number - 32.0) / 1.8 } else { number }))
            }
            Self::Pressure(which) => {
                let place = match which {
                    Pressure::Systolic => 1,
                    Pressure::Diastolic => 3,
                    Pressure::Mean => 5,
                };
                let number = medfloat::short(u16_at(bytes, place)?)?;
                Ok(Found::Float(if has(0) { number * MMHG_PER_KPA } else { number }))
            }
            Self::PressurePulse if has(2) => {
                Ok(Found::Float(medfloat::short(u16_at(bytes, if has(1) { 14 } else { 7 })?)?))
            }
            Self::Oxygen => Ok(Found::Float(medfloat::short(u16_at(bytes, 1)?)?)),
            Self::OxygenPulse => Ok(Found::Float(medfloat::short(u16_at(bytes, 3)?)?)),
            Self::Weight => {
                let raw = f64::from(u16_at(bytes, 1)?);
                Ok(Found::Float(if has(0) { raw / 100.0 * KG_PER_POUND } else { raw / 200.0 }))
            }
            Self::HeartContact | Self::HeartEnergy | Self::PressurePulse => {
                Err(Fault::NotAValue("the device does not send this field".into()))
            }
        }
    }
}

fn short() -> Fault {
    Fault::NotAValue("there are too few bytes".into())
}

fn u16_at(bytes: &[u8], place: usize) -> Result<u16, Fault> {
    let raw = bytes.get(place..place + 2).and_then(|raw| raw.try_into().ok());
    raw.map(u16::from_le_bytes).ok_or_else(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_say_what_is_there() {
        assert_eq!(Measured::HeartRate.decode(&[0x00, 72]), Ok(Found::Whole(72)));
        assert_eq!(Measured::HeartRate.decode(&[0x01, 0x2C, 0x01]), Ok(Found::Whole(300)));
        assert_eq!(Measured::HeartContact.decode(&[0x06, 72]), Ok(Found::Flag(true)));
        assert!(Measured::HeartContact.decode(&[0x00, 72]).is_err());
        assert_eq!(Measured::HeartEnergy.decode(&[0x09, 72, 0, 5, 1]), Ok(Found::Whole(261)));
        assert_eq!(Measured::HeartEnergy.decode(&[0x08, 72, 5, 1]), Ok(Found::Whole(261)));
        assert_eq!(Measured::Temperature.decode(&[0x00, 0x6C, 0x01, 0, 0xFF]), Ok(Found::Float(36.4)));
        let fahrenheit = Measured::Temperature.decode(&[0x01, 0xD4, 0x03, 0, 0xFF]);
        assert_eq!(fahrenheit, Ok(Found::Float((98.0 - 32.0) / 1.8)));
        assert_eq!(Measured::Weight.decode(&[0, 0x98, 0x3A]), Ok(Found::Float(75.0)));
        let blood = [0x04, 120, 0, 80, 0, 93, 0, 65, 0];
        assert_eq!(Measured::Pressure(Pressure::Diastolic).decode(&blood), Ok(Found::Float(80.0)));
        assert_eq!(Measured::PressurePulse.decode(&blood), Ok(Found::Float(65.0)));
        for field in [Measured::HeartRate, Measured::Temperature, Measured::Weight, Measured::Oxygen] {
            assert!(field.decode(&[]).is_err() && field.decode(&[1, 2]).is_err());
        }
    }
}
