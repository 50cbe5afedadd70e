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
    let rates = counter::rates();
    let stretch = logit::table();
    let mut table = Table::new(1, 6);
    let mut slots = [0];
    table.find(&[77], 0, &mut slots);
    assert_eq!(table.logits(slots[0], 3, &stretch), (0, 0), "nothing seen");
    let mut last = 0;
    for _ in 0..200 {
        table.learn(slots[0], 3, true, &rates);
        let (logit, mild) = table.logits(slots[0], 3, &stretch);
        assert!(logit >= last && mild > 0);
        last = logit;
    }
    assert!(last > 4 * 256, "four nats after 200 times the same: {last}");
    table.find(&[77], 0, &mut slots);
    assert_eq!(table.logits(slots[0], 3, &stretch).0, last, "found again");
    // Other hashes for the same two slots push each other out, never the one used most.
    for tag in [0x100, 0x200, 0x300] {
        table.find(&[tag], 0, &mut slots);
        assert_eq!(table.logits(slots[0], 3, &stretch), (0, 0), "somebody else's");
    }
    table.find(&[77], 0, &mut slots);
    assert_eq!(table.logits(slots[0], 3, &stretch).0, last);
}

#[test]
fn a_mixer_finds_the_input_that_knows() {
    let mut mixer = Mixer::new(1, [0; INPUTS]);
    let mut state = 1u64;
    for _ in 0..4000 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let up = state >> 63 == 1;
        let mut inputs = [0; INPUTS];
        inputs[0] = if up { 512 } else { -512 };
        inputs[1] = if state >> 62 & 1 == 1 { 512 } else { -512 };
        let p = logit::probability(mixer.dot(0, &inputs) >> 12);
        mixer.learn(0, &inputs, ((i32::from(up) << 24) - p.cast_signed()) >> 8);
    }
    let mut knows = [0; INPUTS];
    knows[0] = 512;
    let mut guesses = [0; INPUTS];
    guesses[1] = 512;
    let (knows, guesses) = (mixer.dot(0, &knows) >> 12, mixer.dot(0, &guesses) >> 12);
    assert!(knows > 700 && guesses.abs() < 128, "{knows} {guesses}");
}

#[test]
fn the_predictor_learns_a_linear_rule() {
    let mut lms = Lms::NEW;
    let mut state = 9u64;
    let mut late = 0;
    for round in 0..20_000 {
        let taps: [i32; TAPS] = std::array::from_fn(|i| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            if i < 6 { ((state >> 40) % 101) as i32 - 50 } else { 0 }
        });
        let truth = (taps[0] * 12 + taps[3] * 8 - taps[5] * 4) * 16 / 16;
        let error = truth - lms.predict(&taps);
        lms.learn(&taps, error);
        if round >= 19_000 {
            late += error.abs();
        }
    }
    assert!(late / 1000 < 16, "less than one step at last: {late}");
}
