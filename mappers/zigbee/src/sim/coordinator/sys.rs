//! The system and utility interfaces.

use super::Coordinator;
use crate::bytes::List;
use crate::sim::mesh::Mesh;
use crate::znp::sys::{
    GetExtAddr, GetExtAddrAnswer, NvDelete, NvDeleteAnswer, NvItemInit, NvItemInitAnswer, NvLength,
    NvLengthAnswer, NvRead, NvReadAnswer, NvReadExt, NvReadExtAnswer, NvWrite, NvWriteAnswer, NvWriteExt,
    NvWriteExtAnswer, Ping, PingAnswer, TableCreate, TableCreateAnswer, TableLength, TableLengthAnswer,
    TableRead, TableReadAnswer, TableWrite, TableWriteAnswer, Version, VersionAnswer,
};
use crate::znp::util::{
    AssocAdd, AssocAddAnswer, AssocGet, AssocGetAnswer, AssocRemove, AssocRemoveAnswer, CHILD_SLEEPY,
    GetDeviceInfo, GetDeviceInfoAnswer, LedControl, LedControlAnswer, NO_RELATION,
};
use crate::znp::{Frame, Message as _};

/// The status of an item that had to be made. (`ZComDef.h`, `NV_ITEM_UNINIT`)
const MADE: u8 = 9;
/// The status of an operation on an item that failed.
const FAILED: u8 = 10;
/// The status of a deletion with another length.
const BAD_LENGTH: u8 = 12;
/// The most bytes that one read gives.
const MOST_READ: usize = 246;
/// The items that there is room for.
const MOST_ITEMS: usize = 512;

impl Coordinator {
    pub(super) fn sys(&mut self, frame: &Frame) -> Option<Frame> {
        if Ping::of(frame).is_some() {
            return Some(PingAnswer { capabilities: 0x0659 }.frame());
        }
        if Version::of(frame).is_some() {
            let version = VersionAnswer {
                transport: 2,
                product: 1,
                major: 2,
                minor: 7,
                maintenance: 1,
                revision: 20_221_226,
            };
            return Some(version.frame());
        }
        if GetExtAddr::of(frame).is_some() {
            return Some(GetExtAddrAnswer { ieee: self.ieee }.frame());
        }
        self.item(frame).or_else(|| self.table(frame))
    }

    fn item(&mut self, frame: &Frame) -> Option<Frame> {
        if let Some(init) = NvItemInit::of(frame) {
            let full = self.items().len() >= MOST_ITEMS;
            let known = self.items().get(&init.id).is_some();
            let status = if known {
                0
            } else if full || init.length > 512 {
                FAILED
            } else {
                let mut value = init.value.0;
                value.resize(usize::from(init.length), 0);
                self.items().insert(init.id, value);
                MADE
            };
            return Some(NvItemInitAnswer { status }.frame());
        }
        if let Some(length) = NvLength::of(frame) {
            let length = self.items().get(&length.id).map_or(0, Vec::len);
            return Some(NvLengthAnswer { length: u16::try_from(length).unwrap_or(u16::MAX) }.frame());
        }
        if let Some(read) = NvRead::of(frame) {
            let (status, value) = self.read_item(read.id, usize::from(read.offset));
            return Some(NvReadAnswer { status, value }.frame());
        }
        if let Some(read) = NvReadExt::of(frame) {
            let (status, value) = self.read_item(read.id, usize::from(read.offset));
            return Some(NvReadExtAnswer { status, value }.frame());
        }
        if let Some(write) = NvWrite::of(frame) {
            let status = self.write_item(write.id, usize::from(write.offset), &write.value.0);
            return Some(NvWriteAnswer { status }.frame());
        }
        if let Some(write) = NvWriteExt::of(frame) {
            let status = self.write_item(write.id, usize::from(write.offset), &write.value.0);
            return Some(NvWriteExtAnswer { status }.frame());
        }
        let delete = NvDelete::of(frame)?;
        let status = match self.items().get(&delete.id).map(Vec::len) {
            None => MADE,
            Some(length) if length != usize::from(delete.length) => BAD_LENGTH,
            Some(_) => {
                self.items().remove(&delete.id);
                0
            }
        };
        Some(NvDeleteAnswer { status }.frame())
    }

