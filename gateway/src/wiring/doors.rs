//! Who may come in, as it is configured.

use config::Gateway;
use rights::Tokens;

use super::StartError;
use crate::api::Gate;

/// The gate before REST.
pub(super) async fn gate(gateway: &Gateway) -> Result<Gate, StartError> {
    let tokens = Tokens::open(&gateway.data_dir).await?;
    let certificates = gateway.api.remote.as_ref().map(|remote| remote.certificates.clone());
    Ok(Gate::new(tokens, certificates.unwrap_or_default()))
}
