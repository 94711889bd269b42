//! What is to be done at the adapter for nobody in particular: ending connections that nobody uses any more, and
//! listening while somebody wants to hear.

use std::sync::Arc;
use std::time::Duration;

use crate::hub::Shared;
use crate::radio::Adapter;

/// How long ending a connection, or listening, may take.
const WITHIN: Duration = Duration::from_secs(5);
/// When an adapter that would not listen is asked again: it may still be ending what somebody else began.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// After so many refusals in a row it is said.
const REFUSALS_TOLD: u32 = 3;

/// Does what comes up, until it is dropped.
pub(super) async fn run<A: Adapter>(shared: Arc<Shared<A>>) {
    let mut refusals = 0;
    loop {
        while let Some(address) = next_leaving(&shared) {
            let ended = tokio::time::timeout(WITHIN, shared.adapter.disconnect(address)).await;
            tracing::debug!(%address, ?ended, "a connection was ended");
            {
                let mut state = shared.state();
                state.leaving.remove(&address);
                state.budget.handle_freed(&address);
            }
            shared.changed.notify_waiters();
        }
        let again = listen(&shared, &mut refusals).await;
        tokio::select! {
            () = shared.chores.notified() => {}
            () = tokio::time::sleep(AGAIN_AFTER), if again => {}
        }
    }
}

fn next_leaving<A: Adapter>(shared: &Shared<A>) -> Option<crate::Address> {
    shared.state().leaving.first().copied()
}

/// Listens, or not, as it is wanted; says whether to try again.
async fn listen<A: Adapter>(shared: &Shared<A>, refusals: &mut u32) -> bool {
    let (wanted, is) = {
        let state = shared.state();
        (state.listeners > 0 && state.down().is_none(), state.is_listening)
    };
    if wanted == is {
        return false;
    }
    let done = tokio::time::timeout(WITHIN, shared.adapter.listen(wanted)).await;
    let fault = match done {
        Ok(Ok(())) => None,
        Ok(Err(fault)) => Some(fault.to_string()),
        Err(_) => Some(format!("no answer within {} s", WITHIN.as_secs())),
    };
    // An adapter that would not stop has stopped already.
    shared.state().is_listening = wanted && fault.is_none();
    shared.changed.notify_waiters();
    let Some(reason) = fault.filter(|_| wanted) else {
        *refusals = 0;
        return false;
    };
    *refusals = refusals.saturating_add(1);
    if *refusals == REFUSALS_TOLD {
        let adapter = shared.adapter.name();
        tracing::warn!(adapter, reason, "the Bluetooth adapter does not listen for advertisements");
    }
    true
}
