//! One simulated unit: its tables, its holes and its mood.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::point::Area;

/// How a simulated unit misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SimFault {
    /// It does not.
    #[default]
    None,
    /// It never answers.
    Silent,
    /// It answers after this long.
    Slow(Duration),
    /// It answers with the transaction id of another request; on a line, which has none, it does nothing wrong.
    WrongTransaction,
    /// It answers with another unit id.
    WrongUnit,
    /// It answers with one register or byte of bits less than was asked for.
    Short,
    /// It answers a read with one register or byte of bits more than was asked for.
    Long,
    /// It sends half of the answer and closes the connection; on a line it falls silent.
    Truncated,
    /// On a line it answers with a wrong checksum; over TCP, which has none, it does nothing wrong.
    WrongChecksum,
    /// It closes the connection in place of an answer.
    Reset,
    /// It answers every request with this exception.
    Exception(u8),
}

/// The tables of a unit.
#[derive(Debug, Default)]
pub struct Tables {
    /// Coils, read and written.
    pub coils: Vec<bool>,
    /// Discrete inputs.
    pub discrete: Vec<bool>,
    /// Input registers.
    pub input: Vec<u16>,
    /// Holding registers, read and written.
    pub holding: Vec<u16>,
    /// What is not there, inside the tables.
    pub holes: BTreeSet<(Area, u16)>,
    /// The most registers or bits it gives at once.
    pub longest: u16,
    /// Whether it knows the function that writes single bits of a register.
    pub mask_write: bool,
    /// Whether it knows the function that writes one register.
    pub single_write: bool,
    /// What it does wrong.
    pub fault: SimFault,
    /// How many requests it has seen.
    pub requests: u64,
    /// How many of them were writes.
    pub writes: u64,
}

impl Tables {
    /// Whether all of a stretch is there.
    pub(super) fn has(&self, area: Area, start: u16, count: u16) -> bool {
        let size = match area {
            Area::Coil => self.coils.len(),
            Area::Discrete => self.discrete.len(),
            Area::Input => self.input.len(),
            Area::Holding => self.holding.len(),
        };
        let end = usize::from(start) + usize::from(count);
        end <= size && !(start..=start.saturating_add(count - 1)).any(|n| self.holes.contains(&(area, n)))
    }

    /// Puts a float into two input registers, the high one first.
    pub fn set_input_f32(&mut self, start: usize, value: f64) {
        let bits = (value as f32).to_bits();
        self.input[start] = (bits >> 16) as u16;
        self.input[start + 1] = bits as u16;
    }

    /// Puts a 32-bit number into two input registers, the high one first.
    pub fn set_input_u32(&mut self, start: usize, value: u32) {
        self.input[start] = (value >> 16) as u16;
        self.input[start + 1] = value as u16;
    }
}

/// A simulated unit; clones are the same unit.
#[derive(Debug, Clone)]
pub struct SimUnit {
    tables: Arc<Mutex<Tables>>,
}

impl SimUnit {
    /// A unit with tables of `size` entries each, all zero or off.
    #[must_use]
    pub fn new(size: usize) -> Self {
        let tables = Tables {
            coils: vec![false; size],
            discrete: vec![false; size],
            input: vec![0; size],
            holding: vec![0; size],
            longest: u16::MAX,
            mask_write: true,
            single_write: true,
            ..Tables::default()
        };
        Self { tables: Arc::new(Mutex::new(tables)) }
    }

    /// Its tables.
    pub fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes it misbehave.
    pub fn set_fault(&self, fault: SimFault) {
        self.tables().fault = fault;
    }
}
