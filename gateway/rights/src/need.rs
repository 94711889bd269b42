//! Which role a request needs: one table, the first line that fits counts.

use twin_core::Role;

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: anybody may ask it.
    Nothing,
    /// Somebody with at least this role.
    Role(Role),
}

enum Methods {
    /// Those that only read.
    Read,
    /// These.
    These(&'static [&'static str]),
    /// All others.
    Write,
}

/// The table. A path fits when it is the one named or below it.
const TABLE: &[(Methods, &str, Need)] = &[
    // A service manager or a load balancer has no token; it learns that the process lives, and nothing else.
    (Methods::Read, "/healthz", Need::Nothing),
    (Methods::Read, "/api/v1/audit", Need::Role(Role::Admin)),
    (Methods::Read, "/", Need::Role(Role::Viewer)),
    (Methods::These(&["PATCH", "POST", "DELETE"]), "/api/v1/devices", Need::Role(Role::Operator)),
    (Methods::These(&["PATCH", "POST", "DELETE"]), "/api/v1/alarms", Need::Role(Role::Operator)),
    (Methods::These(&["POST"]), "/api/v1/config", Need::Role(Role::Engineer)),
    // Whatever nobody has thought of.
    (Methods::Write, "/", Need::Role(Role::Admin)),
];

/// What a request with this method and path needs; what no line names needs an admin.
#[must_use]
pub fn need(method: &str, path: &str) -> Need {
    let line =
        TABLE.iter().find(|(methods, prefix, _)| fits_method(methods, method) && is_below(path, prefix));
    line.map_or(Need::Role(Role::Admin), |(.., need)| *need)
}

/// Whether a line of the table names more than `/`: a route that is not GET should be named.
#[must_use]
pub fn is_named(method: &str, path: &str) -> bool {
    let named = |(methods, prefix, _): &(Methods, &str, Need)| {
        *prefix != "/" && fits_method(methods, method) && is_below(path, prefix)
    };
    TABLE.iter().any(named)
}

/// Whether a method changes nothing wherever it is used (RFC 9110, 9.2.1).
#[must_use]
pub fn reads(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}

fn fits_method(methods: &Methods, method: &str) -> bool {
    let read = reads(method);
    match methods {
        Methods::Read => read,
        Methods::These(these) => these.contains(&method),
        Methods::Write => !read,
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    let Some(rest) = path.strip_prefix(prefix) else { return false };
    prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_needs_what_the_table_says() {
        use Role::{Admin, Engineer, Operator, Viewer};
        for (method, path, role) in [
            ("GET", "/api/v1/devices", Viewer),
            ("HEAD", "/api/v1/devices/default/pump/twin", Viewer),
            ("GET", "/metrics", Viewer),
            ("OPTIONS", "/api/v1/devices", Viewer),
            ("OPTIONS", "/api/v1/audit", Admin),
            ("GET", "/readyz", Viewer),
            ("GET", "/api/v1/config", Viewer),
            ("GET", "/api/v1/audit", Admin),
            ("GET", "/api/v1/audit/head", Admin),
            ("GET", "/api/v1/auditor", Viewer),
            ("PATCH", "/api/v1/devices/default/pump/override", Operator),
            ("POST", "/api/v1/devices/default/pump/pause", Operator),
            ("DELETE", "/api/v1/devices/default/pump/override/speed", Operator),
            ("POST", "/api/v1/alarms/17/acknowledge", Operator),
            ("POST", "/api/v1/config/apply", Engineer),
            ("PUT", "/api/v1/config", Admin),
            ("PUT", "/api/v1/devices/default/pump", Admin),
            ("POST", "/api/v1/devicesx", Admin),
            ("POST", "/healthz", Admin),
            ("POST", "/api/v1/backup", Admin),
            ("TRACE", "/", Admin),
            ("get", "/api/v1/devices", Admin),
            ("GET", "", Admin),
        ] {
            assert_eq!(need(method, path), Need::Role(role), "{method} {path}");
        }
        assert_eq!(need("GET", "/healthz"), Need::Nothing);
        assert_eq!(need("GET", "/healthzz"), Need::Role(Viewer));
    }
}
