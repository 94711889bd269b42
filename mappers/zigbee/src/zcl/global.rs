//! The commands that all clusters have: read, write, report. (2.5)

use crate::bytes::{Field as _, Reader};
use crate::zcl::scalar::Scalar;
use crate::zcl::status;
use crate::zcl::types::{Shape, TypeId};

/// Read Attributes. (2.5.1)
pub const READ: u8 = 0x00;
/// Read Attributes Response. (2.5.2)
pub const READ_RESPONSE: u8 = 0x01;
/// Write Attributes. (2.5.3)
pub const WRITE: u8 = 0x02;
/// Write Attributes Response. (2.5.5)
pub const WRITE_RESPONSE: u8 = 0x04;
/// Write Attributes No Response. (2.5.6)
pub const WRITE_QUIETLY: u8 = 0x05;
/// Configure Reporting. (2.5.7)
pub const CONFIGURE_REPORTING: u8 = 0x06;
/// Configure Reporting Response. (2.5.8)
pub const CONFIGURE_REPORTING_RESPONSE: u8 = 0x07;
/// Read Reporting Configuration. (2.5.9)
pub const READ_REPORTING: u8 = 0x08;
/// Read Reporting Configuration Response. (2.5.10)
pub const READ_REPORTING_RESPONSE: u8 = 0x09;
/// Report Attributes. (2.5.11)
pub const REPORT: u8 = 0x0A;
/// Default Response. (2.5.12)
pub const DEFAULT_RESPONSE: u8 = 0x0B;
/// Discover Attributes. (2.5.13)
pub const DISCOVER: u8 = 0x0C;
/// Discover Attributes Response. (2.5.14)
pub const DISCOVER_RESPONSE: u8 = 0x0D;

/// An attribute with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// The attribute.
    pub id: u16,
    /// Its type.
    pub kind: TypeId,
    /// Its value.
    pub value: Scalar,
}

impl Attribute {
    fn take(input: &mut Reader<'_>) -> Option<Self> {
        let (id, kind) = (input.get()?, input.get()?);
        Some(Self { id, kind, value: Scalar::take(kind, input)? })
    }

    /// Appends it; nothing when the value does not fit its type.
    pub fn put(&self, out: &mut Vec<u8>) {
        let length = out.len();
        self.id.put(out);
        self.kind.put(out);
        if !self.value.put(self.kind, out) {
            out.truncate(length);
        }
    }
}

/// What a device answers of one attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadRecord {
    /// The attribute.
    pub id: u16,
    /// Its type and value, or a status.
    pub result: Result<(TypeId, Scalar), u8>,
}

/// When an attribute is reported.
#[derive(Debug, Clone, PartialEq)]
pub struct Reporting {
    /// The attribute.
    pub id: u16,
    /// Its type.
    pub kind: TypeId,
    /// Not more often than so many seconds.
    pub min: u16,
    /// Not less often than so many seconds; 0xFFFF never.
    pub max: u16,
    /// The least change that is reported, of types that have one.
    pub change: Option<Scalar>,
}

impl Reporting {
    /// Takes all records of a Configure Reporting; none when one is broken.
    #[must_use]
    pub fn take_all(payload: &[u8]) -> Option<Vec<Self>> {
        let mut input = Reader::new(payload);
        let mut all = Vec::new();
        while !input.is_empty() {
            let (direction, id): (u8, u16) = (input.get()?, input.get()?);
            if direction != 0 {
                let _timeout: u16 = input.get()?;
                continue;
            }
            let (kind, min, max): (TypeId, u16, u16) = (input.get()?, input.get()?, input.get()?);
            kind.shape()?;
            let change = if kind.is_analog() { Some(Scalar::take(kind, &mut input)?) } else { None };
            all.push(Self { id, kind, min, max, change });
        }
        Some(all)
    }

    /// Appends its record.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.push(0);
        self.id.put(out);
        self.kind.put(out);
        self.min.put(out);
        self.max.put(out);
        if self.kind.is_analog() {
            let written = self.change.as_ref().is_some_and(|change| change.put(self.kind, out));
            if !written {
                zero_of(self.kind).put(self.kind, out);
            }
        }
    }
}

/// Zero as a value of the type.
fn zero_of(kind: TypeId) -> Scalar {
    match kind.shape() {
        Some(Shape::Signed(_)) => Scalar::Signed(0),
        Some(Shape::Float(_)) => Scalar::Float(0.0),
        Some(Shape::Opaque(width)) => Scalar::Bytes(vec![0; width]),
        Some(
            Shape::Nothing
            | Shape::Bool
            | Shape::Bits(_)
            | Shape::Unsigned(_)
            | Shape::Choice(_)
            | Shape::Bytes(_)
            | Shape::Text(_)
            | Shape::Array
            | Shape::Structure,
        )
        | None => Scalar::Unsigned(0),
    }
}

