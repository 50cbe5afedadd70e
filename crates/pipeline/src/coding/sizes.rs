//! How large the blocks are that are coded adaptively: each learns as it goes, but small ones decode side by side, quicker, and one image out of them costs less.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use kolmo_codec::block::Method;
use kolmo_codec::program::Program;

use super::{Coded, adaptive_pays, encoded, packed};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::work::Crew;

/// Pixels of a block. Emoji take 2 % less with the largest than with the middle ones; cifar10 takes 0.1 % less with the middle ones than with the smallest, and
/// 0.2 % less again with the largest.
const BLOCK_PIXELS: [u64; 3] = [1 << 16, 1 << 18, 1 << 20];

/// Blocks of at least so many bytes have paid for what adaptive coding takes to begin with: larger ones are worth a look only where much is gained by coding
/// adaptively at all. omniglot's smallest ones take 2 kB, and 5 % less as largest ones; cifar10's take 86 kB.
const BEGUN_BYTES: usize = 1 << 15;

/// Blocks that tell so: two, as few machines have one core.
const LOOKED_AT: usize = 2;

/// Blocks that tell what all take, from all over: all four of emoji_noto64.
const JUDGED_BY: usize = 4;

/// Blocks that were coded in one way to see what they take, by the numbers of their images: what turns out to be in the plan is not coded again. Clones
/// share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tried(Arc<Mutex<BTreeMap<Vec<usize>, Coded>>>);

impl Tried {
    /// The block of these images, by `code` unless it is kept here.
    pub(super) fn take(&self, numbers: &[usize], code: impl FnOnce() -> Result<Coded, Error>) -> Result<Coded, Error> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(numbers);
        known.map_or_else(code, Ok)
    }

    /// The same, coded adaptively.
    pub(super) fn take_adaptive(&self, dataset: &Dataset, numbers: &[usize], program: &Program) -> Result<Coded, Error> {
        self.take(numbers, || encoded(dataset, numbers, program, Method::Adaptive))
    }

    /// Keeps a block of these images. Says what it takes, bytes.
    pub(super) fn keep(&self, numbers: &[usize], coded: Coded) -> usize {
        let bytes = coded.0.bytes.len();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(numbers.to_vec(), coded);
        bytes
    }

    /// Codes blocks adaptively, one for each of `runs`, and keeps them. Says what each takes, bytes.
    pub(super) fn look(&self, dataset: &Dataset, runs: &[Vec<usize>], program: &Program, crew: &mut Crew<'_>) -> Result<Vec<usize>, Error> {
        let coded = crew.map("looking", runs, |numbers| self.take_adaptive(dataset, numbers, program))?;
        Ok(runs.iter().zip(coded).map(|(numbers, coded)| self.keep(numbers, coded)).collect())
    }

    /// Bytes that images take adaptively, in blocks of the largest size, where all together take `direct` bytes by direct coding: some of the blocks are coded,
    /// and kept. Small pieces do not tell it: emoji that are like each other are neighbours, so one of ten of them takes 15 % more than it does among all.
    /// Nothing is said of images that fill a block each, which hardly learn from each other.
    pub(crate) fn judged(
        &self,
        dataset: &Dataset,
        numbers: &[usize],
        program: &Program,
        direct: u64,
        crew: &mut Crew<'_>,
    ) -> Result<Option<u64>, Error> {
        let pixels = |number: usize| dataset.pixels(number);
        if fill_a_block(numbers, pixels)? {
            return Ok(None);
        }
        let plan = packed(numbers, pixels, BLOCK_PIXELS[2])?;
        let n_runs = plan.len().min(JUDGED_BY);
        let runs: Vec<Vec<usize>> = (0..n_runs).map(|run| plan[(2 * run + 1) * plan.len() / (2 * n_runs)].clone()).collect();
        let adaptive: usize = self.look(dataset, &runs, program, crew)?.into_iter().sum();
        if n_runs == plan.len() {
            return Ok(Some(adaptive as u64));
        }
        let directly: usize = directly(dataset, &runs, program, crew)?;
        Ok(Some((direct as f64 * adaptive as f64 / directly.max(1) as f64) as u64))
    }

    /// Packs images in the smallest blocks, unless larger ones pay where they are tried, in the middle: by a quarter of `saves`, the share of the bytes for which
    /// adaptive coding is worth the bother. They are not even tried where nothing is to be expected of them.
    pub(super) fn packed(
        &self,
        dataset: &Dataset,
        numbers: &[usize],
        program: &Program,
        saves: f64,
        crew: &mut Crew<'_>,
    ) -> Result<Vec<Vec<usize>>, Error> {
        let pixels = |number: usize| dataset.pixels(number);
        let mut plan = packed(numbers, pixels, BLOCK_PIXELS[0])?;
        if fill_a_block(numbers, pixels)? || !self.is_learned_from(dataset, &plan, program, saves, crew)? {
            return Ok(plan);
        }
        for size in &BLOCK_PIXELS[1..] {
            let larger = packed(numbers, pixels, *size)?;
            if larger.len() == plan.len() {
                continue;
            }
            let middle = &larger[larger.len() / 2];
            // The large one first: it takes longest.
            let tries: Vec<Vec<usize>> = std::iter::once(middle.clone()).chain(runs_of(&plan, middle)).collect();
            let bytes = self.look(dataset, &tries, program, crew)?;
            if bytes[0] as f64 >= bytes[1..].iter().sum::<usize>() as f64 * (1.0 - saves / 4.0) {
                break;
            }
            plan = larger;
        }
        Ok(plan)
    }

    /// Whether blocks of a plan, those in the middle, have hardly begun to learn at their ends, or gain much by what they learned.
    fn is_learned_from(&self, dataset: &Dataset, plan: &[Vec<usize>], program: &Program, saves: f64, crew: &mut Crew<'_>) -> Result<bool, Error> {
        let middle = plan.len().saturating_sub(LOOKED_AT) / 2;
        let runs: Vec<Vec<usize>> = plan.iter().skip(middle).take(LOOKED_AT).cloned().collect();
        let adaptive: usize = self.look(dataset, &runs, program, crew)?.into_iter().sum();
        if adaptive < BEGUN_BYTES * runs.len() {
            return Ok(true);
        }
        Ok(adaptive_pays(adaptive as u64, directly(dataset, &runs, program, crew)? as u64, saves))
    }
}

