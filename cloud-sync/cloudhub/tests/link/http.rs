//! The link port as `curl` sees it: bad requests get their 4xx, and the server goes on.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::edge::{Edge, wss};
use crate::support::Cloud;

/// Status and JSON body.
async fn curl(cloud: &Cloud, ca: &str, path: &str, extra: &[&str]) -> (u16, Value) {
    let url = format!("https://localhost:{}{path}", cloud.tls.port());
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "20", "--http1.1", "--cacert", ca])
        .args(["--write-out", "\n%{http_code}", &url])
        .args(extra)
        .stdin(Stdio::null())
        .output()
        .await
        .expect("curl is installed");
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    let status = status.parse().unwrap();
    assert_ne!(status, 0, "{}", String::from_utf8_lossy(&output.stderr));
    (status, serde_json::from_str(body).unwrap_or(Value::String(body.to_owned())))
}

#[tokio::test]
async fn bad_requests_get_their_status_and_the_server_lives() {
    let cloud = Cloud::start().await;
    let ca = cloud.dir.path().join("ca-certificate.pem");
    std::fs::write(&ca, cloud.ca.certificate_pem()).unwrap();
    let ca = ca.to_str().unwrap();
    let mut large = tempfile::NamedTempFile::new().unwrap();
    large.write_all(&vec![b'a'; 10 << 20]).unwrap();
    let large = format!("@{}", large.path().display());
    let json = "content-type: application/json";
    let other = cloud.token("line-2").await.to_text();
    let mismatch = format!(r#"{{"token": "{other}", "node": "line-1", "csr_pem": ""}}"#);
    let no_csr = format!(r#"{{"token": "{other}", "node": "line-2", "csr_pem": "nonsense"}}"#);
    let enrol = "/v1/enrol";
    for (path, extra, status, code) in [
        ("/", &[][..], 404, "not_found"),
        ("/v2/enrol", &["--data", "{}"], 404, "not_found"),
        (enrol, &["--header", json, "--data", "{"], 400, "bad_request"),
        (enrol, &["--header", json, "--data", "{}"], 400, "bad_request"),
        (enrol, &["--data", "{}"], 400, "bad_request"),
        ("/v1/renew", &["--header", json, "--data", "{\"csr_pem\": \"\"}"], 401, "bad_request"),
        (
            enrol,
            &["--header", json, "--data", r#"{"token": "ts1.x", "node": "a", "csr_pem": ""}"#],
            400,
            "bad_request",
        ),
        (enrol, &["--header", json, "--data", &mismatch], 403, "token_mismatch"),
        (enrol, &["--header", json, "--data", &no_csr], 400, "bad_request"),
        (enrol, &["--header", json, "--data-binary", &large], 413, "too_large"),
        ("/v1/link", &[], 401, "no_certificate"),
    ] {
        let (got, body) = curl(&cloud, ca, path, extra).await;
        assert_eq!((got, body["code"].as_str()), (status, Some(code)), "{path} {extra:.60?}: {body}");
        assert!(body["reason"].as_str().is_some_and(|r| r.len() > 5 && !r.contains(&other)), "{body}");
    }
    let (status, _) = curl(&cloud, ca, enrol, &[]).await;
    assert_eq!(status, 405);
    let edge = Edge::start(&wss(cloud.tls), "line-1", Some(cloud.token("line-1").await));
    edge.connected().await;
    edge.stop().await;
    cloud.stop().await;
}
