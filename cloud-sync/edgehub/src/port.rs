//! Who owns what the link carries. Each owner is told by its events and asks by its commands.

use std::collections::VecDeque;

use tokio::sync::mpsc;
use twin_core::{history, replica};

/// One owner's end of the link.
#[derive(Debug)]
pub(crate) struct Port<E, C> {
    events: mpsc::Sender<E>,
    commands: mpsc::Receiver<C>,
    /// Told as soon as the owner takes it.
    waiting: VecDeque<E>,
}

/// The twins and alarms.
pub(crate) type TwinPort = Port<replica::LinkEvent, replica::LinkCommand>;
/// The history.
pub(crate) type HistoryPort = Port<history::LinkEvent, history::LinkCommand>;

/// Its owner is gone.
#[derive(Debug)]
pub(crate) struct OwnerGone;

impl<E, C> Port<E, C> {
    pub(crate) fn new(events: mpsc::Sender<E>, commands: mpsc::Receiver<C>) -> Self {
        Self { events, commands, waiting: VecDeque::new() }
    }

    pub(crate) fn tell(&mut self, event: E) {
        self.waiting.push_back(event);
    }

    /// Whether the owner has not taken everything that it is to be told.
    pub(crate) fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Tells that a connection is gone, in place of all that was not taken of it.
    pub(crate) fn tell_last(&mut self, event: E) {
        self.waiting.clear();
        self.waiting.push_back(event);
    }

    /// Tells what waits and takes the next command; nothing is lost when it is dropped meanwhile.
    pub(crate) async fn next(&mut self) -> Result<Next<C>, OwnerGone> {
        let Self { events, commands, waiting } = self;
        tokio::select! {
            permit = events.reserve(), if !waiting.is_empty() => {
                let (Ok(permit), Some(event)) = (permit, waiting.pop_front()) else { return Err(OwnerGone) };
                permit.send(event);
                Ok(Next::Told)
            }
            command = commands.recv() => command.map(Next::Asked).ok_or(OwnerGone),
        }
    }

    /// Waits until the owner has taken everything; its commands are taken and not done. An owner that is gone need not know.
    pub(crate) async fn told(&mut self) {
        while self.is_behind() && self.next().await.is_ok() {}
    }

    /// Takes commands and does nothing; ends when there will be none. What the owner says was meant for an older connection.
    pub(crate) async fn discard(&mut self) {
        while self.commands.recv().await.is_some() {}
    }
}

/// What has happened at a port.
#[derive(Debug)]
pub(crate) enum Next<C> {
    /// The owner has taken an event.
    Told,
    /// It asks for this.
    Asked(C),
}
