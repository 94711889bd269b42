//! From OpenMetrics to the text form of Prometheus: there a counter has its suffix in its name, and nothing ends the text.

/// The text form of Prometheus (exposition format 0.0.4) of a text of OpenMetrics.
pub(super) fn plain(open_metrics: &str) -> String {
    let counter = |name: &str| open_metrics.contains(&format!("# TYPE {name} counter\n"));
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let mut words = comment.splitn(3, ' ');
        let (Some(keyword @ ("HELP" | "TYPE")), Some(name), Some(rest)) =
            (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let suffix = if counter(name) { "_total" } else { "" };
        // The suffix of an info is in its samples' names, but not in its family's.
        let (suffix, rest) = match (keyword, rest) {
            ("TYPE", "info") => ("_info", "gauge"),
            ("HELP", help) if open_metrics.contains(&format!("# TYPE {name} info\n")) => ("_info", help),
            (_, rest) => (suffix, rest),
        };
        text.push_str(&format!("# {keyword} {name}{suffix} {rest}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn counters_keep_their_suffix_and_units_and_the_end_are_gone() {
        let open = "# HELP a_seconds How long.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total 1.5\n\
                    # HELP b Which.\n# TYPE b info\nb_info{v=\"# 1\"} 1\n# HELP c Now.\n# TYPE c gauge\nc 2\n# EOF\n";
        assert_eq!(
            plain(open),
            "# HELP a_seconds_total How long.\n# TYPE a_seconds_total counter\na_seconds_total 1.5\n\
             # HELP b_info Which.\n# TYPE b_info gauge\nb_info{v=\"# 1\"} 1\n# HELP c Now.\n# TYPE c gauge\nc 2\n"
        );
    }
}
