use super::*;

fn noise(count: usize) -> impl Iterator<Item = [u8; 3]> {
    let mut state = 1u32;
    (0..count).map(move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [_, a, b, c] = state.to_le_bytes();
        [a, b, c]
    })
}

/// Symbols whose RGB is mostly not clipped.
fn muted(colour: Colour, count: usize) -> Vec<u8> {
    let [y, first, second] = Tables::of(colour).grey();
    noise(count).flat_map(|[a, b, c]| [y - 30 + a % 60, first - 16 + b % 32, second - 16 + c % 32]).collect()
}

#[test]
fn symbols_make_the_samples_that_they_were_taken_from() {
    for colour in Colour::ALL {
        let mut samples = muted(colour, 64 * 50);
        let symbols = samples.clone();
        colour.samples(&mut samples);
        assert_eq!(colour.symbols(&samples, 64), Converted { symbols, strays: vec![] }, "{colour:?}: one way back only");
        assert_eq!(Colour::of(&samples), Some(colour));
    }
}

#[test]
fn every_pixel_comes_back_clipped_ones_too() {
    for colour in Colour::ALL {
        let [_, first, second] = Tables::of(colour).grey();
        // Any luma, chroma as of photographs: a third is clipped.
        let mut clipped: Vec<u8> = noise(50_000).flat_map(|[a, b, c]| [a, first - 32 + b % 64, second - 32 + c % 64]).collect();
        colour.samples(&mut clipped);
        let any: Vec<u8> = noise(20_000).flatten().collect();
        for (samples, most_strays) in [(clipped, 0), (any, 20_000)] {
            let Converted { mut symbols, strays } = colour.symbols(&samples, 100);
            assert!(strays.len() <= most_strays && strays.is_sorted(), "{colour:?}: {} strays", strays.len());
            colour.samples(&mut symbols);
            for (number, rgb) in strays {
                symbols[3 * number..][..3].copy_from_slice(&rgb);
            }
            assert!(symbols == samples, "{colour:?}");
        }
    }
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let any: Vec<u8> = noise(5000).flatten().collect();
    let grey: Vec<u8> = noise(5000).flat_map(|[a, ..]| [a; 3]).collect();
    let few: Vec<u8> = muted(Colour::Jfif, 5000).into_iter().take(3 * 40).cycle().take(9000).collect();
    for samples in [&any[..], &grey, &few, &[1, 2, 3], &[]] {
        assert_eq!(Colour::of(samples), None);
    }
}

#[test]
fn conversions_are_those_of_the_format() {
    // White, black, and colours by the published coefficients.
    let rgb = |colour: Colour, symbols| Tables::of(colour).rgb(symbols);
    assert_eq!(rgb(Colour::Jfif, [255, 128, 128]), [255; 3]);
    assert_eq!(rgb(Colour::Jfif, [76, 85, 255]), [254, 0, 0]);
    assert_eq!(rgb(Colour::Jfif, [100, 90, 160]), [145, 90, 33]);
    assert_eq!(rgb(Colour::PhotoCd, [0, 156, 137]), [0; 3]);
    assert_eq!(rgb(Colour::PhotoCd, [100, 156, 137]), [135; 3]);
    assert_eq!(rgb(Colour::PhotoCd, [100, 146, 150]), [159, 128, 113]);
    // All of them, so that no entry ever changes.
    let sums = Colour::ALL.map(|colour| {
        let mut all: Vec<u8> = (0..=255u8).flat_map(|y| (0..=255).flat_map(move |a| (0..64).flat_map(move |b| [y, a, 4 * b + y % 4]))).collect();
        colour.samples(&mut all);
        all.iter().fold(0u64, |sum, &value| sum.wrapping_mul(0x100_0000_01b3).wrapping_add(value.into()))
    });
    assert_eq!(sums, [12_369_514_924_217_920_029, 11_124_962_470_137_364_114]);
}
