//! The coordinator's non-volatile items: as sold, and as a network that is formed leaves them.

use fastrand::Rng;

use super::{Coordinator, Network};
use crate::bytes::Field as _;
use crate::znp::sys::item;

/// The owner of the stack's tables. (`NVINTF_SYSID_ZSTACK`)
const STACK: u8 = 1;
/// Addresses of devices.
const TABLE_ADDRESSES: u16 = 0x01;
/// Link keys by seed.
const TABLE_LINK_KEYS: u16 = 0x04;
/// Link keys as they are.
const TABLE_KEY_DATA: u16 = 0x06;
/// Frame counters of networks.
const TABLE_SECURITY: u16 = 0x07;
/// The seed of link keys.
const LINK_KEY_SEED: u16 = 0x0101;
/// Which device has which link key.
const LINK_KEY_TABLE: u16 = 0x4C;

impl Coordinator {
    pub(super) fn items(&mut self) -> &mut std::collections::BTreeMap<u16, Vec<u8>> {
        &mut self.items
    }

    /// As the maker sold it, and as a full clearing leaves it.
    pub(super) fn factory_items(&mut self) {
        let mut ieee = Vec::new();
        self.ieee.put(&mut ieee);
        self.items = [
            (0x01, ieee),
            (item::STARTUP_OPTION, vec![0]),
            (item::EXTENDED_PAN_ID, vec![0xFF; 8]),
            (item::USE_EXT_PAN_ID, vec![0; 8]),
            (item::ACTIVE_KEY, vec![0; 17]),
            (item::ALTERNATE_KEY, vec![0; 17]),
            (item::ON_A_NETWORK, vec![0]),
            (item::PRECONFIGURED_KEY, vec![0; 16]),
            (item::PRECONFIGURED_KEYS_ENABLE, vec![0]),
            (item::NETWORK_KEY, vec![0; 24]),
            (item::PAN_ID, vec![0xFF, 0xFF]),
            (item::CHANNEL_LIST, 0x0000_0800u32.to_le_bytes().to_vec()),
            (item::LOGICAL_TYPE, vec![0]),
            (LINK_KEY_SEED, vec![0x5A; 16]),
            (LINK_KEY_TABLE, vec![0xFF; 8 * 4]),
        ]
        .into();
        self.tables.clear();
        for row in 0..4 {
            self.tables.insert((STACK, TABLE_ADDRESSES, row), free_address());
            self.tables.insert((STACK, TABLE_LINK_KEYS, row), vec![0; 20]);
            self.tables.insert((STACK, TABLE_KEY_DATA, row), vec![0; 24]);
            self.tables.insert((STACK, TABLE_SECURITY, row), vec![0; 12]);
        }
    }

    /// After a reset: what the startup option says is cleared, the rest is kept.
    pub(in crate::sim) fn restart(&mut self) {
        let option = self.items.get(&item::STARTUP_OPTION).and_then(|v| v.first().copied()).unwrap_or(0);
        if option & 0x03 != 0 {
            let key = self.items.get(&item::PRECONFIGURED_KEY).cloned();
            self.factory_items();
            self.network = None;
            if let Some(key) = key.filter(|_| option & 0x01 == 0) {
                self.items.insert(item::PRECONFIGURED_KEY, key);
            }
        }
        self.state = 0;
        self.endpoints.clear();
        self.groups.clear();
        self.open_until = None;
        self.channels = 0;
    }

