//! Going down the tree, level by level. (OPC 10000-4, 5.9.2 and 5.9.3)

use std::collections::{BTreeMap, HashSet};

use mapper_sdk::Fault;
use opcua_types::{
    BrowseDescription, BrowseDirection, BrowseResult, ByteString, NodeClass, NodeId, ObjectId,
    ReferenceDescription, ReferenceTypeId,
};

use super::{Found, Kind};
use crate::connection::Connection;
use crate::point::NodeName;

/// The most nodes that are looked at.
const MOST_NODES: usize = 20_000;
/// Objects, variables and methods.
const CLASSES: u32 = 1 | 2 | 4;
const ALL_FIELDS: u32 = 0x3F;

impl Connection {
    /// The node at which a search begins.
    pub(super) async fn start_of(&self, path: Option<&str>) -> Result<NodeId, Fault> {
        let objects: NodeId = ObjectId::ObjectsFolder.into();
        let Some(path) = path else { return Ok(objects) };
        if let Ok(name) = path.parse::<NodeName>() {
            let missing = || Fault::Refused(format!("the server has no namespace for {path}"));
            return name.resolve(self.namespaces()).ok_or_else(missing);
        }
        let mut at = objects;
        let mut steps = path.split('/').filter(|step| !step.is_empty()).peekable();
        if steps.peek() == Some(&"Objects") {
            steps.next();
        }
        for step in steps {
            let children = self.children(std::slice::from_ref(&at)).await?.remove(0);
            let found = children.iter().find(|child| name_of(child).eq_ignore_ascii_case(step));
            let Some(child) = found else {
                let names: Vec<String> = children.iter().map(name_of).take(30).collect();
                return Err(Fault::Refused(format!("there is no `{step}` there, but {}", names.join(", "))));
            };
            at = child.node_id.node_id.clone();
        }
        Ok(at)
    }

    /// Everything below `start`, in the order of the tree.
    pub(super) async fn tree(&self, start: NodeId, depth: u32) -> Result<Vec<Found>, Fault> {
        let mut seen: HashSet<NodeId> = HashSet::from([start.clone(), ObjectId::Server.into()]);
        let mut found: Vec<Found> = Vec::new();
        let mut level: Vec<(NodeId, Option<usize>)> = vec![(start, None)];
        for _ in 0..depth {
            let ids: Vec<NodeId> = level.iter().map(|(id, _)| id.clone()).collect();
            let mut next = Vec::new();
            for ((id, place), children) in level.iter().zip(self.children(&ids).await?) {
                for child in children {
                    let child_id = child.node_id.node_id.clone();
                    if child.reference_type_id == ReferenceTypeId::HasProperty {
                        if let Some(place) = place {
                            found[*place]
                                .properties
                                .insert(child.browse_name.name.as_ref().to_owned(), child_id);
                        }
                        continue;
                    }
                    let Some(kind) = kind_of(child.node_class) else { continue };
                    if child.node_id.server_index != 0 || !seen.insert(child_id.clone()) {
                        continue;
                    }
                    if found.len() >= MOST_NODES {
                        tracing::warn!(nodes = MOST_NODES, "the tree is larger: choose a path in it");
                        return Ok(sorted(found));
                    }
                    let mut path = place.map_or_else(Vec::new, |place: usize| found[place].path.clone());
                    path.push(name_of(&child));
                    next.push((child_id.clone(), Some(found.len())));
                    found.push(Found {
                        path,
                        kind,
                        node: NodeName::written(&child_id, self.namespaces()),
                        parent: NodeName::written(id, self.namespaces()),
                        variable: None,
                        id: child_id,
                        properties: BTreeMap::new(),
                    });
                }
            }
            level = next;
            if level.is_empty() {
                break;
            }
        }
        // The properties of the lowest level tell its units.
        self.add_properties(&level, &mut found).await?;
        Ok(sorted(found))
    }

    async fn add_properties(
        &self,
        level: &[(NodeId, Option<usize>)],
        found: &mut [Found],
    ) -> Result<(), Fault> {
        let ids: Vec<NodeId> = level.iter().map(|(id, _)| id.clone()).collect();
        for ((_, place), children) in level.iter().zip(self.children(&ids).await?) {
            let Some(place) = place else { continue };
            for child in children {
                if child.reference_type_id == ReferenceTypeId::HasProperty {
                    let name = child.browse_name.name.as_ref().to_owned();
                    found[*place].properties.insert(name, child.node_id.node_id);
                }
            }
        }
        Ok(())
    }

    /// What lies directly below each of these nodes.
    async fn children(&self, nodes: &[NodeId]) -> Result<Vec<Vec<ReferenceDescription>>, Fault> {
        let descriptions: Vec<BrowseDescription> = nodes
            .iter()
            .map(|node| BrowseDescription {
                node_id: node.clone(),
                browse_direction: BrowseDirection::Forward,
                reference_type_id: ReferenceTypeId::HierarchicalReferences.into(),
                include_subtypes: true,
                node_class_mask: CLASSES,
                result_mask: ALL_FIELDS,
            })
            .collect();
        let browse = |part| self.session().browse(part, 0, None);
        let answers = self.in_parts(&descriptions, &self.limits().browse, browse).await;
        let answers = answers.map_err(|status| self.fault(status))?;
        let mut children = Vec::with_capacity(nodes.len());
        for answer in answers {
            children.push(self.whole(answer).await?);
        }
        Ok(children)
    }

    /// An answer with what the server kept back.
    async fn whole(&self, answer: BrowseResult) -> Result<Vec<ReferenceDescription>, Fault> {
        let mut references = answer.references.unwrap_or_default();
        let mut rest: ByteString = answer.continuation_point;
        while !rest.is_null_or_empty() && references.len() < MOST_NODES {
            let points = [rest];
            let more = self.ask(self.session().browse_next(false, &points)).await;
            let more = more.map_err(|status| self.fault(status))?.into_iter().next();
            let Some(more) = more.filter(|more| more.status_code.is_good()) else { break };
            references.extend(more.references.unwrap_or_default());
            rest = more.continuation_point;
        }
        Ok(references)
    }
}

fn kind_of(class: NodeClass) -> Option<Kind> {
    let known = [
        (NodeClass::Object, Kind::Object),
        (NodeClass::Variable, Kind::Variable),
        (NodeClass::Method, Kind::Method),
    ];
    known.into_iter().find(|(known, _)| *known == class).map(|(_, kind)| kind)
}

fn name_of(reference: &ReferenceDescription) -> String {
    let name = reference.browse_name.name.as_ref();
    let name = if name.is_empty() { reference.display_name.text.as_ref() } else { name };
    // Names go to terminals.
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// What was found level by level, in the order of the tree; neighbours stay in the order of the server.
fn sorted(found: Vec<Found>) -> Vec<Found> {
    let mut children: BTreeMap<Vec<String>, Vec<Found>> = BTreeMap::new();
    for node in found {
        let parent = node.path[..node.path.len() - 1].to_vec();
        children.entry(parent).or_default().push(node);
    }
    let mut ordered = Vec::new();
    let mut open: Vec<Found> = children.remove(&Vec::new()).unwrap_or_default();
    open.reverse();
    while let Some(node) = open.pop() {
        let mut below = children.remove(&node.path).unwrap_or_default();
        below.reverse();
        open.extend(below);
        ordered.push(node);
    }
    ordered
}
