//! What reading an archive may cost.

use crate::Error;

/// What the caller allows. Declared sizes in an archive are only hints; these decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that decoding may hold at a time.
    pub memory_bytes: u64,
    /// Multiply-accumulates a Program may spend on one pixel.
    pub program_macs_per_pixel: u64,
    /// Items an archive may name.
    pub items: u64,
}

impl Default for Limits {
    /// 2 GiB, 4 million MACs a pixel, 16 million items.
    fn default() -> Self {
        Self { memory_bytes: 2 << 30, program_macs_per_pixel: 4 << 20, items: 16 << 20 }
    }
}

/// What is left of [`Limits::memory_bytes`].
#[derive(Debug)]
pub struct Budget {
    left: u64,
}

impl Budget {
    /// A budget of `bytes`.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self { left: bytes }
    }

    /// Takes `count` items of `item_bytes`. Call it before the allocation it pays for.
    ///
    /// # Errors
    /// `LimitExceeded` if the product overflows or is more than what is left. Nothing is taken then.
    pub fn take(&mut self, what: &'static str, count: u64, item_bytes: u64) -> Result<(), Error> {
        let left = count.checked_mul(item_bytes).and_then(|wanted| self.left.checked_sub(wanted));
        self.left = left.ok_or(Error::LimitExceeded { what, limit: self.left })?;
        Ok(())
    }

    /// Gives back what is no longer held.
    pub fn give(&mut self, bytes: u64) {
        self.left = self.left.saturating_add(bytes);
    }

    /// Bytes left.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.left
    }
}