    /// Forms a network from what the host has put into the items.
    pub(super) fn form(&mut self, rng: &mut Rng) {
        let bytes = |id: u16| self.items.get(&id).cloned().unwrap_or_default();
        let wanted = bytes(item::PAN_ID);
        let pan_id = match wanted.as_slice() {
            [low, high] if wanted != [0xFF, 0xFF] => u16::from_le_bytes([*low, *high]),
            _ => rng.u16(1..0xFFFE),
        };
        let list = bytes(item::CHANNEL_LIST).try_into().map_or(0, u32::from_le_bytes);
        let channels = if self.channels == 0 { list } else { self.channels };
        let channel = (11..=26).find(|channel| channels >> channel & 1 == 1).unwrap_or(11);
        let ext_pan_id: [u8; 8] = bytes(item::EXTENDED_PAN_ID).try_into().unwrap_or([0; 8]);
        let network = Network { pan_id, ext_pan_id, channel };
        let mut key = vec![0];
        key.extend(bytes(item::PRECONFIGURED_KEY));
        let mut with_counter = key.clone();
        with_counter.resize(24, 0);
        let nib = self.nib(&network, channels);
        self.items.insert(item::NIB, nib);
        self.items.insert(item::ACTIVE_KEY, key.clone());
        self.items.insert(item::ALTERNATE_KEY, key);
        self.items.insert(item::NETWORK_KEY, with_counter);
        self.items.insert(item::ON_A_NETWORK, vec![1]);
        let mut counter = 1_000u32.to_le_bytes().to_vec();
        counter.extend(network.ext_pan_id);
        self.tables.insert((STACK, TABLE_SECURITY, 0), counter);
        self.network = Some(network);
    }

    /// The network information base as it lies in a 32-bit microcontroller: numbers at even places. (`nwk.h`, `nwkIB_t`)
    fn nib(&self, network: &Network, channels: u32) -> Vec<u8> {
        let mut nib = Vec::new();
        // SequenceNum to CapabilityFlags.
        nib.extend([0, 5, 2, 50, 20, 50, 0, 30, 0, 0, 0, 1, 5, 1, 0]);
        even(&mut nib, &7u16.to_le_bytes());
        // nwkProtocolVersion, RouteDiscoveryTime, RouteExpiryTime.
        nib.extend([2, 5, 30]);
        even(&mut nib, &0u16.to_le_bytes());
        nib.push(network.channel);
        even(&mut nib, &0u16.to_le_bytes());
        self.ieee.put(&mut nib);
        even(&mut nib, &network.pan_id.to_le_bytes());
        nib.push(8);
        even(&mut nib, &channels.to_le_bytes());
        // beaconOrder, superFrameOrder, scanDuration, battLifeExt.
        nib.extend([15, 15, 4, 0]);
        even(&mut nib, &0u32.to_le_bytes());
        even(&mut nib, &0u32.to_le_bytes());
        nib.push(0);
        nib.extend(network.ext_pan_id);
        nib.push(1);
        nib.extend([0; 2 * 17]);
        // spare3, spare4, then link status, ages, concentrator.
        nib.extend([0, 0, 15, 3, 0, 1, 120, 10, 0]);
        even(&mut nib, &0u16.to_le_bytes());
        even(&mut nib, &0u16.to_le_bytes());
        nib.push(0);
        if nib.len() % 2 == 1 {
            nib.push(0);
        }
        nib
    }

    pub(super) fn row(&self, system: u8, table: u16, row: u16) -> Option<&Vec<u8>> {
        self.tables.get(&(system, table, row))
    }

    pub(super) fn set_row(&mut self, system: u8, table: u16, row: u16, value: Vec<u8>) -> bool {
        let fits =
            value.len() <= 240 && (self.tables.len() < 1_024 || self.row(system, table, row).is_some());
        if fits {
            self.tables.insert((system, table, row), value);
        }
        fits
    }

    pub(super) fn has_row(&mut self, system: u8, table: u16, row: u16) -> Option<&mut Vec<u8>> {
        self.tables.get_mut(&(system, table, row))
    }
}

/// A free row of the address manager.
fn free_address() -> Vec<u8> {
    let mut row = vec![0, 0, 0xFE, 0xFF];
    row.extend([0; 8]);
    row
}

/// Appends a number at an even place.
fn even(out: &mut Vec<u8>, number: &[u8]) {
    if out.len() % 2 == 1 {
        out.push(0);
    }
    out.extend(number);
}
