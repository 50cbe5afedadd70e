//! Codes images into blocks by a Program.

mod references;

use std::path::Path;

use kolmo_codec::block::{self, Encoded, ImageRef, Method};
use kolmo_codec::container::block_digest;
use kolmo_codec::program::Program;

use crate::dataset::{Dataset, Group};
use crate::error::Error;
use crate::options::CompressOptions;
use crate::spool::Spool;
use crate::work::Crew;

/// Pixels of a block: enough lanes for the kernel, few enough that blocks spread over threads and one item costs little to read.
const BLOCK_PIXELS: u64 = 1 << 18;

/// Pixels of a block that is coded adaptively, which learns as it goes. Emoji take 2 % less with the largest than with the middle ones; cifar10 takes 0.1 % less
/// with the middle ones than with the smallest, and Kodak's images, which teach each other nothing, take 0.6 % more with the largest.
const ADAPTIVE_BLOCK_PIXELS: [u64; 3] = [1 << 16, 1 << 18, 1 << 20];

/// Share of the bytes that the next larger blocks have to save: smaller ones decode a tenth to a fifth faster, spread over more threads and make single items
/// cheaper.
const LARGER_BLOCKS_GAIN: f64 = 0.0025;

/// Share of a group's bytes that adaptive coding has to save to be worth its slower decoding: by default, and where density counts most.
const ADAPTIVE_GAIN: f64 = 0.03;
const ADAPTIVE_GAIN_DENSEST: f64 = 0.002;
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

/// A block before it has a place.
#[derive(Debug)]
pub(crate) struct CodedBlock<C> {
    pub(crate) coding: C,
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: [u8; 16],
    /// Items that begin in it.
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
    program: &Program,
    way: Way,
    aside: &Path,
    crew: &mut Crew<'_>,
) -> Result<ProgramCoded, Error> {
    let numbers = &group.items;
    // Deep symbols are coded directly.
    match way {
        _ if program.is_deep() => by_method(dataset, numbers, program, Method::Direct, aside, crew),
        Way::Fixed(Method::References) => references::wherever_found(dataset, numbers, program, aside, crew),
        Way::Fixed(method) => by_method(dataset, numbers, program, method, aside, crew),
        Way::IfAdaptiveSaves(share) => match references::if_they_pay(dataset, group, program, share, aside, crew)? {
            Some(coded) => Ok(coded),
            None => by_share(dataset, numbers, group.mixed, program, share, aside, crew),
        },
    }
}

/// Codes images directly, or adaptively if that saves this `share`. `mixed`: they are of several kinds.
fn by_share(
    dataset: &Dataset,
    numbers: &[usize],
    mixed: bool,
    program: &Program,
    share: f64,
    aside: &Path,
    crew: &mut Crew<'_>,
) -> Result<ProgramCoded, Error> {
    let direct = by_method(dataset, numbers, program, Method::Direct, aside, crew)?;
    // The block in the middle tells whether the others are worth trying: adaptive coding takes several times as long. Where images are of several
    // kinds it tells of one of them only.
    let places = direct.blocks.places();
    let n_trials = if mixed { MIXED_TRIALS.min(places.len()) } else { 1 };
    let trials: Vec<_> = (0..n_trials).filter_map(|trial| places.get((2 * trial + 1) * places.len() / (2 * n_trials))).collect();
    if trials.is_empty() {
        return Ok(direct);
    }
    let tried = crew.map("looking", &trials, |trial| encoded(dataset, &trial.items, program, Method::Adaptive))?;
    let before = trials.iter().map(|trial| trial.bytes).sum();
    if !adaptive_pays(tried.iter().map(|(block, ..)| block.bytes.len() as u64).sum(), before, share) {
        return Ok(direct);
    }
    let adaptive = by_method(dataset, numbers, program, Method::Adaptive, aside, crew)?;
    Ok(if adaptive_pays(adaptive.blocks.bytes(), direct.blocks.bytes(), share) { adaptive } else { direct })
}

/// Whether adaptive coding saves this share.
pub(crate) fn adaptive_pays(adaptive: u64, direct: u64, share: f64) -> bool {
    (adaptive as f64) < direct as f64 * (1.0 - share)
}

