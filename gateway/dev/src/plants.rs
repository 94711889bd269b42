//! The simulated devices of all protocols, and the configuration that reads them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use ble::Ble;
use config::{Config, DeviceConfig, Source};
use mapper_sdk::Mapper;
use mqtt_link::LinkSettings;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The ZigBee network is the same at every start, as the gateway remembers it.
const SEED: u64 = 1;

/// The devices, running.
pub(super) struct Plants {
    /// The models and devices to read them with.
    pub(super) sources: Vec<Source>,
    /// What to tell whoever tries them.
    pub(super) lines: Vec<String>,
    air: ble::sim::SimAir,
}

impl Plants {
    /// Starts the devices of all protocols as tasks, each on a free port of `loopback`. `data` is the gateway's folder.
    pub(super) async fn start(
        loopback: SocketAddr,
        data: &Path,
        tasks: &mut JoinSet<anyhow::Result<()>>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let modbus = modbus::sim::demo_plant(loopback).await.context("the simulated Modbus plant")?;
        let address = modbus.plant.address();
        let mut sources = vec![Source::new("the Modbus plant", modbus.yaml)];
        let mut lines = vec![format!(
            "Modbus         {address}    boiler, meter, tank, and a chiller that goes dead now and then"
        )];
        let token = stop.clone();
        tasks.spawn(async move { modbus.plant.run(token).await.context("the simulated Modbus plant") });

        let opcua = opcua::sim::demo_plant(loopback).await.context("the simulated OPC UA server")?;
        lines.push(format!(
            "OPC UA         opc.tcp://{}    kiln, mixer; try: twinspan opcua browse",
            opcua.server.address()
        ));
        sources.push(Source::new("the OPC UA plant", opcua.yaml.clone()));
        let token = stop.clone();
        tasks.spawn(async move { opcua.run(token).await.context("the simulated OPC UA server") });

        let folder = data.join("zigbee");
        let zigbee = zigbee::sim::demo_network(loopback, SEED, &folder);
        let zigbee = zigbee.await.context("the simulated ZigBee network")?;
        lines.push("ZigBee         plug, bulb, blind, climate, contact, motion, thermostat".to_owned());
        sources.push(Source::new("the ZigBee network", zigbee.yaml.clone()));
        let token = stop.clone();
        tasks.spawn(async move { zigbee.run(token).await.context("the simulated ZigBee network") });

        let ble = ble::sim::demo();
        lines.push("Bluetooth LE   thermometer, beacon, and a chest strap that goes out of reach".to_owned());
        sources.push(Source::new("the Bluetooth LE devices", ble.yaml));
        let (air, token) = (ble.air.clone(), stop.clone());
        tasks.spawn(async move {
            ble.run(token).await;
            Ok(())
        });
        Ok(Self { sources, lines, air })
    }

    /// Takes the Bluetooth LE devices out of the hands of the gateway's own mapper, which would look for a real adapter, and
    /// gives them to one that has the simulated adapter and speaks MQTT from outside.
    pub(super) fn take_ble(&self, config: &mut Config) -> Outside {
        let mut devices = Vec::new();
        for device in config.devices.values_mut() {
            if device.protocol.as_deref() != Some("ble") {
                continue;
            }
            devices.push(Arc::clone(device));
            let outside = DeviceConfig { protocol: None, link: None, ..(**device).clone() };
            *device = Arc::new(outside);
        }
        Outside { air: self.air.clone(), devices }
    }
}

/// A mapper beside the gateway.
pub(super) struct Outside {
    air: ble::sim::SimAir,
    devices: Vec<Arc<DeviceConfig>>,
}

impl Outside {
    /// Runs it against the gateway's broker until `stop`.
    pub(super) async fn run(self, mqtt: String, stop: CancellationToken) -> anyhow::Result<()> {
        let settings = LinkSettings::new(&mqtt, "mapper-ble-simulated");
        let mapper = Mapper::new(Ble::over(self.air), &self.devices, settings)?;
        mapper.run(stop).await.context("the Bluetooth LE mapper")
    }
}
