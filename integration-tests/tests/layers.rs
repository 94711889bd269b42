//! Five floors, no arrow up, no circle; and what is pure brings nothing that does I/O.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// The floors of docs/architecture.md, from the ground up.
const FLOORS: [&[&str]; 5] = [
    &["twin-core"],
    &[
        "twin-guard",
        "mapper-contract",
        "twinspan-config",
        "sync-proto",
        "twin-api",
        "twin-store",
        "cloud-store",
        "rights",
        "audit",
        "host",
        "backup",
    ],
    &["config-import", "mqtt-link", "mqtt-broker", "edgehub", "device-twin", "cloudhub"],
    &["mapper-sdk", "twinspan", "twinspan-cloud"],
    &["modbus", "opcua", "ble", "zigbee", "twinspan-dev", "integration-tests"],
];

/// The gateway picks its mappers: the one arrow up that the plan allows.
const ALLOWED: [(&str, &str); 5] = [
    ("twinspan", "modbus"),
    ("twinspan", "opcua"),
    ("twinspan", "ble"),
    ("twinspan", "zigbee"),
    ("twinspan", "mapper-sdk"),
];

/// Crates that decide and never do.
const PURE: [&str; 7] = [
    "twin-core",
    "twin-guard",
    "mapper-contract",
    "twinspan-config",
    "config-import",
    "sync-proto",
    "twin-api",
];

/// What a pure crate must not reach, directly or through others.
const IMPURE: [&str; 8] = ["tokio", "sqlx", "hyper", "axum", "rumqttc", "rustls", "socket2", "mio"];

/// What must not stand in the source of a pure crate.
const IMPURE_WORDS: [&str; 8] = [
    "TcpStream",
    "UdpSocket",
    "ToSocketAddrs",
    "std::fs",
    "std::thread",
    "SystemTime::now",
    "Instant::now",
    "std::env",
];

/// Which crates of the other side no crate of this side may use.
const NEVER_MEET: [(&[&str], &[&str]); 2] = [
    (
        &["modbus", "opcua", "ble", "zigbee", "mapper-sdk", "mqtt-link", "mapper-contract"],
        &["sync-proto", "edgehub", "cloudhub", "cloud-store"],
    ),
    (&["twinspan"], &["cloud-store", "cloudhub", "twinspan-cloud"]),
];

struct Workspace {
    /// Ours: name to the names of all normal dependencies.
    ours: BTreeMap<String, Vec<String>>,
    /// Ours: name to the folder.
    folders: BTreeMap<String, String>,
    /// Everything: package id to name and ids of normal dependencies.
    graph: BTreeMap<String, (String, Vec<String>)>,
}

fn workspace() -> Workspace {
    // Only what is built here, so that nothing of another platform must be fetched.
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", host])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let members: Vec<String> = metadata["workspace_members"].as_array().unwrap().iter().map(text).collect();
    let names: BTreeMap<String, (String, String)> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (text(&p["id"]), (text(&p["name"]), text(&p["manifest_path"]))))
        .collect();
    let mut graph = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let normal = |dep: &&Value| {
            dep["dep_kinds"].as_array().unwrap().iter().any(|k| k["kind"].is_null() && k["target"].is_null())
        };
        let deps: Vec<String> =
            node["deps"].as_array().unwrap().iter().filter(normal).map(|d| text(&d["pkg"])).collect();
        let id = text(&node["id"]);
        graph.insert(id.clone(), (names[&id].0.clone(), deps));
    }
    let mut ours = BTreeMap::new();
    let mut folders = BTreeMap::new();
    for id in &members {
        let (name, deps) = &graph[id];
        ours.insert(name.clone(), deps.iter().map(|d| graph[d].0.clone()).collect());
        folders.insert(name.clone(), names[id].1.trim_end_matches("Cargo.toml").to_owned());
    }
    Workspace { ours, folders, graph }
}

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&name))
}

#[test]
fn every_crate_has_a_floor_and_no_dependency_points_up() {
    let workspace = workspace();
    let mut faults = Vec::new();
    for (name, deps) in &workspace.ours {
        let Some(own) = floor(name) else {
            faults.push(format!("{name} has no floor: add it to docs/architecture.md and to this test"));
            continue;
        };
        for dep in deps.iter().filter(|d| workspace.ours.contains_key(*d)) {
            if floor(dep).is_some_and(|f| f > own) && !ALLOWED.contains(&(name, dep)) {
                faults.push(format!("{name} (floor {}) uses {dep}, which is above it", own + 1));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn pure_crates_reach_nothing_that_does_io() {
    let workspace = workspace();
    for name in PURE {
        let (start, _) = workspace.graph.iter().find(|(_, (n, _))| n == name).unwrap();
        let mut seen = vec![start.clone()];
        let mut next = 0;
        while let Some(id) = seen.get(next).cloned() {
            next += 1;
            let (found, deps) = &workspace.graph[&id];
            assert!(!IMPURE.contains(&found.as_str()), "{name} reaches {found}");
            for dep in deps {
                if !seen.contains(dep) {
                    seen.push(dep.clone());
                }
            }
        }
    }
}

#[test]
fn the_source_of_pure_crates_names_no_clock_file_or_socket() {
    let workspace = workspace();
    for name in PURE {
        let mut folders = vec![std::path::PathBuf::from(&workspace.folders[name]).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let product = text.split("#[cfg(test)]").next().unwrap_or_default();
                for word in IMPURE_WORDS {
                    assert!(!product.contains(word), "{} names {word}", path.display());
                }
            }
        }
    }
}

#[test]
fn mappers_and_cloud_sync_never_meet_and_the_edge_links_nothing_of_the_cloud() {
    let workspace = workspace();
    for (these, those) in NEVER_MEET {
        for name in these {
            for dep in &workspace.ours[*name] {
                assert!(!those.contains(&dep.as_str()), "{name} uses {dep}");
            }
        }
    }
}
