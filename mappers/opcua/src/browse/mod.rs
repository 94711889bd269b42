//! The tree of a server: what is there, of what type, with what unit and range; and a mapping made from it.

mod describe;
mod tree;
mod yaml;

use std::collections::BTreeMap;

use mapper_sdk::Fault;
use opcua_types::NodeId;
use twin_core::ValueType;

use crate::driver::OpcUa;
use crate::link::Link;
pub use yaml::yaml;

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Where to begin: names from the folder of objects on, such as `Plant/Boiler`, or a node such as `ns=2;s=Boiler`.
    pub path: Option<String>,
    /// How many levels to go down, at least 1.
    pub depth: u32,
    /// Only what has this text in its path, in upper or lower case.
    pub filter: Option<String>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { path: None, depth: 6, filter: None }
    }
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A folder, or a thing with variables.
    Object,
    /// Something that holds a value.
    Variable,
    /// Something that can be called.
    Method,
}

/// A node that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its names, from where the search began.
    pub path: Vec<String>,
    /// What it is.
    pub kind: Kind,
    /// How it is written in a property.
    pub node: String,
    /// How the object of a method is written.
    pub parent: String,
    /// What is known of a variable.
    pub variable: Option<Variable>,
    pub(crate) id: NodeId,
    /// Its own properties, by name.
    pub(crate) properties: BTreeMap<String, NodeId>,
}

/// What is known of a variable.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// The name of its data type.
    pub data_type: String,
    /// The type that a property for it has.
    pub value_type: ValueType,
    /// Whether it can be read, by this user.
    pub readable: bool,
    /// Whether it can be written, by this user.
    pub writable: bool,
    /// Whether the server has names for its numbers.
    pub named: bool,
    /// Its unit (EUInformation), empty where it has none.
    pub unit: String,
    /// Its range (EURange).
    pub range: Option<(f64, f64)>,
    /// What it holds now, or why nothing.
    pub now: String,
}

/// Looks at a server. What is found comes in the order of the tree.
///
/// # Errors
/// A [`Fault`] when the server cannot be reached, or there is no such path.
pub async fn browse(driver: &OpcUa, link: &Link, wanted: &Wanted) -> Result<Vec<Found>, Fault> {
    let connection = driver.connection(link).await?;
    let found = connection.look(wanted).await;
    connection.close().await;
    found
}

impl crate::connection::Connection {
    async fn look(&self, wanted: &Wanted) -> Result<Vec<Found>, Fault> {
        let start = self.start_of(wanted.path.as_deref()).await?;
        let mut found = self.tree(start, wanted.depth.max(1)).await?;
        if let Some(filter) = wanted.filter.as_ref().map(|filter| filter.to_lowercase()) {
            let fits = |found: &Found| found.path.join("/").to_lowercase().contains(&filter);
            // The folders on the way to what fits stay.
            let kept: Vec<Vec<String>> =
                found.iter().filter(|found| fits(found)).map(|found| found.path.clone()).collect();
            found.retain(|found| kept.iter().any(|path| path.starts_with(&found.path)));
        }
        self.describe(&mut found).await?;
        Ok(found)
    }
}
