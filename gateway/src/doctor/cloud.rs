//! The way to the cloud, step by step.

use edgehub::Examined;

use super::Finding;

const TOPIC: &str = "cloud";

/// What is to be said of it; none: no cloud is configured.
#[must_use]
pub fn judge(examined: Option<&Examined>) -> Vec<Finding> {
    let Some(examined) = examined else {
        return vec![Finding::ok(TOPIC, "no cloud is configured")];
    };
    let host = &examined.host;
    let mut findings = Vec::new();
    match &examined.addresses {
        Ok(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            findings.push(Finding::ok(TOPIC, format!("the name {host} leads to {}", addresses.join(", "))));
        }
        Err(why) => findings.push(Finding::fail(
            TOPIC,
            format!("nobody knows the name {host}: {why}"),
            "check `gateway.cloud.url` and this machine's name servers (`resolvectl query`, /etc/resolv.conf)",
        )),
    }
    let address = &examined.address;
    match &examined.reached {
        Some(Ok(took)) => {
            findings.push(Finding::ok(
                TOPIC,
                format!("{address} takes connections, after {} ms", took.as_millis()),
            ));
        }
        Some(Err(why)) => findings.push(Finding::fail(
            TOPIC,
            why.clone(),
            format!("see that the cloud runs and that firewalls let TCP to {address} through"),
        )),
        None => {}
    }
    match &examined.secured {
        Some(Ok(())) => findings.push(Finding::ok(TOPIC, "it is the cloud that this node belongs to (TLS)")),
        // These say themselves what mends them.
        Some(Err(why)) => {
            let (says, mend) = why.split_once(": ").unwrap_or((why, "see the log of the cloud"));
            findings.push(Finding::fail(TOPIC, says, mend));
        }
        None => {}
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;
    use std::time::Duration;

    #[test]
    fn each_step_is_named_and_the_first_that_fails_has_its_mend() {
        let examined = Examined {
            host: "cloud".into(),
            address: "cloud:7443".into(),
            addresses: Ok(vec!["10.0.0.1:7443".parse().unwrap()]),
            reached: Some(Ok(Duration::from_millis(3))),
            secured: Some(Err(
                "the cloud's certificate is not valid at this time: check the clocks of both machines".into(),
            )),
            date: None,
        };
        let found = judge(Some(&examined));
        assert_eq!(found.iter().map(|f| f.level).collect::<Vec<_>>(), [Level::Ok, Level::Ok, Level::Fail]);
        assert_eq!(found[2].mend.as_deref(), Some("check the clocks of both machines"));
        assert_eq!(judge(None)[0].level, Level::Ok);
    }
}
