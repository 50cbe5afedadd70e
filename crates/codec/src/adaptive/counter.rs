//! Adaptive counters: how often a decision fell which way under a context.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "lines are masked, nodes are 1..=7, counts are 0..=60")]

use super::context::{CONTEXTS, LANES, spread};

/// Decisions that share a slot.
pub(crate) const SLOT_LEVELS: u32 = 3;

/// Seven counters, one for each node of a tree of three decisions, from index 1; index 0 tells whose they are (24 bits) above how
/// often it was looked up (8 bits; 0: nobody's).
///
/// A counter is a probability (22 bits, unit 2^-22) above the number of decisions seen (10 bits).
type Slot = [u32; 8];

/// The two slots that a hash may have.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(crate) struct Line([Slot; 2]);

/// Even odds, nothing seen.
const NEW: u32 = 1 << 31;
/// Decisions after which a counter stops slowing down.
pub(crate) const LIMIT: u32 = 60;

/// Slots of all contexts, found by hash.
#[derive(Debug)]
pub(crate) struct Table {
    log2_lines: u32,
    /// Shape `[contexts, 2^log2_lines]`.
    lines: Vec<Line>,
}

/// Hashes of contexts for the slots that begin after the decisions of `node` (a 1, then one bit a decision).
#[inline(always)]
pub(crate) fn salted(hashes: &[u32; LANES], node: u32) -> [u32; LANES] {
    // A loop, not `map`: it would not be compiled for the vectors at hand.
    let mut salted = [0; LANES];
    for (salted, hash) in salted.iter_mut().zip(hashes) {
        *salted = spread(hash.wrapping_add(node.wrapping_mul(0x9E37_79B9)));
    }
    salted
}

impl Table {
    /// `2^log2_lines` lines, at most 2^24, for each context.
    pub(crate) fn new(log2_lines: u32) -> Self {
        Self { log2_lines, lines: vec![Line([[0; 8]; 2]); CONTEXTS << log2_lines] }
    }

    #[inline(always)]
    fn line(&self, context: usize, hash: u32) -> usize {
        (context << self.log2_lines) | (hash >> (32 - self.log2_lines)) as usize
    }

    /// Asks for the memory that [`Table::find`] is going to need.
    #[inline(always)]
    #[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables, reason = "only x86-64 is asked"))]
    pub(crate) fn prefetch(&self, hashes: &[u32; LANES]) {
        #[cfg(target_arch = "x86_64")]
        for (context, &hash) in hashes[..CONTEXTS].iter().enumerate() {
            super::x86::prefetch(&self.lines[self.line(context, hash)]);
        }
    }

    /// The slot of each context's hash. It is cleared if it was another's; of the two that a hash may have, the one looked up less gives way.
    #[inline(always)]
    pub(crate) fn find(&mut self, hashes: &[u32; LANES], found: &mut [u32; CONTEXTS]) {
        for (context, (&hash, found)) in hashes.iter().zip(found).enumerate() {
            let number = self.line(context, hash);
            let tag = hash << 8;
            let line = &mut self.lines[number].0;
            let [first, second] = [line[0][0], line[1][0]];
            let is_its_own = |owner: u32| owner & !255 == tag && owner & 255 != 0;
            let (first_is, second_is) = (is_its_own(first), is_its_own(second));
            let is_second = if first_is | second_is { !first_is } else { first & 255 > second & 255 };
            let slot = &mut line[usize::from(is_second)];
            if !(first_is | second_is) {
                *slot = [NEW; 8];
                slot[0] = tag;
            }
            slot[0] += u32::from(slot[0] & 255 != 255);
            *found = (number * 2 + usize::from(is_second)) as u32;
        }
    }

    /// The counters of a decision.
    #[inline(always)]
    pub(crate) fn counters(&self, slots: &[u32; CONTEXTS], node: usize) -> [u32; LANES] {
        let mut counters = [NEW; LANES];
        for (counter, &slot) in counters.iter_mut().zip(slots) {
            *counter = self.lines[(slot >> 1) as usize].0[(slot & 1) as usize][node & 7];
        }
        counters
    }

    /// Puts the counters of a decision back.
    #[inline(always)]
    pub(crate) fn put(&mut self, slots: &[u32; CONTEXTS], node: usize, counters: &[u32; LANES]) {
        for (&slot, &counter) in slots.iter().zip(counters) {
            self.lines[(slot >> 1) as usize].0[(slot & 1) as usize][node & 7] = counter;
        }
    }
}

/// Log-odds of counters, and milder figures that trust a counter the more the more it has seen; both 0 for a new one.
#[inline(always)]
pub(crate) fn logits(counters: &[u32; LANES], stretch: &[i16; 4096]) -> [[i32; LANES]; 2] {
    // Loops, not `map` or `from_fn`: closures would not be compiled for the vectors at hand.
    let (mut logits, mut milds) = ([0; LANES], [0; LANES]);
    for (logit, counter) in logits.iter_mut().zip(counters) {
        *logit = stretch[(counter >> 20) as usize].into();
    }
    for ((logit, mild), counter) in logits.iter_mut().zip(&mut milds).zip(counters) {
        *logit = if counter & 1023 == 0 { 0 } else { *logit };
        *mild = (((counter >> 10).cast_signed() - (1 << 21)) * (counter & 1023).min(30).cast_signed()) >> 17;
    }
    [logits, milds]
}

/// Moves counters towards what they have seen; after `limit` decisions, fewer than there are rates (a power of two), they slow down no more.
#[inline(always)]
pub(crate) fn learn<const N: usize, const R: usize>(counters: &mut [u32; N], up: bool, rates: &[i32; R], limit: u32) {
    let target = if up { (1 << 22) - 1 } else { 0 };
    let mut taken = [0; N];
    for (rate, counter) in taken.iter_mut().zip(&*counters) {
        *rate = rates[(*counter as usize) & (R - 1)];
    }
    for (counter, rate) in counters.iter_mut().zip(taken) {
        let (p, seen) = ((*counter >> 10).cast_signed(), *counter & 1023);
        // |target - p| >> 7 is at most 2^15, a rate below 2^15.5.
        let p = p + ((((target - p) >> 7) * rate) >> 9);
        *counter = p.cast_unsigned() << 10 | (seen + 1).min(limit);
    }
}

/// Entry `n` is `2^16 / (n + 1.5)`, rounded down: what a counter that has seen `n` decisions takes of the next.
pub(crate) fn rates<const R: usize>() -> Box<[i32; R]> {
    Box::new(std::array::from_fn(|n| (2 << 16) / (2 * n as i32 + 3)))
}
