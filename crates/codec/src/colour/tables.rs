//! Conversions as sums of table entries.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tables have an entry for each byte; see the module above")]

use std::sync::LazyLock;

use super::Colour;

/// One of red, green and blue: the sum of an entry for each symbol, shifted to the right, within a byte.
#[derive(Debug)]
pub(super) struct Channel {
    shift: u32,
    /// For luma and both chromas.
    parts: [[i32; 256]; 3],
}

/// A conversion. Red does not depend on the first chroma, blue not on the second; both rise with the other, and green falls with both.
#[derive(Debug)]
pub(super) struct Tables {
    channels: [Channel; 3],
    /// For each luma and value of red, and the same of blue, the first and the last chroma that make it; 1 and 0 where none does.
    chroma: [Vec<[u8; 2]>; 2],
    /// Luma is about `(19595 R + 38470 G + 7471 B + 2^15) / scale`.
    scale: i32,
    grey: [u8; 3],
}

/// An entry for each byte.
fn entries(of: impl Fn(i64) -> i64) -> [i32; 256] {
    std::array::from_fn(|symbol| of(symbol as i64) as i32)
}

/// `value / 20000`, rounded down: halves of a unit of 1/10000.
const fn halves(value: i64) -> i64 {
    value.div_euclid(20_000)
}

fn jfif() -> Tables {
    let luma = entries(|y| y << 16);
    let none = [0; 256];
    let chroma = |factor: i64, more: i64| entries(|chroma| factor * (chroma - 128) + more);
    let channels = [
        Channel { shift: 16, parts: [luma, none, chroma(91_881, 1 << 15)] },
        Channel { shift: 16, parts: [luma, chroma(-22_554, 0), chroma(-46_802, 1 << 15)] },
        Channel { shift: 16, parts: [luma, chroma(116_130, 1 << 15), none] },
    ];
    Tables::new(channels, 1 << 16, [128; 3])
}

fn photo_cd() -> Tables {
    /// Chroma of grey.
    const GREY: [i64; 2] = [156, 137];
    let none = [0; 256];
    // Units of 2^-14, to nearest.
    let fine = |factor: i64, grey: i64| entries(|symbol| halves(factor * (symbol - grey) * (1 << 15) + 10_000));
    let luma = fine(13_584, 0);
    // Green looks at both chromas' share of blue and red in whole steps.
    let whole = |factor: i64, grey: i64, symbol: i64| (factor * (symbol - grey)).div_euclid(10_000);
    let green = [
        entries(|y| halves(13_584 * y * (1 << 13))),
        entries(|chroma| halves(-1_940 * whole(22_179, GREY[0], chroma) * (1 << 13))),
        entries(|chroma| halves(-5_090 * whole(18_215, GREY[1], chroma) * (1 << 13) + 10_000)),
    ];
    let channels = [
        Channel { shift: 14, parts: [luma, none, fine(18_215, GREY[1])] },
        Channel { shift: 12, parts: green },
        Channel { shift: 14, parts: [luma, fine(22_179, GREY[0]), none] },
    ];
    Tables::new(channels, 89_024, [94, GREY[0] as u8, GREY[1] as u8])
}

impl Channel {
    #[inline]
    fn value(&self, [y, first, second]: [u8; 3]) -> u8 {
        let sum = self.parts[0][usize::from(y)] + self.parts[1][usize::from(first)] + self.parts[2][usize::from(second)];
        (sum >> self.shift).clamp(0, 255) as u8
    }

    /// The first and the last entry of a rising part that make each value, where the others' sum to `rest`; 1 and 0 where none does.
    fn rising(&self, part: usize, rest: i32) -> impl Iterator<Item = [u8; 2]> {
        let mut to = 0;
        (0..=255).map(move |value| {
            let from = to;
            while to < 256 && (value == 255 || self.parts[part][to] + rest < (value + 1) << self.shift) {
                to += 1;
            }
            if from < to { [from as u8, (to - 1) as u8] } else { [1, 0] }
        })
    }
}

/// Whether a pixel may have been cut off at either end.
pub(super) fn is_clipped(rgb: [u8; 3]) -> bool {
    rgb.iter().any(|&value| value == 0 || value == 255)
}

/// All of `first..=last`, those nearest to `near` first.
fn around([first, last]: [u8; 2], near: u8) -> impl Iterator<Item = u8> {
    let middle = near.min(last).max(first);
    let (below, above) = if first <= last { (middle - first, last - middle) } else { (0, 0) };
    let steps = (first <= last).then(|| 0..=below.max(above));
    steps
        .into_iter()
        .flatten()
        .flat_map(move |step| [(step <= above).then(|| middle + step), (step > 0 && step <= below).then(|| middle - step)])
        .flatten()
}

