//! What this process uses, as `/proc` tells.

/// Milliseconds of a tick, as `/proc` counts them: what the kernel shows to programs, whatever it counts itself (proc(5)).
const TICK_MS: u64 = 10;

/// What this process uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Memory that is really there, in bytes.
    pub resident_bytes: u64,
    /// Memory that is really there and not that of a file, in bytes.
    pub anonymous_bytes: u64,
    /// The processor's time, in milliseconds.
    pub cpu_ms: u64,
    /// Open descriptors.
    pub open_fds: u64,
    /// How many may be open; none where the system does not say.
    pub max_fds: Option<u64>,
    /// Threads.
    pub threads: u64,
}

/// What this process uses now; what the system does not tell is 0.
#[must_use]
pub fn usage() -> Usage {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    // The folder itself is open while it is read.
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count().saturating_sub(1));
    Usage {
        open_fds: u64::try_from(open).unwrap_or(0),
        ..parse(&read("/proc/self/status"), &read("/proc/self/stat"), &read("/proc/self/limits"))
    }
}

fn parse(status: &str, stat: &str, limits: &str) -> Usage {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number =
        |name: &str| field(name).and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    // The name of the program may hold blanks and brackets; what follows it does not.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    let max = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    Usage {
        resident_bytes: number("VmRSS").unwrap_or(0).saturating_mul(1024),
        anonymous_bytes: number("RssAnon").unwrap_or(0).saturating_mul(1024),
        cpu_ms: ticks.saturating_mul(TICK_MS),
        open_fds: 0,
        max_fds: max.and_then(|rest| rest.split_whitespace().next()?.parse().ok()),
        threads: number("Threads").unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_uses_memory_descriptors_and_threads() {
        let usage = usage();
        assert!(usage.resident_bytes > 100_000 && usage.open_fds >= 3 && usage.threads >= 1, "{usage:?}");
        assert!(usage.anonymous_bytes <= usage.resident_bytes);
    }

    #[test]
    fn a_program_with_brackets_in_its_name_is_read_rightly() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0";
        let usage = parse(
            "VmRSS:\t  10 kB\nThreads:\t4\n",
            stat,
            "Max open files            1024     4096   files\n",
        );
        assert_eq!(
            (usage.cpu_ms, usage.resident_bytes, usage.threads, usage.max_fds),
            (3_000, 10_240, 4, Some(1024))
        );
    }

    #[test]
    fn where_the_system_tells_nothing_everything_is_zero() {
        assert_eq!(parse("", "", ""), Usage::default());
    }
}
