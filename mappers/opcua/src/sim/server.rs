//! The simulated server, behind a wire that can fail.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opcua_server::address_space::{AddressSpace, NodeType, VariableBuilder};
use opcua_server::diagnostics::NamespaceMetadata;
use opcua_server::node_manager::memory::{SimpleNodeManager, simple_node_manager};
use opcua_server::{ServerBuilder, ServerHandle};
use opcua_types::{
    DataEncoding, DataTypeId, DataValue, EUInformation, ExtensionObject, NodeId, NumericRange, ObjectId,
    Range, TimestampsToReturn, VariableTypeId, Variant,
};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::plant::{SimPlant, SimVariable};
use super::relay::{SimFault, relay};

/// Why the simulated server does not run.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The address is not free.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The library does not make a server.
    #[error("cannot make the simulated server: {0}")]
    Server(String),
}

/// The simulated server.
#[derive(Clone)]
pub struct SimServer {
    plant: SimPlant,
    address: SocketAddr,
    listener: Arc<Mutex<Option<TcpListener>>>,
    fault: Arc<watch::Sender<SimFault>>,
    restart: Arc<Notify>,
    running: Arc<Mutex<Option<Running>>>,
    is_ready: Arc<watch::Sender<bool>>,
    connections: Arc<AtomicUsize>,
    most_per_request: Option<usize>,
}

impl std::fmt::Debug for SimServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimServer").field("address", &self.address).finish_non_exhaustive()
    }
}

struct Running {
    handle: ServerHandle,
    manager: Arc<SimpleNodeManager>,
    namespace: u16,
}

impl SimServer {
    /// Listens on `address` (port 0: any free one), to be [run](Self::run).
    ///
    /// # Errors
    /// [`SimError::Listen`] when the address is not free.
    pub async fn bind(address: SocketAddr, plant: SimPlant) -> Result<Self, SimError> {
        let fault = |error| SimError::Listen(address, error);
        let listener = TcpListener::bind(address).await.map_err(fault)?;
        Ok(Self {
            plant,
            address: listener.local_addr().map_err(fault)?,
            listener: Arc::new(Mutex::new(Some(listener))),
            fault: Arc::new(watch::Sender::new(SimFault::None)),
            restart: Arc::default(),
            running: Arc::default(),
            is_ready: Arc::new(watch::Sender::new(false)),
            connections: Arc::default(),
            most_per_request: None,
        })
    }

    /// The same, which takes at most so many nodes or items in one request, and says so.
    #[must_use]
    pub fn with_most_per_request(mut self, most: usize) -> Self {
        self.most_per_request = Some(most);
        self
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its variables.
    #[must_use]
    pub fn plant(&self) -> &SimPlant {
        &self.plant
    }

    /// From now on it misbehaves like this.
    pub fn set_fault(&self, fault: SimFault) {
        self.fault.send_replace(fault);
    }

    /// It ends and begins again, and knows neither sessions nor subscriptions any more.
    pub fn restart(&self) {
        self.restart.notify_one();
    }

    /// Waits until it answers.
    pub async fn ready(&self) {
        // It ends when the server is dropped.
        let _ = self.is_ready.subscribe().wait_for(|is_ready| *is_ready).await;
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// What a variable holds, as somebody at the device sees it.
    #[must_use]
    pub fn value(&self, name: &str) -> Variant {
        self.take_written();
        self.plant.get(name)
    }

    /// Takes what was written over the network into the plant.
    fn take_written(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(running) = running.as_ref() else { return };
        let space = running.manager.address_space().read();
        for (name, variable) in self.plant.variables().iter_mut().filter(|(_, variable)| variable.writable) {
            let node = NodeId::new(running.namespace, name.as_str());
            let Some(NodeType::Variable(found)) = space.find_node(&node) else { continue };
            let held =
                found.value(TimestampsToReturn::Neither, &NumericRange::None, &DataEncoding::Binary, 0.0);
            variable.value = held.value.unwrap_or_default();
        }
    }

    /// Changes what variables hold.
    pub fn set<'v>(&self, values: impl IntoIterator<Item = (&'v str, Variant)>) {
        let values: Vec<(&str, Variant)> = values.into_iter().collect();
        {
            let mut variables = self.plant.variables();
            for (name, value) in &values {
                if let Some(variable) = variables.get_mut(*name) {
                    variable.value = value.clone();
                }
            }
        }
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(running) = running.as_ref() else { return };
        let values: Vec<(NodeId, DataValue)> = values
            .into_iter()
            .map(|(name, value)| (NodeId::new(running.namespace, name), DataValue::new_now(value)))
            .collect();
        let values = values.iter().map(|(node, value)| (node, None, value.clone()));
        // A variable that is not there keeps what it has.
        let _ = running.manager.set_values(running.handle.subscriptions(), values);
    }

