//! What a process uses, second by second.

use std::path::Path;

use anyhow::Context as _;

/// So much more in the last third than in the first is no growth, as a share and besides that.
const SHARE: f64 = 0.10;

struct Kind {
    name: &'static str,
    /// What is allowed besides the share.
    besides: f64,
    values: Vec<f64>,
}

/// The samples of one process.
pub(super) struct Samples {
    process: &'static str,
    kinds: [Kind; 5],
}

impl Samples {
    pub(super) fn of(process: &'static str) -> Self {
        let kind = |name, besides| Kind { name, besides, values: Vec::new() };
        let kinds = [
            kind("memory of its own, MB", 2.0),
            kind("descriptors", 8.0),
            kind("threads", 2.0),
            kind("database, MB", 1.0),
            // It is cut back when it is written back: it goes up and down between nothing and its bound.
            kind("log of the database, MB", 33.0),
        ];
        Self { process, kinds }
    }

    pub(super) fn take(&mut self, pid: u32, data: &Path) -> anyhow::Result<()> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let number = |name: &str| -> anyhow::Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).context(name.to_owned())?;
            Ok(line.trim_start_matches(':').trim().trim_end_matches(" kB").trim().parse()?)
        };
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count();
        let (mut database, mut log) = (0, 0);
        for file in std::fs::read_dir(data)?.flatten() {
            let bytes = file.metadata().map_or(0, |file| file.len());
            if file.file_name().to_string_lossy().ends_with("-wal") {
                log += bytes
            } else {
                database += bytes
            }
        }
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let now = [
            number("RssAnon")? / 1000.0,
            descriptors as f64,
            number("Threads")?,
            megabytes(database),
            megabytes(log),
        ];
        for (kind, value) in self.kinds.iter_mut().zip(now) {
            kind.values.push(value);
        }
        Ok(())
    }

    pub(super) fn last(&self) -> String {
        let values =
            self.kinds.iter().filter_map(|kind| Some(format!("{} {:.1}", kind.name, kind.values.last()?)));
        format!("{} {}", self.process, values.collect::<Vec<_>>().join(", "))
    }

    /// A line for each kind, and whether it grows.
    pub(super) fn verdict(&self) -> Vec<(String, bool)> {
        let line = |kind: &Kind| {
            let (first, last) = thirds(&kind.values);
            let grows = last > first * (1.0 + SHARE) + kind.besides;
            let most = kind.values.iter().copied().fold(0.0, f64::max);
            let (process, name) = (self.process, kind.name);
            let ratio = last / first.max(f64::MIN_POSITIVE);
            let text = format!(
                "{process}: {name}: {first:.1} in the first third, {last:.1} in the last ({ratio:.2}), {most:.1} at most"
            );
            (text, grows)
        };
        self.kinds.iter().map(line).collect()
    }
}

/// The mean of the first and of the last third.
fn thirds(values: &[f64]) -> (f64, f64) {
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len().max(1) as f64;
    let third = values.len() / 3;
    let (first, rest) = values.split_at_checked(third).unwrap_or((values, values));
    let last = rest.get(rest.len().saturating_sub(third)..).unwrap_or(rest);
    (mean(first), mean(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_up_and_down_does_not_grow_and_what_only_goes_up_does() {
        let mut samples = Samples::of("test");
        samples.kinds[0].values = (0..300).map(|n| f64::from(20 + n % 7)).collect();
        samples.kinds[1].values = (0..300).map(f64::from).collect();
        let verdict = samples.verdict();
        assert!(!verdict[0].1 && verdict[1].1, "{verdict:?}");
    }
}
