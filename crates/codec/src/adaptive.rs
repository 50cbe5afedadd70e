//! Adaptive coding: the Program's distribution walked as binary decisions, each mixed with what this block has shown so far.
//!
//! A symbol is reached by halving the alphabet, highest bit first. At each halving the Program says how likely the upper half is; an expert
//! says it too, a logistic around a least-squares correction of the Program's mean that follows the image; and counters under hashed
//! contexts of exact values remember how such decisions fell before. A logistic mixer weighs them by what they earned. All state is integers
//! and begins anew with each block, so that every machine walks the same way. After PAQ (Mahoney, 2005) and its image models; `FORMAT.md`
//! holds it in full.
//!
//! The pixels of a batch take their decisions side by side: the counters of all are asked from memory before the first is needed.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tables are as large as their indices, planes are checked before the walk, and ranges of sums are stated beside them"
)]

pub(crate) mod context;
pub(crate) mod counter;
mod expert;
mod fit;
mod lane;
pub(crate) mod logit;
pub(crate) mod mixer;
mod seen;
mod view;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Vectors, prefetch};

use crate::block::{BATCH, References};
use crate::cdf::GROUP;
use crate::cdf::Mixtures;
use crate::context::{MAX_CHANNELS, Plane};
use crate::error::Error;
use crate::kernel::Kernel;
use crate::limits::Budget;
use context::{CONTEXTS, LANES, Neighbours};
use counter::{Line, SLOT_LEVELS, Table};
use expert::Expert;
use fit::Fits;
use lane::{Edge, Lane};
use mixer::{INPUTS, KINDS, Mixer};
use seen::Seen;
use view::View;

/// Columns to the right that contexts and taps look at in the row above; none looks further to the right for each row up.
pub(crate) const REACH: usize = 2;

/// A pixel of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Number of the image in its block.
    pub(crate) image: usize,
    pub(crate) y: usize,
    pub(crate) x: usize,
}

/// Codes one decision of probability `p` (that it falls upwards, unit 2^-24); `known` is how it falls, for an encoder.
pub(crate) trait Decide {
    fn decide(&mut self, p: u32, known: bool) -> Result<bool, Error>;
}

/// What a block has shown so far.
#[derive(Debug)]
pub(crate) struct Adaptive {
    depth: u32,
    /// Those of [`x86`] that are to be used.
    #[cfg(target_arch = "x86_64")]
    vectors: Option<x86::Vectors>,
    stretch: Box<[i16; 4096]>,
    rates: Box<[i32; 64]>,
    table: Table,
    mixers: [Mixer<INPUTS>; KINDS],
    /// For each channel and level, how often the Program was wrong of late where it was sure, unit 2^-16.
    doubts: [i32; MAX_CHANNELS * 8],
    fits: Fits,
    /// For each image, shape `[height, width, channels]`, unit 1/16: the expert's absolute errors and the Program's signed ones.
    errors: Vec<Vec<u16>>,
    misses: Vec<Vec<i16>>,
    /// What each image of the present wave sees of its reference; empty if there are no references.
    views: Vec<Option<View>>,
    references: References,
    /// Of each pixel of the batch.
    lanes: Vec<Lane>,
    taps: Vec<[i16; fit::INPUTS]>,
    trust: [i32; BATCH],
}

/// Decisions of so many pixels are weighed before the first of them is learned from: 0.1 % against one by one on emoji, nothing elsewhere. It is the
/// format's, and happens to be a vector of distributions.
const _: () = assert!(GROUP == 16);
/// Odds beyond 2^10 to 1 are coded as the Program says, and no counter or mixer learns from them: most upper bits are sure. Against 2^13 Kodak gains
/// 0.2 %, emoji lose 0.2 %, and a quarter to a half of the decisions are quick.
const SURE: u32 = 10;
/// Where the Program was wrong more often than once in 256 when it was sure, its decisions are mixed all the same.
const DOUBT: i32 = 1 << 8;
/// Bound of a mixed probability: 2^-15 either way.
const LEAST: u32 = 1 << 9;
/// First weights, unit 2^-16, of the counters' log-odds, the Program's and the expert's: 0.1 to 0.4 % better than 8000, 65536 and 0.
const FIRST_WEIGHTS: [i32; 3] = [8000, 45_056, 24_576];
/// The same where there is a reference: 0.05 to 0.1 % better than those.
const FIRST_WEIGHTS_BY_REFERENCE: [i32; 3] = [6000, 20_000, 45_056];

