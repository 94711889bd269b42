//! When a device reports what. (ZCL 2.5.11.2)

use std::time::Duration;

use super::{Fault, Node};
use crate::zcl::clusters::id;
use crate::zcl::global::{Attribute, REPORT};
use crate::zcl::{Direction, Message, Scalar, TypeId};

/// Plans that a device has room for.
pub(super) const MOST_PLANS: usize = 32;
/// Bytes of attributes in one report.
const MOST_BYTES: usize = 60;

/// When an attribute is reported.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) min: u16,
    pub(super) max: u16,
    pub(super) change: Option<Scalar>,
    pub(super) told: Option<(Duration, Scalar)>,
}

impl Plan {
    fn is_due(&self, now: Duration, value: &Scalar) -> bool {
        let Some((at, told)) = &self.told else { return true };
        let age = now.saturating_sub(*at);
        if age < Duration::from_secs(u64::from(self.min)) {
            return false;
        }
        let overdue = self.max != 0 && age >= Duration::from_secs(u64::from(self.max));
        overdue || self.differs(told, value)
    }

    fn differs(&self, told: &Scalar, value: &Scalar) -> bool {
        match (number(told), number(value), self.change.as_ref().and_then(number)) {
            (Some(a), Some(b), Some(least)) if least > 0.0 => (a - b).abs() >= least,
            _ => told != value,
        }
    }
}

fn number(value: &Scalar) -> Option<f64> {
    match value {
        Scalar::Unsigned(number) => Some(*number as f64),
        Scalar::Signed(number) => Some(*number as f64),
        Scalar::Float(number) => Some(*number),
        Scalar::None | Scalar::Bool(_) | Scalar::Text(_) | Scalar::Bytes(_) => None,
    }
}

impl Node {
    /// The reports that are due, to the endpoint that the cluster is bound to.
    pub(super) fn due_reports(&mut self, now: Duration) -> Vec<(u8, u16, Vec<u8>)> {
        let mut reports: Vec<(u8, u16, Vec<u8>)> = Vec::new();
        let flood = self.fault == Fault::Flood;
        for (place @ (cluster, attribute), plan) in &mut self.plans {
            let Some(endpoint) = self.bindings.get(cluster) else { continue };
            let Some(held) = self.attributes.get(place) else { continue };
            if plan.max == 0xFFFF || !(plan.is_due(now, &held.value) || flood) {
                continue;
            }
            plan.told = Some((now, held.value.clone()));
            let (kind, value) = disguised(self.fault, held.kind, &held.value);
            let attribute = Attribute { id: *attribute, kind, value };
            match reports.last_mut() {
                Some((_, last, payload)) if last == cluster && payload.len() < MOST_BYTES => {
                    attribute.put(payload);
                }
                _ => {
                    let mut payload = Vec::new();
                    attribute.put(&mut payload);
                    reports.push((*endpoint, *cluster, payload));
                }
            }
        }
        let copies = if flood { 20 } else { 1 };
        let mut sent = Vec::new();
        for (endpoint, cluster, payload) in reports {
            for _ in 0..copies {
                let mut message = Message::global(self.next_sequence(), REPORT, payload.clone());
                message.header.direction = Direction::ToClient;
                sent.push((endpoint, cluster, message.encode()));
            }
        }
        sent
    }

    /// The notification of an alarm whose status is another than it told. (8.2.2.4.1)
    pub(super) fn zone_change(&mut self) -> Option<(u8, u16, Vec<u8>)> {
        let endpoint = self.enrolled_at?;
        let Some(Scalar::Unsigned(status)) = self.get(id::IAS_ZONE, 0x0002).cloned() else { return None };
        if self.told_zone == Some(status) {
            return None;
        }
        self.told_zone = Some(status);
        let zone = match self.get(id::IAS_ZONE, 0x0011) {
            Some(Scalar::Unsigned(zone)) => *zone as u8,
            Some(
                Scalar::None
                | Scalar::Bool(_)
                | Scalar::Signed(_)
                | Scalar::Float(_)
                | Scalar::Text(_)
                | Scalar::Bytes(_),
            )
            | None => 0,
        };
        let mut payload = (status as u16).to_le_bytes().to_vec();
        payload.extend([0, zone, 0, 0]);
        let mut message = Message::specific(self.next_sequence(), 0x00, payload);
        message.header.direction = Direction::ToClient;
        Some((endpoint, id::IAS_ZONE, message.encode()))
    }
}

/// What a device gives in place of a value when it is to give a wrong one.
pub(super) fn disguised(fault: Fault, kind: TypeId, value: &Scalar) -> (TypeId, Scalar) {
    if fault == Fault::WrongType {
        return (TypeId::TEXT, Scalar::Text("?".to_owned()));
    }
    (kind, value.clone())
}
