//! Just before a guarded value goes out to its device: may it be written now?
//!
//! What is not guarded goes out at once. A guarded wish waits while its device is offline. When the device is back, or the
//! gateway has started, the values that its guards look at are given a short time to be read; then the guards are asked,
//! and a no is the wish's answer for good: it is asked again only as a new wish.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use twin_core::guard::{Travel, good_number};
use twin_core::{
    Change, Convergence, DeviceId, DeviceState, Effective, Guard, Outcome, Part, PropertyId, Quality,
    Reported, Revision, Timestamp, Value, Why, WriteResult, convergence,
};
use twin_guard::{Input, Interlock};

use super::{Changes, Memory, Twin, never_read};

/// How long the values that a guard looks at may take to be read after their device is there again.
const SETTLE: Duration = Duration::from_secs(10);

/// What is kept of the guards: one entry for each guarded property of which something was wanted.
#[derive(Debug, Default)]
pub(super) struct Guards {
    kept: HashMap<PropertyId, Kept>,
    /// When a wish that waits for its values is looked at next.
    waits: BTreeSet<(Timestamp, DeviceId)>,
    /// Since when the gateway runs: what was read before is to be read again.
    started: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The wish that was let out.
    out: Option<Name>,
    /// The wish whose change was counted last: one that comes back from a device that was offline is not counted twice.
    counted: Option<Name>,
    travel: Travel,
    interlock: Option<Interlock>,
}

/// A wish by its part, revision and value.
type Name = (Part, Revision, Value);

fn name(wish: &Effective) -> Name {
    (wish.part, wish.revision, wish.value.clone())
}

/// What the guards say.
enum Answer {
    Yes,
    /// Not yet: a value is to be read first.
    Later(Timestamp),
    No(String),
}

impl Guards {
    /// Whether a guarded wish was let out to its device.
    pub(super) fn is_out(&self, id: &PropertyId, wish: &Effective) -> bool {
        self.kept.get(id).is_some_and(|kept| kept.out == Some(name(wish)))
    }

    /// Forgets what is kept of properties that are gone.
    pub(super) fn retain(&mut self, there: impl Fn(&PropertyId) -> bool) {
        self.kept.retain(|id, _| there(id));
    }

    /// When a wish is to be looked at again.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.waits.first().map(|(at, _)| *at)
    }

    /// The devices whose wishes are to be looked at again at `now`.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) -> BTreeSet<DeviceId> {
        let mut due = BTreeSet::new();
        while let Some((at, device)) = self.waits.pop_first() {
            if at > now {
                self.waits.insert((at, device));
                break;
            }
            due.insert(device);
        }
        due
    }
}

impl Memory {
    /// Asks the guards of a device's wishes: those that they let out are among [`wishes`](Self::wishes) from now on; the
    /// refusal of the others is given as changes.
    pub fn judge_wishes(&mut self, device: &DeviceId, now: Timestamp) -> Changes {
        let started = *self.guards.started.get_or_insert(now);
        let asked = self.guarded_wishes(device, now);
        let mut changes = Vec::new();
        for (id, guard, wish) in asked {
            let mut kept = self.guards.kept.remove(&id).unwrap_or_default();
            let answer = self.ask(&id, &guard, &wish, &mut kept, started, now);
            match answer {
                Answer::Yes => kept.out = Some(name(&wish)),
                Answer::Later(at) => {
                    kept.out = None;
                    self.guards.waits.insert((at, id.device.clone()));
                }
                Answer::No(reason) => {
                    kept.out = None;
                    changes.extend(self.refuse(&id, wish, reason, now));
                }
            }
            self.guards.kept.insert(id, kept);
        }
        changes
    }

    /// The guarded properties of a device whose wish is open, and the device not offline.
    fn guarded_wishes(&mut self, device: &DeviceId, now: Timestamp) -> Vec<(PropertyId, Guard, Effective)> {
        let Some(twin) = self.twins.get(device) else { return Vec::new() };
        let mut asked = Vec::new();
        for (name, definition) in &twin.device.definition.properties {
            let Some(guard) = &definition.guard else { continue };
            let Some(property) = twin.properties.get(name) else { continue };
            let Some(effective) = property.effective(now) else { continue };
            let id = PropertyId::new(device.clone(), name.clone());
            if twin.device.state == DeviceState::Offline {
                // It is judged when it goes out, which is not now.
                if let Some(kept) = self.guards.kept.get_mut(&id) {
                    kept.out = None;
                }
                continue;
            }
            let reported = property.reported.as_ref();
            let readable = definition.access.readable();
            match convergence(Some(&effective), reported, definition.tolerance, readable) {
                Convergence::Pending | Convergence::Failed { .. } => {
                    asked.push((id, guard.clone(), effective))
                }
                Convergence::Sent
                | Convergence::None
                | Convergence::InSync
                | Convergence::Refused { .. }
                | Convergence::Expired
                | Convergence::Drifted => {}
            }
        }
        asked
    }

