//! How large the blocks are that are coded adaptively: each learns as it goes, but small ones decode side by side, quicker, and one image out of them costs less.

use std::collections::BTreeMap;
use std::sync::Mutex;

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

/// Blocks that were coded in one way to see what they take, by the numbers of their images: what turns out to be in the plan is not coded again.
#[derive(Debug, Default)]
pub(super) struct Tried(Mutex<BTreeMap<Vec<usize>, Coded>>);

impl Tried {
    /// The block of these images, by `code` unless it is kept here.
    pub(super) fn take(&self, numbers: &[usize], code: impl FnOnce() -> Result<Coded, Error>) -> Result<Coded, Error> {
        let known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(numbers);
        known.map_or_else(code, Ok)
    }

    /// The same, coded adaptively.
    pub(super) fn take_adaptive(&self, dataset: &Dataset, numbers: &[usize], program: &Program) -> Result<Coded, Error> {
        self.take(numbers, || encoded(dataset, numbers, program, Method::Adaptive))
    }

    /// Keeps a block of these images. Says what it takes, bytes.
    pub(super) fn keep(&mut self, numbers: &[usize], coded: Coded) -> usize {
        let bytes = coded.0.bytes.len();
        self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).insert(numbers.to_vec(), coded);
        bytes
    }

    /// Codes blocks adaptively, one for each of `runs`, and keeps them. Says what each takes, bytes.
    pub(super) fn look(&mut self, dataset: &Dataset, runs: &[Vec<usize>], program: &Program, crew: &mut Crew<'_>) -> Result<Vec<usize>, Error> {
        let coded = crew.map("looking", runs, |numbers| self.take_adaptive(dataset, numbers, program))?;
        Ok(runs.iter().zip(coded).map(|(numbers, coded)| self.keep(numbers, coded)).collect())
    }

    /// Packs images in the smallest blocks, unless larger ones pay where they are tried, in the middle: by a quarter of `saves`, the share of the bytes for which
    /// adaptive coding is worth the bother. They are not even tried where nothing is to be expected of them.
    pub(super) fn packed(
        &mut self,
        dataset: &Dataset,
        numbers: &[usize],
        program: &Program,
        saves: f64,
        crew: &mut Crew<'_>,
    ) -> Result<Vec<Vec<usize>>, Error> {
        let pixels = |number: usize| dataset.pixels(number);
        let mut plan = packed(numbers, pixels, BLOCK_PIXELS[0])?;
        let total = numbers.iter().copied().map(pixels).sum::<Result<u64, Error>>()?;
        // Images that fill a block each teach each other nothing: together, aerials and em_membrane take as much as before, nuclei 0.2 and Kodak 0.6 % more.
        if total >= BLOCK_PIXELS[0] * numbers.len() as u64 || !self.is_learned_from(dataset, &plan, program, saves, crew)? {
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
    fn is_learned_from(&mut self, dataset: &Dataset, plan: &[Vec<usize>], program: &Program, saves: f64, crew: &mut Crew<'_>) -> Result<bool, Error> {
        let middle = plan.len().saturating_sub(LOOKED_AT) / 2;
        let runs: Vec<Vec<usize>> = plan.iter().skip(middle).take(LOOKED_AT).cloned().collect();
        let adaptive: usize = self.look(dataset, &runs, program, crew)?.into_iter().sum();
        if adaptive < BEGUN_BYTES * runs.len() {
            return Ok(true);
        }
        let direct = crew.map("looking", &runs, |numbers| Ok(encoded(dataset, numbers, program, Method::Direct)?.0.bytes.len()))?;
        Ok(adaptive_pays(adaptive as u64, direct.into_iter().sum::<usize>() as u64, saves))
    }
}

/// The runs of a `plan` as far as they hold the numbers of `middle`, all in ascending order.
fn runs_of<'a>(plan: &'a [Vec<usize>], middle: &'a [usize]) -> impl Iterator<Item = Vec<usize>> + 'a {
    let within = |run: &'a Vec<usize>| run.iter().copied().filter(|number| middle.binary_search(number).is_ok()).collect::<Vec<_>>();
    plan.iter().map(within).filter(|run| !run.is_empty())
}
