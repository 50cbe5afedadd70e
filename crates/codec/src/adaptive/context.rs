//! Exact values around a sample, and what is made of them: contexts of the counters, taps of the predictor, choices of mixer weights.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "positions are checked against the plane; values are 8-bit")]

use super::Place;
use super::fit::INPUTS;
use crate::context::{MAX_CHANNELS, Plane};

/// Contexts of the counters.
pub(crate) const CONTEXTS: usize = 6;
/// Contexts in a vector: the last two are nobody's.
pub(crate) const LANES: usize = 8;

/// Multipliers of the hash: odd, and unlike each other.
const ODD: [u32; 5] = [0x9E37_79B1, 0x85EB_CA77, 0xC2B2_AE3D, 0x27D4_EB2F, 0x1656_67B1];

/// Spreads what is in a number over all its bits.
#[inline(always)]
pub(crate) const fn spread(mut hash: u32) -> u32 {
    hash ^= hash >> 15;
    hash = hash.wrapping_mul(0x2C1B_3C6D);
    hash ^= hash >> 12;
    hash = hash.wrapping_mul(0x297A_2D39);
    hash ^ hash >> 15
}

#[inline(always)]
pub(crate) fn hash(parts: [i32; 5]) -> u32 {
    parts.iter().zip(ODD).fold(0, |sum: u32, (&part, odd)| sum.wrapping_add(part.cast_unsigned().wrapping_mul(odd)))
}

/// West, north, north-west, north-east, two to the west, two to the north. Outside the image: west is 0, north is west, and each of the
/// others is the nearest of these two.
type Six = [i32; 6];

/// What is known around a sample of channel `now`.
#[derive(Debug)]
pub(crate) struct Neighbours {
    pub(super) now: usize,
    /// For each channel.
    pub(super) around: [Six; MAX_CHANNELS],
    /// Samples of the channels already coded in this pixel.
    pub(super) here: [i32; MAX_CHANNELS],
}

/// Further places, as rows up and columns right: these four, and eight more where there is room.
pub(super) const FURTHER: [(usize, isize); 4] = [(1, 2), (2, 1), (1, -2), (2, -1)];
pub(super) const FURTHEST: [(usize, isize); 8] = [(0, -3), (3, 0), (2, 2), (2, -2), (3, 1), (3, -1), (0, -4), (1, -3)];
/// West, north, north-west, north-east.
pub(super) const NEAREST: [(usize, isize); 4] = [(0, -1), (1, 0), (1, -1), (1, 1)];

/// Whether all places around a pixel lie inside the image, so that none of them needs to be asked.
#[inline(always)]
pub(crate) const fn is_inside(plane: &Plane, place: &Place) -> bool {
    place.y >= 3 && place.x >= 4 && place.x + 2 < plane.width
}

/// Index of an earlier sample, if it lies inside the image.
#[inline(always)]
pub(super) fn index<const INSIDE: bool>(plane: &Plane, place: &Place, (up, dx): (usize, isize), c: usize) -> Option<usize> {
    let x = place.x.wrapping_add_signed(dx);
    if INSIDE || x < plane.width && place.y >= up { Some(((place.y - up) * plane.width + x) * plane.channels + c) } else { None }
}

/// An earlier sample, if it lies inside the image.
#[inline(always)]
pub(super) fn value<const INSIDE: bool>(plane: &Plane, place: &Place, at: (usize, isize), c: usize) -> Option<i32> {
    index::<INSIDE>(plane, place, at, c).map(|at| plane.samples[at].into())
}

impl Neighbours {
    #[inline(always)]
    pub(crate) fn new<const INSIDE: bool>(plane: &Plane, place: &Place, now: usize) -> Self {
        let mut around = [[0; 6]; MAX_CHANNELS];
        let mut here = [0; MAX_CHANNELS];
        for (c, (around, here)) in around.iter_mut().zip(&mut here).enumerate().take(plane.channels) {
            let w = value::<INSIDE>(plane, place, (0, -1), c).unwrap_or(0);
            let n = value::<INSIDE>(plane, place, (1, 0), c).unwrap_or(w);
            let or = |at, other| value::<INSIDE>(plane, place, at, c).unwrap_or(other);
            *around = [w, n, or((1, -1), n), or((1, 1), n), or((0, -2), w), or((2, 0), n)];
            if c < now {
                *here = or((0, 0), 0);
            }
        }
        Self { now, around, here }
    }

