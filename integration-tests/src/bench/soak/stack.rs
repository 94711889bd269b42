//! The processes.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use super::super::modbus::Plant;
use super::super::modbus::plant_of;
use super::super::process::{Child, binary, free_port, start, wait_for};
use super::super::stream;
use super::relay::Relay;

pub(super) struct Stack {
    pub(super) gateway: Child,
    pub(super) cloud: Child,
    pub(super) relay: Relay,
    plant: Plant,
    registers: u16,
    api: u16,
    mqtt: u16,
    rest: u16,
    token: String,
    folder: TempDir,
}

impl Stack {
    pub(super) async fn start(devices: usize, registers: u16) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (mqtt, api, rest, hub) = (free_port()?, free_port()?, free_port()?, free_port()?);
        let cloud_data = folder.path().join("cloud");
        let token = Command::new(binary("twinspan-cloud")?)
            .args(["token", "create", "--node", "soak", "--data"])
            .arg(&cloud_data)
            .output()?;
        ensure!(token.status.success(), "{}", String::from_utf8_lossy(&token.stderr));
        let token = String::from_utf8(token.stdout)?.lines().last().context("no token")?.trim().to_owned();
        let (listen, hub) = (format!("127.0.0.1:{rest}"), format!("127.0.0.1:{hub}"));
        let data = cloud_data.display().to_string();
        let arguments = ["serve", "--listen", &listen, "--hub", &hub, "--data", &data];
        let cloud = start("twinspan-cloud", &arguments, &folder.path().join("cloud.log"))?;
        wait_for(rest, "/readyz").await?;
        let relay = Relay::start(hub.parse()?).await?;
        let plant = plant_of(devices, true).await?;
        let text = yaml(&folder, &plant.ports, registers, [mqtt, api, relay.port], &token, false)?;
        let config = folder.path().join("gateway.yaml");
        std::fs::write(&config, text)?;
        let log = folder.path().join("gateway.log");
        let gateway = start("twinspan", &["run", &config.display().to_string()], &log)?;
        wait_for(api, "/readyz").await?;
        Ok(Self { gateway, cloud, relay, plant, registers, api, mqtt, rest, token, folder })
    }

    pub(super) fn gateway_data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(super) fn cloud_data(&self) -> PathBuf {
        self.folder.path().join("cloud")
    }

    /// Reads the configuration again, with or without one device more.
    pub(super) fn reload(&self, more: bool) -> anyhow::Result<()> {
        let ports = [self.mqtt, self.api, self.relay.port];
        let text = yaml(&self.folder, &self.plant.ports, self.registers, ports, &self.token, more)?;
        std::fs::write(self.folder.path().join("gateway.yaml"), text)?;
        let pid = self.gateway.pid().to_string();
        ensure!(Command::new("kill").args(["-HUP", &pid]).status()?.success(), "the gateway has ended");
        Ok(())
    }

    /// What people and programs ask all day.
    pub(super) async fn ask(&self, second: u64) -> anyhow::Result<()> {
        let device = second % self.plant.ports.len().max(1) as u64;
        for path in
            ["/api/v1/status", "/metrics", "/readyz", &format!("/api/v1/devices/default/dev-{device}/twin")]
        {
            let (status, body) = stream::get(self.api, path).await?;
            ensure!(status == 200, "{path}: {status} {}", String::from_utf8_lossy(&body));
        }
        let (status, _) = stream::get(self.rest, "/api/v1/nodes").await?;
        ensure!(status == 200, "the cloud answers {status}");
        Ok(())
    }

    /// That the cloud has every device at the end.
    pub(super) async fn is_whole(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        for device in 0..self.plant.ports.len() {
            let path = format!("/api/v1/nodes/soak/devices/default/dev-{device}/twin");
            while !matches!(stream::get(self.rest, &path).await, Ok((200, _))) {
                if Instant::now() > deadline {
                    bail!("the cloud has no {path}");
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        Ok(())
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.gateway.stop().await?;
        self.cloud.stop().await
    }
}

fn yaml(
    folder: &TempDir,
    ports: &[u16],
    registers: u16,
    [mqtt, api, hub]: [u16; 3],
    token: &str,
    more: bool,
) -> Result<String, std::fmt::Error> {
    let data = folder.path().join("data").display().to_string();
    let mut text = format!(
        "gateway:\n  node: soak\n  data_dir: {data:?}\n  mqtt: {{embedded: {{listen: \"127.0.0.1:{mqtt}\"}}}}\n  \
         api: {{listen: \"127.0.0.1:{api}\"}}\n  cloud: {{url: \"wss://127.0.0.1:{hub}\", token: {token:?}}}\n\
         models:\n  meter:\n    parameters: {{port: {{type: int}}}}\n    modbus: {{tcp: \"127.0.0.1:$(port)\"}}\n    \
         properties:\n"
    );
    for register in 0..registers {
        writeln!(text, "      r{register}: {{type: int, every: 1s, modbus: {{holding: {register}}}}}")?;
    }
    writeln!(text, "devices:")?;
    for (device, port) in ports.iter().enumerate() {
        writeln!(text, "  dev-{device}: {{model: meter, with: {{port: {port}}}}}")?;
    }
    if more {
        writeln!(
            text,
            "  one-more: {{model: meter, with: {{port: {}}}}}",
            ports.first().copied().unwrap_or(1)
        )?;
    }
    Ok(text)
}
