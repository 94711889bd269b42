//! A broker of somebody else.

use super::Finding;

const TOPIC: &str = "broker";

/// What is to be said of it; `reached` is none where the gateway brings its own.
#[must_use]
pub fn judge(url: &str, reached: Option<&Result<(), String>>) -> Finding {
    match reached {
        None => Finding::ok(TOPIC, "the gateway brings its own broker"),
        Some(Ok(())) => Finding::ok(TOPIC, format!("the broker at {url} takes this gateway's user")),
        Some(Err(why)) => Finding::fail(
            TOPIC,
            format!("the broker at {url}: {why}"),
            "see that it runs, that `gateway.mqtt.external` has its address, user and password, and `ca_file` its authority",
        ),
    }
}