    /// Inputs of a fit; `centre` and `misses` (the Program's mean and signed errors) have unit 1/16.
    #[inline(always)]
    pub(crate) fn taps<const INSIDE: bool>(&self, plane: &Plane, place: &Place, centre: i32, misses: &[i16], taps: &mut [i16; INPUTS]) {
        let middle = (centre + 8) >> 4;
        let mut taps = taps.iter_mut();
        let mut push = |value: i32| {
            if let Some(tap) = taps.next() {
                *tap = value.clamp(-127, 127) as i16;
            }
        };
        let far = |at| value::<INSIDE>(plane, place, at, self.now).map_or(0, |value| value - middle);
        let miss = |at, c| index::<INSIDE>(plane, place, at, c).map_or(0, |at| i32::from(misses[at]) >> 3);
        // Loops, not `for_each`: it would not be compiled for the instructions at hand.
        for neighbour in self.around[self.now] {
            push(neighbour - middle);
        }
        for at in FURTHER {
            push(far(at));
        }
        for at in NEAREST {
            push(miss(at, self.now));
        }
        for (c, (&[w, n, nw, ne, ..], here)) in self.around.iter().zip(self.here).enumerate().take(plane.channels) {
            if c < self.now {
                push(miss((0, 0), c));
                for neighbour in [w, n, nw, ne] {
                    push(neighbour - here);
                }
            } else if c > self.now {
                for neighbour in [w, nw, ne] {
                    push(neighbour - n);
                }
                for at in [(0, -1), (1, 0)] {
                    push(miss(at, c));
                }
            }
        }
        for at in FURTHEST {
            push(far(at));
        }
        for tap in taps {
            *tap = 0;
        }
    }

    /// Absolute errors nearby, of the expert and of the Program, unit 1/16; 4 steps where there are none.
    #[inline(always)]
    pub(crate) fn spread<const INSIDE: bool>(&self, plane: &Plane, place: &Place, errors: &[u16], misses: &[i16]) -> (i32, i32) {
        // Loops, not `map` or `chain`: these would not be compiled for the instructions at hand.
        let (mut spread, mut missed) = (0, 0);
        for (at, (error, miss)) in NEAREST.into_iter().zip([(4, 3), (4, 3), (1, 1), (1, 1)]) {
            let at = index::<INSIDE>(plane, place, at, self.now);
            spread += error * at.map_or(64, |at| i32::from(errors[at]));
            missed += miss * at.map_or(64, |at| i32::from(misses[at]).abs());
        }
        for at in [(0, -2), (2, 0), FURTHER[0], FURTHER[1], FURTHER[2], FURTHER[3]] {
            spread += index::<INSIDE>(plane, place, at, self.now).map_or(64, |at| i32::from(errors[at]));
        }
        (spread >> 4, missed >> 3)
    }

    /// How much the neighbours differ, in four classes.
    #[inline(always)]
    pub(crate) fn activity(&self) -> usize {
        let [w, n, nw, ne, ..] = self.around[self.now];
        match (w - nw).abs() + (n - nw).abs() + (n - ne).abs() {
            0..6 => 0,
            6..20 => 1,
            20..60 => 2,
            _ => 3,
        }
    }

    /// Which of the neighbours are equal, five bits.
    #[inline(always)]
    pub(crate) fn equal(&self) -> usize {
        let [w, n, nw, ne, ww, nn] = self.around[self.now];
        [w == n, w == nw, n == ne, w == ww, n == nn].iter().rev().fold(0, |bits, &same| bits * 2 + usize::from(same))
    }

    /// Hashes of the contexts; `centre` is the Program's mean in whole steps.
    #[inline(always)]
    pub(crate) fn hashes(&self, centre: i32) -> [u32; LANES] {
        let c = self.now;
        let [w, n, nw, ne, ww, _] = self.around[c];
        let before = |back: usize| c.checked_sub(back).map_or((0, 0, 0), |b| (self.here[b], self.around[b][0], self.around[b][1]));
        let ((p, p_w, p_n), (q, ..)) = (before(1), before(2));
        let gradient = (w + n - nw).clamp(0, 255);
        let tag = |number: i32| number * 4 + c as i32;
        let [first, second, third, sixth] = if c == 0 {
            [[w, nw, 0, 0], [n, ne, 0, 0], [ww, w, 0, 0], [w, n, nw, ww]]
        } else {
            [[p, q, 0, 0], [w + p - p_w, n + p - p_n, 0, 0], [p, centre, 0, 0], [w, n, p, q]]
        };
        let with = |number, [a, b, c, d]: [i32; 4]| hash([tag(number), a, b, c, d]);
        let fifth = [w, n, nw, ne];
        [with(1, first), with(2, second), with(3, third), with(4, [gradient, ne >> 2, 0, 0]), with(5, fifth), with(6, sixth), 0, 0]
    }
}

/// How well the expert does nearby, in eight classes, eight times; and against the Program, in eight: see [`Neighbours::spread`].
#[inline(always)]
pub(crate) fn better(spread: i32, missed: i32) -> usize {
    let rough = [8, 16, 32, 64, 96, 160, 256].iter().map(|&bound| usize::from(spread >= bound)).sum::<usize>();
    let against = [8, 12, 14, 16, 17, 19, 24].iter().map(|&bound| usize::from((spread + 8) * 16 >= bound * (missed + 8))).sum::<usize>();
    8 * rough + against
}
