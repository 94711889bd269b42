//! What others are told, after the commit.

use std::sync::Arc;

use twin_core::Stream;
use twin_core::replica::{Commit, Followed};

use crate::memory::Wish;
use crate::service::{DeviceTwin, Event};

impl DeviceTwin {
    pub(crate) fn handle_published(&mut self, commit: Arc<Commit>) {
        if commit.stream == Stream::Twin {
            self.handle_followed(&commit);
        }
        let _ = self.events.send(Event::Committed(commit));
    }

    fn handle_followed(&mut self, commit: &Commit) {
        let now = self.now();
        let mut whole = Vec::new();
        for step in &commit.followed {
            match step {
                Followed::ResetBegin => self.staged.clear(),
                Followed::Stage { entries } => self.staged.extend(entries.iter().cloned()),
                Followed::ResetEnd { .. } => whole = std::mem::take(&mut self.staged),
                Followed::Apply { .. } => {}
            }
        }
        if !commit.followed.is_empty() {
            let touched = self.memory.handle_followed(commit, &whole);
            for device in &touched {
                let changes = self.memory.refuse_unacceptable(device, now);
                self.write(changes);
            }
            self.touched.extend(touched);
        }
    }

    /// Asks the guards of wishes before they go out; a refusal is committed with what it answers.
    pub(crate) fn judge_wishes(&mut self) {
        if self.touched.is_empty() {
            return;
        }
        let now = self.now();
        for device in std::mem::take(&mut self.touched) {
            let refused = self.memory.judge_wishes(&device, now);
            self.write(refused);
            self.judged.insert(device);
        }
    }

    /// Publishes what is to be written where that has changed.
    pub(crate) fn publish_wishes(&mut self) {
        let now = self.now();
        for device in std::mem::take(&mut self.judged) {
            let wishes = self.memory.wishes(&device, now);
            let same = match self.published.get(&device) {
                Some(before) => same_wishes(before, &wishes),
                None => wishes.is_empty(),
            };
            if same {
                continue;
            }
            let wishes = Arc::new(wishes);
            if wishes.is_empty() {
                self.published.remove(&device);
            } else {
                self.published.insert(device.clone(), Arc::clone(&wishes));
            }
            let _ = self.events.send(Event::Wishes(device, wishes));
        }
    }
}

/// What a device reports meanwhile does not make a wish another one.
fn same_wishes(a: &[Wish], b: &[Wish]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.property == b.property && a.effective == b.effective)
}
