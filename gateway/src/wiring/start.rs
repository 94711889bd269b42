//! Why the gateway does not start.

/// Why the gateway does not start; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another gateway works on the same folder.
    #[error(
        "another gateway is running on the data folder {folder}: stop it, or give this one another `gateway.data_dir`"
    )]
    InUse {
        /// The folder.
        folder: std::path::PathBuf,
    },
    /// The data folder cannot be used.
    #[error("cannot write {path}: {source}; give another `gateway.data_dir` or its owner the right to write")]
    Folder {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The store.
    #[error(transparent)]
    Twin(#[from] device_twin::StartError),
    /// The store, when it is read.
    #[error(transparent)]
    Store(#[from] twin_store::StoreError),
    /// REST.
    #[error(transparent)]
    Api(#[from] crate::api::BindError),
    /// The tokens.
    #[error(transparent)]
    Tokens(#[from] rights::TokensError),
    /// The certificate of the embedded broker.
    #[error("`gateway.mqtt.embedded.tls`: {0}")]
    MqttTls(rights::TlsError),
    /// The audit.
    #[error(transparent)]
    Audit(#[from] audit::AuditError),
    /// The embedded broker.
    #[error(transparent)]
    Broker(#[from] mqtt_broker::StartError),
    /// The settings of another broker.
    #[error(transparent)]
    Mqtt(#[from] mqtt_link::InvalidSettings),
    /// A file of another broker's authorities.
    #[error("cannot read {path}: {source}; `gateway.mqtt.external.ca_file` names it")]
    CaFile {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The address of the cloud.
    #[error(transparent)]
    Url(#[from] edgehub::InvalidUrl),
    /// The join token.
    #[error("`gateway.cloud.token`: {0}")]
    Token(#[from] sync_proto::InvalidToken),
    /// No random numbers.
    #[error("the operating system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// A mapper that this program does not have.
    #[error("this program has no mapper for `{protocol}`; it has: {known}")]
    NoMapper {
        /// What was named.
        protocol: String,
        /// What there is.
        known: String,
    },
    /// The service ended while it was started.
    #[error("DeviceTwin ended at its start; the log says why")]
    Ended,
}
