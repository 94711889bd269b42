//! What went wrong, for programs and people (RFC 9457, `application/problem+json`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Names the kind of problem: `urn:twinspan:problem:` and a slug that never changes.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here, and what to do.
    pub detail: String,
    /// What is wrong with each member or parameter, where several are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FieldFault>,
}

/// What is wrong with one member or parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldFault {
    /// Its name.
    pub name: String,
    /// What is wrong with it, and what to do.
    pub detail: String,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $status:literal, $slug:literal, $title:literal;)*) => {
        /// The kinds of problems.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ProblemKind {
            $($(#[$doc])* $name,)*
        }

        impl ProblemKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// The word that never changes.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }

            /// The kind in words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

kinds! {
    /// A parameter, a header or the body is not what it has to be.
    BadRequest = 400, "bad-request", "The request is not well formed";
    /// Nobody, or nobody known, asks.
    Unauthorized = 401, "unauthorized", "Say who you are";
    /// Who asks may not do that.
    Forbidden = 403, "forbidden", "You may not do that";
    /// The request names a host that this server does not answer for.
    HostRefused = 403, "host-refused", "This server does not answer for that host name";
    /// There is no such path.
    NoSuchPath = 404, "no-such-path", "There is no such path";
    /// No node of this name was ever heard of.
    UnknownNode = 404, "unknown-node", "There is no such node";
    /// The node has no such device.
    UnknownDevice = 404, "unknown-device", "There is no such device";
    /// The device has no such property.
    UnknownProperty = 404, "unknown-property", "There is no such property";
    /// The property has no such alarm.
    UnknownAlarm = 404, "unknown-alarm", "There is no such alarm";
    /// No configuration of this revision is kept.
    UnknownRevision = 404, "unknown-revision", "There is no such revision";
    /// The path does not know the method.
    MethodNotAllowed = 405, "method-not-allowed", "The path does not know this method";
    /// The request took too long.
    Timeout = 408, "timeout", "The request took too long";
    /// It cannot be done as things stand.
    NotDone = 409, "not-done", "It cannot be done as things stand";
    /// The gateway was not started from a file.
    NoFile = 409, "no-file", "There is no file to read";
    /// A mapper outside the gateway serves the device.
    NotServedHere = 409, "not-served-here", "The gateway does not serve this device itself";
    /// Somebody else is the author of this part.
    WrittenElsewhere = 409, "written-elsewhere", "This is written elsewhere";
    /// What is asked cannot be done to the device as it is.
    NotNow = 409, "not-now", "The device is not in a state for this";
    /// Changes after this place can no longer be told completely.
    ChangesGone = 410, "changes-gone", "The changes since then are no longer complete";
    /// The revision has moved on.
    RevisionMismatch = 412, "revision-mismatch", "It has been changed meanwhile";
    /// The body is too large.
    TooLarge = 413, "too-large", "The body is too large";
    /// The body is not of a type that is read here.
    UnsupportedMediaType = 415, "unsupported-media-type", "The body is not of a type that is read here";
    /// A value may not be wanted.
    UnacceptableValue = 422, "unacceptable-value", "A value cannot be accepted";
    /// No history is kept of the property.
    NoHistory = 422, "no-history", "No history is kept of this property";
    /// A configuration cannot come into force.
    WrongConfiguration = 422, "wrong-configuration", "The configuration is wrong";
    /// Too many wrong tokens came from this address.
    TooManyFailures = 429, "too-many-failures", "Too many wrong tokens came from this address";
    /// The server failed.
    Internal = 500, "internal", "The server failed";
    /// The disk is full, read-only or broken.
    NotStored = 503, "not-stored", "It cannot be stored now";
    /// The server cannot take the request now.
    Unavailable = 503, "unavailable", "The server cannot take the request now";
}

impl Problem {
    /// The media type of a problem.
    pub const MEDIA_TYPE: &'static str = "application/problem+json";

    /// A problem of a kind, with what is wrong and what to do.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:twinspan:problem:{}", kind.slug()),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: detail.into(),
            faults: Vec::new(),
        }
    }

    /// The same with what is wrong with each member or parameter.
    #[must_use]
    pub fn with_faults(mut self, faults: Vec<FieldFault>) -> Self {
        self.faults = faults;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_slug_of_its_own() {
        let slugs: std::collections::BTreeSet<_> = ProblemKind::ALL.iter().map(|k| k.slug()).collect();
        assert_eq!(slugs.len(), ProblemKind::ALL.len());
    }
}
