//! What a reference shows around a sample, and what is made of it: contexts of the counters, taps of the predictor, choices of mixer weights.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "positions are checked against the plane; values are 8-bit")]

use super::Place;
use super::context::{FURTHER, FURTHEST, LANES, NEAREST, Neighbours, hash, index, value};
use super::fit::INPUTS;
use super::view::{Nine, View};
use crate::context::{MAX_CHANNELS, Plane};

/// What an image's reference shows at a sample of it.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Samples of the same channel there and around.
    around: Nine,
    /// Samples of all channels there.
    here: [i32; MAX_CHANNELS],
    /// The Program's miss of that sample, unit 1/16.
    miss: i32,
}

impl Seen {
    #[inline(always)]
    pub(crate) fn new(view: &View, place: &Place, now: usize) -> Self {
        Self { around: view.around(place.y, place.x, now), here: view.here(place.y, place.x), miss: view.miss(place.y, place.x, now) }
    }
}

impl Neighbours {
    /// Inputs of a fit, as by [`Neighbours::taps`], where there is a reference.
    #[inline(always)]
    pub(crate) fn taps_by<const INSIDE: bool>(
        &self,
        plane: &Plane,
        place: &Place,
        centre: i32,
        misses: &[i16],
        seen: &Seen,
        taps: &mut [i16; INPUTS],
    ) {
        let middle = (centre + 8) >> 4;
        let mut taps = taps.iter_mut();
        let mut push = |value: i32| {
            if let Some(tap) = taps.next() {
                *tap = value.clamp(-127, 127) as i16;
            }
        };
        let miss = |at, c| index::<INSIDE>(plane, place, at, c).map_or(0, |at| i32::from(misses[at]) >> 3);
        for neighbour in self.around[self.now] {
            push(neighbour - middle);
        }
        for neighbour in seen.around {
            push(neighbour - middle);
        }
        // Its neighbours' misses as well: 0.1 % less on bursts, 0.3 % more on slices.
        push(seen.miss >> 3);
        for at in NEAREST {
            push(miss(at, self.now));
        }
        for (c, (&[w, n, ..], here)) in self.around.iter().zip(self.here).enumerate().take(plane.channels) {
            if c < self.now {
                push(miss((0, 0), c));
                for neighbour in [seen.here[c], w, n] {
                    push(neighbour - here);
                }
            } else if c > self.now {
                push(seen.here[c] - n);
                for at in [(0, -1), (1, 0)] {
                    push(miss(at, c));
                }
            }
        }
        // Two loops, not `chain`: it would not be compiled for the instructions at hand.
        let far = |at| value::<INSIDE>(plane, place, at, self.now).map_or(0, |value| value - middle);
        for at in FURTHER {
            push(far(at));
        }
        for at in FURTHEST {
            push(far(at));
        }
        for tap in taps {
            *tap = 0;
        }
    }

    /// Which of the neighbours are as the reference has them, five bits.
    #[inline(always)]
    pub(crate) fn equal_to(&self, seen: &Seen) -> usize {
        let [w, n, nw, ne, ..] = self.around[self.now];
        let [seen_nw, seen_n, seen_ne, seen_w, ..] = seen.around;
        let before = self.now.checked_sub(1).map_or(w == n, |c| self.here[c] == seen.here[c]);
        [w == seen_w, n == seen_n, nw == seen_nw, ne == seen_ne, before].iter().rev().fold(0, |bits, &same| bits * 2 + usize::from(same))
    }

    /// Hashes of the contexts where there is a reference; `mean` is the expert's in whole steps.
    #[inline(always)]
    pub(crate) fn hashes_by(&self, mean: i32, seen: &Seen) -> [u32; LANES] {
        let c = self.now;
        let [w, n, nw, ne, ..] = self.around[c];
        let [_, seen_n, _, seen_w, here, seen_e, _, seen_s, _] = seen.around;
        let before = |back: usize| c.checked_sub(back).map_or((0, 0), |b| (self.here[b], seen.here[b]));
        let ((p, seen_p), (q, _)) = (before(1), before(2));
        let west = w + here - seen_w;
        let (first, second, sixth) = if c == 0 {
            ([here, w - seen_w, n - seen_n, 0], [west, n + here - seen_n, 0, 0], [w, n, nw, 0])
        } else {
            ([here, p - seen_p, 0, 0], [west, here + p - seen_p, 0, 0], [p, q, 0, 0])
        };
        let fifth = [(w + n - nw).clamp(0, 255), ne >> 2, 0, 0];
        let with = |number: i32, [a, b, c, d]: [i32; 4]| hash([number * 4 + self.now as i32, a, b, c, d]);
        let (third, fourth) = ([here, seen_e, seen_s, 0], [mean, here, 0, 0]);
        [with(7, first), with(8, second), with(9, third), with(10, fourth), with(11, fifth), with(12, sixth), 0, 0]
    }
}
