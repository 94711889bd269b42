//! What is asked of the service, one request after the other.

use std::collections::BTreeSet;

use twin_core::{DeviceId, Stream, Timestamp};
use twin_store::Trouble;

use crate::alarm::{AlarmError, AlarmReply, AlarmRequest};
use crate::command::{Command, ReportError, Updated};
use crate::service::{DeviceTwin, Waiter};

impl DeviceTwin {
    pub(crate) fn handle_command(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Report(report, reply) => {
                let device = report.device.clone();
                match self.memory.report(report, now) {
                    Ok((changes, properties)) => {
                        if self.memory.is_wanted(&device) {
                            self.touched.insert(device);
                        }
                        let revision = self.write(changes);
                        let updated = Updated { properties, revision };
                        self.waiting.push_back((revision, Waiter::Report(reply, updated)));
                    }
                    Err(error) => drop(reply.send(Err(error))),
                }
            }
            Command::State(device, state, reply) => match self.memory.state(&device, state, now) {
                Ok((changes, since)) => {
                    if self.memory.is_wanted(&device) {
                        self.touched.insert(device);
                    }
                    let revision = self.write(changes);
                    self.waiting.push_back((revision, Waiter::State(reply, since)));
                }
                Err(error) => drop(reply.send(Err(error))),
            },
            Command::Declare(devices, reply) => {
                let changes = self.memory.declare(devices);
                let revision = self.write(changes);
                let alarms = self.memory.declare_alarms(now);
                self.write(alarms);
                let there: BTreeSet<DeviceId> = self.memory.devices().cloned().collect();
                // A device that comes again later is told anew what is wanted of it.
                self.published.retain(|device, _| there.contains(device));
                self.touched.extend(there);
                self.waiting.push_back((revision, Waiter::Declared(reply)));
            }
            Command::Override(_, reply) if self.held.is_some() => {
                let trouble = self.held.as_ref().map_or(Trouble::Busy, |held| held.trouble);
                drop(reply.send(Err(ReportError::NotStored { trouble, is_kept: false })));
            }
            Command::Override(requests, reply) => {
                let checked = requests.iter().map(|request| self.memory.check_override(request));
                match checked.collect::<Result<Vec<_>, _>>() {
                    Ok(changes) => {
                        let mut revision = self.replicas.of(Stream::Twin).last();
                        for (request, change) in requests.into_iter().zip(changes) {
                            if let Some(change) = change {
                                revision = self.write(vec![change]);
                                self.memory.note_override(&request.id, request.set, revision);
                            }
                            self.touched.insert(request.id.device);
                        }
                        self.waiting.push_back((revision, Waiter::Override(reply, revision)));
                    }
                    Err(error) => drop(reply.send(Err(error))),
                }
            }
            Command::Alarm(request, reply) => self.handle_alarm(request, reply, now),
            Command::Wishes(device, reply) => {
                let _ = reply.send(self.memory.wishes(&device, now));
            }
            Command::Ping(reply) => drop(reply.send(())),
        }
    }

    fn handle_alarm(&mut self, request: AlarmRequest, reply: AlarmReply, now: Timestamp) {
        if let Some(held) = &self.held {
            return drop(reply.send(Err(AlarmError::NotStored { trouble: held.trouble })));
        }
        let id = request.id.clone();
        match self.memory.act_on_alarm(request, now) {
            Ok(change) => {
                self.write(change.into_iter().collect());
                let revision = self.replicas.of(Stream::Alarm).last();
                let alarm = self.memory.alarm(&id).cloned();
                self.waiting_alarms.push_back((revision, reply, alarm));
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }
}