fn by_method(
    dataset: &Dataset,
    numbers: &[usize],
    program: &Program,
    method: Method,
    aside: &Path,
    crew: &mut Crew<'_>,
) -> Result<ProgramCoded, Error> {
    let plan = if method == Method::Adaptive {
        packed_adaptively(dataset, numbers, program, crew)?
    } else {
        packed(numbers, |number| dataset.pixels(number), BLOCK_PIXELS)
    };
    let mut all = ProgramCoded { method, referring: 0, blocks: Spool::new(aside), ideal_bits: 0.0, subpixels: 0 };
    crew.each(
        "encoding",
        &plan,
        |numbers| encoded(dataset, numbers, program, method),
        |(block, ideal_bits, subpixels)| {
            all.ideal_bits += ideal_bits as f64 / 65_536.0;
            all.subpixels += subpixels;
            all.blocks.push(block)
        },
    )?;
    Ok(all)
}

/// How adaptive coding packs images: in the smallest blocks, unless larger ones pay where they are tried, in the middle.
fn packed_adaptively(dataset: &Dataset, numbers: &[usize], program: &Program, crew: &mut Crew<'_>) -> Result<Vec<Vec<usize>>, Error> {
    let pixels = |number: usize| dataset.pixels(number);
    let mut sizes = ADAPTIVE_BLOCK_PIXELS.into_iter();
    let mut plan = packed(numbers, pixels, sizes.next().unwrap_or(BLOCK_PIXELS));
    for size in sizes {
        let larger = packed(numbers, pixels, size);
        if larger.len() == plan.len() {
            continue;
        }
        let middle = &larger[larger.len() / 2];
        // The large one first: it takes longest.
        let tries: Vec<Vec<usize>> = std::iter::once(middle.clone()).chain(runs_of(&plan, middle)).collect();
        let tried = crew.map("looking", &tries, |numbers| encoded(dataset, numbers, program, Method::Adaptive))?;
        let bytes: Vec<usize> = tried.iter().map(|(block, ..)| block.bytes.len()).collect();
        if bytes[0] as f64 >= bytes[1..].iter().sum::<usize>() as f64 * (1.0 - LARGER_BLOCKS_GAIN) {
            break;
        }
        plan = larger;
    }
    Ok(plan)
}

/// The runs of a `plan` as far as they hold the numbers of `middle`, all in ascending order.
fn runs_of<'a>(plan: &'a [Vec<usize>], middle: &'a [usize]) -> impl Iterator<Item = Vec<usize>> + 'a {
    let within = |run: &'a Vec<usize>| run.iter().copied().filter(|number| middle.binary_search(number).is_ok()).collect::<Vec<_>>();
    plan.iter().map(within).filter(|run| !run.is_empty())
}

/// One block, its ideal length (2^-16 bits) and its subpixels.
fn encoded(dataset: &Dataset, numbers: &[usize], program: &Program, method: Method) -> Result<(CodedBlock<Method>, u64, u64), Error> {
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
) -> Result<(CodedBlock<Method>, u64, u64), Error> {
    let images = numbers.iter().map(|&number| dataset.open(number)).collect::<Result<Vec<_>, Error>>()?;
    let refs: Vec<ImageRef<'_>> =
        images.iter().map(|image| ImageRef { height: image.height as usize, width: image.width as usize, samples: &image.samples }).collect();
    let (method, encoded) = encode(&refs)?;
    let digest = block_digest(&encoded.bytes, numbers.iter().map(|&number| &dataset.items[number].digest.0));
    let subpixels = images.iter().map(|image| image.subpixels()).sum::<u64>();
    Ok((CodedBlock { coding: method, bytes: encoded.bytes, digest, items: numbers.to_vec() }, encoded.ideal_bits, subpixels))
}

/// Cuts `numbers` into runs of about `target` by `size`, never a number in two.
pub(crate) fn packed(numbers: &[usize], size: impl Fn(usize) -> u64, target: u64) -> Vec<Vec<usize>> {
    let mut runs: Vec<Vec<usize>> = Vec::new();
    let mut filled = u64::MAX;
    for &number in numbers {
        let size = size(number);
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
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_full_and_whole() {
        let sizes = [3, 3, 3, 20, 0, 0, 10, 1];
        let runs = packed(&[0, 1, 2, 3, 4, 5, 6, 7], |number| sizes[number], 10);
        assert_eq!(runs, [vec![0, 1, 2], vec![3], vec![4, 5, 6], vec![7]]);
        assert_eq!(packed(&[], |_| 1, 10), Vec::<Vec<usize>>::new());
    }
}
