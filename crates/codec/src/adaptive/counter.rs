//! Adaptive counters: how often a decision fell which way under a context.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "slots are masked, nodes are 1..=15, counts are 0..=60")]

use super::context::{ODD, spread};

/// Fifteen counters, one for each node of a tree of four decisions, from index 1; index 0 tells whose they are (24 bits) above how
/// often it was looked up (8 bits; 0: nobody's).
///
/// A counter is a probability (22 bits, unit 2^-22) above the number of decisions seen (10 bits).
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(crate) struct Slot([u32; 16]);

/// Even odds, nothing seen.
const NEW: u32 = 1 << 31;
/// Decisions after which a counter stops slowing down.
const LIMIT: u32 = 60;

/// Slots of all contexts, found by hash.
#[derive(Debug)]
pub(crate) struct Table {
    log2_slots: u32,
    /// Shape `[contexts, 2^log2_slots]`.
    slots: Vec<Slot>,
}

impl Table {
    pub(crate) fn new(contexts: usize, log2_slots: u32) -> Self {
        Self { log2_slots, slots: vec![Slot([0; 16]); contexts << log2_slots] }
    }

    /// The slot of each context's hash. It is cleared if it was another's; of the two that a hash may have, the one looked up less gives way.
    #[inline(always)]
    pub(crate) fn find<const N: usize>(&mut self, hashes: &[u64; N], salt: u32, found: &mut [usize; N]) {
        let mask = (1usize << self.log2_slots) - 1;
        let mut tags = [0u32; N];
        let mut owners = [[0u32; 2]; N];
        // All of memory that is needed is asked for before any of it is waited for: this loop has no branches on what it reads.
        for (context, &hash) in hashes.iter().enumerate() {
            let hash = if salt == 0 { hash } else { spread(hash.wrapping_add(u64::from(salt).wrapping_mul(ODD[0]))) };
            let first = (context << self.log2_slots) | ((hash >> 32) as usize & mask);
            found[context] = first;
            tags[context] = hash as u32 & !255;
            owners[context] = [self.slots[first].0[0], self.slots[first ^ 1].0[0]];
        }
        for ((found, tag), [first, second]) in found.iter_mut().zip(tags).zip(owners) {
            let is_its_own = |owner: u32| owner & !255 == tag && owner & 255 != 0;
            let is_mine = is_its_own(first) || is_its_own(second);
            let (swap, owner) =
                if is_mine { (!is_its_own(first), if is_its_own(first) { first } else { second }) } else { (first & 255 > second & 255, tag) };
            *found ^= usize::from(swap);
            let slot = &mut self.slots[*found].0;
            if !is_mine {
                *slot = [NEW; 16];
            }
            slot[0] = owner + u32::from(owner & 255 != 255);
        }
    }

    /// Log-odds of a decision, and a milder figure that trusts a counter the more the more it has seen; both 0 for a new one.
    #[inline(always)]
    pub(crate) fn logits(&self, slot: usize, node: usize, stretch: &[i16]) -> (i32, i32) {
        let counter = self.slots[slot].0[node & 15];
        let (p, seen) = ((counter >> 10).cast_signed(), (counter & 1023).cast_signed());
        if seen == 0 {
            return (0, 0);
        }
        (stretch[(p >> 10) as usize].into(), ((p - (1 << 21)) * seen.min(30)) >> 17)
    }

    /// Moves a counter towards what it has seen.
    #[inline(always)]
    pub(crate) fn learn(&mut self, slot: usize, node: usize, up: bool, rates: &[u32]) {
        let counter = &mut self.slots[slot].0[node & 15];
        let (p, seen) = ((*counter >> 10).cast_signed(), *counter & 1023);
        let target = if up { (1 << 22) - 1 } else { 0 };
        let p = p + ((i64::from(target - p) * i64::from(rates[seen as usize])) >> 16) as i32;
        *counter = p.cast_unsigned() << 10 | (seen + 1).min(LIMIT);
    }
}

/// Entry `n` is `2^16 / (n + 1.5)`, rounded down: what a counter that has seen `n` decisions takes of the next.
pub(crate) fn rates() -> Vec<u32> {
    (0..=LIMIT).map(|n| (2 << 16) / (2 * n + 3)).collect()
}
