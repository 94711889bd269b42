//! What a write changes of a characteristic.

use mapper_sdk::Fault;

/// The bytes that a write changes, and their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    at: usize,
    bytes: Vec<u8>,
    /// The bits that are written.
    mask: Vec<u8>,
    is_open: bool,
}

impl Patch {
    /// All bits of these bytes; `is_open` when the characteristic ends where they do.
    #[must_use]
    pub fn whole(at: usize, bytes: Vec<u8>, is_open: bool) -> Self {
        let mask = vec![0xFF; bytes.len()];
        Self { at, bytes, mask, is_open }
    }

    /// Some bits of these bytes.
    #[must_use]
    pub fn part(at: usize, bytes: Vec<u8>, mask: Vec<u8>) -> Self {
        Self { at, bytes, mask, is_open: false }
    }

    /// Whether it cannot be written without knowing what is there now.
    #[must_use]
    pub fn needs_rest(&self) -> bool {
        self.at > 0 || self.mask.iter().any(|bits| *bits != 0xFF)
    }

    /// Whether it may leave out what lies behind it, so that what is there now had better be known.
    #[must_use]
    pub fn may_cut(&self) -> bool {
        !self.is_open
    }

    /// The whole characteristic after the write, when it holds `now` before.
    ///
    /// # Errors
    /// [`Fault::Unsuitable`] when it is too short.
    pub fn over(&self, now: &[u8]) -> Result<Vec<u8>, Fault> {
        let end = self.at + self.bytes.len();
        let mut all = if self.is_open { now.get(..self.at).unwrap_or(now).to_vec() } else { now.to_vec() };
        if all.len() < end && (self.needs_rest() || !now.is_empty()) && !self.is_open {
            return Err(Fault::Unsuitable(format!(
                "the characteristic holds {} bytes, the value ends at {end}",
                now.len()
            )));
        }
        if all.len() < self.at {
            return Err(Fault::Unsuitable(format!(
                "the characteristic holds {} bytes, the value begins at {}",
                now.len(),
                self.at
            )));
        }
        all.resize(all.len().max(end), 0);
        for (place, (byte, mask)) in all[self.at..].iter_mut().zip(self.bytes.iter().zip(&self.mask)) {
            *place = *place & !mask | byte & mask;
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_leaves_its_neighbours_alone() {
        let bits = Patch::part(1, vec![0x20], vec![0x70]);
        assert!(bits.needs_rest());
        assert_eq!(bits.over(&[1, 0xFF, 3]), Ok(vec![1, 0xAF, 3]));
        assert!(bits.over(&[1]).is_err() && bits.over(&[]).is_err());
        let first = Patch::whole(0, vec![9], false);
        assert!(!first.needs_rest() && first.may_cut());
        assert_eq!(first.over(&[1, 2]), Ok(vec![9, 2]));
        assert_eq!(first.over(&[]), Ok(vec![9]));
        let text = Patch::whole(0, b"ab".to_vec(), true);
        assert_eq!(text.over(b"longer"), Ok(b"ab".to_vec()));
        let behind = Patch::whole(2, b"ab".to_vec(), true);
        assert_eq!(behind.over(&[1, 2, 3, 4, 5]), Ok(vec![1, 2, b'a', b'b']));
    }
}