impl Adaptive {
    /// State before the first sample of a block, paid for out of `budget`.
    #[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables, reason = "only x86-64 has a choice of instructions"))]
    pub(crate) fn new(kernel: Kernel, planes: &[Plane], depth: u8, references: References, budget: &mut Budget) -> Result<Self, Error> {
        let samples = planes.iter().map(|plane| plane.samples.len() as u64).sum::<u64>();
        // A sixteenth of the samples: half as many lose 0.1 % on Kodak and 0.7 % on emoji.
        let log2_lines = (samples.max(1).next_power_of_two().ilog2().saturating_sub(4)).clamp(6, 17);
        budget.take("errors of a block", samples, (size_of::<u16>() + size_of::<i16>()) as u64)?;
        budget.take("counters of a block", (CONTEXTS as u64) << log2_lines, size_of::<Line>() as u64)?;
        budget.take("working memory of a batch", BATCH as u64, size_of::<Lane>() as u64)?;
        let views = if references.any() { planes.len() } else { 0 };
        budget.take("references of a block", views as u64, size_of::<Option<View>>() as u64)?;
        for (image, plane) in planes.iter().enumerate() {
            if references.of(image).is_some() {
                View::pay(plane, budget)?;
            }
        }
        let first = |weights: [i32; 3]| {
            let mut first = [0; INPUTS];
            first[..CONTEXTS].fill(weights[0]);
            first[CONTEXTS..LANES].copy_from_slice(&weights[1..]);
            first
        };
        // Images with a reference have sets of their own, behind those of the others.
        let halves = if references.any() { &[first(FIRST_WEIGHTS), first(FIRST_WEIGHTS_BY_REFERENCE)][..] } else { &[first(FIRST_WEIGHTS)] };
        let nothing = vec![[0; INPUTS]; halves.len()];
        let mixer = |sets: usize, first: &[[i32; INPUTS]]| Mixer::new(MAX_CHANNELS * 8 * sets, first);
        Ok(Self {
            depth: depth.into(),
            #[cfg(target_arch = "x86_64")]
            vectors: x86::Vectors::of(kernel),
            stretch: logit::table(),
            rates: counter::rates(),
            table: Table::new(log2_lines),
            mixers: [mixer(4, halves), mixer(32, &nothing), mixer(32, &nothing), mixer(64, &nothing)],
            doubts: [0; MAX_CHANNELS * 8],
            fits: Fits::new(kernel, planes, &references, budget)?,
            errors: planes.iter().map(|plane| vec![0; plane.samples.len()]).collect(),
            misses: planes.iter().map(|plane| vec![0; plane.samples.len()]).collect(),
            views: std::iter::repeat_with(|| None).take(views).collect(),
            references,
            lanes: vec![Lane::default(); BATCH],
            taps: vec![[0; fit::INPUTS]; BATCH],
            trust: [0; BATCH],
        })
    }

    /// Looks at the references of the images of a wave, before their first pixel.
    pub(crate) fn begin(&mut self, planes: &[Plane], wave: usize) {
        for (image, view) in self.views.iter_mut().enumerate() {
            let reference = self.references.of(image).filter(|_| self.references.wave(image) == wave);
            *view = reference.map(|reference| View::new(&planes[image], reference, &planes[reference.image], &self.misses[reference.image]));
        }
    }

    /// Codes channel `c` of the pixels of a batch under their distributions; `decide` is asked for each decision. `symbols` are those an encoder knows, and
    /// afterwards those that were coded.
    pub(crate) fn code(
        &mut self,
        planes: &[Plane],
        c: usize,
        places: &[Place],
        mixtures: &Mixtures,
        symbols: &mut [u8],
        decide: &mut impl Decide,
    ) -> Result<(), Error> {
        /// Runs a step by the instructions at hand.
        macro_rules! run {
            ($name:ident($($argument:expr),*)) => {{
                #[cfg(target_arch = "x86_64")]
                if let Some(vectors) = self.vectors {
                    x86::$name(self, vectors, $($argument),*);
                } else {
                    self.$name($($argument),*);
                }
                #[cfg(not(target_arch = "x86_64"))]
                self.$name($($argument),*);
            }};
        }
        self.lanes.iter_mut().zip(&*symbols).for_each(|(lane, &symbol)| lane.known = symbol);
        run!(look_around(planes, c, places, mixtures));
        for level in 0..self.depth {
            run!(halve(level, places.len(), mixtures));
            for from in (0..places.len()).step_by(GROUP) {
                let to = (from + GROUP).min(places.len());
                run!(weigh(c, level, from, to));
                self.decide(level, from, to, decide)?;
                run!(learn(c, level, from, to));
            }
        }
        run!(settle(planes, c, places));
        symbols.iter_mut().zip(&self.lanes).for_each(|(symbol, lane)| *symbol = lane.low.symbol as u8);
        Ok(())
    }

