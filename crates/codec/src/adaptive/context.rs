//! Exact values around a sample, and what is made of them: contexts of the counters, taps of the predictor, choices of mixer weights.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "positions are checked against the plane; values are 8-bit")]

use super::Place;
use super::lms::TAPS;
use crate::context::MAX_CHANNELS;

/// Contexts of the counters.
pub(crate) const CONTEXTS: usize = 9;

/// Multipliers of the hash: odd, and unlike each other.
pub(crate) const ODD: [u64; 5] = [0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x27D4_EB2F_1656_67C5, 0x85EB_CA77_C2B2_AE63];

/// Spreads what is in a number over all its bits.
#[inline(always)]
pub(crate) const fn spread(mut hash: u64) -> u64 {
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash ^ hash >> 32
}

#[inline(always)]
fn hash(parts: [i32; 5]) -> u64 {
    spread(parts.iter().zip(ODD).fold(0, |sum, (&part, odd)| sum.wrapping_add(u64::from(part.cast_unsigned()).wrapping_mul(odd))))
}

/// West, north, north-west, north-east, two to the west, two to the north. Outside the image: west is 0, north is west, and each of the
/// others is the nearest of these two.
type Six = [i32; 6];

/// What is known around a sample.
#[derive(Debug)]
pub(crate) struct Neighbours {
    /// For each channel.
    around: [Six; MAX_CHANNELS],
    /// Samples of the channels already coded in this pixel.
    here: [i32; MAX_CHANNELS],
}

/// The sample at an earlier place, if it lies inside the image.
#[inline(always)]
fn value(place: &Place<'_>, up: usize, dx: isize, c: usize) -> Option<i32> {
    let plane = place.plane;
    let x = place.x.checked_add_signed(dx).filter(|&x| x < plane.width && place.y >= up)?;
    Some(plane.samples[((place.y - up) * plane.width + x) * plane.channels + c].into())
}

impl Neighbours {
    #[inline(always)]
    pub(crate) fn new(place: &Place<'_>) -> Self {
        let mut around = [[0; 6]; MAX_CHANNELS];
        let mut here = [0; MAX_CHANNELS];
        for c in 0..place.plane.channels {
            let w = value(place, 0, -1, c).unwrap_or(0);
            let n = value(place, 1, 0, c).unwrap_or(w);
            let or = |up, dx, other| value(place, up, dx, c).unwrap_or(other);
            around[c] = [w, n, or(1, -1, n), or(1, 1, n), or(0, -2, w), or(2, 0, n)];
            if c < place.c {
                here[c] = or(0, 0, 0);
            }
        }
        Self { around, here }
    }

    /// Inputs of the linear predictor: for each channel its six neighbours and, if it is known, its sample here, each minus the channel's
    /// base (mean of west and north; of the channel to be coded, the Program's); then, below four channels, four places further off.
    #[inline(always)]
    pub(crate) fn taps(&self, place: &Place<'_>, taps: &mut [i32; TAPS]) {
        let mut taps = taps.iter_mut();
        let mut push = |value: i32| {
            if let Some(tap) = taps.next() {
                *tap = value;
            }
        };
        for (c, around) in self.around[..place.plane.channels].iter().enumerate() {
            let base = if c == place.c { place.base } else { (around[0] + around[1]) >> 1 };
            around.iter().for_each(|&neighbour| push(neighbour - base));
            if c < place.c {
                push(self.here[c] - base);
            }
        }
        if place.plane.channels < MAX_CHANNELS {
            for (up, dx) in [(1, 2), (2, 1), (1, -2), (2, -1)] {
                push(value(place, up, dx, place.c).map_or(0, |value| value - place.base));
            }
        }
    }

    /// The predictor's errors nearby, unit 1/16; 4 steps where there are none.
    #[inline(always)]
    pub(crate) fn spread(&self, place: &Place<'_>, errors: &[u16]) -> i32 {
        let plane = place.plane;
        let error = |up: usize, dx: isize| {
            let x = place.x.checked_add_signed(dx).filter(|&x| x < plane.width && place.y >= up);
            x.map_or(64, |x| i32::from(errors[((place.y - up) * plane.width + x) * plane.channels + place.c]))
        };
        (3 * error(0, -1) + 3 * error(1, 0) + error(1, -1) + error(1, 1)) >> 3
    }

    /// How much the neighbours differ, in four classes.
    #[inline(always)]
    pub(crate) fn activity(&self, c: usize) -> usize {
        let [w, n, nw, ne, ..] = self.around[c];
        match (w - nw).abs() + (n - nw).abs() + (n - ne).abs() {
            0..6 => 0,
            6..20 => 1,
            20..60 => 2,
            _ => 3,
        }
    }

    /// Which of the neighbours are equal, five bits.
    #[inline(always)]
    pub(crate) fn equal(&self, c: usize) -> usize {
        let [w, n, nw, ne, ww, nn] = self.around[c];
        [w == n, w == nw, n == ne, w == ww, n == nn].iter().rev().fold(0, |bits, &same| bits * 2 + usize::from(same))
    }

    /// Hashes of the contexts; `centre` is the Program's.
    #[inline(always)]
    pub(crate) fn hashes(&self, place: &Place<'_>, centre: i32) -> [u64; CONTEXTS] {
        let c = place.c;
        let [w, n, nw, ne, ww, _] = self.around[c];
        let before = |back: usize| c.checked_sub(back).map_or((0, 0, 0), |b| (self.here[b], self.around[b][0], self.around[b][1]));
        let ((p, p_w, p_n), (q, ..)) = (before(1), before(2));
        let parity = ((place.y & 1) * 2 + (place.x & 1)) as i32;
        let gradient = (w + n - nw).clamp(0, 255);
        let alone = c == 0;
        let tag = |number: i32| number * 4 + c as i32;
        [
            hash([tag(1), w, n, 0, 0]),
            if alone { hash([tag(2), w, nw, 0, 0]) } else { hash([tag(2), p, q, 0, 0]) },
            if alone { hash([tag(3), n, ne, 0, 0]) } else { hash([tag(3), w + p - p_w, n + p - p_n, 0, 0]) },
            if alone { hash([tag(4), ww, w, 0, 0]) } else { hash([tag(4), p, centre, 0, 0]) },
            hash([tag(5), gradient, ne >> 2, 0, 0]),
            hash([tag(6), p - p_w + w, q, parity, 0]),
            hash([tag(7), w, n, nw, ne]),
            hash([tag(8), centre, w, n, 0]),
            if alone { hash([tag(9), w, n, nw, ww]) } else { hash([tag(9), w, n, p, q]) },
        ]
    }
}
