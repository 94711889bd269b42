//! The kinds of devices, and what each is equipped with.

use super::Node;
use crate::zcl::clusters::id;
use crate::zcl::{Scalar, TypeId};

/// What a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A plug with a power meter; it passes messages on.
    Plug,
    /// A bulb with level and colour temperature; it passes messages on.
    Bulb,
    /// A blind; it passes messages on.
    Blind,
    /// A sensor of temperature and humidity, which sleeps.
    Climate,
    /// A contact at a door, which sleeps.
    Contact,
    /// A motion sensor with a light meter, which sleeps.
    Motion,
    /// A thermostat of a radiator, which sleeps.
    Thermostat,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::Plug, Self::Bulb, Self::Blind, Self::Climate, Self::Contact, Self::Motion, Self::Thermostat];

    /// Whether it sleeps.
    #[must_use]
    pub fn sleeps(self) -> bool {
        match self {
            Self::Plug | Self::Bulb | Self::Blind => false,
            Self::Climate | Self::Contact | Self::Motion | Self::Thermostat => true,
        }
    }

    /// Its model as it says itself.
    #[must_use]
    pub fn model(self) -> &'static str {
        match self {
            Self::Plug => "SIM-PLUG",
            Self::Bulb => "SIM-BULB",
            Self::Blind => "SIM-BLIND",
            Self::Climate => "SIM-CLIMATE",
            Self::Contact => "SIM-CONTACT",
            Self::Motion => "SIM-MOTION",
            Self::Thermostat => "SIM-THERMOSTAT",
        }
    }

    /// Its device id in the home automation profile.
    pub(super) fn device_id(self) -> u16 {
        match self {
            Self::Plug => 0x0051,
            Self::Bulb => 0x010C,
            Self::Blind => 0x0202,
            Self::Climate => 0x0302,
            Self::Contact | Self::Motion => 0x0402,
            Self::Thermostat => 0x0301,
        }
    }
}

/// An attribute that can only be read.
fn fixed(node: &mut Node, cluster: u16, attribute: u16, kind: TypeId, value: Scalar) {
    node.hold(cluster, attribute, kind, value, false);
}

fn unsigned(node: &mut Node, cluster: u16, attribute: u16, kind: TypeId, value: u64) {
    fixed(node, cluster, attribute, kind, Scalar::Unsigned(value));
}

fn signed(node: &mut Node, cluster: u16, attribute: u16, value: i64) {
    fixed(node, cluster, attribute, TypeId::INT16, Scalar::Signed(value));
}

pub(super) fn equip(node: &mut Node) {
    basic(node);
    match node.kind {
        Kind::Plug => {
            on_off(node, true);
            electrical(node);
        }
        Kind::Bulb => {
            on_off(node, false);
            unsigned(node, id::LEVEL, 0x0000, TypeId::UINT8, 127);
            unsigned(node, id::COLOR, 0x0007, TypeId::UINT16, 370);
            unsigned(node, id::COLOR, 0x0008, TypeId::ENUM8, 2);
            unsigned(node, id::COLOR, 0x400A, TypeId::BITMAP16, 0x10);
            unsigned(node, id::COLOR, 0x400B, TypeId::UINT16, 153);
            unsigned(node, id::COLOR, 0x400C, TypeId::UINT16, 500);
        }
        Kind::Blind => {
            unsigned(node, id::COVERING, 0x0000, TypeId::ENUM8, 0);
            unsigned(node, id::COVERING, 0x0007, TypeId::BITMAP8, 0x0B);
            unsigned(node, id::COVERING, 0x0008, TypeId::UINT8, 30);
        }
        Kind::Climate => {
            battery(node);
            signed(node, id::TEMPERATURE, 0x0000, 2_150);
            signed(node, id::TEMPERATURE, 0x0001, -4_000);
            signed(node, id::TEMPERATURE, 0x0002, 8_500);
            unsigned(node, id::HUMIDITY, 0x0000, TypeId::UINT16, 4_800);
        }
        Kind::Contact => {
            battery(node);
            zone(node, 0x0015);
        }
        Kind::Motion => {
            battery(node);
            zone(node, 0x000D);
            unsigned(node, id::OCCUPANCY, 0x0000, TypeId::BITMAP8, 0);
            unsigned(node, id::OCCUPANCY, 0x0001, TypeId::ENUM8, 0);
            unsigned(node, id::ILLUMINANCE, 0x0000, TypeId::UINT16, 21_761);
        }
        Kind::Thermostat => {
            battery(node);
            signed(node, id::THERMOSTAT, 0x0000, 1_950);
            node.hold(id::THERMOSTAT, 0x0012, TypeId::INT16, Scalar::Signed(2_000), true);
            unsigned(node, id::THERMOSTAT, 0x0008, TypeId::UINT8, 0);
            node.hold(id::THERMOSTAT, 0x001B, TypeId::ENUM8, Scalar::Unsigned(2), true);
            node.hold(id::THERMOSTAT, 0x001C, TypeId::ENUM8, Scalar::Unsigned(4), true);
            unsigned(node, id::THERMOSTAT, 0x0029, TypeId::BITMAP16, 0);
        }
    }
}

