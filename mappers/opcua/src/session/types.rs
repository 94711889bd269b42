//! The server's own structures, learnt when the first of them comes.

use std::sync::Arc;
use std::time::Duration;

use mapper_sdk::Fault;
use opcua_client::custom_types::DataTypeTreeBuilder;
use opcua_types::custom::DynamicTypeLoader;
use opcua_types::{ByteStringBody, DataValue, ReadValueId, VariableId, Variant};
use tokio::time::timeout;

use super::OpcUaSession;
use crate::connection::Connection;
use crate::point::Point;

/// How long a server may take to tell of its types.
const PATIENCE: Duration = Duration::from_secs(30);

impl OpcUaSession {
    /// Asks for what is needed to understand these values: types of structures, names of numbers.
    pub(super) async fn learn_types(
        &mut self,
        points: &[Point],
        values: &[Option<Result<DataValue, Fault>>],
    ) -> Result<(), Fault> {
        let wants_names: Vec<&Point> = points.iter().filter(|point| point.server_enum).collect();
        if !wants_names.is_empty() {
            self.learn_names(&wants_names).await?;
        }
        let raw = values.iter().flatten().flatten().filter_map(|value| value.value.as_ref()).any(is_raw);
        if raw { self.connection.learn_types().await } else { Ok(()) }
    }
}

/// Whether there is a structure in it that has not been understood.
fn is_raw(variant: &Variant) -> bool {
    if let Variant::Array(array) = variant {
        return array.values.first().is_some_and(is_raw);
    }
    let Variant::ExtensionObject(object) = variant else { return false };
    object.inner_is::<ByteStringBody>()
}

impl Connection {
    /// Learns the types of the server, once.
    pub(crate) async fn learn_types(&self) -> Result<(), Fault> {
        let learn = || async {
            let session = self.session();
            let tree = DataTypeTreeBuilder::new(|_| true).values_per_read(self.limits().read.get());
            match timeout(PATIENCE, self.ask(tree.build(session))).await {
                Ok(Ok(tree)) => session.add_type_loader(Arc::new(DynamicTypeLoader::new(Arc::new(tree)))),
                Ok(Err(status)) if self.end().fault().is_some() => return Err(self.fault(status)),
                Ok(Err(status)) => {
                    tracing::warn!(reason = %crate::status::words(status), "the server does not tell of its types: structures cannot be read");
                }
                Err(_) => {
                    tracing::warn!(
                        "the server takes too long to tell of its types: structures cannot be read"
                    );
                }
            }
            Ok(())
        };
        self.types().get_or_try_init(learn).await.copied()
    }

    /// Whether the server's list of namespaces is another than when the session was opened.
    pub(crate) async fn namespaces_changed(&self) -> Result<bool, Fault> {
        let node = ReadValueId::from(opcua_types::NodeId::from(VariableId::Server_NamespaceArray));
        let answer = self.read(&[node]).await?.into_iter().next().and_then(|answer| answer.value);
        let Some(Variant::Array(array)) = answer else { return Ok(false) };
        let name = |value: &Variant| {
            if let Variant::String(uri) = value { uri.as_ref().to_owned() } else { String::new() }
        };
        Ok(array.values.iter().map(name).ne(self.namespaces().iter().cloned()))
    }
}
