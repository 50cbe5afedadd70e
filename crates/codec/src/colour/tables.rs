//! Conversions as sums of table entries.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tables have an entry for each byte; see the module above")]

use std::ops::Range;
use std::sync::LazyLock;

use super::{Colour, MOST_APART};

/// One of red, green and blue: the sum of an entry for each symbol, shifted to the right, within a byte.
#[derive(Debug)]
pub(super) struct Channel {
    shift: u32,
    /// For luma and both chromas.
    parts: [[i32; 256]; 3],
}

/// A conversion. Red does not depend on the first chroma, blue not on the second; both rise with the other.
#[derive(Debug)]
pub(super) struct Tables {
    channels: [Channel; 3],
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
    Tables {
        channels: [
            Channel { shift: 16, parts: [luma, none, chroma(91_881, 1 << 15)] },
            Channel { shift: 16, parts: [luma, chroma(-22_554, 0), chroma(-46_802, 1 << 15)] },
            Channel { shift: 16, parts: [luma, chroma(116_130, 1 << 15), none] },
        ],
        scale: 1 << 16,
        grey: [128; 3],
    }
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
    Tables {
        channels: [
            Channel { shift: 14, parts: [luma, none, fine(18_215, GREY[1])] },
            Channel {
                shift: 12,
                parts: [
                    entries(|y| halves(13_584 * y * (1 << 13))),
                    entries(|chroma| halves(-1_940 * whole(22_179, GREY[0], chroma) * (1 << 13))),
                    entries(|chroma| halves(-5_090 * whole(18_215, GREY[1], chroma) * (1 << 13) + 10_000)),
                ],
            },
            Channel { shift: 14, parts: [luma, fine(22_179, GREY[0]), none] },
        ],
        scale: 89_024,
        grey: [94, GREY[0] as u8, GREY[1] as u8],
    }
}

impl Channel {
    #[inline]
    fn value(&self, [y, first, second]: [u8; 3]) -> u8 {
        let sum = self.parts[0][usize::from(y)] + self.parts[1][usize::from(first)] + self.parts[2][usize::from(second)];
        (sum >> self.shift).clamp(0, 255) as u8
    }

    /// The symbols number `part` that make `value` of luma `y`.
    #[inline]
    fn range(&self, y: u8, part: usize, value: u8) -> Range<i32> {
        let (table, value, luma) = (&self.parts[part], i32::from(value), self.parts[0][usize::from(y)]);
        let below = |bound: i32| table.partition_point(|&entry| entry < bound) as i32;
        let from = if value == 0 { 0 } else { below((value << self.shift) - luma) };
        let to = if value == 255 { 256 } else { below(((value + 1) << self.shift) - luma) };
        from..to
    }
}

impl Tables {
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

    /// Symbols that make a pixel; of several, such as are `near`.
    pub(super) fn solve(&self, rgb: [u8; 3], near: [u8; 3]) -> Option<[u8; 3]> {
        if rgb.iter().all(|&value| value > 0 && value < 255) {
            let [r, g, b] = rgb.map(i32::from);
            let luma = (19_595 * r + 38_470 * g + 7_471 * b + (1 << 15)) / self.scale;
            return [0, 1, -1, 2, -2].into_iter().find_map(|step| self.with_luma(u8::try_from(luma + step).ok()?, rgb, near));
        }
        if self.rgb(near) == rgb {
            return Some(near);
        }
        (0..256)
            .flat_map(|step| [i32::from(near[0]) + step, i32::from(near[0]) - step])
            .find_map(|y| self.with_luma(u8::try_from(y).ok()?, rgb, near))
    }

    fn with_luma(&self, y: u8, rgb: [u8; 3], near: [u8; 3]) -> Option<[u8; 3]> {
        let (seconds, firsts) = (self.channels[0].range(y, 2, rgb[0]), self.channels[2].range(y, 1, rgb[2]));
        if seconds.is_empty() || firsts.is_empty() {
            return None;
        }
        let around = |range: &Range<i32>, near: u8| {
            let (range, middle) = (range.clone(), i32::from(near).clamp(range.start, range.end - 1));
            let steps = (0..=MOST_APART).flat_map(|step| [step, -step]).skip(1);
            steps.map(move |step| middle + step).filter(move |at| range.contains(at)).map(|at| at as u8)
        };
        around(&seconds, near[2])
            .find_map(|second| around(&firsts, near[1]).map(|first| [y, first, second]).find(|&symbols| self.channels[1].value(symbols) == rgb[1]))
    }
}