/// Whether images fill a block each, on average. They teach each other nothing: together, aerials and em_membrane take as much as before, nuclei 0.2 and Kodak
/// 0.6 % more.
fn fill_a_block(numbers: &[usize], pixels: impl Fn(usize) -> Result<u64, Error>) -> Result<bool, Error> {
    let total = numbers.iter().copied().map(pixels).sum::<Result<u64, Error>>()?;
    Ok(total >= BLOCK_PIXELS[0] * numbers.len() as u64)
}

/// Bytes of blocks by direct coding.
fn directly(dataset: &Dataset, runs: &[Vec<usize>], program: &Program, crew: &mut Crew<'_>) -> Result<usize, Error> {
    let bytes = crew.map("looking", runs, |numbers| Ok(encoded(dataset, numbers, program, Method::Direct)?.0.bytes.len()))?;
    Ok(bytes.into_iter().sum())
}

/// The runs of a `plan` as far as they hold the numbers of `middle`, all in ascending order.
fn runs_of<'a>(plan: &'a [Vec<usize>], middle: &'a [usize]) -> impl Iterator<Item = Vec<usize>> + 'a {
    let within = |run: &'a Vec<usize>| run.iter().copied().filter(|number| middle.binary_search(number).is_ok()).collect::<Vec<_>>();
    plan.iter().map(within).filter(|run| !run.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::{Under, Way, by_program};
    use super::*;
    use crate::dataset::{Loading, load};
    use crate::files::list;
    use crate::observe::Silent;
    use crate::options::{Fidelity, StopFlag};
    use crate::pages::Aside;
    use crate::rating::Rating;
    use crate::tests::plain_program;

    /// A grey file of 64 x 64: boxes of a few levels, the same ones for the same seed, each file of another brightness.
    fn file(seed: u32, shade: u8) -> Vec<u8> {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 16
        };
        let mut samples = vec![shade; 64 * 64];
        for _ in 0..24 {
            let (top, left, side, level) = (next() % 56, next() % 56, 3 + next() % 12, (next() % 200) as u8);
            for row in top..(top + side).min(64) {
                let start = (row * 64 + left) as usize;
                samples[start..start + side.min(64 - left) as usize].fill(level);
            }
        }
        [b"P5 64 64 255\n".as_slice(), &samples].concat()
    }

    #[test]
    fn what_neighbours_teach_each_other_is_foreseen() {
        let folder = tempfile::tempdir().unwrap();
        // Each drawing twice, one after the other: pieces of every second file meet none again.
        (0..104).for_each(|n: u32| std::fs::write(folder.path().join(format!("{n:03}.pgm")), file(n / 2, 200 + (n % 50) as u8)).unwrap());
        let (stop, mut observer) = (StopFlag::default(), Silent);
        let crew = &mut Crew::new(0, &stop, &mut observer).unwrap();
        let how = Loading { fidelity: Fidelity::Pixels, seed: 0, sample_bytes: 1 << 24, memory_bytes: 1 << 30 };
        let aside = Aside::new(&std::env::temp_dir(), 1 << 30);
        let dataset = load(list(folder.path(), &[], true, &aside, crew).unwrap(), &how, crew).unwrap();
        let group = &dataset.groups[0];
        let program = &plain_program(group.layout);
        let rating = Rating::new(&dataset, group).unwrap();
        let direct = rating.direct_bytes(program).unwrap();
        let way = Way::Fixed(Method::Adaptive);
        let (_, by_pieces) = rating.judged(program, direct, way).unwrap();
        let tried = Tried::default();
        let by_blocks = tried.judged(&dataset, &group.items, program, direct, crew).unwrap().unwrap();
        let is_kept = || tried.0.lock().unwrap().contains_key(&group.items);
        assert!(is_kept(), "all images are one block");
        let real = by_program(&dataset, group, Under { program, tried: &tried }, way, folder.path(), crew).unwrap().blocks.bytes();
        assert!(!is_kept(), "which is not coded again");
        let off = |estimate: u64| (estimate as f64 / real as f64 - 1.0).abs();
        assert!(off(by_blocks) < 0.02, "{by_blocks} for {real}");
        assert!(off(by_pieces) > 0.05, "{by_pieces} for {real}: nothing here shows that blocks tell more");
    }
}
