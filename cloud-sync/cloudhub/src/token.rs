//! Making join tokens.

use std::time::Duration;

use cloud_store::{CloudStore, StoreError};
use sync_proto::{JoinToken, Secret};
use twin_core::NodeName;

use crate::ca::Ca;
use crate::clock::wall;

/// Why there is no join token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
    /// It cannot be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a join token with which `node` can enrol once within `valid_for`. Only the hash of its secret is stored, so
/// the token cannot be shown again.
///
/// # Errors
/// [`TokenError`] when it cannot be stored.
pub async fn create_join_token(
    ca: &Ca,
    store: &CloudStore,
    node: NodeName,
    valid_for: Duration,
) -> Result<JoinToken, TokenError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(TokenError::Random)?;
    let token = JoinToken::new(ca.pin(), Secret::new(secret), node);
    store.create_join_token(token.node(), token.secret().sha256(), wall().after(valid_for)).await?;
    Ok(token)
}
