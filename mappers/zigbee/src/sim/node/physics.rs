//! How the values of a device move by themselves.

use std::f64::consts::TAU;
use std::time::Duration;

use fastrand::Rng;

use super::{Kind, Node};
use crate::zcl::Scalar;
use crate::zcl::clusters::id;

/// Between -1 and 1, once around in `period` seconds.
fn wave(now: Duration, period: f64) -> f64 {
    (now.as_secs_f64() / period * TAU).sin()
}

fn number(node: &Node, cluster: u16, attribute: u16) -> f64 {
    match node.get(cluster, attribute) {
        Some(Scalar::Unsigned(number)) => *number as f64,
        Some(Scalar::Signed(number)) => *number as f64,
        Some(Scalar::Bool(bit)) => f64::from(u8::from(*bit)),
        Some(Scalar::None | Scalar::Float(_) | Scalar::Text(_) | Scalar::Bytes(_)) | None => 0.0,
    }
}

fn signed(value: f64) -> Scalar {
    Scalar::Signed(value.round() as i64)
}

fn unsigned(value: f64) -> Scalar {
    Scalar::Unsigned(value.round().max(0.0) as u64)
}

/// Moves what moves, once a second.
pub(super) fn live(node: &mut Node, now: Duration, rng: &mut Rng) {
    if now < node.moved_at + Duration::from_secs(1) {
        return;
    }
    let step = (now.saturating_sub(node.moved_at)).as_secs_f64().min(10.0);
    node.moved_at = now;
    match node.kind {
        Kind::Plug => plug(node, now, rng, step),
        Kind::Bulb | Kind::Blind => {}
        Kind::Climate => {
            node.set(id::TEMPERATURE, 0x0000, signed(2_150.0 + 120.0 * wave(now, 240.0) + 3.0 * rng.f64()));
            node.set(id::HUMIDITY, 0x0000, unsigned(4_800.0 + 500.0 * wave(now, 330.0) + 5.0 * rng.f64()));
        }
        Kind::Contact => {
            let open = wave(now, 47.0) > 0.7;
            node.set(id::IAS_ZONE, 0x0002, Scalar::Unsigned(u64::from(open)));
        }
        Kind::Motion => {
            let moves = wave(now, 31.0) > 0.6;
            node.set(id::OCCUPANCY, 0x0000, Scalar::Unsigned(u64::from(moves)));
            node.set(id::IAS_ZONE, 0x0002, Scalar::Unsigned(u64::from(moves)));
            node.set(id::ILLUMINANCE, 0x0000, unsigned(21_000.0 + 2_000.0 * wave(now, 600.0)));
        }
        Kind::Thermostat => thermostat(node, step),
    }
    if node.kind.sleeps() {
        drain(node, now);
    }
}

fn plug(node: &mut Node, now: Duration, rng: &mut Rng, step: f64) {
    let on = number(node, id::ON_OFF, 0x0000);
    let volts = 230.0 + 2.0 * wave(now, 17.0);
    let watts = on * (42.0 + 6.0 * wave(now, 23.0) + rng.f64());
    node.set(id::ELECTRICAL, 0x0505, unsigned(volts * 10.0));
    node.set(id::ELECTRICAL, 0x0508, unsigned(watts / volts * 1_000.0));
    node.set(id::ELECTRICAL, 0x050B, signed(watts * 10.0));
    // A watt-hour counts for a hundred, so that one sees it move.
    let energy = number(node, id::METERING, 0x0000) + watts * step / 36.0;
    node.set(id::METERING, 0x0000, unsigned(energy));
}

fn thermostat(node: &mut Node, step: f64) {
    let (now, goal) = (number(node, id::THERMOSTAT, 0x0000), number(node, id::THERMOSTAT, 0x0012));
    let heats = number(node, id::THERMOSTAT, 0x001C) != 0.0;
    let goal = if heats { goal } else { 1_600.0 };
    let demand = if heats { ((goal - now) / 2.0).clamp(0.0, 100.0) } else { 0.0 };
    let moved = (goal - now) * (step / 30.0).min(1.0);
    let moved = if moved.abs() < 1.0 { moved.signum().min(goal - now).max(-1.0) } else { moved };
    node.set(id::THERMOSTAT, 0x0000, signed(now + moved));
    node.set(id::THERMOSTAT, 0x0008, unsigned(demand));
    node.set(id::THERMOSTAT, 0x0029, Scalar::Unsigned(u64::from(demand > 0.0)));
}

/// A battery lasts two hours here; below 5 % an alarm says so in its zone.
fn drain(node: &mut Node, now: Duration) {
    let left = (200.0 * (1.0 - now.as_secs_f64() / 7_200.0)).max(0.0);
    node.set(id::POWER, 0x0021, unsigned(left));
    node.set(id::POWER, 0x0020, unsigned(22.0 + left / 25.0));
    let status = match node.get(id::IAS_ZONE, 0x0002) {
        Some(Scalar::Unsigned(status)) => *status,
        Some(
            Scalar::None
            | Scalar::Bool(_)
            | Scalar::Signed(_)
            | Scalar::Float(_)
            | Scalar::Text(_)
            | Scalar::Bytes(_),
        )
        | None => return,
    };
    let low = if left < 10.0 { 1 << 3 } else { 0 };
    node.set(id::IAS_ZONE, 0x0002, Scalar::Unsigned(status & !(1 << 3) | low));
}
