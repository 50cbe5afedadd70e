//! How likely each coefficient is: counters under what is around it, mixed.
//!
//! A component is coded block after block. Of each block: the place of its last coefficient, in zigzag order; the coefficients from there back to the first, so
//! that of each the higher frequencies are known; DC at the end, as a difference to what the borders say. Each number is some binary decisions: is it 0, its sign,
//! how many bits it has, one by one, and these bits. Counters and mixers learn from every decision and go on from file to file of a block of the archive.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "planes are as large as their components say, coefficients are 0..64 and of 16 bits, hashes wrap"
)]

use super::border::{Edge, Open, PLACE, Steps};
use super::mix::{Bases, Mix};
use super::scan::Block;
use super::stream::{Component, Stream};
use crate::Error;
use crate::adaptive::Decide;
#[cfg(target_arch = "x86_64")]
use crate::adaptive::Vectors;
use crate::kernel::Kernel;

/// Kinds of decisions: whether a number is 0, its sign, whether it has more bits (6), its upper bits (4), the place of the last coefficient.
const ZERO: usize = 0;
const SIGN: usize = 1;
const MORE: usize = 2;
const BITS: usize = 8;
const LAST: usize = 12;
pub(super) const KINDS: usize = 13;

/// Most bits of a number below its first: differences of DC have one more than coefficients.
const MOST_BITS: u32 = 16;

const NONE: Block = [0; 64];

/// What is kept of the blocks of a component that is coded.
#[derive(Debug)]
pub(super) struct Done {
    across: usize,
    /// Place of the last coefficient, and what DC differed by.
    last: Vec<u8>,
    missed: Vec<i16>,
    /// Sums at the lower borders of the row above and of this row's blocks so far, and at the right border of the block before.
    lower: Vec<Edge>,
    right: Edge,
}

/// A number by its size, in steps that grow with it: 0 to 4 as they are, then two steps for each doubling.
#[inline(always)]
pub(super) const fn size(n: u32) -> u32 {
    if n < 4 {
        n
    } else {
        let log2 = n.ilog2();
        2 * log2 + (n >> (log2 - 1) & 1)
    }
}

/// The same of a number with a sign.
#[inline(always)]
const fn signed(n: i32) -> u32 {
    size(n.unsigned_abs()) << 1 | (n < 0) as u32
}

/// What codes components.
#[derive(Debug)]
pub(super) struct Model {
    /// Those that are to be used.
    #[cfg(target_arch = "x86_64")]
    vectors: Option<Vectors>,
    mix: Mix,
}

/// A component, and what is known when its blocks are coded.
#[derive(Debug)]
pub(super) struct Part<'a> {
    steps: Steps,
    class: u32,
    across: usize,
    /// The first component, if this is another: its blocks, and how they lie beside those of this one.
    first: Option<(&'a [Block], &'a [i16], Beside)>,
    /// The component before, if it has as many blocks.
    before: Option<(&'a [Block], &'a [i16])>,
}

/// Blocks of the first component at a block of another: so many across and down, of rows of so many and so many rows.
#[derive(Debug, Clone, Copy)]
struct Beside {
    h: usize,
    v: usize,
    across: usize,
    down: usize,
}

/// Blocks around the one that is coded.
struct Around<'a> {
    class: u32,
    west: &'a Block,
    north: &'a Block,
    north_west: &'a Block,
    north_east: &'a Block,
    /// Sizes of the first component's coefficients at this place, and those of the component before, if it is another with the same blocks.
    first: [u32; 64],
    before: &'a Block,
    /// What DC differed by in these.
    missed: [i32; 2],
}

