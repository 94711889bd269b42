//! What is written of OPC UA servers, and what they show of themselves.

use opcua::Link;
use opcua::pki::Certificate;
use opcua::point::NodeName;

use super::text;

/// Any bytes as a certificate; as text the name of a node, which is the same when it is written and read again, and the
/// address of a server, of which an endpoint has the same host.
pub fn opcua_names(data: &[u8]) {
    let _ = Certificate::parse(data);
    let Some(text) = text(data) else { return };
    let namespaces = ["http://opcfoundation.org/UA/", "urn:server", "urn:plant;1%"].map(str::to_owned);
    if let Ok(name) = text.parse::<NodeName>()
        && let Some(node) = name.resolve(&namespaces)
    {
        let written = NodeName::written(&node, &namespaces);
        let again = written.parse::<NodeName>().ok().and_then(|name| name.resolve(&namespaces));
        assert_eq!(again, Some(node), "{written}");
    }
    if let Ok(place) = Link::to(text).place() {
        let endpoint = place.with_path_of("opc.tcp://internal:1/UA");
        let again = Link::to(&endpoint).place().map(|other| (other.host, other.port));
        assert_eq!(again, Ok((place.host, place.port)), "{endpoint}");
    }
}
