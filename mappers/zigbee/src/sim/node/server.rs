//! How a device answers frames: attributes, and the commands of its clusters.

use std::time::Duration;

use super::report::{MOST_PLANS, Plan, disguised};
use super::{Fault, Node};
use crate::bytes::{Field as _, Reader};
use crate::sim::mesh::Envelope;
use crate::zcl::clusters::id;
use crate::zcl::global::{self, Reporting};
use crate::zcl::{Direction, Message, Scalar, status};

/// Attributes that one discovery lists.
const MOST_DISCOVERED: usize = 20;
/// Bytes of attributes in one answer.
const MOST_ANSWER: usize = 70;

/// A command of a cluster, done or refused.
type Done = Result<Option<(u8, Vec<u8>)>, u8>;

impl Node {
    /// The answers to a message: their clusters and bytes.
    pub(in crate::sim) fn handle_message(
        &mut self,
        envelope: &Envelope,
        now: Duration,
    ) -> Vec<(u16, Vec<u8>)> {
        let Some(message) = Message::decode(&envelope.data) else { return Vec::new() };
        self.requests += 1;
        if self.fault == Fault::Mute {
            return Vec::new();
        }
        if envelope.endpoint != self.endpoint || message.header.direction == Direction::ToClient {
            return Vec::new();
        }
        let (header, cluster) = (message.header, envelope.cluster);
        let known = self.clusters().contains(&cluster);
        let mut answers = Vec::new();
        let answer = if !known && header.command != global::DEFAULT_RESPONSE {
            Err(status::UNSUPPORTED_CLUSTER)
        } else if header.manufacturer.is_some() {
            Err(0x84)
        } else if header.cluster_specific {
            self.command(cluster, header.command, &message.payload, envelope.from_endpoint)
        } else {
            self.global(cluster, header.command, &message.payload, now)
        };
        let (specific, command, payload) = match answer {
            Ok(Some((command, payload))) => (header.cluster_specific, command, payload),
            Ok(None) if header.quiet || header.command == global::DEFAULT_RESPONSE => return answers,
            Ok(None) => (false, global::DEFAULT_RESPONSE, vec![header.command, status::SUCCESS]),
            Err(status) => (false, global::DEFAULT_RESPONSE, vec![header.command, status]),
        };
        let mut reply = Message::global(header.sequence, command, payload);
        reply.header.cluster_specific = specific;
        reply.header.direction = Direction::ToClient;
        reply.header.manufacturer = header.manufacturer;
        answers.push((cluster, reply.encode()));
        if cluster == id::IAS_ZONE && header.command == global::WRITE && !header.cluster_specific {
            answers.extend(self.asks_to_enrol());
        }
        answers
    }

    fn global(&mut self, cluster: u16, command: u8, payload: &[u8], now: Duration) -> Done {
        Ok(match command {
            global::READ => Some((global::READ_RESPONSE, self.read(cluster, payload))),
            global::WRITE => Some((global::WRITE_RESPONSE, self.write(cluster, payload))),
            global::WRITE_QUIETLY => {
                self.write(cluster, payload);
                None
            }
            global::CONFIGURE_REPORTING => {
                Some((global::CONFIGURE_REPORTING_RESPONSE, self.configure(cluster, payload, now)?))
            }
            global::READ_REPORTING => {
                Some((global::READ_REPORTING_RESPONSE, self.read_configuration(cluster, payload)))
            }
            global::DISCOVER => Some((global::DISCOVER_RESPONSE, self.discover(cluster, payload)?)),
            global::DEFAULT_RESPONSE => None,
            _ => return Err(status::UNSUPPORTED_COMMAND),
        })
    }

    fn read(&self, cluster: u16, payload: &[u8]) -> Vec<u8> {
        let mut answer = Vec::new();
        for attribute in global::read_ids(payload) {
            if answer.len() > MOST_ANSWER {
                break;
            }
            attribute.put(&mut answer);
            let Some(held) = self.attributes.get(&(cluster, attribute)) else {
                answer.push(status::UNSUPPORTED_ATTRIBUTE);
                continue;
            };
            let (kind, value) = disguised(self.fault, held.kind, &held.value);
            answer.push(status::SUCCESS);
            kind.put(&mut answer);
            value.put(kind, &mut answer);
        }
        answer
    }

