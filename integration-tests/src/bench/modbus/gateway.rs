//! The gateway as a process that reads the plant.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use super::super::process::{Child, free_port, start, wait_for};
use super::super::stream;
use super::Load;
use super::plant::Plant;

/// How long the first reading of all devices may take.
const DEADLINE: Duration = Duration::from_secs(60);

pub(super) struct Gateway {
    pub(super) process: Child,
    api: u16,
    log: PathBuf,
    _folder: TempDir,
}

impl Gateway {
    pub(super) async fn start(load: &Load, ports: &[u16]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (mqtt, api) = (free_port()?, free_port()?);
        let config = folder.path().join("bench.yaml");
        std::fs::write(&config, yaml(load, ports, &folder.path().join("data"), mqtt, api)?)?;
        let log = folder.path().join("log");
        let process = start("twinspan", &["run", &config.display().to_string()], &log)?;
        wait_for(api, "/readyz").await?;
        Ok(Self { process, api, log, _folder: folder })
    }

    /// Waits until the last device that is read has been.
    pub(super) async fn has_read_all(&self, load: &Load, plant: &mut Plant) -> anyhow::Result<()> {
        let deadline = Instant::now() + DEADLINE;
        for device in 0..load.devices {
            while let Err(why) = self.compare(load, plant, device).await {
                ensure!(Instant::now() < deadline, "device {device}: {why}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// Insists that what the gateway shows now is what some of the devices hold now.
    pub(super) async fn is_fresh(&self, load: &Load, plant: &mut Plant) -> anyhow::Result<()> {
        for device in (0..load.devices).step_by(10) {
            self.compare(load, plant, device)
                .await
                .with_context(|| format!("device {device} is not fresh"))?;
        }
        Ok(())
    }

    async fn compare(&self, load: &Load, plant: &mut Plant, device: usize) -> anyhow::Result<()> {
        let before = plant.seen().await?.tick;
        let path = format!("/api/v1/devices/default/dev-{device}/twin");
        let (status, body) = stream::get(self.api, &path).await?;
        ensure!(status == 200, "{status} from {path}");
        let twin: serde_json::Value = serde_json::from_slice(&body)?;
        for register in 0..u64::from(load.registers) {
            let reported = &twin["properties"][format!("r{register}")]["reported"];
            let value = reported["value"].as_u64().with_context(|| format!("r{register}: {reported}"))?;
            // A value may be a period old when it is read again, and a little more until it is stored.
            let tick = value.checked_sub(register).context("less than the register ever held")?;
            ensure!(tick + 3 >= before, "r{register} is {} s old", before - tick);
        }
        Ok(())
    }

    /// Stops it; gives the first warning that it logged, if any.
    pub(super) async fn stop(self) -> anyhow::Result<String> {
        self.process.stop().await?;
        let log = std::fs::read_to_string(&self.log)?;
        let warned = log.lines().find(|line| line.contains("WARN") || line.contains("ERROR"));
        // A lane that is read flat out is always too slow: that is what is measured.
        Ok(warned.filter(|line| !line.contains("too slow")).unwrap_or_default().to_owned())
    }
}

fn yaml(
    load: &Load,
    ports: &[u16],
    data: &std::path::Path,
    mqtt: u16,
    api: u16,
) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "gateway:\n  node: bench\n  data_dir: {:?}", data.display().to_string())?;
    writeln!(text, "  mqtt: {{embedded: {{listen: \"127.0.0.1:{mqtt}\"}}}}")?;
    writeln!(text, "  api: {{listen: \"127.0.0.1:{api}\"}}")?;
    writeln!(text, "models:\n  meter:\n    parameters: {{port: {{type: int}}}}")?;
    writeln!(text, "    modbus: {{tcp: \"127.0.0.1:$(port)\", max_block: {}}}\n    properties:", load.block)?;
    for register in 0..load.registers {
        let every = load.every_ms;
        writeln!(
            text,
            "      r{register}: {{type: int, every: {every}ms, modbus: {{holding: {register}}}}}"
        )?;
    }
    writeln!(text, "devices:")?;
    for (device, port) in ports.iter().enumerate() {
        writeln!(text, "  dev-{device}: {{model: meter, with: {{port: {port}}}}}")?;
    }
    Ok(text)
}
