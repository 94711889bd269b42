//! Who may do what over REST, with a real gateway, its own command line and curl.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;

use integration_tests::harness::{Secured, binary};
use rights::{Need, Role};
use serde_json::Value;

const DEVICES: &str = "devices:\n  dev-0:\n    properties:\n      a: { type: int, access: read_write }\n";

/// A gateway that asks for a token on loopback too.
async fn plant() -> Secured {
    Secured::start(DEVICES, "loopback: token,", "").await
}

fn routes() -> Vec<(String, String)> {
    let output = Command::new(binary("twinspan")).arg("openapi").output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            routes.push((method.to_uppercase(), path.clone()));
        }
    }
    routes.push(("GET".to_owned(), "/openapi.json".to_owned()));
    routes.push(("GET".to_owned(), "/no/such/path".to_owned()));
    routes.push(("POST".to_owned(), "/no/such/path".to_owned()));
    routes
}

/// The path with something in the place of each `{...}`.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        "{namespace}" => "default",
        "{name}" | "{device}" => "dev-0",
        "{property}" => "a",
        part if part.starts_with('{') => "1",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_is_open_to_its_role_and_those_above_and_to_nobody_else() {
    let plant = plant().await;
    let tokens: Vec<(Role, String)> =
        Role::ALL.into_iter().map(|role| (role, plant.token(role.word(), role.word(), &[]))).collect();
    let routes = routes();
    assert!(routes.len() > 15, "{routes:?}");
    for (method, path) in routes {
        assert!(
            method == "GET" || path == "/no/such/path" || rights::need::is_named(&method, &path),
            "{method} {path} has no line of its own in the table of roles: add one to gateway/rights/src/need.rs"
        );
        let (need, path) = (rights::need(&method, &path), filled(&path));
        // An event stream never ends, so curl does.
        let args = ["-X", &method, "--max-time", "1"];
        let nobody = plant.curl(&path, &args);
        match need {
            Need::Nothing => assert_eq!(nobody.status, 200, "{method} {path}"),
            Need::Role(_) => {
                assert_eq!(nobody.status, 401, "{method} {path}: {}", nobody.text);
                assert_eq!(nobody.header("www-authenticate"), Some("Bearer realm=\"twinspan\""));
                assert_eq!(nobody.header("content-type"), Some("application/problem+json"));
            }
        }
        for (role, token) in &tokens {
            let reply = plant.with_token(token, &path, &args);
            let may = match need {
                Need::Nothing => true,
                Need::Role(needed) => *role >= needed,
            };
            if may {
                assert!(
                    ![0, 401, 403, 429].contains(&reply.status),
                    "{role} {method} {path}: {}",
                    reply.text
                );
            } else {
                assert_eq!(reply.status, 403, "{role} {method} {path}: {}", reply.text);
                let Need::Role(needed) = need else { panic!() };
                let detail = reply.json()["detail"].as_str().unwrap().to_owned();
                assert!(detail.contains(&format!("needs the role {needed}")), "{detail}");
            }
        }
    }
}

#[tokio::test]
async fn a_token_opens_while_it_holds_and_its_revocation_ends_what_it_has_opened() {
    let plant = plant().await;
    let token = plant.token("hmi-1", "operator", &["--expires", "1h"]);
    assert_eq!(plant.with_token(&token, "/api/v1/status", &[]).status, 200);
    let path = "/api/v1/devices/default/dev-0/override";
    let set = plant.with_token(&token, path, &["-X", "PATCH", "--json", "{\"a\": 5}"]);
    assert_eq!(set.status, 200, "{}", set.text);
    assert_eq!(set.json()["properties"]["a"]["override"]["set_by"], "hmi-1@127.0.0.1");

    let twice = plant.cli(&["token", "create", "--name", "hmi-1", "--role", "viewer"]);
    assert!(String::from_utf8_lossy(&twice.stderr).contains("there is a token hmi-1 already"), "{twice:?}");
    let listed = String::from_utf8(plant.cli(&["token", "list"]).stdout).unwrap();
    assert!(listed.contains("operator") && listed.contains("hmi-1"), "{listed}");
    assert!(!listed.contains(&token), "the list shows the token");

    let stream = std::thread::scope(|scope| {
        let stream = scope.spawn(|| plant.with_token(&token, "/api/v1/events", &["-N"]));
        std::thread::sleep(std::time::Duration::from_secs(1));
        assert!(plant.cli(&["token", "revoke", "hmi-1"]).status.success());
        assert_eq!(plant.with_token(&token, "/api/v1/status", &[]).status, 401);
        stream.join().unwrap()
    });
    assert_eq!(stream.status, 200);
    assert!(!stream.error.contains("timed out"), "the stream outlived its token: {}", stream.error);
    let log = std::fs::read_to_string(plant.edge.folder().join("log")).unwrap();
    assert!(!log.contains(&token), "the token is in the log");
}

#[tokio::test]
async fn whoever_guesses_has_to_wait() {
    let plant = plant().await;
    for n in 0..10 {
        let reply = plant.with_token(&format!("twinspan_{n}"), "/api/v1/status", &[]);
        assert_eq!(reply.status, 401, "{}", reply.text);
        assert!(reply.header("www-authenticate").unwrap().contains("invalid_token"));
    }
    let reply = plant.with_token("twinspan_10", "/api/v1/status", &[]);
    assert_eq!(reply.status, 429, "{}", reply.text);
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(plant.curl("/healthz", &[]).status, 200);
}
