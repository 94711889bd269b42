//! How much a server takes in one request. (OPC 10000-5, 6.3.11)

use std::sync::atomic::{AtomicUsize, Ordering};

use opcua_types::{DataValue, NodeId, VariableId};

/// The most operations in one request, of each kind; learnt from the server, and less when it refuses.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) read: Limit,
    pub(crate) browse: Limit,
    pub(crate) monitor: Limit,
}

/// One of them; at least one.
#[derive(Debug)]
pub(crate) struct Limit(AtomicUsize);

impl Limit {
    fn new(most: usize) -> Self {
        Self(AtomicUsize::new(most.max(1)))
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed).max(1)
    }

    /// The server did not take `tried` at once; false when there is nothing less to try.
    pub(crate) fn handle_too_much(&self, tried: usize) -> bool {
        self.0.fetch_min((tried / 2).max(1), Ordering::Relaxed);
        tried > 1
    }
}

impl Limits {
    /// What is read at the server, in the order of [`from_answers`](Self::from_answers).
    pub(crate) fn nodes() -> [NodeId; 3] {
        [
            VariableId::Server_ServerCapabilities_OperationLimits_MaxNodesPerRead.into(),
            VariableId::Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse.into(),
            VariableId::Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall.into(),
        ]
    }

    /// What the server says; nothing, 0 and nonsense mean that it names no limit, and then `most` is one.
    pub(crate) fn from_answers(answers: &[DataValue], most: usize) -> Self {
        let limit = |place: usize| {
            let said = answers.get(place).and_then(|answer| answer.value.clone());
            let said = said.and_then(|value| value.try_cast_to::<u32>().ok()).filter(|limit| *limit > 0);
            Limit::new(said.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(most).min(most))
        };
        Self { read: limit(0), browse: limit(1), monitor: limit(2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opcua_types::{StatusCode, Variant};

    #[test]
    fn a_limit_that_is_missing_or_nothing_is_our_own() {
        let answers = [
            DataValue::value_only(Variant::UInt32(0)),
            DataValue::value_only(Variant::UInt32(20)),
            DataValue { status: Some(StatusCode::BadNodeIdUnknown), ..DataValue::default() },
        ];
        let limits = Limits::from_answers(&answers, 500);
        assert_eq!([&limits.read, &limits.browse, &limits.monitor].map(Limit::get), [500, 20, 500]);
        for odd in [Variant::UInt32(1_000_000), Variant::String("x".into())] {
            assert_eq!(Limits::from_answers(&[DataValue::value_only(odd)], 500).read.get(), 500);
        }
        assert_eq!(Limits::from_answers(&[], 500).read.get(), 500);
    }

    #[test]
    fn a_server_that_refuses_is_asked_for_half() {
        let limits = Limits::from_answers(&[], 500);
        assert!(limits.read.handle_too_much(300));
        assert_eq!(limits.read.get(), 150);
        assert!(!limits.read.handle_too_much(1));
        assert_eq!(limits.read.get(), 1);
    }
}
