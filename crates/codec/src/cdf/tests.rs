//! Distributions are valid whatever the network says, and what is found fast is what is there.

use super::*;

/// Bits of a symbol and resolutions.
const ALPHABETS: [(u8, u8); 14] =
    [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 7), (12, 2), (13, 0), (16, 0), (16, 7)];

fn outputs(seed: u64, n: usize, spread: i32) -> Vec<i32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as i32
    };
    (0..n).map(|_| next() % spread).collect()
}

#[test]
fn strictly_rising_and_whole_for_any_outputs() {
    for (bit_depth, resolution) in ALPHABETS {
        let alphabet = Alphabet::new(bit_depth, resolution);
        for seed in 0..if bit_depth > 12 { 2 } else { 60 } {
            for spread in [100, 40_000, 1 << 20, i32::MAX] {
                let mut mixture = Mixture::new(alphabet, 3, 4);
                let spikes: Vec<u16> = (0..4).map(|i| (seed as u16).wrapping_mul(9437 + i) >> (16 - bit_depth)).collect();
                mixture.set(&outputs(seed, 13, spread), (seed as i32 * 997) % (1 << bit_depth.max(8)), &spikes);
                let size = alphabet.size();
                let mass: Vec<u32> = (0..=size).map(|symbol| mixture.mass_below(symbol)).collect();
                assert_eq!((mass[0], mass[size as usize]), (0, 1 << 24));
                assert!(mass.windows(2).all(|pair| pair[0] < pair[1]), "{bit_depth} {seed}");
                for symbol in (0..size).step_by(if bit_depth > 9 { 13 } else { 1 }) {
                    let (left, width) = mixture.share(symbol as u16);
                    for quantile in [left, left + width - 1] {
                        assert_eq!(mixture.find(quantile), (symbol as u16, left, width));
                    }
                }
            }
        }
    }
}

#[test]
fn one_component_is_a_discretised_logistic() {
    let mut mixture = Mixture::new(8, 1, 0);
    mixture.set::<u8>(&[0, 5 << 8, 3 << 12], 100, &[]); // mean 105, scale 8
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    for symbol in 20..190u16 {
        // within +-11 scales of the mean, where the table has not ended
        let (_, width) = mixture.share(symbol);
        let ideal = sigmoid((f64::from(symbol) + 0.5 - 105.0) / 8.0) - sigmoid((f64::from(symbol) - 0.5 - 105.0) / 8.0);
        let expected = ideal * (1.0 - 1.0 / 4096.0) + 1.0 / 4096.0 / 256.0;
        let expected = expected * f64::from(1 << 24);
        assert!((f64::from(width) - expected).abs() < 2e-3 * expected + 3.0, "{symbol}: {width} {expected}");
    }
}

#[test]
fn every_kernel_sets_and_evaluates_alike() {
    for (bit_depth, resolution) in ALPHABETS {
        let alphabet = Alphabet::new(bit_depth, resolution);
        for (components, spikes) in [(1, 0), (4, 6), (3, 4), (16, 0), (10, 9), (32, 40)] {
            for seed in 0..if bit_depth > 8 { 8 } else { 40 } {
                for spread in [100, 40_000, 1 << 20, 1 << 30] {
                    let outputs = outputs(seed * 7 + 1, 3 * components + spikes, spread);
                    let values: Vec<u16> = (0..spikes as u16).map(|i| (seed as u16 * 9437).wrapping_add(i * 7429) >> (16 - bit_depth)).collect();
                    let reference = (seed as i32 * 13 - 255) << bit_depth.saturating_sub(8);
                    let mut plain = Mixture::by(Kernel::Scalar, alphabet, components, spikes);
                    plain.set(&outputs, reference, &values);
                    for kernel in Kernel::all() {
                        let mut mixture = Mixture::by(kernel, alphabet, components, spikes);
                        mixture.set(&outputs, reference, &values);
                        assert_eq!((&mixture.weights, mixture.heaviest), (&plain.weights, plain.heaviest), "{kernel:?}");
                        let size = alphabet.size();
                        for (start, log2_stride) in [(0, bit_depth.saturating_sub(4)), (size / 3, 0), (size - 1, 0), (0, 0)] {
                            let log2_stride = u32::from(log2_stride);
                            for (i, mass) in mixture.masses(start, log2_stride).into_iter().enumerate() {
                                let symbol = (start + ((i as u32) << log2_stride)).min(size);
                                assert_eq!(mass, plain.mass_below(symbol), "{kernel:?} {bit_depth} bits, symbol {symbol}");
                            }
                        }
                        for quantile in [0, 1 << 22, 1 << 23, 12_345_678, (1 << 24) - 1] {
                            let found = mixture.find(quantile);
                            mixture.prepare();
                            assert_eq!(mixture.find(quantile), found, "with a window");
                            assert_eq!(plain.find(quantile), found);
                            assert!(found.1 <= quantile && quantile < found.1 + found.2 && plain.share(found.0) == (found.1, found.2));
                        }
                    }
                }
            }
        }
    }
}
