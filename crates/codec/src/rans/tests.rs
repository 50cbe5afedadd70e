//! What goes in comes out, at its size, and nothing else passes for it.

use super::encoder::back;
use super::*;
use crate::cdf::Found;
use crate::kernel::Kernel;

/// Shares of a small random alphabet, and the groups they are coded in.
fn shares(seed: u64) -> (Vec<(u32, u32)>, Vec<u8>) {
    let mut state = seed;
    let mut roll = |bound: u32| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as u32 % bound
    };
    let (mut shares, mut groups) = (Vec::new(), Vec::new());
    for _ in 0..1 + roll(300) {
        let group = if roll(4) == 0 { 1 + roll(CODERS as u32) } else { CODERS as u32 };
        groups.push(group as u8);
        for _ in 0..group {
            let (a, b) = (roll(1 << 24), roll(1 << 24));
            let share = match roll(4) {
                0 => (a, 1),
                1 => (0, (1 << 24) - 1 - roll(3)),
                2 => (a & !0xfff, 0x1000),
                _ => (a.min(b), a.abs_diff(b).max(1)),
            };
            shares.push(share);
        }
    }
    (shares, groups)
}

/// By every kernel of this machine, which all do the same.
fn encoded(shares: &[(u32, u32)], groups: &[u8]) -> Vec<u8> {
    let by = |kernel| {
        let mut held = Held::of(0);
        let mut rest = shares;
        for &group in groups {
            let (group, after) = rest.split_at(group.into());
            rest = after;
            let (lefts, widths): (Vec<u32>, Vec<u32>) = group.iter().copied().unzip();
            held.push(&lefts, &widths);
        }
        assert!(held.shares().eq(shares.iter().copied()));
        encode(kernel, held)
    };
    let mut all = Kernel::all().into_iter().map(by);
    let bytes = all.next().expect("there is plain Rust");
    assert!(all.all(|other| other == bytes));
    bytes
}

fn decoded(kernel: Kernel, bytes: &[u8], shares: &[(u32, u32)], groups: &[u8]) -> Result<(), crate::Error> {
    let mut coder = RansDecoder::new(kernel, bytes)?;
    let mut rest = shares;
    for &group in groups {
        let quantiles = coder.quantiles();
        let (group, after) = rest.split_at(group.into());
        rest = after;
        let mut found = Found::default();
        for (lane, &(left, width)) in group.iter().enumerate() {
            if quantiles[lane] < left || quantiles[lane] - left >= width {
                return Err(crate::Error::corrupt("another symbol"));
            }
            (found.lefts[lane], found.widths[lane]) = (left, width);
        }
        coder.advance(group.len(), &found)?;
    }
    coder.finish()
}

#[test]
fn shares_come_back_at_their_size_by_any_kernel() {
    for seed in 0..60 {
        let (shares, groups) = shares(seed);
        let bytes = encoded(&shares, &groups);
        let bits: f64 = shares.iter().map(|&(_, width)| 24.0 - f64::from(width).log2()).sum();
        let spent = 8.0 * (bytes.len() - STATES_BYTES) as f64;
        // States hold up to 64 bits each, half of them of no use.
        assert!(spent < bits * 1.0001 + 1.0 && spent > bits - 32.0 * CODERS as f64 - 1.0, "{spent} {bits}");
        for kernel in Kernel::all() {
            decoded(kernel, &bytes, &shares, &groups).expect("what was encoded decodes");
        }
    }
}

#[test]
fn every_kernel_goes_back_alike_from_any_state() {
    let mut state = 5u64;
    let mut roll = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state ^ state >> 32).rotate_right((state >> 59) as u32)
    };
    for round in 0..20_000u32 {
        let (mut states, mut lefts, mut widths) = ([LEAST; CODERS], [0; CODERS], [0; CODERS]);
        for lane in 0..CODERS {
            let width = match round % 3 {
                0 => 1 + roll() % 9,
                1 => (1 << 24) - 1 - roll() % 9,
                _ => 1 + (roll() >> (40 + roll() % 24)) % ((1 << 24) - 1),
            };
            // Quotients of all sizes that are whole, or nearly so.
            let quotient = (roll() >> (24 + roll() % 9)) | 1 << 31;
            let near = [0, 1, width - 1, width / 2][roll() as usize % 4];
            states[lane] = (quotient.wrapping_mul(width).wrapping_add(near)).max(LEAST);
            (lefts[lane], widths[lane]) = ((roll() % ((1 << 24) - width)) as u32, width as u32);
        }
        let gone = |kernel: Kernel| {
            let (mut states, mut words) = (states, [7; 20]);
            let taken = back(kernel, &mut states, &lefts, &widths, &mut words);
            (states, words, taken)
        };
        for kernel in Kernel::all() {
            assert_eq!(gone(kernel), gone(Kernel::Scalar), "{kernel:?}: {states:x?} {widths:x?}");
        }
    }
}

#[test]
fn nothing_else_passes_for_it() {
    let (shares, groups) = shares(7);
    let bytes = encoded(&shares, &groups);
    for kernel in Kernel::all() {
        let refused = |bytes: &[u8], why: &str| {
            let error = decoded(kernel, bytes, &shares, &groups).expect_err(why);
            assert_eq!(error.kind(), crate::ErrorKind::Corrupt, "{why}: {error}");
        };
        for cut in 0..bytes.len() {
            refused(&bytes[..cut], "cut");
        }
        refused(&[&bytes[..], &[0; 4]].concat(), "a word left over");
        refused(&[&bytes[..], &[0]].concat(), "no whole words");
        for bit in 0..8 * bytes.len() {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            refused(&bytes, "a bit that is another");
        }
        let mut low = bytes.clone();
        low[..8].copy_from_slice(&(LEAST - 1).to_le_bytes());
        assert_eq!(RansDecoder::new(kernel, &low).expect_err("no state"), crate::Error::corrupt("states of a block"));
    }
}
