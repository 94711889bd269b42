//! Why the cloud does not start, or ends.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Why the cloud does not start, or ends.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// REST would be open to everyone.
    #[error(
        "REST asks nobody who they are, so it is not served on {address}: listen on a loopback address, for example \
         127.0.0.1:8480, or give --insecure-rest if everyone who can reach it may do everything"
    )]
    RestOffLoopback {
        /// The address that was wanted.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Another server works in the same folder.
    #[error("another server works in {folder}: stop it first, or give another --data")]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder cannot be used.
    #[error("cannot use {path}: {source}; give another --data, or its owner the right to write")]
    Folder {
        /// The folder or the file in it.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] cloud_store::OpenError),
    /// The database has failed while it was in use.
    #[error(transparent)]
    Store(#[from] cloud_store::StoreError),
    /// The CA cannot be used.
    #[error(transparent)]
    Ca(#[from] cloudhub::CaError),
    /// The end of the link cannot start, or ended.
    #[error(transparent)]
    Hub(#[from] cloudhub::Error),
    /// A join token cannot be made.
    #[error(transparent)]
    Token(#[from] cloudhub::TokenError),
    /// A node's certificates cannot be taken back.
    #[error(transparent)]
    Revoke(#[from] cloudhub::RevokeError),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
    /// A task ended in a way that it must not.
    #[error("{task} ended unexpectedly: {why}")]
    Ended {
        /// The task.
        task: &'static str,
        /// How.
        why: String,
    },
    /// Something did not stop in time.
    #[error("{what} had not stopped {} s after it was told to", after.as_secs())]
    Stuck {
        /// What still ran.
        what: String,
        /// After how long.
        after: Duration,
    },
}

impl Error {
    /// Whether other settings would help.
    #[must_use]
    pub fn is_bad_settings(&self) -> bool {
        match self {
            Self::RestOffLoopback { .. } => true,
            Self::Hub(error) => matches!(error, cloudhub::Error::PlainOffLoopback { .. }),
            Self::InUse { .. }
            | Self::Folder { .. }
            | Self::Listen { .. }
            | Self::Open(_)
            | Self::Store(_)
            | Self::Ca(_)
            | Self::Token(_)
            | Self::Revoke(_)
            | Self::Random(_)
            | Self::Ended { .. }
            | Self::Stuck { .. } => false,
        }
    }
}
