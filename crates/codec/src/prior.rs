//! Programs that every reader has: learned from images anyone may use, so that small datasets need not pay for a Program.
//!
//! They are part of the format: an archive names one by its number, with what was changed of it, if anything. None is ever changed
//! or taken away.

use crate::container::layout::layout_name;
use crate::error::Error;
use crate::limits::Budget;
use crate::limits::Limits;
use crate::program::Program;
use crate::weights::{self, Coder};

/// A built-in Program.
#[derive(Debug)]
pub struct Prior {
    /// Its number in archives.
    pub number: u8,
    /// What it knows, e.g. `photo`.
    pub name: &'static str,
    /// As it would stand among an archive's Programs: sample layout, coder, raw length, coded length, bytes.
    entry: &'static [u8],
}

/// All of them; number `i` stands at index `i`.
pub const PRIORS: [Prior; 6] = [
    Prior { number: 0, name: "photo", entry: include_bytes!("../priors/photo-rgb8.prior") },
    Prior { number: 1, name: "photo", entry: include_bytes!("../priors/photo-gray8.prior") },
    Prior { number: 2, name: "drawing", entry: include_bytes!("../priors/drawing-gray1.prior") },
    Prior { number: 3, name: "graphics", entry: include_bytes!("../priors/graphics-rgba8.prior") },
    Prior { number: 4, name: "graphics", entry: include_bytes!("../priors/graphics-rgb8.prior") },
    Prior { number: 5, name: "graphics", entry: include_bytes!("../priors/graphics-indexed8.prior") },
];

/// Bytes of an entry before its coded bytes.
const HEAD_BYTES: usize = 10;

impl Prior {
    /// The prior of this number.
    ///
    /// # Errors
    /// `Unsupported` if this version does not have it.
    pub fn from_number(number: u8) -> Result<&'static Self, Error> {
        let known = (PRIORS.len() as u64).saturating_sub(1);
        PRIORS.get(usize::from(number)).ok_or(Error::Unsupported { what: "built-in Program", found: number.into(), known })
    }

    /// Name of its file among those of the format.
    #[must_use]
    pub fn file(&self) -> String {
        format!("{}-{}.prior", self.name, self.layout_name())
    }

    /// Its file: one entry of an archive's Programs.
    #[must_use]
    pub const fn entry(&self) -> &'static [u8] {
        self.entry
    }

    /// Name of the sample layout it codes, e.g. `rgb8`.
    #[must_use]
    pub fn layout_name(&self) -> &'static str {
        layout_name(self.layout()).unwrap_or_default()
    }

    /// Code of the sample layout it codes, as archives have it.
    #[must_use]
    pub fn layout(&self) -> u8 {
        self.entry.first().copied().unwrap_or(0)
    }

    /// Its size as [`Program::to_bytes`] gives it.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        let field = self.entry.get(2..6).and_then(|bytes| bytes.try_into().ok());
        u32::from_le_bytes(field.unwrap_or_default()).into()
    }

    /// The bytes for [`Program::from_bytes`], paid for out of `budget`.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub fn raw(&self, budget: &mut Budget) -> Result<Vec<u8>, Error> {
        let coder = Coder::from_code(self.entry.get(1).copied().unwrap_or(u8::MAX))?;
        weights::decode(coder, self.entry.get(HEAD_BYTES..).unwrap_or_default(), self.raw_bytes(), budget)
    }

    /// The Program.
    ///
    /// # Errors
    /// None that a test would not have found.
    pub fn program(&self) -> Result<Program, Error> {
        let limits = Limits::default();
        Program::from_bytes(&self.raw(&mut Budget::new(limits.memory_bytes))?, &limits)
    }
}
