//! Codes images into blocks by a Program.

mod references;
mod sizes;

use std::path::Path;

use kolmo_codec::block::{self, Encoded, ImageRef, Method};
use kolmo_codec::container::block_digest;
use kolmo_codec::program::Program;

use crate::dataset::{Dataset, Group};
use crate::error::Error;
use crate::options::CompressOptions;
use crate::spool::Spool;
use crate::work::Crew;
pub(crate) use sizes::Tried;

/// Pixels of a block: enough lanes for the kernel, few enough that blocks spread over threads and one item costs little to read.
const BLOCK_PIXELS: u64 = 1 << 18;

/// Share of a group's bytes that adaptive coding has to save to be worth its slower decoding: by default, and where density counts most.
const ADAPTIVE_GAIN: f64 = 0.03;
const ADAPTIVE_GAIN_DENSEST: f64 = 0.002;
/// The same of some blocks, for larger ones to be tried where adaptive coding was asked for.
const ADAPTIVE_GAIN_ASKED: f64 = 0.01;
/// The least effort at which density counts most.
const DENSEST: u8 = 7;

/// Blocks by which adaptive coding is judged where images are of several kinds.
const MIXED_TRIALS: usize = 6;

/// How samples are to be coded under a Program.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Way {
    /// So.
    Fixed(Method),
    /// Adaptively, if that saves this share of the bytes.
    IfAdaptiveSaves(f64),
}

impl Way {
    /// What was wished for; else what pays at this effort.
    pub(crate) fn new(options: &CompressOptions) -> Self {
        let densest = options.learn.as_ref().is_some_and(|learn| learn.effort >= DENSEST);
        options.coding.map_or(Self::IfAdaptiveSaves(if densest { ADAPTIVE_GAIN_DENSEST } else { ADAPTIVE_GAIN }), Self::Fixed)
    }
}

/// A Program, and blocks that were coded adaptively under it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Under<'a> {
    pub(crate) program: &'a Program,
    pub(crate) tried: &'a Tried,
}

/// A block before it has a place.
#[derive(Debug)]
pub(crate) struct CodedBlock<C> {
    pub(crate) coding: C,
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: [u8; 16],
    /// Items that begin in it, ascending.
    pub(crate) items: Vec<usize>,
}

/// Images of one group, coded by a Program.
#[derive(Debug)]
pub(crate) struct ProgramCoded {
    /// Direct or adaptive, or by references where some images are; what is direct is coded by lanes where a block is large.
    pub(crate) method: Method,
    /// Images that are coded given another one.
    pub(crate) referring: u64,
    pub(crate) blocks: Spool,
    /// Cross-entropy of the samples, bits.
    pub(crate) ideal_bits: f64,
    pub(crate) subpixels: u64,
}

/// Codes the images of a group in blocks of whole images: in the `way` that is wished for.
pub(crate) fn by_program(
    dataset: &Dataset,
    group: &Group,
    under: Under<'_>,
    way: Way,
    aside: &Path,
    crew: &mut Crew<'_>,
) -> Result<ProgramCoded, Error> {
    let (numbers, program) = (&group.items, under.program);
    match way {
        // Deep symbols are coded directly.
        _ if program.is_deep() => directly(dataset, numbers, program, Method::Direct, aside, crew),
        Way::Fixed(Method::References) => references::wherever_found(dataset, numbers, program, aside, crew),
        Way::Fixed(Method::Adaptive) => adaptively(dataset, numbers, under, ADAPTIVE_GAIN_ASKED, aside, crew),
        Way::Fixed(method) => directly(dataset, numbers, program, method, aside, crew),
        Way::IfAdaptiveSaves(share) => match references::if_they_pay(dataset, group, under, share, aside, crew)? {
            Some(coded) => Ok(coded),
            None => by_share(dataset, numbers, group.mixed, under, share, aside, crew),
        },
    }
}

/// Codes images directly, or adaptively if that saves this `share`. `mixed`: they are of several kinds.
fn by_share(
    dataset: &Dataset,
    numbers: &[usize],
    mixed: bool,
    under: Under<'_>,
    share: f64,
    aside: &Path,
    crew: &mut Crew<'_>,
) -> Result<ProgramCoded, Error> {
    let Under { program, tried } = under;
    let direct = directly(dataset, numbers, program, Method::Direct, aside, crew)?;
    // The block in the middle tells whether the others are worth trying: adaptive coding takes several times as long. Where images are of several
    // kinds it tells of one of them only.
    let places = direct.blocks.places();
    let n_trials = if mixed { MIXED_TRIALS.min(places.len()) } else { 1 };
    let trials: Vec<_> = (0..n_trials).filter_map(|trial| places.get((2 * trial + 1) * places.len() / (2 * n_trials))).collect();
    if trials.is_empty() {
        return Ok(direct);
    }
    let before = trials.iter().map(|trial| trial.bytes).sum();
    let trials: Vec<Vec<usize>> = trials.into_iter().map(|trial| trial.items.iter().collect()).collect();
    let bytes: usize = tried.look(dataset, &trials, program, crew)?.into_iter().sum();
    if !adaptive_pays(bytes as u64, before, share) {
        return Ok(direct);
    }
    let adaptive = adaptively(dataset, numbers, under, share.min(ADAPTIVE_GAIN_ASKED), aside, crew)?;
    Ok(if adaptive_pays(adaptive.blocks.bytes(), direct.blocks.bytes(), share) { adaptive } else { direct })
}