impl Model {
    /// `2^log2` lines of counters for each context.
    #[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables, reason = "only x86-64 has a choice of instructions"))]
    pub(super) fn new(kernel: Kernel, log2: u32) -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            vectors: Vectors::of(kernel),
            mix: Mix::new(log2),
        }
    }

    /// Bytes that [`Model::new`] takes, about.
    pub(super) const fn bytes(log2: u32) -> u64 {
        Mix::bytes(log2)
    }

    /// Codes the components of a file. Blocks are read if `coder` encodes, written if it decodes.
    pub(super) fn code(&mut self, stream: &Stream, planes: &mut [Vec<Block>], coder: &mut impl Decide) -> Result<(), Error> {
        let mut misses: Vec<Vec<i16>> = Vec::new();
        for (c, component) in stream.components.iter().enumerate() {
            let Some(quant) = stream.quant(c) else { return Err(super::corrupt()) };
            let (coded, rest) = planes.split_at_mut(c);
            let Some(plane) = rest.first_mut() else { return Err(super::corrupt()) };
            let known = || coded.iter().zip(&misses).map(|(blocks, missed)| (blocks.as_slice(), missed.as_slice()));
            let beside = |first: &Component| Beside {
                h: (first.across / component.across).max(1),
                v: (first.down / component.down).max(1),
                across: first.across,
                down: first.down,
            };
            let part = Part {
                steps: Steps::new(quant),
                class: (c as u32).min(2),
                across: component.across,
                first: known().next().zip(stream.components.first()).map(|((blocks, missed), first)| (blocks, missed, beside(first))),
                before: known().next_back().filter(|(blocks, _)| blocks.len() == plane.len()),
            };
            #[cfg(target_arch = "x86_64")]
            let done = match self.vectors {
                Some(vectors) => super::x86::blocks(self, vectors, &part, plane, coder)?,
                None => self.blocks(&part, plane, coder)?,
            };
            #[cfg(not(target_arch = "x86_64"))]
            let done = self.blocks(&part, plane, coder)?;
            misses.push(done.missed);
        }
        Ok(())
    }

    /// Codes the blocks of a component.
    #[inline(always)]
    pub(super) fn blocks<D: Decide>(&mut self, part: &Part<'_>, plane: &mut [Block], coder: &mut D) -> Result<Done, Error> {
        let (across, blocks) = (part.across, plane.len());
        let mut done = Done { across, last: vec![0; blocks], missed: vec![0; blocks], lower: vec![[0; 8]; across], right: [0; 8] };
        for at in 0..blocks {
            let (x, y) = (at % across, at / across);
            let earlier = &plane[..at];
            let get = |is_there: bool, back: usize| if is_there { &earlier[at - back] } else { &NONE };
            let north = get(y > 0, across);
            let mut around = Around {
                class: part.class,
                west: get(x > 0, 1),
                north,
                north_west: get(y > 0 && x > 0, across + 1),
                north_east: if x + 1 < across { get(y > 0, across - 1) } else { north },
                first: [0; 64],
                before: &NONE,
                missed: [0; 2],
            };
            if let Some((first, missed, beside)) = part.first {
                for (j, i) in (0..beside.v).flat_map(|j| (0..beside.h).map(move |i| (j, i))) {
                    let place = (y * beside.v + j).min(beside.down - 1) * beside.across + (x * beside.h + i).min(beside.across - 1);
                    for (sum, value) in around.first.iter_mut().zip(&first[place]) {
                        *sum += u32::from(value.unsigned_abs());
                    }
                    around.missed[0] += i32::from(missed[place]);
                }
            }
            if let Some((before, missed)) = part.before {
                (around.before, around.missed[1]) = (&before[at], missed[at].into());
            }
            let mut block = plane[at];
            self.block(&around, &part.steps, &mut done, at, &mut block, coder)?;
            plane[at] = block;
        }
        Ok(done)
    }

    #[inline(always)]
    fn block(
        &mut self,
        around: &Around<'_>,
        steps: &Steps,
        done: &mut Done,
        at: usize,
        block: &mut Block,
        coder: &mut impl Decide,
    ) -> Result<(), Error> {
        let (x, y) = (at % done.across, at / done.across);
        let mut open = Open::new((y > 0).then(|| done.lower[x]), (x > 0).then_some(done.right));
        let last = self.last(around, steps, done, at, block, coder)?;
        done.last[at] = last as u8;
        let mut known = Known::new(around);
        for k in (1..=last).rev() {
            let (bases, sets) = ac_contexts(around, steps, &known, &open, k, last);
            let value = self.number(&bases, sets, k, k == last, block[k].into(), coder)?;
            block[k] = i16::try_from(value).map_err(|_| super::corrupt())?;
            if value != 0 {
                open.take(steps, block, k);
                known.take(k, block[k]);
            }
        }
        let mut estimates = [0; 16];
        let n = open.dc(steps, &mut estimates);
        let guess = Guess::of(&mut estimates, n);
        let (bases, sets) = dc_contexts(around, steps, done, at, &guess, last);
        let difference = self.number(&bases, sets, 0, false, i32::from(block[0]) - guess.value, coder)?;
        block[0] = i16::try_from(difference + guess.value).map_err(|_| super::corrupt())?;
        done.missed[at] = difference.clamp(-(1 << 12), 1 << 12) as i16;
        (done.lower[x], done.right) = steps.beyond(block);
        Ok(())
    }

    /// The place of the last coefficient but DC that is not 0, or 0.
    #[inline(always)]
    fn last(&mut self, around: &Around<'_>, steps: &Steps, done: &Done, at: usize, block: &Block, coder: &mut impl Decide) -> Result<usize, Error> {
        let (x, y) = (at % done.across, at / done.across);
        let of = |is_there: bool, back: usize| if is_there { u32::from(done.last[at - back]) } else { 0 };
        let west = of(x > 0, 1);
        let north = of(y > 0, done.across);
        let [corner, east] = [of(x > 0 && y > 0, done.across + 1), of(y > 0 && x + 1 < done.across, done.across.wrapping_sub(1))];
        let first = (1..64).rev().find(|&k| around.first[k] > 0).unwrap_or(0) as u32;
        let before = (1..64).rev().find(|&k| around.before[k] != 0).unwrap_or(0) as u32;
        let both = (west + north).div_ceil(2);
        let energy = |block: &Block| block[1..].iter().map(|value| u32::from(value.unsigned_abs())).sum::<u32>();
        let (west_energy, north_energy) = (size(energy(around.west)), size(energy(around.north)));
        let high = |block: &Block| block[10..].iter().map(|value| u32::from(value.unsigned_abs())).sum::<u32>();
        let edge = u32::from(x == 0) + 2 * u32::from(y == 0);
        let bases = Bases::new(
            256 + around.class,
            [
                [west / 2, north / 2, 0],
                [both, first / 4, 0],
                [both, before / 4, edge],
                [west_energy, north_energy, 0],
                [corner / 4, east / 4, both / 4],
                [size(high(around.west)), size(high(around.north)), 0],
                [west, north, 1],
                [first, before, 0],
                [size(steps.quant[1].cast_unsigned()), both / 2, 0],
                [size(around.first[1..].iter().sum()), size(energy(around.before)), 0],
                [both, (west_energy + north_energy) / 4, edge],
            ],
            0,
        );
        let known = (1..64).rev().find(|&k| block[k] != 0).unwrap_or(0);
        let (mut node, mut tree) = (1, 1);
        for level in (0..6).rev() {
            if level % 3 == 2 {
                self.mix.find(&bases, node as u32);
            }
            let sets = [(around.class as usize * 64 + node) * KINDS + LAST, both as usize / 4 * KINDS + LAST, (first as usize / 8) * KINDS + LAST];
            let up = self.mix.decide(&bases, [tree, tree], sets, known >> level & 1 == 1, coder)?;
            node = node << 1 | usize::from(up);
            tree = if level == 3 { 1 } else { tree << 1 | u32::from(up) };
        }
        Ok(node - 64)
    }

    /// A number; `is_some`: that it is not 0 is known.
    #[inline(always)]
    fn number(&mut self, bases: &Bases, sets: [usize; 3], k: usize, is_some: bool, known: i32, coder: &mut impl Decide) -> Result<i32, Error> {
        let mut decide = |mix: &mut Mix, kind: usize, nodes: [u32; 2], known: bool| {
            let sets = [(sets[0] * 64 + k) * KINDS + kind, sets[1] * KINDS + kind, sets[2] * KINDS + kind];
            mix.decide(bases, nodes, sets, known, coder)
        };
        self.mix.find(bases, 0);
        if !is_some && !decide(&mut self.mix, ZERO, [0, 0], known != 0)? {
            return Ok(0);
        }
        let negative = decide(&mut self.mix, SIGN, [1, 1], known < 0)?;
        let size = known.unsigned_abs();
        let most = size.max(1).ilog2();
        let mut bits = 0;
        let more = |bits: u32| {
            let node = bits.min(5);
            (MORE + node as usize, [2 + node, if negative { 8 + node } else { 2 + node }])
        };
        while let (kind, nodes) = more(bits)
            && decide(&mut self.mix, kind, nodes, most > bits)?
        {
            bits += 1;
            if bits > MOST_BITS {
                return Err(super::corrupt());
            }
        }
        let mut value = 1u32;
        for (from_top, bit) in (0..bits).rev().enumerate() {
            // Three upper bits are known by those before; each of the others stands alone.
            if from_top == 0 {
                self.mix.find(bases, 64 + bits + if negative { 32 } else { 0 });
            }
            let node = if from_top < 3 { value } else { 8 + bit.min(7) };
            let up = decide(&mut self.mix, BITS + from_top.min(3), [node, node], size >> bit & 1 == 1)?;
            value = value << 1 | u32::from(up);
        }
        let value = value.cast_signed();
        Ok(if negative { -value } else { value })
    }
}