    /// Gathers what is known of each pixel before its sample is coded.
    #[inline(always)]
    fn look_around(&mut self, planes: &[Plane], c: usize, places: &[Place], mixtures: &Mixtures) {
        let mut centres = [0; GROUP];
        for (i, place) in places.iter().enumerate() {
            if i.is_multiple_of(GROUP) {
                centres = mixtures.centres(i, (places.len() - i).min(GROUP));
            }
            self.lanes[i].centre = centres[i % GROUP].cast_signed();
            if context::is_inside(&planes[place.image], place) {
                self.look_around_one::<true>(&planes[place.image], c, i, place);
            } else {
                self.look_around_one::<false>(&planes[place.image], c, i, place);
            }
        }
    }

    #[inline(always)]
    fn look_around_one<const INSIDE: bool>(&mut self, plane: &Plane, c: usize, i: usize, place: &Place) {
        let (lane, taps, misses) = (&mut self.lanes[i], &mut self.taps[i], &self.misses[place.image]);
        let near = Neighbours::new::<INSIDE>(plane, place, c);
        lane.path = 1;
        lane.fit = self.fits.find(place.image, place.y, c);
        let seen = self.views.get(place.image).and_then(Option::as_ref).map(|view| Seen::new(view, place, c));
        match &seen {
            Some(seen) => near.taps_by::<INSIDE>(plane, place, lane.centre, misses, seen, taps),
            None => near.taps::<INSIDE>(plane, place, lane.centre, misses, taps),
        }
        lane.correction = self.fits.predict(lane.fit, taps);
        let mean = (lane.centre + lane.correction).clamp(0, 255 * 16);
        (lane.hashes, lane.equal, lane.first_set) = match &seen {
            Some(seen) => (near.hashes_by(mean >> 4, seen), near.equal_to(seen), MAX_CHANNELS * 8),
            None => (near.hashes(lane.centre >> 4), near.equal(), 0),
        };
        let (spread, missed) = near.spread::<INSIDE>(plane, place, &self.errors[place.image], misses);
        lane.expert = Expert::new(mean, spread);
        self.trust[i] = 2048 / (spread + 32);
        lane.activity = near.activity();
        lane.apart = ((mean - lane.centre).abs() >> 4).min(7) as usize;
        lane.better = context::better(spread, missed);
        lane.low = Edge::default();
        lane.high = Edge { symbol: 1 << self.depth, mass: 1 << 24, expert: 1 << 24 };
    }

    /// Finds what the Program and the expert say of all pixels' decisions, and asks for the slots of those that it leaves open.
    #[inline(always)]
    fn halve(&mut self, level: u32, pixels: usize, mixtures: &Mixtures) {
        let log2_scale = 8 - self.depth;
        for from in (0..pixels).step_by(GROUP) {
            let lanes = &mut self.lanes[from..pixels.min(from + GROUP)];
            let mut middles = [0; GROUP];
            for (middle, lane) in middles.iter_mut().zip(&*lanes) {
                *middle = u32::midpoint(lane.low.symbol, lane.high.symbol);
            }
            let masses = mixtures.masses_below(from, lanes.len(), &middles);
            for ((lane, symbol), mass) in lanes.iter_mut().zip(middles).zip(masses) {
                let expert = lane.expert.below((symbol << log2_scale).cast_signed()).clamp(lane.low.expert, lane.high.expert);
                lane.middle = Edge { symbol, mass, expert };
                let (yes, no) = (lane.high.mass - mass, mass - lane.low.mass);
                lane.sure = yes >> SURE > no || no >> SURE > yes;
                lane.stated = yes > no;
                if level.is_multiple_of(SLOT_LEVELS) {
                    (lane.found, lane.asked, lane.node) = (false, false, 1);
                }
                if !lane.sure && !lane.asked {
                    lane.ask(&self.table, level);
                }
            }
        }
    }

