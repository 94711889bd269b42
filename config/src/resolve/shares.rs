//! What devices share: those on one serial port must agree on its rate.

use std::collections::HashMap;

use crate::config::DeviceConfig;
use crate::decode::{Sink, Spot};
use crate::fault::Finding;
use crate::protocol::{Body, Term};
use crate::source::Span;

/// What is shared, by protocol and name, as the first device wants it.
#[derive(Default)]
pub(super) struct Shares(HashMap<(String, String), Vec<(Term, Span)>>);

impl Shares {
    /// Notes what the device that is written at `spot` shares; a fault where another wants it otherwise.
    pub(super) fn claim(&mut self, spot: &Spot<'_>, device: &DeviceConfig, sink: &mut Sink) {
        let Some(shared) = device.link.as_ref().and_then(Body::shared) else { return };
        let protocol = device.protocol.clone().unwrap_or_default();
        let terms = shared.terms.into_iter().map(|term| {
            let (at, path) = place(spot, &protocol, term.key);
            (term, at, path)
        });
        let Some(first) = self.0.get(&(protocol.clone(), shared.name.clone())) else {
            let terms = terms.map(|(term, at, _)| (term, at)).collect();
            self.0.insert((protocol, shared.name), terms);
            return;
        };
        for ((mine, at, path), (other, first)) in terms.zip(first) {
            if mine.value == other.value {
                continue;
            }
            let Term { what, value, .. } = mine;
            let name = &shared.name;
            let message =
                format!("`{name}` has the {what} {value} here, and {} in another device", other.value);
            let finding =
                Finding::new(at, path, message).hint(format!("all devices on `{name}` need the same"));
            sink.fault(finding.related(*first, "the other one"));
            // One who is wrong about the first thing is seldom right about the next.
            return;
        }
    }
}

/// Where a key of the link is written: there, or where the link or the device begins.
fn place(spot: &Spot<'_>, protocol: &str, key: &str) -> (Span, String) {
    let (mut at, mut node, mut path) = (spot.head, spot.node, spot.path.to_string());
    for key in std::iter::once(protocol).chain(key.split('.')) {
        let Some(entry) = node.entry(key) else { break };
        path = format!("{path}.{key}");
        node = &entry.value;
        at = if node.entries().is_some() { entry.key_at } else { node.at };
    }
    (at, path)
}
