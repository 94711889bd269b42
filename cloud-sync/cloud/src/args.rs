//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use cloud_store::HistoryRetention;
use twin_core::NodeName;
use twinspan_cloud::Settings;

/// The cloud's end of Twinspan: nodes connect to it, people and programs see and set the twins of their devices.
#[derive(Debug, Parser)]
#[command(name = "twinspan-cloud", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: Serve,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server; this is what happens without a command too.
    Serve(Serve),
    /// Join tokens.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Nodes.
    Node {
        #[command(subcommand)]
        command: NodeCommand,
    },
    /// Print the OpenAPI document.
    Openapi,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token with which one node can join once. Works while the server runs.
    Create(Create),
}

#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    /// Take back all certificates of a node: it is cut off at once, and joins again with a new token only.
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Revoke {
    /// The node.
    #[arg(value_name = "NAME")]
    pub(crate) node: NodeName,
    /// The server's data folder.
    #[arg(long, value_name = "DIR", default_value = "twinspan-cloud-data", env = "TWINSPAN_CLOUD_DATA")]
    data: PathBuf,
}

impl Revoke {
    pub(crate) fn settings(&self) -> Settings {
        Settings::new(self.data.clone())
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// The folder that holds the database and the CA.
    #[arg(long, value_name = "DIR", default_value = "twinspan-cloud-data", env = "TWINSPAN_CLOUD_DATA")]
    data: PathBuf,
    /// Where REST and the page are served.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8480")]
    listen: SocketAddr,
    /// Where nodes connect, with TLS.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:7443")]
    hub: SocketAddr,
    /// Where nodes of this same machine may connect without TLS; a loopback address.
    #[arg(long, value_name = "ADDRESS")]
    hub_plain: Option<SocketAddr>,
    /// A name or address by which nodes and browsers know this server; may be given several times.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Serve REST to others than this machine although it asks nobody who they are.
    #[arg(long)]
    insecure_rest: bool,
    /// For how many days histories are kept.
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    history_days: u32,
    /// How many samples of one property are kept at most.
    #[arg(long, value_name = "SAMPLES", default_value_t = 100_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    history_samples: u64,
}

impl Serve {
    pub(crate) fn into_settings(self) -> Settings {
        Settings {
            data: self.data,
            listen: self.listen,
            hub: self.hub,
            hub_plain: self.hub_plain,
            hosts: self.hosts,
            insecure_rest: self.insecure_rest,
            history: HistoryRetention {
                max_age: Duration::from_secs(u64::from(self.history_days) * 86_400),
                max_rows: self.history_samples,
            },
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// The node that may join.
    #[arg(long, value_name = "NAME")]
    pub(crate) node: NodeName,
    /// For how long: a number with s, m, h or d, at most 30d.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = ttl)]
    pub(crate) ttl: Duration,
    /// The server's data folder.
    #[arg(long, value_name = "DIR", default_value = "twinspan-cloud-data", env = "TWINSPAN_CLOUD_DATA")]
    data: PathBuf,
}

impl Create {
    pub(crate) fn settings(&self) -> Settings {
        Settings::new(self.data.clone())
    }
}

fn ttl(text: &str) -> Result<Duration, String> {
    let hint = "write a number with s, m, h or d, for example 1h, at most 30d";
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| hint.to_owned())?;
    let unit = match text.get(digits.len()..) {
        Some("s") => 1,
        Some("m") => 60,
        Some("h") => 3600,
        Some("d") => 24 * 3600,
        Some(_) | None => return Err(hint.to_owned()),
    };
    let seconds = number.saturating_mul(unit);
    if (1..=30 * 24 * 3600).contains(&seconds) {
        Ok(Duration::from_secs(seconds))
    } else {
        Err(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_is_a_number_with_a_unit_up_to_thirty_days() {
        assert_eq!(ttl("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(ttl("30d"), Ok(Duration::from_secs(30 * 24 * 3600)));
        for bad in ["", "1", "h", "-1h", "31d", "1w", "1hh", "1.5h", "0s", "99999999999999999999h"] {
            assert!(ttl(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn serving_is_what_happens_without_a_command() {
        let args =
            Args::try_parse_from(["twinspan-cloud", "--data", "x", "--host", "a", "--host", "b"]).unwrap();
        assert!(args.command.is_none());
        assert_eq!(args.serve.hosts, ["a", "b"]);
        let args = Args::try_parse_from(["twinspan-cloud", "serve", "--listen", "127.0.0.1:1"]).unwrap();
        assert!(matches!(args.command, Some(Command::Serve(_))));
        assert!(Args::try_parse_from(["twinspan-cloud", "token", "create", "--node", "A!"]).is_err());
    }
}
