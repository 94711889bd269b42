//! The devices: whether they answer.

use twin_core::DeviceId;

use super::Finding;

const TOPIC: &str = "devices";
/// Findings of single devices; of the others their number is told.
const MOST: usize = 20;

/// How a device stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It answers.
    Online,
    /// It does not, and why.
    Silent(String),
    /// Nobody knows.
    NotAsked(&'static str),
}

/// What is to be said of them.
#[must_use]
pub fn judge(devices: &[(DeviceId, Answer)]) -> Vec<Finding> {
    let (mut online, mut silent, mut findings) = (0, 0, Vec::new());
    let mut unasked: std::collections::BTreeMap<&'static str, usize> = std::collections::BTreeMap::new();
    for (id, answer) in devices {
        match answer {
            Answer::Online => online += 1,
            Answer::NotAsked(why) => *unasked.entry(why).or_default() += 1,
            Answer::Silent(why) => {
                silent += 1;
                if silent <= MOST {
                    findings.push(Finding::warn(
                        TOPIC,
                        format!("{id} does not answer: {why}"),
                        "see that it has power and that cable, address and unit are those of the configuration; \
                         `twinspan probe` and `twinspan read` ask it alone",
                    ));
                }
            }
        }
    }
    if silent > MOST {
        findings.push(Finding::warn(
            TOPIC,
            format!("{} more do not answer", silent - MOST),
            "`twinspan status` and `GET /api/v1/devices?state=offline` list them",
        ));
    }
    if online > 0 || devices.is_empty() {
        findings.insert(0, Finding::ok(TOPIC, format!("{online} of {} devices answer", devices.len())));
    }
    findings.extend(
        unasked.into_iter().map(|(why, count)| Finding::ok(TOPIC, format!("{count} were not asked: {why}"))),
    );
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn a_plant_that_is_switched_off_does_not_fill_the_screen() {
        let device = |n: usize| (format!("default/d{n}").parse().unwrap(), Answer::Silent("no route".into()));
        let found = judge(&(0..500).map(device).collect::<Vec<_>>());
        assert_eq!(found.len(), MOST + 1);
        assert!(found[MOST].says.starts_with("480 more"));
        assert!(found.iter().all(|finding| finding.level == Level::Warn));
    }
}
