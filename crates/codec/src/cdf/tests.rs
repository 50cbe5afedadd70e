//! Distributions are valid whatever the network says, and what is found fast is what is there.

use super::*;

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
    for bit_depth in 1..=8u8 {
        for seed in 0..60 {
            for spread in [100, 40_000, 1 << 20, i32::MAX] {
                let mut mixture = Mixture::new(bit_depth, 3, 4);
                let spikes: Vec<u8> = (0..4u8).map(|i| ((seed as u8).wrapping_mul(37 + i)) >> (8 - bit_depth)).collect();
                mixture.set(&outputs(seed, 13, spread), (seed % 256) as i32, &spikes);
                let alphabet = 1 << bit_depth;
                let mass: Vec<u32> = (0..=alphabet).map(|symbol| mixture.mass_below(symbol)).collect();
                assert_eq!((mass[0], mass[alphabet as usize]), (0, 1 << 24));
                assert!(mass.windows(2).all(|pair| pair[0] < pair[1]), "{mass:?}");
                for symbol in 0..alphabet {
                    let (left, width) = mixture.share(symbol as u8);
                    for quantile in [left, left + width - 1] {
                        assert_eq!(mixture.find(quantile), (symbol as u8, left, width));
                    }
                }
            }
        }
    }
}

#[test]
fn one_component_is_a_discretised_logistic() {
    let mut mixture = Mixture::new(8, 1, 0);
    mixture.set(&[0, 5 << 8, 3 << 12], 100, &[]); // mean 105, scale 8
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    for symbol in 20..190u8 {
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
    for bit_depth in 1..=8u8 {
        for (components, spikes) in [(1, 0), (4, 6), (3, 4), (16, 0), (10, 9), (32, 40)] {
            for seed in 0..40 {
                for spread in [100, 40_000, 1 << 20, 1 << 30] {
                    let outputs = outputs(seed * 7 + 1, 3 * components + spikes, spread);
                    let values: Vec<u8> = (0..spikes as u8).map(|i| (seed as u8).wrapping_mul(37).wrapping_add(i * 29) >> (8 - bit_depth)).collect();
                    let reference = seed as i32 * 13 - 255;
                    let mut plain = Mixture::by(Kernel::Scalar, bit_depth, components, spikes);
                    plain.set(&outputs, reference, &values);
                    for kernel in Kernel::all() {
                        let mut mixture = Mixture::by(kernel, bit_depth, components, spikes);
                        mixture.set(&outputs, reference, &values);
                        assert_eq!((&mixture.weights, mixture.heaviest), (&plain.weights, plain.heaviest), "{kernel:?}");
                        let alphabet = 1u32 << bit_depth;
                        for (start, log2_stride) in [(0, bit_depth.saturating_sub(4)), (alphabet / 3, 0), (alphabet - 1, 0), (0, 0)] {
                            let log2_stride = u32::from(log2_stride);
                            for (i, mass) in mixture.masses(start, log2_stride).into_iter().enumerate() {
                                let symbol = (start + ((i as u32) << log2_stride)).min(alphabet);
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