    fn write(&mut self, cluster: u16, payload: &[u8]) -> Vec<u8> {
        let mut answer = Vec::new();
        for attribute in global::attributes(payload) {
            let refusal = match self.attributes.get_mut(&(cluster, attribute.id)) {
                None => status::UNSUPPORTED_ATTRIBUTE,
                Some(held) if !held.writable => status::READ_ONLY,
                Some(held) if held.kind != attribute.kind => status::INVALID_TYPE,
                Some(_) if !in_range(cluster, attribute.id, &attribute.value) => status::INVALID_VALUE,
                Some(held) => {
                    held.value = attribute.value;
                    continue;
                }
            };
            answer.push(refusal);
            attribute.id.put(&mut answer);
        }
        if answer.is_empty() { vec![status::SUCCESS] } else { answer }
    }

    fn configure(&mut self, cluster: u16, payload: &[u8], now: Duration) -> Result<Vec<u8>, u8> {
        let wanted = Reporting::take_all(payload).ok_or(status::MALFORMED)?;
        let mut answer = Vec::new();
        for one in wanted {
            let place = (cluster, one.id);
            let refusal = match self.attributes.get(&place) {
                None => status::UNSUPPORTED_ATTRIBUTE,
                Some(held) if held.kind != one.kind => status::INVALID_TYPE,
                Some(_) if one.max != 0 && one.max < one.min => status::INVALID_VALUE,
                Some(_) if self.plans.len() >= MOST_PLANS && !self.plans.contains_key(&place) => {
                    status::INSUFFICIENT_SPACE
                }
                Some(held) => {
                    // The first report comes when something has changed or the longest interval is over.
                    let told = Some((now, held.value.clone()));
                    self.plans.insert(place, Plan { min: one.min, max: one.max, change: one.change, told });
                    continue;
                }
            };
            answer.extend([refusal, 0]);
            one.id.put(&mut answer);
        }
        Ok(if answer.is_empty() { vec![status::SUCCESS] } else { answer })
    }

    fn read_configuration(&self, cluster: u16, payload: &[u8]) -> Vec<u8> {
        let mut answer = Vec::new();
        for record in payload.as_chunks::<3>().0 {
            let attribute = u16::from_le_bytes([record[1], record[2]]);
            let held = self.attributes.get(&(cluster, attribute));
            match (held, self.plans.get(&(cluster, attribute))) {
                (Some(held), Some(plan)) => {
                    answer.push(status::SUCCESS);
                    let change = plan.change.clone();
                    Reporting { id: attribute, kind: held.kind, min: plan.min, max: plan.max, change }
                        .put(&mut answer);
                }
                (held, _) => {
                    answer.extend([if held.is_some() { 0x8B } else { status::UNSUPPORTED_ATTRIBUTE }, 0]);
                    attribute.put(&mut answer);
                }
            }
        }
        answer
    }

    fn discover(&self, cluster: u16, payload: &[u8]) -> Result<Vec<u8>, u8> {
        let mut input = Reader::new(payload);
        let (Some(start), Some(most)) = (input.get::<u16>(), input.get::<u8>()) else {
            return Err(status::MALFORMED);
        };
        let mut found = self.attributes.range((cluster, start)..=(cluster, u16::MAX)).peekable();
        let mut answer = vec![0];
        for _ in 0..usize::from(most).min(MOST_DISCOVERED) {
            let Some(((_, attribute), held)) = found.next() else { break };
            attribute.put(&mut answer);
            held.kind.put(&mut answer);
        }
        answer[0] = u8::from(found.peek().is_none());
        Ok(answer)
    }