    fn read_item(&mut self, id: u16, offset: usize) -> (u8, List<u8>) {
        match self.items().get(&id).and_then(|value| value.get(offset..)) {
            Some(rest) => (0, List(rest[..rest.len().min(MOST_READ)].to_vec())),
            None => (2, List(Vec::new())),
        }
    }

    fn write_item(&mut self, id: u16, offset: usize, new: &[u8]) -> u8 {
        let place = self.items().get_mut(&id).and_then(|value| value.get_mut(offset..offset + new.len()));
        match place {
            Some(place) => {
                place.copy_from_slice(new);
                0
            }
            None => FAILED,
        }
    }

    fn table(&mut self, frame: &Frame) -> Option<Frame> {
        if let Some(of) = TableLength::of(frame) {
            let length = self.row(of.system, of.item, of.row).map_or(0, Vec::len);
            return Some(TableLengthAnswer { length: u32::try_from(length).unwrap_or(0) }.frame());
        }
        if let Some(read) = TableRead::of(frame) {
            let row = self.row(read.system, read.item, read.row);
            let range = usize::from(read.offset)..usize::from(read.offset) + usize::from(read.length);
            let found = row.and_then(|row| row.get(range));
            let status = if found.is_some() { 0 } else { FAILED };
            return Some(TableReadAnswer { status, value: List(found.unwrap_or_default().to_vec()) }.frame());
        }
        if let Some(create) = TableCreate::of(frame) {
            let length = usize::try_from(create.length).unwrap_or(usize::MAX).min(1_024);
            let made = self.set_row(create.system, create.item, create.row, vec![0; length]);
            return Some(TableCreateAnswer { status: if made { 0 } else { FAILED } }.frame());
        }
        let write = TableWrite::of(frame)?;
        let range = usize::from(write.offset)..usize::from(write.offset) + write.value.0.len();
        let row = self.has_row(write.system, write.item, write.row);
        let place = row.and_then(|row| row.get_mut(range));
        let status = if place.is_some() { 0 } else { FAILED };
        if let Some(place) = place {
            place.copy_from_slice(&write.value.0);
        }
        Some(TableWriteAnswer { status }.frame())
    }
}

impl Mesh {
    pub(super) fn util(&mut self, frame: &Frame) -> Option<Frame> {
        if GetDeviceInfo::of(frame).is_some() {
            let children =
                self.nodes.iter().filter(|node| node.hops == 1).filter_map(|node| node.nwk).collect();
            let answer = GetDeviceInfoAnswer {
                status: 0,
                ieee: self.coordinator.ieee,
                nwk: if self.coordinator.runs() { 0 } else { 0xFFFE },
                kinds: 7,
                state: self.coordinator.state,
                children: List(children),
            };
            return Some(answer.frame());
        }
        if LedControl::of(frame).is_some() {
            return Some(LedControlAnswer { status: 0 }.frame());
        }
        if let Some(get) = AssocGet::of(frame) {
            let child = self.nodes.iter().position(|node| node.ieee == get.ieee && node.nwk.is_some());
            let sleepy = child.filter(|number| self.nodes[*number].poll_every.is_some());
            let answer = AssocGetAnswer {
                nwk: child.and_then(|number| self.nodes[number].nwk).unwrap_or(0xFFFE),
                index: child.map_or(0xFFFF, |number| u16::try_from(number).unwrap_or(0xFFFF)),
                relation: if sleepy.is_some() { CHILD_SLEEPY } else { NO_RELATION },
            };
            return Some(answer.frame());
        }
        if AssocRemove::of(frame).is_some() {
            return Some(AssocRemoveAnswer { status: 0 }.frame());
        }
        AssocAdd::of(frame).map(|_| AssocAddAnswer { status: 0 }.frame())
    }
}