/// What is known of a block's coefficients so far.
struct Known {
    /// Those known, with a margin of zeros: shape `[10, 10]`, rows and columns.
    grid: [i16; 100],
    /// Sums of their sizes in each row and column, of all, and how many are not 0.
    rows: [u32; 8],
    columns: [u32; 8],
    sum: u32,
    count: u32,
    /// Sizes of each coefficient around: those of the blocks to the left and above, twice these and the blocks beside that one, and of the first two over some
    /// places in zigzag order.
    both: [u32; 68],
    beside: [u32; 64],
}

impl Known {
    #[inline(always)]
    fn new(around: &Around<'_>) -> Self {
        let mut known = Self { grid: [0; 100], rows: [0; 8], columns: [0; 8], sum: 0, count: 0, both: [0; 68], beside: [0; 64] };
        for k in 0..64 {
            let size = |block: &Block| u32::from(block[k].unsigned_abs());
            known.both[k] = size(around.west) + size(around.north);
            known.beside[k] = 2 * known.both[k] + size(around.north_west) + size(around.north_east);
        }
        known
    }

    #[inline(always)]
    fn take(&mut self, k: usize, value: i16) {
        let (u, v) = (usize::from(PLACE[k] % 8), usize::from(PLACE[k] / 8));
        let size = u32::from(value.unsigned_abs());
        self.grid[10 * v + u] = value;
        self.rows[v] += size;
        self.columns[u] += size;
        self.sum += size;
        self.count += 1;
    }
}