/// Whether adaptive coding saves this share.
pub(crate) fn adaptive_pays(adaptive: u64, direct: u64, share: f64) -> bool {
    (adaptive as f64) < direct as f64 * (1.0 - share)
}

/// In blocks of one size; [`Method::Direct`] is by lanes where a block is large.
fn directly(
    dataset: &Dataset,
    numbers: &[usize],
    program: &Program,
    method: Method,
    aside: &Path,
    crew: &mut Crew<'_>,
) -> Result<ProgramCoded, Error> {
    let plan = packed(numbers, |number| dataset.pixels(number), BLOCK_PIXELS)?;
    gathered(method, &plan, |numbers| encoded(dataset, numbers, program, method), aside, crew)
}

/// In blocks of a size that suits; see [`Tried::packed`].
fn adaptively(dataset: &Dataset, numbers: &[usize], under: Under<'_>, saves: f64, aside: &Path, crew: &mut Crew<'_>) -> Result<ProgramCoded, Error> {
    let Under { program, tried } = under;
    let plan = tried.packed(dataset, numbers, program, saves, crew)?;
    gathered(Method::Adaptive, &plan, |numbers| tried.take_adaptive(dataset, numbers, program), aside, crew)
}

/// The blocks of a plan, coded by `coded`.
fn gathered(
    method: Method,
    plan: &[Vec<usize>],
    coded: impl Fn(&Vec<usize>) -> Result<Coded, Error> + Sync,
    aside: &Path,
    crew: &mut Crew<'_>,
) -> Result<ProgramCoded, Error> {
    let mut all = ProgramCoded { method, referring: 0, blocks: Spool::new(aside), ideal_bits: 0.0, subpixels: 0 };
    crew.each("encoding", plan, coded, |(block, ideal_bits, subpixels)| {
        all.ideal_bits += ideal_bits as f64 / 65_536.0;
        all.subpixels += subpixels;
        all.blocks.push(block)
    })?;
    Ok(all)
}

/// One block, its ideal length (2^-16 bits) and its subpixels.
type Coded = (CodedBlock<Method>, u64, u64);

/// Codes images as one block.
fn encoded(dataset: &Dataset, numbers: &[usize], program: &Program, method: Method) -> Result<Coded, Error> {
    encoded_by(dataset, numbers, |images| match method {
        Method::Direct => block::encode_directly(program, images),
        method => Ok((method, block::encode_as(method, program, images)?)),
    })
}

/// The same by `encode`.
fn encoded_by(
    dataset: &Dataset,
    numbers: &[usize],
    encode: impl Fn(&[ImageRef<'_>]) -> Result<(Method, Encoded), kolmo_codec::Error>,
) -> Result<Coded, Error> {
    let images = numbers.iter().map(|&number| dataset.open(number)).collect::<Result<Vec<_>, Error>>()?;
    let refs: Vec<ImageRef<'_>> =
        images.iter().map(|image| ImageRef { height: image.height as usize, width: image.width as usize, samples: &image.samples }).collect();
    let (method, encoded) = encode(&refs)?;
    let digests = numbers.iter().map(|&number| dataset.digest(number)).collect::<Result<Vec<_>, Error>>()?;
    let digest = block_digest(&encoded.bytes, digests.iter().map(|digest| &digest.0));
    let subpixels = images.iter().map(|image| image.subpixels()).sum::<u64>();
    Ok((CodedBlock { coding: method, bytes: encoded.bytes, digest, items: numbers.to_vec() }, encoded.ideal_bits, subpixels))
}

/// Cuts `numbers` into runs of about `target` by `size`, never a number in two.
pub(crate) fn packed(numbers: &[usize], size: impl Fn(usize) -> Result<u64, Error>, target: u64) -> Result<Vec<Vec<usize>>, Error> {
    let mut runs: Vec<Vec<usize>> = Vec::new();
    let mut filled = u64::MAX;
    for &number in numbers {
        let size = size(number)?;
        match runs.last_mut() {
            Some(run) if filled.saturating_add(size) <= target => {
                run.push(number);
                filled += size;
            }
            _ => {
                runs.push(vec![number]);
                filled = size;
            }
        }
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_full_and_whole() {
        let sizes = [3, 3, 3, 20, 0, 0, 10, 1];
        let runs = packed(&[0, 1, 2, 3, 4, 5, 6, 7], |number| Ok(sizes[number]), 10).expect("sizes");
        assert_eq!(runs, [vec![0, 1, 2], vec![3], vec![4, 5, 6], vec![7]]);
        assert_eq!(packed(&[], |_| Ok(1), 10).expect("sizes"), Vec::<Vec<usize>>::new());
    }
}
