//! Measurements and meters. (chapter 4; 10.4 metering)

use super::{Cluster, id, read};
use crate::zcl::types::TypeId;

pub(super) const CLUSTERS: &[Cluster] = &[
    // 4.2
    Cluster {
        id: id::ILLUMINANCE,
        name: "illuminance",
        attributes: &[
            // 10,000 times the logarithm of the lux and one more.
            read(0x0000, "measured_value", TypeId::UINT16).change(500.0),
            read(0x0001, "min_measured_value", TypeId::UINT16),
            read(0x0002, "max_measured_value", TypeId::UINT16),
        ],
    },
    // 4.4
    Cluster {
        id: id::TEMPERATURE,
        name: "temperature",
        attributes: &[
            read(0x0000, "measured_value", TypeId::INT16).scaled(0.01, "°C").change(0.1),
            read(0x0001, "min_measured_value", TypeId::INT16).scaled(0.01, "°C"),
            read(0x0002, "max_measured_value", TypeId::INT16).scaled(0.01, "°C"),
            read(0x0003, "tolerance", TypeId::UINT16).scaled(0.01, "°C"),
        ],
    },
    // 4.7
    Cluster {
        id: id::HUMIDITY,
        name: "humidity",
        attributes: &[
            read(0x0000, "measured_value", TypeId::UINT16).scaled(0.01, "%").change(0.5),
            read(0x0001, "min_measured_value", TypeId::UINT16).scaled(0.01, "%"),
            read(0x0002, "max_measured_value", TypeId::UINT16).scaled(0.01, "%"),
        ],
    },
    // 4.8
    Cluster {
        id: id::OCCUPANCY,
        name: "occupancy",
        attributes: &[
            super::Attribute { bit: Some(0), ..read(0x0000, "occupied", TypeId::BITMAP8) },
            read(0x0000, "occupancy", TypeId::BITMAP8),
            read(0x0001, "sensor_type", TypeId::ENUM8),
            super::write(0x0010, "occupied_to_unoccupied_delay", TypeId::UINT16).scaled(1.0, "s"),
        ],
    },
    // 10.4
    Cluster {
        id: id::METERING,
        name: "metering",
        attributes: &[
            read(0x0000, "current_summation_delivered", TypeId::UINT48)
                .scaled(1.0, "kWh")
                .formatted(0x0301, 0x0302)
                .change(0.01),
            read(0x0001, "current_summation_received", TypeId::UINT48)
                .scaled(1.0, "kWh")
                .formatted(0x0301, 0x0302)
                .change(0.01),
            read(0x0400, "instantaneous_demand", TypeId::INT24)
                .scaled(1.0, "kW")
                .formatted(0x0301, 0x0302)
                .change(0.005),
            read(0x0300, "unit_of_measure", TypeId::ENUM8),
            read(0x0301, "multiplier", TypeId::UINT24),
            read(0x0302, "divisor", TypeId::UINT24),
        ],
    },
    // 4.9
    Cluster {
        id: id::ELECTRICAL,
        name: "electrical_measurement",
        attributes: &[
            read(0x0300, "ac_frequency", TypeId::UINT16)
                .scaled(1.0, "Hz")
                .formatted(0x0400, 0x0401)
                .change(0.1),
            read(0x0505, "rms_voltage", TypeId::UINT16)
                .scaled(1.0, "V")
                .formatted(0x0600, 0x0601)
                .change(1.0),
            read(0x0508, "rms_current", TypeId::UINT16)
                .scaled(1.0, "A")
                .formatted(0x0602, 0x0603)
                .change(0.05),
            read(0x050B, "active_power", TypeId::INT16)
                .scaled(1.0, "W")
                .formatted(0x0604, 0x0605)
                .change(1.0),
            read(0x050F, "apparent_power", TypeId::UINT16)
                .scaled(1.0, "VA")
                .formatted(0x0604, 0x0605)
                .change(1.0),
            read(0x0400, "ac_frequency_multiplier", TypeId::UINT16),
            read(0x0401, "ac_frequency_divisor", TypeId::UINT16),
            read(0x0600, "ac_voltage_multiplier", TypeId::UINT16),
            read(0x0601, "ac_voltage_divisor", TypeId::UINT16),
            read(0x0602, "ac_current_multiplier", TypeId::UINT16),
            read(0x0603, "ac_current_divisor", TypeId::UINT16),
            read(0x0604, "ac_power_multiplier", TypeId::UINT16),
            read(0x0605, "ac_power_divisor", TypeId::UINT16),
        ],
    },
];
