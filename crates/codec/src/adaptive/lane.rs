//! What is known of one pixel of a batch while its sample is being coded.

use super::context::{CONTEXTS, LANES};
use super::counter::{SLOT_LEVELS, Table, salted};
use super::expert::Expert;
use super::mixer::{INPUTS, KINDS};

/// A sample between what is known before its first decision and its last one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lane {
    /// Its symbol, for an encoder.
    pub(crate) known: u8,
    /// Number of the fit.
    pub(crate) fit: usize,
    /// The Program's mean and what the fit adds to it, unit 1/16.
    pub(crate) centre: i32,
    pub(crate) correction: i32,
    pub(crate) expert: Expert,
    /// Choices among the sets of mixer weights: those of images with a reference stand behind the others.
    pub(crate) first_set: usize,
    pub(crate) activity: usize,
    pub(crate) equal: usize,
    pub(crate) apart: usize,
    pub(crate) better: usize,
    /// Hashes of the contexts, and of the present three decisions under them.
    pub(crate) hashes: [u32; LANES],
    pub(crate) slot_hashes: [u32; LANES],
    /// Whether the memory of these was asked for.
    pub(crate) asked: bool,
    /// Slots of the present three decisions, once `found`.
    pub(crate) slots: [u32; CONTEXTS],
    pub(crate) found: bool,
    /// Decisions so far, after a 1: of the present three, and of all.
    pub(crate) node: usize,
    pub(crate) path: u32,
    /// What is left of the alphabet, `low..high`, and the masses below its ends.
    pub(crate) low: Edge,
    pub(crate) high: Edge,
    /// The edge that the present decision is about.
    pub(crate) middle: Edge,
    /// The present decision: the way that the Program finds likelier, whether it is sure of it, whether others are asked, the probability of
    /// upwards (unit 2^-24), how it fell.
    pub(crate) stated: bool,
    pub(crate) sure: bool,
    pub(crate) mixed: bool,
    pub(crate) p: u32,
    pub(crate) up: bool,
    /// What is mixed.
    pub(crate) inputs: Inputs,
    /// One set of mixer weights of each kind.
    pub(crate) sets: [usize; KINDS],
    pub(crate) counters: [u32; LANES],
}

impl Lane {
    /// Asks for the slots of the three decisions of which that of `level` is one.
    #[inline(always)]
    pub(crate) fn ask(&mut self, table: &Table, level: u32) {
        self.slot_hashes = salted(&self.hashes, self.path >> (level % SLOT_LEVELS));
        table.prefetch(&self.slot_hashes);
        self.asked = true;
    }
}

/// Inputs of a mixer, aligned for vectors.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
pub(crate) struct Inputs(pub(crate) [i32; INPUTS]);

/// A symbol, and the masses of those below it, unit 2^-24.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Edge {
    pub(crate) symbol: u32,
    /// Under the Program.
    pub(crate) mass: u32,
    /// Under the expert.
    pub(crate) expert: u32,
}