    /// Runs until `stop`.
    ///
    /// # Errors
    /// [`SimError`] when the server cannot be made.
    pub async fn run(self, stop: CancellationToken) -> Result<(), SimError> {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(listener) = listener else { return Err(SimError::Server("it runs already".into())) };
        let (inner, inner_seen) = watch::channel(None);
        let mut wire = JoinSet::new();
        let connections = Arc::clone(&self.connections);
        wire.spawn(relay(listener, inner_seen, self.fault.subscribe(), connections));
        loop {
            let served = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                served = self.serve(&inner) => served,
            };
            served?;
        }
    }

    /// Serves until a restart.
    async fn serve(&self, inner: &watch::Sender<Option<SocketAddr>>) -> Result<(), SimError> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = TcpListener::bind(any).await.map_err(|error| SimError::Listen(any, error))?;
        let address = listener.local_addr().map_err(|error| SimError::Listen(any, error))?;
        let (server, handle) = self.builder().build().map_err(SimError::Server)?;
        let manager = handle.node_managers().get_of_type::<SimpleNodeManager>();
        let manager = manager.ok_or_else(|| SimError::Server("it has no variables".into()))?;
        let namespace = handle.get_namespace_index(SimPlant::NAMESPACE);
        let namespace = namespace.ok_or_else(|| SimError::Server("it has no namespace".into()))?;
        self.fill(&manager, namespace);
        let token = handle.token().clone();
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Running { handle, manager, namespace });
        let mut task = JoinSet::new();
        task.spawn(server.run_with(listener));
        inner.send_replace(Some(address));
        self.is_ready.send_replace(true);
        let ended = tokio::select! {
            ended = task.join_next() => ended,
            () = self.restart.notified() => None,
        };
        inner.send_replace(None);
        self.is_ready.send_replace(false);
        self.take_written();
        token.cancel();
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
        // What it does to end well is bounded here; the rest ends with its task.
        let _ = tokio::time::timeout(Duration::from_secs(2), task.join_next()).await;
        match ended {
            Some(Ok(Err(fault))) => Err(SimError::Server(fault)),
            Some(Ok(Ok(()))) | Some(Err(_)) | None => Ok(()),
        }
    }

    fn builder(&self) -> ServerBuilder {
        let public = self.address;
        let namespace = NamespaceMetadata {
            namespace_uri: SimPlant::NAMESPACE.to_owned(),
            ..NamespaceMetadata::default()
        };
        let mut builder = ServerBuilder::new_anonymous("Twinspan simulated server")
            .application_uri("urn:twinspan:sim:server")
            .product_uri("urn:twinspan:sim")
            .host(public.ip().to_string())
            .port(public.port())
            .pki_dir(std::env::temp_dir().join("twinspan-sim-pki"))
            .create_sample_keypair(false)
            .max_array_length(100_000)
            .max_message_size(32 * 1_024 * 1_024)
            .max_chunk_count(4_096)
            .with_node_manager(simple_node_manager(namespace, "plant"));
        let limits = &mut builder.limits_mut().subscriptions;
        limits.max_monitored_items_per_sub = 100_000;
        limits.max_notifications_per_publish = 20_000;
        if let Some(most) = self.most_per_request {
            let limits = &mut builder.limits_mut().operational;
            limits.max_nodes_per_read = most;
            limits.max_monitored_items_per_call = most;
        }
        builder
    }

    fn fill(&self, manager: &Arc<SimpleNodeManager>, namespace: u16) {
        let space = manager.address_space();
        let mut space = space.write();
        let objects: NodeId = ObjectId::ObjectsFolder.into();
        let plant = NodeId::new(namespace, "Plant");
        space.add_folder(&plant, "Plant", "Plant", &objects);
        for (name, variable) in self.plant.variables().iter() {
            let (folder, label) = name.rsplit_once('.').unwrap_or(("", name));
            let parent = if folder.is_empty() { plant.clone() } else { NodeId::new(namespace, folder) };
            if !folder.is_empty() && space.find_node(&parent).is_none() {
                space.add_folder(&parent, folder, folder, &plant);
            }
            add(&mut space, &NodeId::new(namespace, name.as_str()), label, variable, &parent);
        }
    }
}

fn add(space: &mut AddressSpace, node: &NodeId, label: &str, variable: &SimVariable, parent: &NodeId) {
    let data_type =
        variable.value.data_type().map_or_else(|| DataTypeId::BaseDataType.into(), |id| id.node_id);
    let mut built = VariableBuilder::new(node, label, label)
        .data_type(data_type)
        .value_rank(if variable.value.is_array() { 1 } else { -1 })
        .has_type_definition(VariableTypeId::BaseDataVariableType)
        .organized_by(parent)
        .value(variable.value.clone());
    if variable.writable {
        built = built.writable();
    }
    built.insert(space);
    let property = |name: &str, data_type: DataTypeId, value: ExtensionObject| {
        let id = NodeId::new(node.namespace, format!("{}.{name}", node.identifier));
        VariableBuilder::new(&id, name, name)
            .data_type(data_type)
            .has_type_definition(VariableTypeId::PropertyType)
            .property_of(node)
            .value(Variant::ExtensionObject(value))
    };
    if let Some(unit) = &variable.unit {
        let value =
            EUInformation { display_name: unit.as_str().into(), unit_id: -1, ..EUInformation::default() };
        property("EngineeringUnits", DataTypeId::EUInformation, ExtensionObject::from_message(value))
            .insert(space);
    }
    if let Some((low, high)) = variable.range {
        let value = Range { low, high };
        property("EURange", DataTypeId::Range, ExtensionObject::from_message(value)).insert(space);
    }
}
