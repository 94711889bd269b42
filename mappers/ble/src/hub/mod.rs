//! One adapter in use: what is heard through it, who is connected, and who waits. Sessions look at the state and wait
//! until it has changed; two tasks that the hub owns change it.

mod chores;
mod holds;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mapper_sdk::Fault;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use twin_core::Timestamp;

use crate::address::Address;
use crate::air::Wanted;
use crate::radio::{Adapter, Event, Events};

pub(crate) use holds::{Listening, Slot};
pub(crate) use state::State;

/// One adapter in use.
#[derive(Debug)]
pub(crate) struct Hub<A> {
    shared: Arc<Shared<A>>,
    /// Ends with the hub.
    _tasks: JoinSet<()>,
}

/// What sessions and the hub's tasks share.
#[derive(Debug)]
pub(crate) struct Shared<A> {
    pub(crate) adapter: A,
    state: Mutex<State>,
    /// Rung at every change of the state.
    changed: Notify,
    /// Rung when there is something to do at the adapter.
    chores: Notify,
    /// Adapters make one connection at a time.
    connecting: tokio::sync::Mutex<()>,
    start: Instant,
}

impl<A: Adapter> Hub<A> {
    /// Takes an opened adapter into use.
    pub(crate) fn start(adapter: A, events: impl Events) -> Self {
        let shared = Arc::new(Shared {
            adapter,
            state: Mutex::new(State::new()),
            changed: Notify::new(),
            chores: Notify::new(),
            connecting: tokio::sync::Mutex::new(()),
            start: Instant::now(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(take_in(Arc::clone(&shared), events));
        tasks.spawn(chores::run(Arc::clone(&shared)));
        Self { shared, _tasks: tasks }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<A>> {
        &self.shared
    }
}

async fn take_in<A: Adapter>(shared: Arc<Shared<A>>, mut events: impl Events) {
    loop {
        let event = events.next().await;
        let now = shared.now();
        let mut state = shared.state();
        match event {
            Ok(Event::News(address, news)) => state.handle_news(address, news, now),
            Ok(Event::Forgotten(address)) => state.handle_forgotten(address),
            Ok(Event::Told(address, handle, bytes)) => state.handle_told(address, handle, bytes, now),
            Ok(Event::Deaf) => {
                state.handle_deaf();
                shared.chores.notify_one();
            }
            Err(fault) => {
                let adapter = shared.adapter.name();
                tracing::warn!(adapter, reason = %fault, "the Bluetooth adapter cannot be used any more");
                state.handle_down(fault);
                drop(state);
                shared.changed.notify_waiters();
                return;
            }
        }
        drop(state);
        shared.changed.notify_waiters();
    }
}

impl<A: Adapter> Shared<A> {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Steady time since the hub began.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::default().after(self.start.elapsed())
    }

    /// The moment for tokio of a steady time.
    pub(crate) fn instant(&self, steady: Timestamp) -> Instant {
        self.start + steady.since(Timestamp::default())
    }

    /// Waits until `look` finds what it looks for; looks again at every change. Cancel-safe.
    pub(crate) async fn until<T>(
        &self,
        mut look: impl FnMut(&mut State, Timestamp) -> Option<T>,
    ) -> Result<T, Fault> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            {
                let mut state = self.state();
                if let Some(fault) = state.down() {
                    return Err(fault.clone());
                }
                if let Some(found) = look(&mut state, self.now()) {
                    return Ok(found);
                }
            }
            changed.await;
        }
    }

    /// Finds the device that is meant, within `time`.
    pub(crate) async fn find(
        self: &Arc<Self>,
        wanted: &Wanted,
        max_age: Duration,
        time: Duration,
    ) -> Result<Address, Fault> {
        let here = |state: &mut State, now| {
            let found = state.air.find(wanted, now, max_age);
            (!found.is_empty()).then_some(found)
        };
        let known = here(&mut self.state(), self.now());
        let found = match known {
            Some(found) => found,
            None => {
                let _listening = self.listen();
                let found = tokio::time::timeout(time, self.until(here)).await;
                found.unwrap_or_else(|_| Err(not_found(wanted, time)))?
            }
        };
        match found.as_slice() {
            [one] => Ok(*one),
            many => {
                let some: Vec<String> = many.iter().take(5).map(ToString::to_string).collect();
                Err(Fault::Denied(format!(
                    "{} devices match {wanted}: write `address:` with one of {}",
                    many.len(),
                    some.join(", ")
                )))
            }
        }
    }

    /// Serves one connection attempt at a time.
    pub(crate) async fn turn_to_connect(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.connecting.lock().await
    }
}

fn not_found(wanted: &Wanted, time: Duration) -> Fault {
    let seconds = time.as_secs();
    Fault::Link(format!("nothing was heard of {wanted} for {seconds} s: is it switched on and within reach?"))
}