/// Contexts of AC coefficient `k`.
#[inline(always)]
fn ac_contexts(around: &Around<'_>, steps: &Steps, known: &Known, open: &Open, k: usize, last: usize) -> (Bases, [usize; 3]) {
    let (u, v) = (usize::from(PLACE[k] % 8), usize::from(PLACE[k] / 8));
    // Coefficients of this block to the right, below, and further.
    let here = |du: usize, dv: usize| i32::from(known.grid[10 * (v + dv) + u + du]);
    let [right, below, both] = [here(1, 0), here(0, 1), here(1, 1)];
    let near = (right.unsigned_abs() + below.unsigned_abs()) * 2 + both.unsigned_abs() + here(2, 0).unsigned_abs() + here(0, 2).unsigned_abs();
    let (down, along) = open.foretold(steps, k);
    let foretold = match (u, v) {
        (0, _) => along,
        (_, 0) => down,
        _ => (down + along) / 2,
    };
    let beside = known.beside[k];
    let before = i32::from(around.before[k]);
    // The neighbours around this frequency; DC is none of it.
    let energy = if k == 1 { 0 } else { known.both[k - 1] } + known.both[k] + known.both[k + 1] + known.both[k + 2];
    let bases = Bases::new(
        around.class << 6 | k as u32,
        [
            [last as u32, size(known.count), 0],
            [signed(down / 2), signed(along / 2), 0],
            [size(around.first[k]), signed(before), size(near / 4)],
            [signed(right), signed(below), size(both.unsigned_abs())],
            [known.count.min(15), size(known.sum), size(beside / 4)],
            [signed(foretold), size(near / 4), 0],
            [signed(around.west[k].into()), signed(around.north[k].into()), 0],
            [size(energy), size(near), size(known.count)],
            [signed(foretold), size(beside), 0],
            [size(steps.quant[k].cast_unsigned()), size(near + beside), 0],
            [size(known.rows[v]), size(known.columns[u]), 0],
        ],
        1 << 1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 8,
    );
    (bases, [around.class as usize, (size(near + beside) as usize).min(15), (signed(foretold) as usize).min(23)])
}