fn basic(node: &mut Node) {
    let text = |text: &str| Scalar::Text(text.to_owned());
    let model = node.kind.model();
    let source = if node.kind.sleeps() { 3 } else { 1 };
    unsigned(node, id::BASIC, 0x0000, TypeId::UINT8, 8);
    unsigned(node, id::BASIC, 0x0001, TypeId::UINT8, 1);
    unsigned(node, id::BASIC, 0x0002, TypeId::UINT8, 2);
    unsigned(node, id::BASIC, 0x0003, TypeId::UINT8, 1);
    fixed(node, id::BASIC, 0x0004, TypeId::TEXT, text("Twinspan"));
    fixed(node, id::BASIC, 0x0005, TypeId::TEXT, text(model));
    fixed(node, id::BASIC, 0x0006, TypeId::TEXT, text("20260101"));
    unsigned(node, id::BASIC, 0x0007, TypeId::ENUM8, source);
    node.hold(id::BASIC, 0x0010, TypeId::TEXT, text(""), true);
    fixed(node, id::BASIC, 0x4000, TypeId::TEXT, text("1.0.0"));
    node.hold(id::IDENTIFY, 0x0000, TypeId::UINT16, Scalar::Unsigned(0), true);
}

fn on_off(node: &mut Node, on: bool) {
    fixed(node, id::ON_OFF, 0x0000, TypeId::BOOL, Scalar::Bool(on));
    node.hold(id::ON_OFF, 0x4003, TypeId::ENUM8, Scalar::None, true);
}

fn battery(node: &mut Node) {
    unsigned(node, id::POWER, 0x0020, TypeId::UINT8, 30);
    unsigned(node, id::POWER, 0x0021, TypeId::UINT8, 200);
}

/// An alarm of this type. (8.2.2.2.1.2)
fn zone(node: &mut Node, kind: u64) {
    unsigned(node, id::IAS_ZONE, 0x0000, TypeId::ENUM8, 0);
    unsigned(node, id::IAS_ZONE, 0x0001, TypeId::ENUM16, kind);
    unsigned(node, id::IAS_ZONE, 0x0002, TypeId::BITMAP16, 0);
    node.hold(id::IAS_ZONE, 0x0010, TypeId::IEEE, Scalar::Bytes(vec![0; 8]), true);
    unsigned(node, id::IAS_ZONE, 0x0011, TypeId::UINT8, 0xFE);
}

fn electrical(node: &mut Node) {
    for (attribute, value) in
        [(0x0600, 1), (0x0601, 10), (0x0602, 1), (0x0603, 1_000), (0x0604, 1), (0x0605, 10)]
    {
        unsigned(node, id::ELECTRICAL, attribute, TypeId::UINT16, value);
    }
    unsigned(node, id::ELECTRICAL, 0x0505, TypeId::UINT16, 2_301);
    unsigned(node, id::ELECTRICAL, 0x0508, TypeId::UINT16, 183);
    signed(node, id::ELECTRICAL, 0x050B, 421);
    unsigned(node, id::METERING, 0x0000, TypeId::UINT48, 12_345);
    unsigned(node, id::METERING, 0x0300, TypeId::ENUM8, 0);
    unsigned(node, id::METERING, 0x0301, TypeId::UINT24, 1);
    unsigned(node, id::METERING, 0x0302, TypeId::UINT24, 1_000);
}
