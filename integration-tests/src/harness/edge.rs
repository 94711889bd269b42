//! The gateway as a process.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::cloud::Cloud;
use super::http::request;
use super::ports::Port;
use super::process::{Process, binary};
use super::wait::eventually;

/// The cloud that a gateway is to join.
#[derive(Debug, Clone)]
pub struct Uplink {
    url: String,
    token: Option<String>,
}

impl Uplink {
    /// With TLS and a join token.
    #[must_use]
    pub fn tls(cloud: &Cloud, node: &str) -> Self {
        Self { url: format!("wss://{}", cloud.hub()), token: Some(cloud.token(node)) }
    }

    /// Without TLS.
    #[must_use]
    pub fn plain(cloud: &Cloud) -> Self {
        Self { url: format!("ws://{}", cloud.hub_plain()), token: None }
    }

    /// To a place where no cloud is.
    #[must_use]
    pub fn nowhere(port: &Port) -> Self {
        Self { url: format!("ws://{}", port.address()), token: None }
    }
}

/// The gateway, with a folder and ports of its own that outlive its process.
#[derive(Debug)]
pub struct Edge {
    // Before the folder: its log is in there.
    process: Option<Process>,
    node: String,
    folder: TempDir,
    api: Port,
    mqtt: Port,
    environment: Vec<(&'static str, String)>,
}

impl Edge {
    /// A gateway that runs, with its own broker.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(node: &str, uplink: Option<Uplink>, devices: &str) -> Self {
        let mut edge = Self::prepare(node, uplink, None, devices);
        edge.start_again().await;
        edge
    }

    /// A gateway that is configured, but not started. `broker` is the URL of a broker of somebody else, `devices` the
    /// rest of the configuration in YAML.
    ///
    /// # Panics
    /// When its files cannot be written.
    #[must_use]
    pub fn prepare(node: &str, uplink: Option<Uplink>, broker: Option<&str>, devices: &str) -> Self {
        let folder = TempDir::new().expect("a folder for the gateway");
        let (api, mqtt) = (Port::free(), Port::free());
        let mqtt_lines = match broker {
            Some(url) => format!("external: {{ url: \"{url}\" }}"),
            None => format!("embedded: {{ listen: \"{}\" }}", mqtt.address()),
        };
        let mut cloud_lines = String::new();
        if let Some(Uplink { url, token }) = uplink {
            cloud_lines = format!("  cloud:\n    url: \"{url}\"\n");
            if let Some(token) = token {
                let file = folder.path().join("token");
                std::fs::write(&file, token).expect("the token can be written");
                cloud_lines.push_str(&format!("    token: \"${{file:{}}}\"\n", file.display()));
            }
        }
        let text = format!(
            "gateway:\n  node: {node}\n  data_dir: \"{}\"\n  mqtt:\n    {mqtt_lines}\n  api: {{ listen: \"{}\" }}\n\
             {cloud_lines}  log: {{ level: debug, format: json }}\n{devices}",
            folder.path().join("data").display(),
            api.address(),
        );
        std::fs::write(folder.path().join("gateway.yaml"), text).expect("the configuration can be written");
        Self { node: node.to_owned(), folder, api, mqtt, environment: Vec::new(), process: None }
    }

    /// Starts its process, on the same folder and ports, and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn start_again(&mut self) {
        self.launch();
        eventually("the gateway is ready", async || {
            let answer = request(&self.api(), "GET", "/readyz", None).await.map_err(|e| e.to_string())?;
            if answer.status == 200 { Ok(()) } else { Err(answer.body.to_string()) }
        })
        .await;
    }

    /// Starts its process without waiting for anything.
    pub fn launch(&mut self) {
        let mut command = Command::new(binary("twinspan"));
        command.arg("run").arg(self.config()).env_remove("RUST_LOG");
        command.env("TWINSPAN_DATA_DIR", self.folder.path().join("data"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        self.process = Some(Process::start("the gateway", &mut command, &self.folder.path().join("log")));
    }

    /// Starts its process from now on with this in its environment as well.
    pub fn set_environment(&mut self, name: &'static str, value: &str) {
        self.environment.push((name, value.to_owned()));
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("gateway.yaml")
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The name of its node.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Where it serves REST.
    #[must_use]
    pub fn api(&self) -> String {
        self.api.address()
    }

    /// The port of its own broker.
    #[must_use]
    pub fn mqtt(&self) -> u16 {
        self.mqtt.number()
    }

    /// Its process.
    ///
    /// # Panics
    /// When it was never started.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the gateway was started")
    }

    /// The twin of a device.
    ///
    /// # Errors
    /// With the answer when there is none.
    pub async fn twin(&self, device: &str) -> Result<Value, String> {
        let path = format!("/api/v1/devices/{device}/twin");
        let answer = request(&self.api(), "GET", &path, None).await.map_err(|e| e.to_string())?;
        if answer.status == 200 { Ok(answer.body) } else { Err(answer.body.to_string()) }
    }

    /// That no thread of it has panicked so far.
    ///
    /// # Panics
    /// With the line of the log when one has.
    pub fn assert_no_panic(&mut self) {
        let log = self.process().log();
        let found = log.lines().find(|line| line.contains("panicked"));
        assert_eq!(found, None, "the gateway panicked");
    }
}
