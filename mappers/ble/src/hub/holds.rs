//! What a session holds of an adapter, given back when it is dropped: however a session ends, nothing stays behind.

use std::sync::Arc;
use std::time::Duration;

use mapper_sdk::Fault;

use crate::address::Address;
use crate::hub::Shared;
use crate::hub::state::Link;
use crate::radio::Adapter;

/// One of the connections of the adapter, for one device.
#[derive(Debug)]
pub(crate) struct Slot<A: Adapter> {
    shared: Arc<Shared<A>>,
    address: Address,
}

/// The wish for a connection; taken back when it is dropped.
struct Waiting<'s, A: Adapter> {
    shared: &'s Arc<Shared<A>>,
    address: Address,
    granted: bool,
}

/// The wish to hear advertisements.
#[derive(Debug)]
pub(crate) struct Listening<A: Adapter> {
    shared: Arc<Shared<A>>,
}

impl<A: Adapter> Shared<A> {
    /// A connection of the adapter for this device, when it is its turn. Waits at most `most`.
    pub(crate) async fn slot(
        self: &Arc<Self>,
        address: Address,
        hold: Duration,
        most: Duration,
    ) -> Result<Slot<A>, Fault> {
        let waiting = async {
            // What another session has left behind is cleared away first.
            self.until(|state, _| (!state.leaving.contains(&address)).then_some(())).await?;
            if self.state().links.contains_key(&address) {
                return Err(Fault::Denied(format!("another device of the configuration is {address} too")));
            }
            let mut waiting = Waiting { shared: self, address, granted: false };
            self.state().budget.handle_wanted(address, hold);
            self.changed.notify_waiters();
            self.until(|state, now| state.budget.poll_granted(&address, now).then_some(())).await?;
            waiting.granted = true;
            let slot = Slot { shared: Arc::clone(self), address };
            self.state().links.insert(address, Link::default());
            Ok(slot)
        };
        match tokio::time::timeout(most, waiting).await {
            Ok(slot) => slot,
            Err(_) => {
                let (slots, seconds) = (self.state().budget.slots(), most.as_secs());
                let name = self.adapter.name();
                Err(Fault::Busy(format!(
                    "none of the {slots} connections of {name} was free for {seconds} s: raise `max_links` or lower `hold`"
                )))
            }
        }
    }

    /// Asks the adapter to listen for advertisements as long as the answer lives.
    pub(crate) fn listen(self: &Arc<Self>) -> Listening<A> {
        self.state().listeners += 1;
        self.chores.notify_one();
        Listening { shared: Arc::clone(self) }
    }

    /// Waits until nothing of a connection is left, at most `most`.
    pub(crate) async fn gone(&self, address: Address, most: Duration) {
        let gone = self.until(|state, _| (!state.leaving.contains(&address)).then_some(()));
        let _ = tokio::time::timeout(most, gone).await;
    }
}

impl<A: Adapter> Drop for Waiting<'_, A> {
    fn drop(&mut self) {
        if !self.granted {
            self.shared.state().budget.handle_freed(&self.address);
            self.shared.changed.notify_waiters();
        }
    }
}

impl<A: Adapter> Drop for Slot<A> {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state();
            state.links.remove(&self.address);
            state.leaving.insert(self.address);
        }
        self.shared.chores.notify_one();
    }
}

impl<A: Adapter> Drop for Listening<A> {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state();
            state.listeners = state.listeners.saturating_sub(1);
        }
        self.shared.chores.notify_one();
    }
}
