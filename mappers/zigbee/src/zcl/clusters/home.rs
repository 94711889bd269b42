//! Coverings, thermostats, lights, alarms. (chapters 5 to 8)

use super::{Attribute, Cluster, Command, id, read, write};
use crate::zcl::types::TypeId;

/// A bit of the zone's status. (8.2.2.2.1.3)
const fn zone(bit: u8, name: &'static str) -> Attribute {
    Attribute { bit: Some(bit), notified: true, ..read(0x0002, name, TypeId::BITMAP16) }
}

pub(super) const CLUSTERS: &[Cluster] = &[
    // 7.4
    Cluster {
        id: id::COVERING,
        name: "window_covering",
        attributes: &[
            read(0x0000, "window_covering_type", TypeId::ENUM8),
            read(0x0007, "config_status", TypeId::BITMAP8),
            read(0x0008, "current_position_lift_percentage", TypeId::UINT8)
                .scaled(1.0, "%")
                .by(Command::GoToLiftPercentage)
                .change(1.0),
            write(0x0017, "mode", TypeId::BITMAP8),
        ],
    },
    // 6.3
    Cluster {
        id: id::THERMOSTAT,
        name: "thermostat",
        attributes: &[
            read(0x0000, "local_temperature", TypeId::INT16).scaled(0.01, "°C").change(0.1),
            read(0x0001, "outdoor_temperature", TypeId::INT16).scaled(0.01, "°C").change(0.1),
            read(0x0008, "pi_heating_demand", TypeId::UINT8).scaled(1.0, "%").change(1.0),
            write(0x0010, "local_temperature_calibration", TypeId::INT8).scaled(0.1, "°C"),
            write(0x0011, "occupied_cooling_setpoint", TypeId::INT16).scaled(0.01, "°C").change(0.1),
            write(0x0012, "occupied_heating_setpoint", TypeId::INT16).scaled(0.01, "°C").change(0.1),
            write(0x0014, "unoccupied_heating_setpoint", TypeId::INT16).scaled(0.01, "°C").change(0.1),
            write(0x0015, "min_heat_setpoint_limit", TypeId::INT16).scaled(0.01, "°C"),
            write(0x0016, "max_heat_setpoint_limit", TypeId::INT16).scaled(0.01, "°C"),
            write(0x001B, "control_sequence_of_operation", TypeId::ENUM8),
            write(0x001C, "system_mode", TypeId::ENUM8),
            read(0x0029, "running_state", TypeId::BITMAP16),
        ],
    },
    // 5.2
    Cluster {
        id: id::COLOR,
        name: "color_control",
        attributes: &[
            read(0x0000, "current_hue", TypeId::UINT8).change(1.0),
            read(0x0001, "current_saturation", TypeId::UINT8).change(1.0),
            read(0x0003, "current_x", TypeId::UINT16).change(100.0),
            read(0x0004, "current_y", TypeId::UINT16).change(100.0),
            // Mireds: a million divided by the kelvins.
            read(0x0007, "color_temperature", TypeId::UINT16)
                .scaled(1.0, "mired")
                .by(Command::MoveToColorTemperature)
                .change(1.0),
            read(0x0008, "color_mode", TypeId::ENUM8),
            read(0x400A, "color_capabilities", TypeId::BITMAP16),
            read(0x400B, "color_temp_physical_min", TypeId::UINT16).scaled(1.0, "mired"),
            read(0x400C, "color_temp_physical_max", TypeId::UINT16).scaled(1.0, "mired"),
        ],
    },
    // 8.2
    Cluster {
        id: id::IAS_ZONE,
        name: "ias_zone",
        attributes: &[
            read(0x0000, "zone_state", TypeId::ENUM8),
            read(0x0001, "zone_type", TypeId::ENUM16),
            Attribute { notified: true, ..read(0x0002, "zone_status", TypeId::BITMAP16) },
            zone(0, "alarm_1"),
            zone(1, "alarm_2"),
            zone(2, "tamper"),
            zone(3, "battery_low"),
            zone(6, "trouble"),
            write(0x0010, "ias_cie_address", TypeId::IEEE),
            read(0x0011, "zone_id", TypeId::UINT8),
        ],
    },
];