/// What the borders say of DC.
struct Guess {
    value: i32,
    /// Between the second and the third quarter of estimates; between their means above and to the left.
    spread: u32,
    apart: i32,
    upper: i32,
    left: i32,
}

impl Guess {
    fn of(estimates: &mut [i32; 16], n: usize) -> Self {
        let mean = |estimates: &[i32]| if estimates.is_empty() { 0 } else { estimates.iter().sum::<i32>() / estimates.len() as i32 };
        let bound = |value: i32| value.clamp(-(1 << 14), 1 << 14);
        if n == 0 {
            return Self { value: 0, spread: 0, apart: 0, upper: 0, left: 0 };
        }
        let (upper, left) = (bound(mean(&estimates[..8])), bound(mean(&estimates[n - 8..n])));
        let known = &mut estimates[..n];
        known.sort_unstable();
        let middle = &known[n / 4..n - n / 4];
        let value = bound(mean(middle));
        let spread = middle[middle.len() - 1].abs_diff(middle[0]);
        Self { value, spread, apart: upper - left, upper, left }
    }
}

/// Contexts of what DC differs by.
#[inline(always)]
fn dc_contexts(around: &Around<'_>, steps: &Steps, done: &Done, at: usize, guess: &Guess, last: usize) -> (Bases, [usize; 3]) {
    let (x, y) = (at % done.across, at / done.across);
    let miss = |is_there: bool, back: usize| if is_there { i32::from(done.missed[at - back]) } else { 0 };
    let (west, north) = (miss(x > 0, 1), miss(y > 0, done.across));
    let edge = u32::from(x == 0) + 2 * u32::from(y == 0);
    let [w, n, nw] = [around.west, around.north, around.north_west].map(|block| i32::from(block[0]));
    let missed_around = size(west.unsigned_abs() + north.unsigned_abs());
    let bases = Bases::new(
        around.class << 6,
        [
            [size(guess.spread), edge, 0],
            [size(guess.spread), signed(guess.apart), 0],
            [size(west.unsigned_abs()), size(north.unsigned_abs()), edge],
            [signed(guess.upper - guess.value), signed(guess.left - guess.value), 0],
            [signed(west), signed(north), 0],
            [last as u32, size(guess.spread), 0],
            [size(steps.quant[0].cast_unsigned()), size(guess.spread), missed_around],
            [signed(around.missed[0]), signed(around.missed[1]), 0],
            [signed(w + n - nw - guess.value), size(guess.spread), 0],
            [signed(w - guess.value), signed(n - guess.value), edge],
            [missed_around, size(guess.spread), size(around.missed[1].unsigned_abs())],
        ],
        1 << 1 | 1 << 3 | 1 << 4 | 1 << 7 | 1 << 8 | 1 << 9,
    );
    let class = around.class as usize;
    (bases, [class, (size(guess.spread) as usize).min(15), (missed_around as usize).min(23)])
}
