//! The settings of a node: `{"node": ..., "params": {...}}`, or a list of them below `settings`.

use config::Source;

use crate::fields::Fields;
use crate::plan::{Line, Way};
use crate::read::Node;
use crate::report::Report;
use crate::thingsboard::milliseconds;

/// Bits per second by the number that stands for them.
const BAUD: [u32; 13] =
    [115_200, 57_600, 38_400, 19_200, 9_600, 4_800, 2_400, 1_800, 1_200, 600, 300, 200, 150];

/// What is said of a node.
pub(super) struct NodeSettings {
    pub(super) name: String,
    pub(super) way: Option<Way>,
    pub(super) timeout: Option<u64>,
    pub(super) pause: Option<u64>,
    /// Addresses count from 1.
    pub(super) from_one: bool,
}

/// All nodes with Modbus settings in a file.
pub(super) fn settings(root: &Node, source: &Source, report: &mut Report) -> Vec<NodeSettings> {
    let list = root.get("settings").unwrap_or(root);
    let items = list.items().unwrap_or(std::slice::from_ref(list)).iter().enumerate();
    let mut found = Vec::new();
    for (index, node) in items {
        let path = if list.items().is_some() { format!("settings[{index}]") } else { String::new() };
        let Some(fields) = Fields::of(node, &source.name, &path, report) else { continue };
        let Some(params) = fields.map("params", report) else { continue };
        let name = fields.text("node", report).or(fields.text("name", report)).unwrap_or("neuron").to_owned();
        // Nodes of other protocols stand in the same export.
        if params.get("host").is_none() && params.get("device").is_none() || params.get("client-id").is_some()
        {
            report.left(fields.place(), format!("the node `{name}` is not one of Modbus"));
            continue;
        }
        fields.pass_over(&["plugin"]);
        found.push(read(&name, params, report));
        fields.finish(report);
    }
    found
}

fn read(name: &str, params: Fields<'_>, report: &mut Report) -> NodeSettings {
    let serial = params.get("device").and_then(Node::text).is_some_and(|device| !device.is_empty())
        && params.int("link", report).unwrap_or(0) == 0;
    let place = || {
        let host = params.get("host").and_then(Node::text).unwrap_or_default();
        let port = params.get("port").and_then(Node::int).unwrap_or(502);
        format!("{host}:{port}")
    };
    let mut way = if serial {
        Some(Way::Serial(line(&params, report)))
    } else if params.get("link").is_some() {
        // The node of RTU over Ethernet.
        Some(Way::RtuOverTcp(place()))
    } else {
        Some(Way::Tcp(place()))
    };
    params.pass_over(&["device", "stop", "parity", "baud", "data", "link", "host", "port"]);
    if params.int("connection_mode", report) == Some(1) && !serial {
        params.left(
            "connection_mode",
            "the device connects to Neuron: here the gateway connects to the device",
            report,
        );
        way = None;
    }
    if params.int("transport_mode", report) == Some(1) {
        params.left("transport_mode", "Modbus over UDP is not spoken here", report);
        way = None;
    }
    for key in ["endianess", "endianess_64"] {
        if params.int(key, report).is_some_and(|order| order != 1) {
            let what =
                "an order for all tags without one of their own: write byte_order and word_order to them";
            params.left(key, what, report);
        }
    }
    for key in ["max_retries", "device_degrade", "check_header"] {
        if params.int(key, report).unwrap_or(0) == 0 {
            params.pass_over(&[key, "retry_interval", "degrade_cycle", "degrade_time"]);
        } else {
            params.left(key, "no counterpart: dead devices are asked at growing pauses here", report);
        }
    }
    let settings = NodeSettings {
        name: name.to_owned(),
        way,
        timeout: params.float("timeout", report).map(milliseconds),
        pause: params.float("interval", report).map(milliseconds),
        from_one: params.int("address_base", report) != Some(0),
    };
    params.finish(report);
    settings
}

fn line(params: &Fields<'_>, report: &mut Report) -> Line {
    let number = |key| params.get(key).and_then(Node::int);
    let parity = match number("parity").unwrap_or(0) {
        0 => Some("none"),
        1 => Some("odd"),
        2 => Some("even"),
        _ => {
            params.left("parity", "mark and space are no parity here; none is written", report);
            Some("none")
        }
    };
    let baud = number("baud").and_then(|index| BAUD.get(usize::try_from(index).ok()?)).copied();
    Line {
        path: params.get("device").and_then(Node::text).unwrap_or_default().to_owned(),
        ascii: false,
        // 0 stands for five bits.
        data_bits: number("data").map(|data| data.saturating_add(5)),
        baud: baud.or(Some(9_600)),
        parity,
        stop_bits: Some(if number("stop") == Some(1) { 2 } else { 1 }),
    }
}
