//! Who may do what at the edge: roles and what each route needs, tokens, certificates, and how often anybody may be wrong.
//!
//! `need`, [`failures`] and [`token`] decide and touch nothing; [`tokens`] keeps tokens in a small database, [`tls`]
//! reads certificates.
#![warn(missing_docs)]

pub mod failures;
mod files;
pub mod need;
pub mod principal;
pub mod tls;
pub mod token;
pub mod tokens;

pub use failures::{Count, Failures};
pub use files::private_file;
pub use need::{Need, need};
pub use principal::{Principal, Proof};
pub use tls::{Certificate, Names, TlsError, TlsFiles};
pub use token::Token;
pub use tokens::{Found, Listed, Tokens, TokensError, is_disk, is_unwritable};
pub use twin_core::Role;
