//! A gateway whose configuration a test changes, with its command line.

use std::process::{Command, Output};

use super::curl::{Reply, curl};
use super::edge::Edge;
use super::process::binary;
use super::wait::eventually;

/// A gateway, its command line, and curl.
#[derive(Debug)]
pub struct Secured {
    /// The gateway.
    pub edge: Edge,
}

impl Secured {
    /// A gateway whose keys `api` and `mqtt` have more in them (YAML in flow style, each part with a comma at its end).
    ///
    /// # Panics
    /// When it does not come to life.
    pub async fn start(devices: &str, api: &str, mqtt: &str) -> Self {
        let edge = Edge::prepare("plant-1", None, None, devices);
        let text = std::fs::read_to_string(edge.config()).expect("its configuration");
        let text = text.replace("  api: { listen:", &format!("  api: {{ {api} listen:"));
        let text = text.replace("embedded: { listen:", &format!("embedded: {{ {mqtt} listen:"));
        std::fs::write(edge.config(), text).expect("its configuration can be changed");
        let mut secured = Self { edge };
        secured.start_again().await;
        secured
    }

    /// Starts its process (again) and waits until it answers.
    ///
    /// # Panics
    /// When it does not come to life.
    pub async fn start_again(&mut self) {
        self.edge.launch();
        eventually("the gateway lives", async || match self.curl("/healthz", &[]).status {
            200 => Ok(()),
            status => Err(format!("{status}")),
        })
        .await;
    }

    /// Runs a command of the gateway's program on its data folder.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn cli(&self, args: &[&str]) -> Output {
        let mut command = Command::new(binary("twinspan"));
        command.args(args).env("TWINSPAN_DATA_DIR", self.edge.folder().join("data"));
        command.output().expect("the program can be run")
    }

    /// A new token.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn token(&self, name: &str, role: &str, more: &[&str]) -> String {
        let output = self.cli(&[&["token", "create", "--name", name, "--role", role], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// curl to the loopback interface.
    #[must_use]
    pub fn curl(&self, path: &str, args: &[&str]) -> Reply {
        let url = format!("http://{}{path}", self.edge.api());
        curl(&self.edge.folder(), 10, &[args, &[url.as_str()]].concat())
    }

    /// The same with a token.
    #[must_use]
    pub fn with_token(&self, token: &str, path: &str, args: &[&str]) -> Reply {
        let header = format!("Authorization: Bearer {token}");
        self.curl(path, &[args, &["-H", header.as_str()]].concat())
    }
}