impl Tables {
    fn new(channels: [Channel; 3], scale: i32, grey: [u8; 3]) -> Self {
        let chroma = [(0, 2), (2, 1)].map(|(channel, part)| {
            let Channel { parts, .. } = &channels[channel];
            parts[0].iter().flat_map(|&luma| channels[channel].rising(part, luma)).collect()
        });
        Self { channels, chroma, scale, grey }
    }

    pub(super) fn of(colour: Colour) -> &'static Self {
        static JFIF: LazyLock<Tables> = LazyLock::new(jfif);
        static PHOTO_CD: LazyLock<Tables> = LazyLock::new(photo_cd);
        match colour {
            Colour::Jfif => &JFIF,
            Colour::PhotoCd => &PHOTO_CD,
        }
    }

    /// Symbols of a middle grey.
    pub(super) const fn grey(&self) -> [u8; 3] {
        self.grey
    }

    #[inline]
    pub(super) fn rgb(&self, symbols: [u8; 3]) -> [u8; 3] {
        [self.channels[0].value(symbols), self.channels[1].value(symbols), self.channels[2].value(symbols)]
    }

    /// The chromas that make the red and blue of a pixel of luma `y`, the second one first.
    #[inline]
    fn chromas(&self, y: u8, rgb: [u8; 3]) -> [[u8; 2]; 2] {
        let at = |value: u8| usize::from(y) << 8 | usize::from(value);
        [self.chroma[0][at(rgb[0])], self.chroma[1][at(rgb[2])]]
    }

    /// Symbols that make a pixel that is not clipped.
    pub(super) fn solve(&self, rgb: [u8; 3]) -> Option<[u8; 3]> {
        let [r, g, b] = rgb.map(i32::from);
        let luma = (19_595 * r + 38_470 * g + 7_471 * b + (1 << 15)) / self.scale;
        for step in [0, 1, -1, 2, -2] {
            let Ok(y) = u8::try_from(luma + step) else { continue };
            let [[second, last_second], [first, last_first]] = self.chromas(y, rgb);
            for second in second..=last_second {
                for first in first..=last_first {
                    if self.channels[1].value([y, first, second]) == rgb[1] {
                        return Some([y, first, second]);
                    }
                }
            }
        }
        None
    }

    /// The same where clipping leaves much open: of several symbols those with the least sum of steps from `near`.
    pub(super) fn solve_clipped(&self, rgb: [u8; 3], near: [u8; 3]) -> Option<[u8; 3]> {
        let green = &self.channels[1];
        let (mut least, mut best) = (u32::MAX, None);
        for y in around([0, 255], near[0]) {
            let steps = u32::from(y.abs_diff(near[0]));
            if steps >= least {
                break;
            }
            let [seconds, firsts] = self.chromas(y, rgb);
            // Green is highest where both are lowest.
            let in_reach = seconds[0] <= seconds[1] && firsts[0] <= firsts[1];
            if !in_reach || green.value([y, firsts[0], seconds[0]]) < rgb[1] || green.value([y, firsts[1], seconds[1]]) > rgb[1] {
                continue;
            }
            for second in around(seconds, near[2]) {
                let steps = steps + u32::from(second.abs_diff(near[2]));
                if steps >= least {
                    break;
                }
                // It falls with the first chroma, by less than one a step.
                let middle = near[1].clamp(firsts[0], firsts[1]);
                let wanted = if green.value([y, middle, second]) > rgb[1] { [middle, firsts[1]] } else { [firsts[0], middle] };
                let nearest = around(wanted, middle).take_while(|first| steps + u32::from(first.abs_diff(near[1])) < least);
                if let Some(symbols) = nearest.map(|first| [y, first, second]).find(|&symbols| green.value(symbols) == rgb[1]) {
                    (least, best) = (steps + u32::from(symbols[1].abs_diff(near[1])), Some(symbols));
                }
            }
        }
        best
    }
}

/// Symbols of colours that were met before: an image has few colours for its pixels.
pub(super) struct Solved {
    tables: &'static Tables,
    places: Box<[Met]>,
}

/// A colour, and the symbols that make it.
type Met = ([u8; 3], Option<[u8; 3]>);

impl Solved {
    /// Colours that are kept, by a hash: what the second cache holds easily.
    const PLACES_LOG2: u32 = 14;

    pub(super) fn new(tables: &'static Tables) -> Self {
        // Black is clipped, so nobody asks for it.
        Self { tables, places: vec![([0; 3], None); 1 << Self::PLACES_LOG2].into() }
    }

    /// Symbols that make a pixel that is not clipped.
    #[inline]
    pub(super) fn symbols(&mut self, rgb: [u8; 3]) -> Option<[u8; 3]> {
        let number = u32::from_le_bytes([rgb[0], rgb[1], rgb[2], 0]);
        let place = &mut self.places[(number.wrapping_mul(0x9e37_79b1) >> (32 - Self::PLACES_LOG2)) as usize];
        if place.0 != rgb {
            *place = (rgb, self.tables.solve(rgb));
        }
        place.1
    }
}
