//! `twinspan opcua`: what a server offers, and which servers are trusted.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use config::{Check as _, Secret};
use opcua::browse::{Found, Kind, Wanted, browse, yaml};
use opcua::pki::{Entry, Standing};
use opcua::{Link, OpcUa, Security};

/// OPC UA.
#[derive(Debug, Args)]
pub(super) struct OpcUaCli {
    /// The data folder of the gateway, where its certificate and the list of trusted servers are kept.
    #[arg(long, global = true, env = "TWINSPAN_DATA_DIR", default_value = "./data")]
    data_dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the tree of a server: names, types, units, ranges, values and node ids.
    Browse(Browse),
    /// The list of server certificates.
    Trust {
        #[command(subcommand)]
        command: Trust,
    },
}

/// Where to look.
#[derive(Debug, Args)]
struct Browse {
    /// The server, for example opc.tcp://10.0.0.9:4840.
    url: String,
    /// Where to begin: names such as Plant/Boiler, or a node such as ns=2;s=Boiler.
    #[arg(long)]
    path: Option<String>,
    /// How many levels to go down.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=50))]
    depth: u32,
    /// Only what has this text in its path.
    #[arg(long)]
    filter: Option<String>,
    /// Print it as a model and a device of the configuration.
    #[arg(long)]
    yaml: bool,
    /// The security policy.
    #[arg(long, value_enum, default_value_t)]
    security: Policy,
    /// The user at the server.
    #[arg(long, requires = "password_env")]
    user: Option<String>,
    /// The environment variable that holds the user's password.
    #[arg(long, requires = "user")]
    password_env: Option<String>,
    /// Take a certificate that does not name the host of the URL.
    #[arg(long)]
    any_host: bool,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Policy {
    /// The best that the server offers.
    #[default]
    Auto,
    /// None.
    None,
    /// Basic256Sha256
    Basic256sha256,
    /// `Aes128_Sha256_RsaOaep`
    #[value(name = "aes128_sha256_rsa_oaep")]
    Aes128,
    /// `Aes256_Sha256_RsaPss`
    #[value(name = "aes256_sha256_rsa_pss")]
    Aes256,
}

#[derive(Debug, Subcommand)]
enum Trust {
    /// Print all certificates, those that wait for a decision first.
    List,
    /// Trust a server.
    Accept {
        /// The thumbprint of its certificate, or how it begins.
        thumbprint: String,
    },
    /// Do not trust a server, even if it was trusted before.
    Reject {
        /// The thumbprint of its certificate, or how it begins.
        thumbprint: String,
    },
}

/// Ends with 0, or 1 when the server does not answer or there is no such certificate.
pub(super) fn run(cli: OpcUaCli) -> ExitCode {
    super::block_on(act(cli))
}

async fn act(cli: OpcUaCli) -> anyhow::Result<()> {
    let data_dir = cli.data_dir.join(<OpcUa as mapper_sdk::Driver>::PROTOCOL);
    match cli.command {
        Command::Browse(wanted) => look(&data_dir, wanted).await,
        Command::Trust { command } => trust(&data_dir, &command),
    }
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
async fn look(data_dir: &Path, wanted: Browse) -> anyhow::Result<()> {
    let security = match wanted.security {
        Policy::Auto => Security::Auto,
        Policy::None => Security::None,
        Policy::Basic256sha256 => Security::Basic256sha256,
        Policy::Aes128 => Security::Aes128,
        Policy::Aes256 => Security::Aes256,
    };
    let password = wanted.password_env.map(|name| Secret::new(&std::env::var(name).unwrap_or_default()));
    let link = Link { user: wanted.user, password, check_host: !wanted.any_host, ..Link::to(&wanted.url) };
    let link = link.with_security(security);
    link.check().map_err(|fault| anyhow::anyhow!("{}: {}", fault.message, fault.hint))?;
    let driver = OpcUa::new(data_dir);
    let tree = Wanted { path: wanted.path, depth: wanted.depth, filter: wanted.filter };
    let found = browse(&driver, &link, &tree).await?;
    if wanted.yaml {
        print!("{}", yaml(&found, &link, tree.path.as_deref()));
    } else {
        for node in &found {
            println!("{}", line(node));
        }
    }
    Ok(())
}

fn line(node: &Found) -> String {
    let indent = "  ".repeat(node.path.len().saturating_sub(1));
    let name = node.path.last().map_or("", String::as_str);
    let Some(variable) = &node.variable else {
        let mark = match node.kind {
            Kind::Object => "/",
            Kind::Method => "()",
            Kind::Variable => "",
        };
        return format!("{indent}{name}{mark}  {}", node.node);
    };
    let mut text = format!("{indent}{name}: {}", variable.data_type);
    if let Some((low, high)) = variable.range {
        text.push_str(&format!(" {low}..{high}"));
    }
    if !variable.unit.is_empty() {
        text.push_str(&format!(" [{}]", variable.unit));
    }
    if variable.writable {
        text.push_str(" writable");
    }
    format!("{text} = {}  {}", variable.now, node.node)
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
fn trust(data_dir: &Path, command: &Trust) -> anyhow::Result<()> {
    let list = OpcUa::trust_list(data_dir)?;
    let (thumbprint, standing) = match command {
        Trust::List => {
            let entries = list.entries()?;
            if entries.is_empty() {
                println!("no server has shown a certificate yet");
            }
            for entry in &entries {
                println!("{}", shown(entry));
            }
            return Ok(());
        }
        Trust::Accept { thumbprint } => (thumbprint, Standing::Trusted),
        Trust::Reject { thumbprint } => (thumbprint, Standing::Rejected),
    };
    println!("{}", shown(&list.decide(thumbprint, standing)?));
    Ok(())
}

fn shown(entry: &Entry) -> String {
    let certificate = &entry.certificate;
    let url = entry.url.as_deref().unwrap_or("-");
    let until = jiff::Timestamp::from_second(certificate.not_after)
        .map_or_else(|_| "?".to_owned(), |time| time.strftime("%Y-%m-%d").to_string());
    format!(
        "{:<8}  {}  {url}  {}  for {}  until {until}",
        entry.standing.word(),
        certificate.thumbprint,
        certificate.subject,
        certificate.hosts.join(", ")
    )
}
