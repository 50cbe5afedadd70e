//! Deals items into train, validation and test, by fingerprint and seed, never by position.

use crate::digest::Digest;

/// What an item is used for while a dataset is learned. All parts are archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Learned from: about 90 %.
    Train,
    /// Chooses when to stop: about 5 %.
    Validation,
    /// Only ever measured: about 5 %.
    Test,
}

/// Separates these draws from every other use of blake3.
const DOMAIN: &str = "kolmo 2026-11 split: seed as u64 LE, digest";

/// Per cent of the items that go to validation, and to test.
const SHARE: u64 = 5;

/// The part of an item. It depends on nothing but digest and seed, so copies of an item fall into one part, and adding,
/// removing or renaming files moves no other item.
///
/// Of fewer than about 20 items a part may well be empty; a caller with so small a set should train on all of it and
/// say that validation is not independent.
#[must_use]
pub fn deal(digest: &Digest, seed: u64) -> Part {
    let mut hasher = blake3::Hasher::new_derive_key(DOMAIN);
    hasher.update(&seed.to_le_bytes());
    hasher.update(&digest.0);
    let draw = hasher.finalize();
    let [a, b, c, d, ..] = *draw.as_bytes();
    match (u64::from(u32::from_le_bytes([a, b, c, d])) * 100) >> 32 {
        percent if percent < SHARE => Part::Test,
        percent if percent < 2 * SHARE => Part::Validation,
        _ => Part::Train,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::of_bytes;

    fn count(seed: u64, part: Part) -> usize {
        (0..10_000u32).filter(|i| deal(&of_bytes(&i.to_le_bytes()), seed) == part).count()
    }

    #[test]
    fn shares_are_ninety_five_and_five() {
        for seed in [0, 1, u64::MAX] {
            // standard deviation of a share of 5 %: 22 items
            assert!(count(seed, Part::Test).abs_diff(500) < 100);
            assert!(count(seed, Part::Validation).abs_diff(500) < 100);
        }
    }

    #[test]
    fn the_deal_never_changes() {
        // A changed deal would change archives made with the same seed.
        let part_of = |i: &u8| deal(&of_bytes(&[*i]), 0);
        let test: Vec<u8> = (0..=255).filter(|i| part_of(i) == Part::Test).collect();
        let validation: Vec<u8> = (0..=255).filter(|i| part_of(i) == Part::Validation).collect();
        assert_eq!(test, [53, 70, 71, 99, 100, 112, 114, 143, 148, 192, 203, 225, 234]);
        assert_eq!(validation, [30, 66, 69, 76, 107, 165, 171, 183, 212, 226, 243]);
    }

    #[test]
    fn seeds_deal_differently() {
        let differs = (0..1000u32).filter(|i| {
            let digest = of_bytes(&i.to_le_bytes());
            deal(&digest, 1) != deal(&digest, 2)
        });
        assert!(differs.count() > 100);
    }
}
