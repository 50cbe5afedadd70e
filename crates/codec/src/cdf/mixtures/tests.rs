//! Side by side or one by one: the same distributions.

use super::*;

#[test]
fn every_kernel_sets_and_evaluates_a_batch_alike() {
    let mut state = 3u64;
    let mut roll = |bound: i64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as i64 % bound
    };
    for bit_depth in 1..=8u8 {
        for (components, n_spikes) in [(1, 0), (2, 1), (3, 6), (4, 6), (5, 0), (16, 3), (32, 40)] {
            let n: usize = 3 * components + n_spikes;
            let stride = n.next_multiple_of(16);
            for (spread, cells) in [(100, 64), (40_000, 1), (1 << 20, 33), (1 << 30, 64)] {
                let outputs: Vec<i32> = (0..stride * BATCH).map(|_| (roll(2 * spread) - spread) as i32).collect();
                let mut references = [0; BATCH];
                references.iter_mut().for_each(|reference| *reference = roll(511) as i32 - 255);
                let mut spikes = vec![[0u32; BATCH]; n_spikes];
                spikes.as_flattened_mut().iter_mut().for_each(|value| *value = roll(1 << 32) as u32);
                let c = roll(4) as usize;
                let mut plain = Mixtures::new(Kernel::Scalar, bit_depth.into(), components, n_spikes);
                plain.set::<u8>(cells, &outputs, stride, &references, &spikes, c);
                for kernel in Kernel::all() {
                    let mut mixtures = Mixtures::new(kernel, bit_depth.into(), components, n_spikes);
                    // Nothing of what was there before is left.
                    mixtures.set::<u8>(BATCH, &outputs[..stride].repeat(BATCH), stride, &references, &spikes, c);
                    mixtures.prepare_groups(BATCH);
                    mixtures.set::<u8>(cells, &outputs, stride, &references, &spikes, c);
                    mixtures.prepare(cells);
                    // Groups are found by what is prepared for them, and without.
                    if cells != 33 {
                        mixtures.prepare_groups(cells);
                    }
                    let told = format!("{kernel:?}, {bit_depth} bits, {components} + {n_spikes} parts");
                    for from in (0..cells).step_by(GROUP) {
                        let count = (cells - from).min(GROUP);
                        assert_eq!(mixtures.centres(from, count)[..count], plain.centres(from, count)[..count], "{told}");
                        for _ in 0..4 {
                            let mut symbols = [0; GROUP];
                            symbols.iter_mut().for_each(|symbol| *symbol = roll((1 << bit_depth) + 1) as u32);
                            let [got, want] = [&mixtures, &plain].map(|mixtures| mixtures.masses_below(from, count, &symbols));
                            assert_eq!(got[..count], want[..count], "{told}");
                            let mut found = Found::default();
                            found.symbols.iter_mut().for_each(|symbol| *symbol = roll(1 << bit_depth) as u16);
                            let bits = mixtures.share_group(from, count, &mut found);
                            for i in 0..count {
                                let [left, right] = [0, 1].map(|next| plain.single[from + i].mass_below(u32::from(found.symbols[i]) + next));
                                assert_eq!((found.lefts[i], found.widths[i]), (left, right - left), "{told}");
                            }
                            assert_eq!(bits, found.widths[..count].iter().map(|&width| cost(width)).sum::<u64>(), "{told}");
                        }
                        let mut quantiles = [0; GROUP];
                        let mut found = Found::default();
                        quantiles.iter_mut().for_each(|quantile| *quantile = roll(1 << 24) as u32);
                        mixtures.find_group(from, count, &quantiles, &mut found);
                        for (i, &quantile) in quantiles.iter().enumerate().take(count) {
                            let got = (found.symbols[i], found.lefts[i], found.widths[i]);
                            assert_eq!(got, plain.find(from + i, quantile), "{told}");
                        }
                        for lane in from..from + count {
                            let quantile = roll(1 << 24) as u32;
                            assert_eq!(mixtures.find(lane, quantile), plain.find(lane, quantile), "{told}");
                        }
                    }
                    let edges = (0..=1 << bit_depth).map(|symbol| plain.masses_below(0, 1, &[symbol; GROUP])[0]).collect::<Vec<_>>();
                    for (symbol, edges) in edges.windows(2).enumerate() {
                        for quantile in [edges[0], edges[1] - 1] {
                            assert_eq!(mixtures.find(0, quantile), (symbol as u16, edges[0], edges[1] - edges[0]), "{told}");
                            let mut found = Found::default();
                            mixtures.find_group(0, 1, &[quantile; GROUP], &mut found);
                            assert_eq!((found.symbols[0], found.lefts[0], found.widths[0]), (symbol as u16, edges[0], edges[1] - edges[0]), "{told}");
                        }
                    }
                }
            }
        }
    }
}

/// As 16-bit samples have them, far apart and near each other.
#[test]
fn every_kernel_finds_deep_symbols_alike() {
    let mut state = 9u64;
    let mut roll = |bound: i64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as i64 % bound
    };
    for (bit_depth, resolution) in [(9, 0), (10, 7), (12, 2), (13, 0), (16, 0), (16, 7)] {
        let alphabet = Alphabet::new(bit_depth, resolution);
        for (components, n_spikes) in [(1, 0), (3, 6), (5, 1)] {
            let stride = (3 * components + n_spikes as usize).next_multiple_of(16);
            for (spread, cells) in [(100, 64), (40_000, 1), (1 << 20, 33), (1 << 30, 18)] {
                let outputs: Vec<i32> = (0..stride * BATCH).map(|_| (roll(2 * spread) - spread) as i32).collect();
                let mut references = [0; BATCH];
                references.iter_mut().for_each(|reference| *reference = roll(1 << bit_depth) as i32);
                let spike = |_| std::array::from_fn(|_| u16::pixel(&[roll(1 << bit_depth) as u16]));
                let spikes: Vec<[<u16 as Sample>::Pixel; BATCH]> = (0..n_spikes).map(spike).collect();
                let mut plain = Mixtures::new(Kernel::Scalar, alphabet, components, spikes.len());
                plain.set::<u16>(cells, &outputs, stride, &references, &spikes, 0);
                for kernel in Kernel::all() {
                    let mut mixtures = Mixtures::new(kernel, alphabet, components, spikes.len());
                    mixtures.set::<u16>(cells, &outputs, stride, &references, &spikes, 0);
                    mixtures.prepare_groups(cells);
                    for from in (0..cells).step_by(GROUP) {
                        let count = (cells - from).min(GROUP);
                        for round in 0..6 {
                            let mut quantiles = [0; GROUP];
                            quantiles.iter_mut().for_each(|quantile| *quantile = [0, (1 << 24) - 1, roll(1 << 24), roll(1 << 24)][round % 4] as u32);
                            let mut found = Found::default();
                            mixtures.find_group(from, count, &quantiles, &mut found);
                            for (i, &quantile) in quantiles.iter().enumerate().take(count) {
                                let got = (found.symbols[i], found.lefts[i], found.widths[i]);
                                assert_eq!(got, plain.find(from + i, quantile), "{kernel:?}, {bit_depth} bits, {components} + {n_spikes} parts");
                            }
                        }
                    }
                }
            }
        }
    }
}
