//! What BlueZ tells by itself.

use std::collections::VecDeque;

use futures_util::StreamExt as _;
use mapper_sdk::Fault;
use zbus::message::Type;
use zbus::{Message, MessageStream, OwnedObjectPath};

use crate::radio::bluez::objects::{Interfaces, Objects, Properties, device_in, news, property};
use crate::radio::bluez::{ADAPTER, BlueZAdapter, CHARACTERISTIC, DEVICE};
use crate::radio::{Adapter as _, Event, Events, Handle};

/// What BlueZ tells of one adapter.
#[derive(Debug)]
pub struct BlueZEvents {
    stream: MessageStream,
    adapter: String,
    name: String,
    /// What BlueZ knew when the adapter was taken into use.
    known: VecDeque<Event>,
}

impl BlueZEvents {
    pub(super) fn new(stream: MessageStream, adapter: &BlueZAdapter, objects: &Objects) -> Self {
        let (path, name) = (adapter.path().to_owned(), adapter.name().to_owned());
        let known = objects.iter().filter_map(|(object, interfaces)| {
            let (address, _) = device_in(object.as_str(), &path)?;
            Some(Event::News(address, news(interfaces.get(DEVICE)?, false)))
        });
        let known = known.collect();
        Self { stream, adapter: path, name, known }
    }

    /// What a signal says of this adapter.
    fn understand(&self, message: &Message) -> Result<Option<Event>, Fault> {
        let header = message.header();
        let (Some(path), Some(member)) = (header.path(), header.member()) else { return Ok(None) };
        let body = message.body();
        match member.as_str() {
            "PropertiesChanged" => {
                let Ok((interface, changed, _)) = body.deserialize::<(String, Properties, Vec<String>)>()
                else {
                    return Ok(None);
                };
                self.changed(path.as_str(), &interface, &changed)
            }
            "InterfacesAdded" => {
                let Ok((path, interfaces)) = body.deserialize::<(OwnedObjectPath, Interfaces)>() else {
                    return Ok(None);
                };
                let device = device_in(path.as_str(), &self.adapter).zip(interfaces.get(DEVICE));
                Ok(device.map(|((address, _), properties)| Event::News(address, news(properties, true))))
            }
            "InterfacesRemoved" => {
                let Ok((path, interfaces)) = body.deserialize::<(OwnedObjectPath, Vec<String>)>() else {
                    return Ok(None);
                };
                let removed = |wanted: &str| interfaces.iter().any(|interface| interface == wanted);
                if path.as_str() == self.adapter && removed(ADAPTER) {
                    return Err(Fault::Link(format!(
                        "the Bluetooth adapter {} is gone: plug it in again",
                        self.name
                    )));
                }
                let device = device_in(path.as_str(), &self.adapter).filter(|_| removed(DEVICE));
                Ok(device.map(|(address, _)| Event::Forgotten(address)))
            }
            "NameOwnerChanged" => Err(Fault::Link("BlueZ has stopped or was started again".into())),
            _ => Ok(None),
        }
    }

    fn changed(&self, path: &str, interface: &str, changed: &Properties) -> Result<Option<Event>, Fault> {
        if path == self.adapter && interface == ADAPTER {
            if property(changed, "Powered") == Some(false) {
                let mend = "bluetoothctl power on";
                return Err(Fault::Link(format!(
                    "the Bluetooth adapter {} was switched off: {mend}",
                    self.name
                )));
            }
            return Ok((property(changed, "Discovering") == Some(false)).then_some(Event::Deaf));
        }
        let Some((address, rest)) = device_in(path, &self.adapter) else { return Ok(None) };
        Ok(match interface {
            DEVICE if rest.is_empty() => Some(Event::News(address, news(changed, true))),
            CHARACTERISTIC => {
                property(changed, "Value").map(|bytes| Event::Told(address, Handle::new(rest), bytes))
            }
            _ => None,
        })
    }
}

impl Events for BlueZEvents {
    async fn next(&mut self) -> Result<Event, Fault> {
        if let Some(event) = self.known.pop_front() {
            return Ok(event);
        }
        loop {
            let message = match self.stream.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(Fault::Link(format!("D-Bus: {error}"))),
                None => return Err(Fault::Link("D-Bus has closed the connection".into())),
            };
            if message.message_type() != Type::Signal {
                continue;
            }
            if let Some(event) = self.understand(&message)? {
                return Ok(event);
            }
        }
    }
}
