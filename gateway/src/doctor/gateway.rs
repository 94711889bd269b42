//! The gateway that runs.

use super::Finding;

const TOPIC: &str = "gateway";

/// How the gateway stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gateway {
    /// Nobody works on the data folder.
    Stopped,
    /// One does, and it answers; what of it is not ready, each with why.
    Answers(Vec<(String, String)>),
    /// One does, and it does not answer.
    Silent(String),
}

/// What is to be said of it.
#[must_use]
pub fn judge(gateway: &Gateway) -> Vec<Finding> {
    match gateway {
        Gateway::Stopped => vec![Finding::warn(
            TOPIC,
            "no gateway runs on this data folder",
            "`systemctl start twinspan`, or `twinspan run`",
        )],
        Gateway::Answers(not_ready) if not_ready.is_empty() => {
            vec![Finding::ok(TOPIC, "the gateway runs and is ready")]
        }
        Gateway::Answers(not_ready) => not_ready
            .iter()
            .map(|(name, why)| {
                Finding::fail(
                    TOPIC,
                    format!("{name} does not work: {why}"),
                    "the other findings and the log say more",
                )
            })
            .collect(),
        Gateway::Silent(why) => vec![Finding::fail(
            TOPIC,
            format!("a gateway runs on this data folder, but does not answer: {why}"),
            "name its address with --gateway; if it hangs, `systemctl restart twinspan` and keep its log",
        )],
    }
}
