//! From what a server says to a sample.

use mapper_sdk::{Fault, Sample};
use opcua_types::{DataValue, NumericRange, StatusCode, Variant};
use twin_core::Value;

use super::OpcUaSession;
use crate::point::Point;
use crate::status::{doubt, point_fault};
use crate::value::{moment, plain_value, value_of};

impl OpcUaSession {
    pub(super) fn sample<'p>(&self, point: &'p Point, answer: Result<DataValue, Fault>) -> Sample<'p, Point> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(fault) => return Sample::new(point, Err(fault)),
        };
        let status = answer.status();
        let value = if status.is_bad() { Err(point_fault(status)) } else { self.value(point, &answer) };
        let time = answer.source_timestamp.as_ref();
        Sample { point, value, source_time: moment(time), doubt: doubt(status) }
    }

    fn value(&self, point: &Point, answer: &DataValue) -> Result<Value, Fault> {
        let Some(variant) = &answer.value else {
            return Err(point_fault(StatusCode::BadWaitingForInitialData));
        };
        let value = if let Some(plain) = plain_value(variant) {
            plain?
        } else {
            let context = self.connection.session().encoding_context().read();
            let part = part_of(variant, point);
            value_of(part.as_ref().unwrap_or(variant), &context.context())?
        };
        self.named(point, value)
    }
}

/// The part of an array that the point wants, where the server gave all of it although it was asked for a part.
fn part_of(variant: &Variant, point: &Point) -> Option<Variant> {
    let Variant::Array(array) = variant else { return None };
    let range = point.range();
    let wanted = match range {
        NumericRange::Index(_) => 1,
        NumericRange::Range(first, last) => last.checked_sub(first)?.checked_add(1)?,
        NumericRange::None | NumericRange::MultipleRanges(_) => return None,
    };
    let is_more = array.values.len() > usize::try_from(wanted).ok()?;
    if is_more { variant.range_of(&range).ok() } else { None }
}
