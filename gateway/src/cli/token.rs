//! `twinspan token`: makes, lists and revokes tokens, in the data folder of the gateway, whether it runs or not.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use audit::{Action, Book, Bounds, Record};
use clap::{Args, Subcommand};
use config::BoundedDuration;
use rights::{Role, Token, Tokens};

use super::block_on;
use super::configure::date;
use crate::clock::now;

const DAY_MS: u64 = 24 * 3_600_000;

/// How long a token may be asked for: a minute to ten years.
type Lifetime = BoundedDuration<60_000, { 3653 * DAY_MS }>;

#[derive(Debug, Args)]
pub(super) struct TokenCli {
    #[command(subcommand)]
    command: TokenCommand,
    /// The `gateway.data_dir` of the gateway.
    #[arg(long, global = true, default_value = "./data", env = "TWINSPAN_DATA_DIR")]
    data_dir: PathBuf,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make a token and print it: once, for it is not kept.
    Create {
        /// Whose it is; `set_by` and the audit name it.
        #[arg(long)]
        name: String,
        /// What it allows: viewer, operator, engineer or admin.
        #[arg(long)]
        role: Role,
        /// When it ends by itself, like 90d; without it, never.
        #[arg(long)]
        expires: Option<String>,
    },
    /// Print the tokens there are, without what they are.
    List,
    /// Take a token back; the gateway refuses it at once.
    Revoke {
        /// Its name.
        name: String,
    },
}

/// Ends with 0, or 1 with the reason.
pub(super) fn token(cli: TokenCli) -> ExitCode {
    block_on(async {
        if !cli.data_dir.is_dir() {
            let folder = cli.data_dir.display();
            bail!(
                "there is no data folder {folder}: start the gateway once, or name its folder with --data-dir"
            );
        }
        let tokens = Tokens::open(&cli.data_dir).await?;
        let book = Book::open(&cli.data_dir).await?;
        let outcome = match cli.command {
            TokenCommand::Create { name, role, expires } => {
                create(&tokens, &book, &name, role, expires).await
            }
            TokenCommand::List => list(&tokens).await,
            TokenCommand::Revoke { name } => revoke(&tokens, &book, &name).await,
        };
        tokens.close().await;
        book.close().await;
        outcome
    })
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
async fn create(
    tokens: &Tokens,
    book: &Book,
    name: &str,
    role: Role,
    expires: Option<String>,
) -> anyhow::Result<()> {
    let lifetime: Option<Duration> = match expires {
        Some(text) => Some(text.parse::<Lifetime>().map_err(|e| anyhow::anyhow!("--expires: {e}"))?.get()),
        None => None,
    };
    let token = Token::draw().context("the operating system gives no random numbers")?;
    let ends = lifetime.map(|lifetime| now().after(lifetime));
    tokens.add(name, role, token.hash(), now(), ends).await?;
    if let Err(error) = note(book, Action::TokenCreated, name, role).await {
        // Without a record there is no token either.
        tokens.revoke(name).await?;
        return Err(error);
    }
    match ends {
        Some(ends) => eprintln!("{name} is {role} until {} UTC; this is shown once:", date(ends.as_millis())),
        None => eprintln!("{name} is {role} until revoked; this is shown once:"),
    }
    println!("{}", token.expose());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
async fn list(tokens: &Tokens) -> anyhow::Result<()> {
    let shown =
        |at: Option<twin_core::Timestamp>| at.map_or_else(|| "-".to_owned(), |at| date(at.as_millis()));
    println!("ROLE      CREATED              EXPIRES              LAST USED            NAME");
    let now = now();
    for token in tokens.list().await? {
        let over = if token.expires_at.is_some_and(|end| end <= now) { " (over)" } else { "" };
        println!(
            "{:<8}  {:<19}  {:<19}  {:<19}  {}{over}",
            token.role.word(),
            shown(Some(token.created_at)),
            shown(token.expires_at),
            shown(token.last_used_at),
            token.name
        );
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
async fn revoke(tokens: &Tokens, book: &Book, name: &str) -> anyhow::Result<()> {
    let role = tokens.revoke(name).await?;
    note(book, Action::TokenRevoked, name, role).await.context("the token is revoked all the same")?;
    println!("{name}, {role}, is revoked");
    Ok(())
}

async fn note(book: &Book, action: Action, name: &str, role: Role) -> anyhow::Result<()> {
    let mut record = Record::new(action);
    record.by = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).ok();
    record.from = Some("command line".to_owned());
    record.subject = Some(name.to_owned());
    record.note = Some(format!("role {role}"));
    book.append(&[record], &[], now(), Bounds::NONE).await?;
    Ok(())
}
