//! General clusters: what the device is, its power, on and off, level. (chapter 3)

use super::{Cluster, Command, id, read, write};
use crate::zcl::types::TypeId;

pub(super) const CLUSTERS: &[Cluster] = &[
    // 3.2
    Cluster {
        id: id::BASIC,
        name: "basic",
        attributes: &[
            read(0x0000, "zcl_version", TypeId::UINT8),
            read(0x0001, "application_version", TypeId::UINT8),
            read(0x0002, "stack_version", TypeId::UINT8),
            read(0x0003, "hw_version", TypeId::UINT8),
            read(0x0004, "manufacturer_name", TypeId::TEXT),
            read(0x0005, "model_identifier", TypeId::TEXT),
            read(0x0006, "date_code", TypeId::TEXT),
            read(0x0007, "power_source", TypeId::ENUM8),
            write(0x0010, "location_description", TypeId::TEXT),
            read(0x4000, "sw_build_id", TypeId::TEXT),
        ],
    },
    // 3.3
    Cluster {
        id: id::POWER,
        name: "power_configuration",
        attributes: &[
            read(0x0000, "mains_voltage", TypeId::UINT16).scaled(0.1, "V").change(1.0),
            read(0x0020, "battery_voltage", TypeId::UINT8).scaled(0.1, "V").change(0.1),
            read(0x0021, "battery_percentage_remaining", TypeId::UINT8).scaled(0.5, "%").change(1.0),
            read(0x0035, "battery_alarm_mask", TypeId::BITMAP8),
            read(0x003E, "battery_alarm_state", TypeId::BITMAP32),
        ],
    },
    // 3.5
    Cluster {
        id: id::IDENTIFY,
        name: "identify",
        attributes: &[write(0x0000, "identify_time", TypeId::UINT16).scaled(1.0, "s")],
    },
    // 3.8
    Cluster {
        id: id::ON_OFF,
        name: "on_off",
        attributes: &[
            read(0x0000, "on_off", TypeId::BOOL).by(Command::OnOff),
            read(0x4000, "global_scene_control", TypeId::BOOL),
            write(0x4001, "on_time", TypeId::UINT16).scaled(0.1, "s"),
            write(0x4002, "off_wait_time", TypeId::UINT16).scaled(0.1, "s"),
            write(0x4003, "start_up_on_off", TypeId::ENUM8),
        ],
    },
    // 3.10
    Cluster {
        id: id::LEVEL,
        name: "level",
        attributes: &[
            read(0x0000, "current_level", TypeId::UINT8).by(Command::MoveToLevel).change(1.0),
            read(0x0001, "remaining_time", TypeId::UINT16).scaled(0.1, "s"),
            read(0x0002, "min_level", TypeId::UINT8),
            read(0x0003, "max_level", TypeId::UINT8),
            write(0x0010, "on_off_transition_time", TypeId::UINT16).scaled(0.1, "s"),
            write(0x0011, "on_level", TypeId::UINT8),
            write(0x4000, "start_up_current_level", TypeId::UINT8),
        ],
    },
];
