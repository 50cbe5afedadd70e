//! Arithmetic that both sides rely on, held to what it approximates.

use super::*;

#[test]
fn log_odds_and_probabilities_are_inverse() {
    for logit in -logit::LIMIT..=logit::LIMIT {
        let p = logit::probability(logit);
        assert!((1..1 << 24).contains(&p));
        let exact = 1.0 / (1.0 + (-f64::from(logit) / 256.0).exp());
        assert!((f64::from(p) / f64::from(1 << 24) - exact).abs() < 3e-5, "{logit}");
        let back = logit::of_masses(p, (1 << 24) - p);
        assert!((back - logit).abs() <= 2 + logit.abs() / 400, "{logit} {back}");
    }
    assert_eq!((logit::of_masses(1, 1 << 24), logit::of_masses(1 << 24, 1)), (-logit::LIMIT, logit::LIMIT));
}

#[test]
fn counters_approach_what_they_see() {
    let rates = counter::rates::<64>();
    let stretch = logit::table();
    let mut table = Table::new(6);
    let mut slots = [0; CONTEXTS];
    let hashes = [77; LANES];
    table.find(&hashes, &mut slots);
    assert_eq!(counter::logits(&table.counters(&slots, 3), &stretch), [[0; LANES]; 2], "nothing seen");
    let mut last = 0;
    for _ in 0..200 {
        let mut counters = table.counters(&slots, 3);
        counter::learn(&mut counters, true, &rates, counter::LIMIT);
        table.put(&slots, 3, &counters);
        let [logits, milds] = counter::logits(&counters, &stretch);
        assert!(logits[0] >= last && milds[0] > 0);
        last = logits[0];
    }
    assert!(last > 4 * 256, "four nats after 200 times the same: {last}");
    let logit = |table: &mut Table, hash: u32| {
        let mut slots = [0; CONTEXTS];
        table.find(&[hash; LANES], &mut slots);
        counter::logits(&table.counters(&slots, 3), &stretch)[0][0]
    };
    assert_eq!(logit(&mut table, 77), last, "found again");
    // Other hashes for the same two slots push each other out, never the one used most.
    for other in [0x100, 0x200, 0x300] {
        assert_eq!(logit(&mut table, other), 0, "somebody else's");
    }
    assert_eq!(logit(&mut table, 77), last);
}

#[test]
fn a_mixer_finds_the_input_that_knows() {
    let mut mixers: [Mixer<INPUTS>; KINDS] = std::array::from_fn(|_| Mixer::new(1, &[[0; INPUTS]]));
    let mut state = 1u64;
    for _ in 0..4000 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let up = state >> 63 == 1;
        let mut inputs = [0; INPUTS];
        inputs[0] = if up { 512 } else { -512 };
        inputs[1] = if state >> 62 & 1 == 1 { 512 } else { -512 };
        let p = logit::probability(mixer::mix(&mixers, &[0; KINDS], &inputs));
        mixers[0].learn(0, &inputs, ((i32::from(up) << 24) - p.cast_signed()) >> 8);
    }
    let mixed = |input: usize| {
        let mut inputs = [0; INPUTS];
        inputs[input] = 512;
        mixer::mix(&mixers, &[0; KINDS], &inputs)
    };
    assert!(mixed(0) > 700 && mixed(1).abs() < 128, "{} {}", mixed(0), mixed(1));
}

/// Inputs of a fit within +-50, and a target that three of them make.
fn linear(state: &mut u64) -> ([i16; fit::INPUTS], i32) {
    let taps: [i16; fit::INPUTS] = std::array::from_fn(|i| {
        *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        if i < 6 { ((*state >> 40) % 101) as i16 - 50 } else { 0 }
    });
    (taps, i32::from(taps[0]) * 12 + i32::from(taps[3]) * 8 - i32::from(taps[5]) * 4)
}

#[test]
fn a_fit_learns_a_linear_rule() {
    let plane = Plane::blank(100, 100, 1);
    let mut fits = Fits::new(Kernel::best(), &[plane], &References::default(), &mut Budget::new(1 << 20)).expect("room");
    let fit = fits.find(0, 0, 0);
    let mut state = 9u64;
    for _ in 0..100 {
        let (taps, targets): (Vec<_>, Vec<_>) = (0..10).map(|_| linear(&mut state)).unzip();
        fits.learn(fit, &taps, &targets, &[64; 10]);
    }
    let late: i32 = (0..100).map(|_| linear(&mut state)).map(|(taps, target)| (target - fits.predict(fit, &taps)).abs()).sum();
    assert!(late / 100 < 8, "less than half a step at last: {late}");
    // The next strip of the same image goes on from there, the last one from the strip before it.
    let (taps, target) = linear(&mut state);
    let _ = fits.find(0, 30, 0);
    let strip = fits.find(0, 50, 0);
    assert_ne!(strip, fit);
    assert!((target - fits.predict(strip, &taps)).abs() < 16);
}

#[test]
fn small_images_share_strips_and_none_outgrows_its_pixels() {
    let strips = |shapes: &[(usize, usize)]| {
        let planes: Vec<Plane> = shapes.iter().map(|&(height, width)| Plane::blank(height, width, 1)).collect();
        let mut fits = Fits::new(Kernel::best(), &planes, &References::default(), &mut Budget::new(1 << 24)).expect("room");
        let rows = shapes.iter().enumerate().flat_map(|(image, &(height, width))| (0..if width == 0 { 0 } else { height }).map(move |y| (image, y)));
        rows.map(|(image, y)| fits.find(image, y, 0)).max().map_or(0, |last| last + 1)
    };
    assert_eq!(strips(&[(16, 16); 6]), 3, "two by two");
    assert_eq!(strips(&[(100, 100)]), 5, "21 rows each");
    assert_eq!(strips(&[(64, 768)]), 4, "16 rows each");
    assert_eq!(strips(&[(5000, 1), (1 << (usize::BITS * 5 / 8), 0)]), 3);
    assert!(matches!(
        Fits::new(Kernel::best(), &[Plane::blank(1 << 12, 1, 1)], &References::default(), &mut Budget::new(1 << 12)),
        Err(Error::LimitExceeded { .. })
    ));
}

#[test]
#[cfg(target_arch = "x86_64")]
fn sums_of_products_are_the_same_by_any_instructions() {
    let mut state = 5u64;
    let mut roll = |bound: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % bound
    };
    for samples in [1, 2, 7, 16, 63, BATCH] {
        let inputs: Vec<[i16; fit::INPUTS]> = (0..samples).map(|_| std::array::from_fn(|_| roll(255) as i16 - 127)).collect();
        let trusted: Vec<[i16; fit::INPUTS]> = inputs.iter().map(|input| input.map(|input| input * 64)).collect();
        let mut plain: [[i32; fit::INPUTS]; fit::INPUTS] = std::array::from_fn(|_| std::array::from_fn(|_| roll(1 << 30) as i32 - (1 << 29)));
        let before = plain;
        fit::accumulate(&mut plain, &inputs, &trusted);
        for kernel in Kernel::all() {
            let Some(vectors) = x86::Vectors::of(kernel) else { continue };
            let mut sums = before;
            x86::accumulate(vectors, &mut sums, &inputs, &trusted);
            assert_eq!(sums, plain, "{samples}, {kernel:?}");
        }
    }
}
