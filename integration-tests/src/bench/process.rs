//! Cloud and gateway as processes of their own, from the folder that this program was built to.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::{Plan, stream};

/// A process that ends with its owner.
pub(super) struct Child(std::process::Child);

impl Child {
    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Stops it as an operator would, and insists that it ends well.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill").arg(self.pid().to_string()).status()?;
        let deadline = Instant::now() + Duration::from_secs(15);
        let status = loop {
            match self.0.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > deadline => bail!("process {} does not stop", self.pid()),
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        ensure!(status.success(), "ended with {status}");
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Both processes.
pub(super) struct Stack {
    pub(super) gateway: Child,
    pub(super) cloud: Child,
    pub(super) mqtt: u16,
    pub(super) rest: u16,
    _dir: tempfile::TempDir,
}

pub(super) fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let folder = std::env::current_exe()?;
    let path = folder.parent().context("no folder")?.join(name);
    ensure!(path.exists(), "{} is missing: cargo build --release --bins", path.display());
    Ok(path)
}

pub(super) fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

impl Stack {
    pub(super) async fn start(plan: &Plan) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let (mqtt, api, rest, hub) = (free_port()?, free_port()?, free_port()?, free_port()?);
        let cloud_data = dir.path().join("cloud");
        let token = Command::new(binary("twinspan-cloud")?)
            .args(["token", "create", "--node", "bench", "--data"])
            .arg(&cloud_data)
            .output()?;
        ensure!(token.status.success(), "{}", String::from_utf8_lossy(&token.stderr));
        let token = String::from_utf8(token.stdout)?;
        let token = token.lines().last().context("no token")?.trim().to_owned();
        let cloud = start(
            "twinspan-cloud",
            &[
                "serve",
                "--listen",
                &format!("127.0.0.1:{rest}"),
                "--hub",
                &format!("127.0.0.1:{hub}"),
                "--data",
                &cloud_data.display().to_string(),
            ],
            &dir.path().join("cloud.log"),
        )?;
        wait_for(rest, "/readyz").await?;
        let config = dir.path().join("bench.yaml");
        std::fs::write(&config, yaml(plan, dir.path(), mqtt, api, hub, &token))?;
        let log = dir.path().join("gateway.log");
        let gateway = start("twinspan", &["run", &config.display().to_string()], &log)?;
        wait_for(api, "/readyz").await?;
        Ok(Self { gateway, cloud, mqtt, rest, _dir: dir })
    }

    /// Stops both as an operator would, and insists that they end well.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.gateway.stop().await?;
        self.cloud.stop().await
    }
}

pub(super) fn start(name: &str, args: &[&str], log: &Path) -> anyhow::Result<Child> {
    let log = std::fs::File::create(log)?;
    let child = Command::new(binary(name)?)
        .args(args)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    Ok(Child(child))
}

pub(super) async fn wait_for(port: u16, path: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match stream::get(port, path).await {
            Ok((200, _)) => return Ok(()),
            other if Instant::now() > deadline => bail!("port {port} does not answer: {other:?}"),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn yaml(plan: &Plan, dir: &Path, mqtt: u16, api: u16, hub: u16, token: &str) -> String {
    let mut text = format!(
        "gateway:\n  node: bench\n  data_dir: {:?}\n  mqtt: {{embedded: {{listen: \"127.0.0.1:{mqtt}\"}}}}\n  \
         api: {{listen: \"127.0.0.1:{api}\"}}\n  cloud: {{url: \"wss://127.0.0.1:{hub}\", token: {token:?}}}\n\
         models:\n  load:\n    properties:\n",
        dir.join("gateway").display().to_string()
    );
    for property in 0..plan.properties {
        text += &format!("      p{property}: {{type: float}}\n");
    }
    text += "devices:\n";
    for device in 0..plan.devices {
        text += &format!("  dev-{device}: {{model: load}}\n");
    }
    text
}

impl Child {
    /// The processor time that it has used.
    pub(super) fn cpu(&self) -> anyhow::Result<Duration> {
        cpu_of(&self.pid().to_string())
    }

    /// What it holds in memory now.
    pub(super) fn rss_kib(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
    }
}

/// The processor time that this process has used.
pub(super) fn own_cpu() -> anyhow::Result<Duration> {
    cpu_of("self")
}

fn cpu_of(process: &str) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    // Linux reports in ticks of 10 ms to user space, on every architecture.
    Ok(Duration::from_millis((ticks(11) + ticks(12)) * 10))
}
