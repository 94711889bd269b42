//! The cloud as a process.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::http::{Answer, request};
use super::ports::Port;
use super::process::{Process, binary};
use super::wait::eventually;

/// The cloud, with a folder and ports of its own that outlive its process.
#[derive(Debug)]
pub struct Cloud {
    // Before the folder: its log is in there.
    process: Option<Process>,
    folder: TempDir,
    rest: Port,
    hub: Port,
    plain: Port,
    environment: Vec<(&'static str, String)>,
}

impl Cloud {
    /// A cloud that runs.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start() -> Self {
        let folder = TempDir::new().expect("a folder for the cloud");
        let mut cloud = Self {
            folder,
            rest: Port::free(),
            hub: Port::free(),
            plain: Port::free(),
            environment: Vec::new(),
            process: None,
        };
        cloud.start_again().await;
        cloud
    }

    /// Starts its process, on the same folder and ports.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_again(&mut self) {
        let mut command = Command::new(binary("twinspan-cloud"));
        command.arg("--data").arg(self.data());
        command.args(["--listen", &self.rest.address(), "--hub", &self.hub.address()]);
        command.args(["--hub-plain", &self.plain.address()]);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        self.process = Some(Process::start("the cloud", &mut command, &self.folder.path().join("log")));
        eventually("the cloud is ready", async || {
            let answer = request(&self.rest(), "GET", "/readyz", None).await.map_err(|e| e.to_string())?;
            if answer.status == 200 { Ok(()) } else { Err(answer.body.to_string()) }
        })
        .await;
    }

    /// Starts its process from now on with this in its environment as well.
    pub fn set_environment(&mut self, name: &'static str, value: &str) {
        self.environment.push((name, value.to_owned()));
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where it serves REST.
    #[must_use]
    pub fn rest(&self) -> String {
        self.rest.address()
    }

    /// Where nodes connect with TLS.
    #[must_use]
    pub fn hub(&self) -> String {
        self.hub.address()
    }

    /// Where nodes connect without TLS.
    #[must_use]
    pub fn hub_plain(&self) -> String {
        self.plain.address()
    }

    /// Its process.
    ///
    /// # Panics
    /// When it was never started.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the cloud was started")
    }

    /// A join token, made by the command that an operator uses.
    ///
    /// # Panics
    /// When the command fails.
    #[must_use]
    pub fn token(&self, node: &str) -> String {
        token(&self.data(), node)
    }

    /// The twin of a device; an error when there is none (yet).
    ///
    /// # Errors
    /// With the answer.
    pub async fn twin(&self, node: &str, device: &str) -> Result<Value, String> {
        let path = format!("/api/v1/nodes/{node}/devices/{device}/twin");
        let answer = request(&self.rest(), "GET", &path, None).await.map_err(|e| e.to_string())?;
        if answer.status == 200 { Ok(answer.body) } else { Err(answer.body.to_string()) }
    }

    /// Sets desired values.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn want(&self, node: &str, device: &str, patch: &Value) -> anyhow::Result<Answer> {
        let path = format!("/api/v1/nodes/{node}/devices/{device}/desired");
        request(&self.rest(), "PATCH", &path, Some(patch)).await
    }

    /// Whether the link of a node is up.
    ///
    /// # Errors
    /// With what the cloud says instead.
    pub async fn linked(&self, node: &str) -> Result<(), String> {
        let answer = request(&self.rest(), "GET", &format!("/api/v1/nodes/{node}"), None).await;
        let body = answer.map_err(|e| e.to_string())?.body;
        if body["link"] == "connected" { Ok(()) } else { Err(body.to_string()) }
    }
}

fn token(data: &Path, node: &str) -> String {
    let mut command = Command::new(binary("twinspan-cloud"));
    command.args(["token", "create", "--node", node, "--data"]).arg(data);
    let output = command.output().expect("twinspan-cloud can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a token is text").trim().to_owned()
}