/// A Read Attributes of these.
#[must_use]
pub fn read(ids: &[u16]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.to_le_bytes()).collect()
}

/// The attributes that a Read Attributes asks for.
#[must_use]
pub fn read_ids(payload: &[u8]) -> Vec<u16> {
    payload.as_chunks::<2>().0.iter().map(|id| u16::from_le_bytes(*id)).collect()
}

/// The records of a Read Attributes Response. After one that cannot be read the rest is lost.
#[must_use]
pub fn read_response(payload: &[u8]) -> Vec<ReadRecord> {
    let mut input = Reader::new(payload);
    let mut records = Vec::new();
    while let Some(record) = read_record(&mut input) {
        records.push(record);
    }
    records
}

fn read_record(input: &mut Reader<'_>) -> Option<ReadRecord> {
    let (id, status): (u16, u8) = (input.get()?, input.get()?);
    if status != status::SUCCESS {
        return Some(ReadRecord { id, result: Err(status) });
    }
    let kind = input.get()?;
    Some(ReadRecord { id, result: Ok((kind, Scalar::take(kind, input)?)) })
}

/// The attributes of a Report or a Write. After one that cannot be read the rest is lost.
#[must_use]
pub fn attributes(payload: &[u8]) -> Vec<Attribute> {
    let mut input = Reader::new(payload);
    let mut all = Vec::new();
    while let Some(attribute) = Attribute::take(&mut input) {
        all.push(attribute);
    }
    all
}

/// The statuses of a Write Attributes Response that are not success, by attribute. None when it is broken.
#[must_use]
pub fn write_response(payload: &[u8]) -> Option<Vec<(u16, u8)>> {
    let mut input = Reader::new(payload);
    if input.len() == 1 {
        let status: u8 = input.get()?;
        return Some(if status == status::SUCCESS { Vec::new() } else { vec![(u16::MAX, status)] });
    }
    let mut refused = Vec::new();
    while !input.is_empty() {
        let (status, id): (u8, u16) = (input.get()?, input.get()?);
        if status != status::SUCCESS {
            refused.push((id, status));
        }
    }
    Some(refused)
}

/// The statuses of a Configure Reporting Response that are not success, by attribute. None when it is broken.
#[must_use]
pub fn configure_response(payload: &[u8]) -> Option<Vec<(u16, u8)>> {
    let mut input = Reader::new(payload);
    if input.len() == 1 {
        let status: u8 = input.get()?;
        return Some(if status == status::SUCCESS { Vec::new() } else { vec![(u16::MAX, status)] });
    }
    let mut refused = Vec::new();
    while !input.is_empty() {
        let (status, _direction, id): (u8, u8, u16) = (input.get()?, input.get()?, input.get()?);
        if status != status::SUCCESS {
            refused.push((id, status));
        }
    }
    Some(refused)
}

/// What a Discover Attributes Response lists, and whether that is all.
#[must_use]
pub fn discover_response(payload: &[u8]) -> Option<(bool, Vec<(u16, TypeId)>)> {
    let mut input = Reader::new(payload);
    let complete = input.get::<u8>()? != 0;
    let mut found = Vec::new();
    while !input.is_empty() {
        found.push((input.get()?, input.get()?));
    }
    Some((complete, found))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_with_a_value_and_a_refusal_is_read() {
        let payload = [0x00, 0x00, 0x00, 0x29, 0xFC, 0x08, 0x05, 0x00, 0x86];
        let records = read_response(&payload);
        assert_eq!(records[0], ReadRecord { id: 0, result: Ok((TypeId::INT16, Scalar::Signed(2300))) });
        assert_eq!(records[1], ReadRecord { id: 5, result: Err(0x86) });
    }

    #[test]
    fn what_is_configured_reads_back_with_and_without_a_change() {
        let all = vec![
            Reporting { id: 0, kind: TypeId::INT16, min: 1, max: 60, change: Some(Scalar::Signed(5)) },
            Reporting { id: 0, kind: TypeId::BOOL, min: 0, max: 300, change: None },
        ];
        let mut payload = Vec::new();
        all.iter().for_each(|one| one.put(&mut payload));
        assert_eq!(payload[..9], [0, 0, 0, 0x29, 1, 0, 60, 0, 5]);
        assert_eq!(Reporting::take_all(&payload), Some(all));
        assert_eq!(Reporting::take_all(&payload[..5]), None);
    }

    proptest! {
        #[test]
        fn no_payload_makes_a_parser_panic(payload in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = (read_response(&payload), attributes(&payload), write_response(&payload));
            let _ = (configure_response(&payload), discover_response(&payload), Reporting::take_all(&payload));
        }
    }
}