    /// How likely some pixels' decisions fall upwards.
    #[inline(always)]
    fn weigh(&mut self, c: usize, level: u32, from: usize, to: usize) {
        for lane in &mut self.lanes[from..to] {
            let (yes, no) = (lane.high.mass - lane.middle.mass, lane.middle.mass - lane.low.mass);
            let at = c * 8 + level as usize;
            lane.mixed = !lane.sure || self.doubts[at] >= DOUBT;
            if !lane.mixed {
                lane.p = (((u64::from(yes) << 24) / u64::from(yes + no)) as u32).clamp(1, (1 << 24) - 1);
                continue;
            }
            if !lane.found {
                if !lane.asked {
                    lane.ask(&self.table, level);
                }
                self.table.find(&lane.slot_hashes, &mut lane.slots);
                lane.found = true;
            }
            lane.counters = self.table.counters(&lane.slots, lane.node);
            let [mut logits, mut milds] = counter::logits(&lane.counters, &self.stretch);
            let stated = logit::of_masses(yes, no);
            // Both ways have at least 16, so the quotient is below 4096.
            let (expert_yes, expert_all) = (lane.high.expert - lane.middle.expert + 16, lane.high.expert - lane.low.expert + 32);
            logits[CONTEXTS] = stated;
            logits[CONTEXTS + 1] = self.stretch[((u64::from(expert_yes) << 12) / u64::from(expert_all)) as usize & 4095].into();
            milds[CONTEXTS] = 64;
            lane.inputs.0[..LANES].copy_from_slice(&logits);
            lane.inputs.0[LANES..].copy_from_slice(&milds);
            let sure = (stated.abs() >> 8).min(3) as usize;
            let at = at + lane.first_set;
            lane.sets = [at * 4 + lane.activity, at * 32 + lane.equal, at * 32 + lane.apart * 4 + sure, at * 64 + lane.better];
            lane.p = logit::probability(mixer::mix(&self.mixers, &lane.sets, &lane.inputs.0)).clamp(LEAST, (1 << 24) - LEAST);
        }
    }

    /// Codes some pixels' decisions.
    #[inline(always)]
    fn decide(&mut self, level: u32, from: usize, to: usize, decide: &mut impl Decide) -> Result<(), Error> {
        for lane in &mut self.lanes[from..to] {
            lane.up = decide.decide(lane.p, (lane.known >> (self.depth - 1 - level)) & 1 == 1)?;
            lane.path = lane.path * 2 + u32::from(lane.up);
            (lane.low, lane.high) = if lane.up { (lane.middle, lane.high) } else { (lane.low, lane.middle) };
        }
        Ok(())
    }

    /// Learns from some pixels' decisions.
    #[inline(always)]
    fn learn(&mut self, c: usize, level: u32, from: usize, to: usize) {
        let doubt = &mut self.doubts[c * 8 + level as usize];
        for lane in &mut self.lanes[from..to] {
            if lane.sure {
                let wrong = lane.up != lane.stated;
                *doubt += ((i32::from(wrong) << 16) - *doubt) >> 8;
            }
            if lane.mixed {
                let error = ((i32::from(lane.up) << 24) - lane.p.cast_signed()) >> 8;
                for (mixer, &set) in self.mixers.iter_mut().zip(&lane.sets) {
                    mixer.learn(set, &lane.inputs.0, error);
                }
                counter::learn(&mut lane.counters, lane.up, &self.rates, counter::LIMIT);
                self.table.put(&lane.slots, lane.node, &lane.counters);
            }
            lane.node = lane.node * 2 + usize::from(lane.up);
        }
    }

    /// Keeps the symbols, and what the fits learn from them.
    #[inline(always)]
    fn settle(&mut self, planes: &[Plane], c: usize, places: &[Place]) {
        let log2_scale = 8 - self.depth;
        let mut targets = [0i32; BATCH];
        for (i, (place, lane)) in places.iter().zip(&self.lanes).enumerate() {
            let plane = &planes[place.image];
            // Within +-4080.
            let missed = (lane.low.symbol << log2_scale).cast_signed() * 16 - lane.centre;
            targets[i] = missed.clamp(-2047, 2047);
            let at = (place.y * plane.width + place.x) * plane.channels + c;
            self.errors[place.image][at] = (missed - lane.correction).unsigned_abs().min(4095) as u16;
            self.misses[place.image][at] = missed as i16;
        }
        let mut from = 0;
        for to in 1..=places.len() {
            let fit = self.lanes[from].fit;
            if to == places.len() || self.lanes[to].fit != fit {
                self.fits.learn(fit, &self.taps[from..to], &targets[from..to], &self.trust[from..to]);
                from = to;
            }
        }
    }
}

#[cfg(test)]
mod tests;
