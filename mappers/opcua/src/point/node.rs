//! The name of a node, as it is written and as it is resolved on a server.

use std::str::FromStr;

use opcua_types::{ByteString, Guid, Identifier, NodeId, UAString};

/// A node id whose namespace may be given by its URI. (OPC 10000-6, 5.3.1.10)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeName {
    /// The namespace.
    pub namespace: Namespace,
    /// The identifier in the namespace.
    pub identifier: Identifier,
}

/// A namespace of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespace {
    /// Its place in the server's list, which may change when the server does.
    Index(u16),
    /// Its name, which does not.
    Uri(String),
}

/// Why a text names no node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a node")]
pub struct InvalidNode(pub String);

impl FromStr for NodeName {
    type Err = InvalidNode;

    fn from_str(text: &str) -> Result<Self, InvalidNode> {
        let wrong = || InvalidNode(text.chars().take(80).collect());
        let (namespace, identifier) = if let Some(rest) = text.strip_prefix("nsu=") {
            // The URI may itself hold a semicolon; the identifier begins at the first `;x=`.
            let at = ["i", "s", "g", "b"].iter().filter_map(|kind| rest.find(&format!(";{kind}="))).min();
            let (uri, identifier) = rest.split_at(at.ok_or_else(wrong)?);
            if uri.is_empty() {
                return Err(wrong());
            }
            (Namespace::Uri(unescaped(uri)), &identifier[1..])
        } else if let Some(rest) = text.strip_prefix("ns=") {
            let (index, identifier) = rest.split_once(';').ok_or_else(wrong)?;
            (Namespace::Index(index.parse().map_err(|_| wrong())?), identifier)
        } else {
            (Namespace::Index(0), text)
        };
        let (kind, name) = identifier.split_once('=').ok_or_else(wrong)?;
        let identifier = match kind {
            "i" => name.parse().ok().map(Identifier::Numeric),
            "s" => (!name.is_empty()).then(|| Identifier::String(UAString::from(name))),
            "g" => Guid::from_str(name).ok().map(Identifier::Guid),
            "b" => ByteString::from_base64(name).map(Identifier::ByteString),
            _ => None,
        };
        Ok(Self { namespace, identifier: identifier.ok_or_else(wrong)? })
    }
}

/// `;` and `%` are escaped in a URI that is part of a node's name.
fn unescaped(uri: &str) -> String {
    uri.replace("%3B", ";").replace("%3b", ";").replace("%25", "%")
}

fn escaped(uri: &str) -> String {
    uri.replace('%', "%25").replace(';', "%3B")
}

impl NodeName {
    /// The id that the node has on a server with these namespaces, by their index; none when the server does not have
    /// the namespace.
    #[must_use]
    pub fn resolve(&self, namespaces: &[String]) -> Option<NodeId> {
        let index = match &self.namespace {
            Namespace::Index(index) => *index,
            Namespace::Uri(uri) => {
                u16::try_from(namespaces.iter().position(|namespace| namespace == uri)?).ok()?
            }
        };
        Some(NodeId { namespace: index, identifier: self.identifier.clone() })
    }

    /// How a node of a server is best written: with the URI of its namespace where there is one.
    #[must_use]
    pub fn written(node: &NodeId, namespaces: &[String]) -> String {
        let identifier = match &node.identifier {
            Identifier::Numeric(number) => format!("i={number}"),
            Identifier::String(name) => format!("s={name}"),
            Identifier::Guid(guid) => format!("g={guid}"),
            Identifier::ByteString(bytes) => format!("b={}", bytes.as_base64()),
        };
        match (node.namespace, namespaces.get(usize::from(node.namespace))) {
            (0, _) => identifier,
            (_, Some(uri)) if !uri.is_empty() => format!("nsu={};{identifier}", escaped(uri)),
            (index, _) => format!("ns={index};{identifier}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names() -> Vec<String> {
        ["http://opcfoundation.org/UA/", "urn:server", "http://example.org/plant;v=1"]
            .map(str::to_owned)
            .to_vec()
    }

    fn resolved(text: &str) -> Option<NodeId> {
        text.parse::<NodeName>().unwrap().resolve(&names())
    }

    #[test]
    fn a_namespace_is_found_by_its_uri_and_by_its_index() {
        let boiler = NodeId::new(2, "Boiler.Temp");
        assert_eq!(resolved("nsu=http://example.org/plant;v=1;s=Boiler.Temp"), Some(boiler.clone()));
        assert_eq!(resolved("nsu=http://example.org/plant%3Bv=1;s=Boiler.Temp"), Some(boiler.clone()));
        assert_eq!(resolved("ns=2;s=Boiler.Temp"), Some(boiler));
        assert_eq!(resolved("i=2258"), Some(NodeId::new(0, 2258u32)));
        assert_eq!(resolved("nsu=urn:other;i=1"), None);
        assert_eq!(resolved("s=a=b;c"), Some(NodeId::new(0, "a=b;c")));
    }

    #[test]
    fn what_names_no_node_is_refused() {
        for text in [
            "",
            "Boiler",
            "ns=2",
            "ns=2;",
            "ns=x;i=1",
            "ns=70000;i=1",
            "i=x",
            "i=-1",
            "s=",
            "nsu=;i=1",
            "nsu=a",
            "g=1",
            "b=!",
            "x=1",
        ] {
            assert!(text.parse::<NodeName>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_node_that_is_written_reads_back(index in 0u16..3, number: u32, name in "[ -~]{1,40}", which in 0..4) {
            let identifier = match which {
                0 => Identifier::Numeric(number),
                1 => Identifier::String(UAString::from(name.as_str())),
                2 => Identifier::Guid(Guid::new()),
                _ => Identifier::ByteString(ByteString::from(name.as_bytes())),
            };
            let node = NodeId { namespace: index, identifier };
            let written = NodeName::written(&node, &names());
            prop_assert_eq!(written.parse::<NodeName>().unwrap().resolve(&names()), Some(node));
        }

        #[test]
        fn no_text_makes_it_fail(text in ".{0,60}") {
            let _ = text.parse::<NodeName>();
        }
    }
}