    fn ask(
        &self,
        id: &PropertyId,
        guard: &Guard,
        wish: &Effective,
        kept: &mut Kept,
        started: Timestamp,
        now: Timestamp,
    ) -> Answer {
        if let Some(text) = &guard.when {
            if kept.interlock.as_ref().is_none_or(|interlock| interlock.text() != text) {
                match Interlock::parse(text) {
                    Ok(interlock) => kept.interlock = Some(interlock),
                    Err(fault) => return Answer::No(format!("the interlock cannot be read: {fault}")),
                }
            }
            if let Some(interlock) = &kept.interlock {
                match self.ask_interlock(id, interlock, guard, wish, started, now) {
                    Answer::Yes => {}
                    answer @ (Answer::Later(_) | Answer::No(_)) => return answer,
                }
            }
        }
        // How far it is from the value before was judged when it went out.
        if kept.out == Some(name(wish)) || guard.step.is_none() && guard.rate.is_none() {
            return Answer::Yes;
        }
        let own = Input { device: None, property: id.property.clone() };
        let twin = self.twins.get(&id.device);
        let reported = self.reported_of(id, &own);
        if let Some(at) = reported_later(twin, reported, started, now) {
            return Answer::Later(at);
        }
        if let Err(no) = guard.check_step(&wish.value, reported) {
            return Answer::No(no.to_string());
        }
        let (Some(rate), Some(wanted)) = (guard.rate, wish.value.as_number()) else { return Answer::Yes };
        if kept.counted == Some(name(wish)) {
            return Answer::Yes;
        }
        match good_number(reported).and_then(|from| kept.travel.take((wanted - from).abs(), rate, now)) {
            Ok(()) => {
                kept.counted = Some(name(wish));
                Answer::Yes
            }
            Err(no) => Answer::No(no.to_string()),
        }
    }

    fn ask_interlock(
        &self,
        id: &PropertyId,
        interlock: &Interlock,
        guard: &Guard,
        wish: &Effective,
        started: Timestamp,
        now: Timestamp,
    ) -> Answer {
        let mut later = None;
        let mut unknown = Vec::new();
        for input in interlock.inputs() {
            let reported = self.reported_of(id, input);
            if reported.is_some_and(|r| r.quality.is_good() && r.value.is_some()) {
                continue;
            }
            let twin = self.twins.get(input.device.as_ref().unwrap_or(&id.device));
            later = later.max(reported_later(twin, reported, started, now));
            let quality = reported.map_or_else(|| "never read".to_owned(), |r| r.quality.to_string());
            unknown.push(format!("{input} is not known ({quality})"));
        }
        if let Some(at) = later {
            return Answer::Later(at);
        }
        if !unknown.is_empty() {
            return Answer::No(format!("the interlock cannot be judged: {}", unknown.join(", ")));
        }
        let lookup = |input: &Input| self.reported_of(id, input)?.value.clone();
        match interlock.judge(&wish.value, lookup) {
            Ok(true) => Answer::Yes,
            Ok(false) => {
                let values = interlock.inputs().iter().map(|input| {
                    let value = lookup(input).map_or_else(String::new, |value| value.to_string());
                    format!("{input} is {}", value.chars().take(40).collect::<String>())
                });
                let values = values.collect::<Vec<_>>().join(", ");
                let rule = format!("interlock `{}`", interlock.text());
                Answer::No(match &guard.message {
                    Some(message) => format!("{message} ({rule}; {values})"),
                    None => format!("the {rule} does not hold: {values}"),
                })
            }
            Err(words) => Answer::No(format!("the interlock cannot be judged: {words}")),
        }
    }

    fn reported_of(&self, of: &PropertyId, input: &Input) -> Option<&Reported> {
        let twin = self.twins.get(input.device.as_ref().unwrap_or(&of.device))?;
        twin.properties.get(&input.property)?.reported.as_ref()
    }

    fn refuse(&mut self, id: &PropertyId, wish: Effective, reason: String, now: Timestamp) -> Option<Change> {
        let property = self.twins.get_mut(&id.device)?.properties.entry(id.property.clone()).or_default();
        let mut reported = property.reported.take().unwrap_or_else(never_read);
        reported.outcome = Some(Outcome {
            part: wish.part,
            revision: wish.revision,
            value: wish.value,
            result: WriteResult::Refused { reason },
            at: now,
        });
        property.reported = Some(reported.clone());
        Some(Change::Reported(id.clone(), Some(reported)))
    }
}

/// Until when a value may still be read that is not good now; none when there is no more to wait for.
fn reported_later(
    twin: Option<&Twin>,
    reported: Option<&Reported>,
    started: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    let comes = match reported.map(|r| &r.quality) {
        None => true,
        Some(Quality::Good) => return None,
        Some(Quality::Bad(why) | Quality::Uncertain(why)) => match why {
            Why::DeviceUnreachable | Why::NotReadYet | Why::MapperDown => true,
            // A device that is paused is not read, however long one waits.
            Why::PointRefused
            | Why::OutOfRange
            | Why::WrongType
            | Why::Stale
            | Why::Paused
            | Why::Other(_) => false,
        },
    };
    let twin = twin.filter(|_| comes)?;
    let since = twin.device.state_since.map_or(started, |since| since.max(started));
    let until = since.after(SETTLE);
    (now < until).then_some(until)
}