    /// Asks to be taken as an alarm, when it was told by whom and is not yet. (8.2.2.2.3)
    fn asks_to_enrol(&mut self) -> Option<(u16, Vec<u8>)> {
        let named = match self.get(id::IAS_ZONE, 0x0010) {
            Some(Scalar::Bytes(ieee)) => ieee.iter().any(|byte| *byte != 0),
            Some(
                Scalar::None
                | Scalar::Bool(_)
                | Scalar::Unsigned(_)
                | Scalar::Signed(_)
                | Scalar::Float(_)
                | Scalar::Text(_),
            )
            | None => false,
        };
        if !named || self.enrolled_at.is_some() {
            return None;
        }
        let Some(Scalar::Unsigned(kind)) = self.get(id::IAS_ZONE, 0x0001).cloned() else { return None };
        let mut payload = (kind as u16).to_le_bytes().to_vec();
        self.manufacturer_code.put(&mut payload);
        let mut request = Message::specific(self.next_sequence(), 0x01, payload);
        request.header.direction = Direction::ToClient;
        Some((id::IAS_ZONE, request.encode()))
    }

    fn command(&mut self, cluster: u16, command: u8, payload: &[u8], from: u8) -> Done {
        let mut input = Reader::new(payload);
        let malformed = status::MALFORMED;
        match (cluster, command) {
            (id::ON_OFF, 0x00) => self.set(cluster, 0, Scalar::Bool(false)),
            (id::ON_OFF, 0x01) => self.set(cluster, 0, Scalar::Bool(true)),
            (id::ON_OFF, 0x02) => {
                let on = self.get(cluster, 0) == Some(&Scalar::Bool(true));
                self.set(cluster, 0, Scalar::Bool(!on));
            }
            (id::LEVEL, 0x00 | 0x04) => {
                let level: u8 = input.get().ok_or(malformed)?;
                let _transition: u16 = input.get().ok_or(malformed)?;
                if level == 0xFF {
                    return Err(status::INVALID_VALUE);
                }
                self.set(cluster, 0, Scalar::Unsigned(u64::from(level)));
                if command == 0x04 {
                    self.set(id::ON_OFF, 0, Scalar::Bool(level > 0));
                }
            }
            (id::COLOR, 0x0A) => {
                let mireds: u16 = input.get().ok_or(malformed)?;
                let _transition: u16 = input.get().ok_or(malformed)?;
                if !(153..=500).contains(&mireds) {
                    return Err(status::INVALID_VALUE);
                }
                self.set(cluster, 7, Scalar::Unsigned(u64::from(mireds)));
            }
            (id::COVERING, 0x00) => self.set(cluster, 8, Scalar::Unsigned(0)),
            (id::COVERING, 0x01) => self.set(cluster, 8, Scalar::Unsigned(100)),
            (id::COVERING, 0x02) => {}
            (id::COVERING, 0x05) => {
                let percent: u8 = input.get().ok_or(malformed)?;
                if percent > 100 {
                    return Err(status::INVALID_VALUE);
                }
                self.set(cluster, 8, Scalar::Unsigned(u64::from(percent)));
            }
            (id::THERMOSTAT, 0x00) => {
                let (_mode, tenths): (u8, u8) =
                    (input.get().ok_or(malformed)?, input.get().ok_or(malformed)?);
                if let Some(Scalar::Signed(now)) = self.get(cluster, 0x0012).cloned() {
                    self.set(cluster, 0x0012, Scalar::Signed(now + 10 * i64::from(tenths.cast_signed())));
                }
            }
            (id::IDENTIFY, 0x00) => {
                let seconds: u16 = input.get().ok_or(malformed)?;
                self.set(cluster, 0, Scalar::Unsigned(u64::from(seconds)));
            }
            (id::BASIC, 0x00) => {}
            (id::IAS_ZONE, 0x00) => {
                let (code, zone): (u8, u8) = (input.get().ok_or(malformed)?, input.get().ok_or(malformed)?);
                if code == 0 {
                    self.set(cluster, 0x0000, Scalar::Unsigned(1));
                    self.set(cluster, 0x0011, Scalar::Unsigned(u64::from(zone)));
                    self.enrolled_at = Some(from);
                    self.told_zone = None;
                }
            }
            _ => return Err(status::UNSUPPORTED_COMMAND),
        }
        Ok(None)
    }
}

/// What the device takes.
fn in_range(cluster: u16, attribute: u16, value: &Scalar) -> bool {
    match (cluster, attribute, value) {
        (id::THERMOSTAT, 0x0012, Scalar::Signed(setpoint)) => (500..=3_000).contains(setpoint),
        _ => true,
    }
}
