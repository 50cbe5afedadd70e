//! Blocks: images coded together by one Program, decodable without any other block.
//!
//! A block is walked as a wavefront. At step `t`, row `r` of every image is at column `t - slope * r`, so that all its taps are known.
//! The pixels of a step form batches of up to [`BATCH`] for the integer kernel; within a batch, channel after channel is coded, pixel after
//! pixel or, by [`Method::Adaptive`], decision after decision of all its pixels. Encoder and decoder share this walk, so they cannot
//! disagree about the order.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "shapes are validated before the walk, and every index follows from them"
)]

mod adaptively;
mod around;
mod colours;
mod machine;
mod reference;
mod ring;
mod walk;

use crate::adaptive::{Place, REACH};
use crate::cdf::{Found, GROUP, Mixtures};
use crate::context::Plane;
use crate::error::Error;
use crate::kernel::Kernel;
use crate::limits::Budget;
use crate::program::Program;
use crate::range::decoder::RangeDecoder;
use crate::range::encoder::RangeEncoder;
use crate::rans::{self, RansDecoder};
use crate::sample::Sample;
pub use adaptively::encode_by_references;
use adaptively::{decode_adaptive, encode_adaptively, encode_by_references_by};
use colours::{Seen, Strays};
use machine::Code;
pub(crate) use reference::References;
pub use reference::{MOST_MOVED, MOST_WAVES, Reference, TURNS};
use walk::walk;

/// Pixels of a batch; part of the format, since it orders the symbols.
pub const BATCH: usize = 64;

/// How the samples of a block are coded under the Program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// Whole symbols under the Program's CDFs, one after the other: what small blocks take least with.
    Direct,
    /// The same by sixteen coders side by side ([`crate::format`]): fastest, and 90 to 128 bytes more a block.
    Lanes,
    /// Binary decisions, each mixed with what the block has shown so far: denser where exact values recur, some times slower.
    Adaptive,
    /// The same, where some images look at an earlier one of the block ([`Reference`]): for near-duplicates.
    References,
}

impl Method {
    /// As summaries have it: both ways to code whole symbols are direct.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct | Self::Lanes => "direct",
            Self::Adaptive => "adaptive",
            Self::References => "near-duplicate",
        }
    }

    /// Columns that a row stays behind the row above it: enough for the Program's taps and, coded adaptively, for
    /// [`REACH`].
    fn slope(self, program: &Program) -> usize {
        match self {
            Self::Direct | Self::Lanes => program.slope(),
            Self::Adaptive | Self::References => program.slope().max(REACH + 1),
        }
    }

    /// No block holds more samples than this for each of its bytes (and 16 more); see [`MOST_SAMPLES_PER_BYTE`]. Coded adaptively, a decision
    /// that is mixed costs at least 0.000044 bits, and a sample without one as much as when coded directly: 181,800 to a byte.
    const fn most_samples_per_byte(self) -> u64 {
        match self {
            Self::Direct | Self::Lanes => MOST_SAMPLES_PER_BYTE,
            Self::Adaptive | Self::References => 4 * MOST_SAMPLES_PER_BYTE,
        }
    }
}

/// No block holds more samples than this for each of its bytes (and 16 more), so that a few bytes cannot ask for hours of decoding.
///
/// A symbol's mass is at most `2^24 - 2^11` (of one bit, see [`crate::cdf`]), so each costs 0.000176 bits: 45,400 to a byte.
const MOST_SAMPLES_PER_BYTE: u64 = 1 << 16;

/// Bytes from which a block is coded by [`Method::Lanes`]: their states take at most 0.07 % of it.
const LEAST_BYTES_FOR_LANES: u64 = 1 << 17;

/// Most samples of a block that is coded by [`Method::Lanes`] unless that is asked for: an encoder holds eight bytes for each.
const MOST_SAMPLES_HELD: usize = 1 << 25;

/// Instructions that this machine can compute Programs with, slowest first.
#[must_use]
pub fn kernels() -> Vec<&'static str> {
    Kernel::all().into_iter().map(Kernel::name).collect()
}

/// Those that are used: the last of [`kernels`], or the one that the environment variable `KOLMO_KERNEL` names. All give the same bytes.
#[must_use]
pub fn kernel() -> &'static str {
    Kernel::best().name()
}

/// An image to be coded.
#[derive(Debug, Clone, Copy)]
pub struct ImageRef<'a> {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Shape `[height, width, channels]`, each below `2^bit_depth` of the Program; two bytes each, the lower first, where its samples are wide. RGB where it
    /// has a colour space.
    pub samples: &'a [u8],
}

/// A coded block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// What is stored.
    pub bytes: Vec<u8>,
    /// Cross-entropy of the samples under the Program, unit 2^-16 bits: what an ideal coder would need.
    pub ideal_bits: u64,
}

/// Encodes images under a Program directly: by [`Method::Lanes`] where the block is large enough not to mind their states and small enough to be held in
/// memory until its end, else by [`Method::Direct`].
///
/// # Errors
/// Those of [`encode`].
pub fn encode_directly(program: &Program, images: &[ImageRef<'_>]) -> Result<(Method, Encoded), Error> {
    let samples = images.iter().map(|image| image.samples.len()).sum::<usize>();
    if samples > MOST_SAMPLES_HELD {
        return Ok((Method::Direct, encode(program, images)?));
    }
    let (kernel, seen) = (Kernel::best(), Seen::new(program, images)?);
    let images = &seen.images();
    let shares = shares(kernel, program, images, Shares::held(program, images))?;
    let method = if shares.ideal_bits >> 19 >= LEAST_BYTES_FOR_LANES { Method::Lanes } else { Method::Direct };
    Ok((method, seen.complete(shares.encoded(kernel, method))))
}

/// Encodes images under a Program, whole symbols ([`Method::Direct`]).
///
/// # Errors
/// `InvalidArgument` if an image does not fit the Program's channels and bit depth, or for more than 2^32 rows.
pub fn encode(program: &Program, images: &[ImageRef<'_>]) -> Result<Encoded, Error> {
    encode_as(Method::Direct, program, images)
}

/// Encodes images under a Program by `method`.
///
/// # Errors
/// Those of [`encode`].
pub fn encode_as(method: Method, program: &Program, images: &[ImageRef<'_>]) -> Result<Encoded, Error> {
    encode_by(Kernel::best(), method, program, images)
}

fn encode_by(kernel: Kernel, method: Method, program: &Program, images: &[ImageRef<'_>]) -> Result<Encoded, Error> {
    let seen = Seen::new(program, images)?;
    let images = &seen.images();
    let encoded = match method {
        Method::Direct => shares(kernel, program, images, Shares::streamed())?.encoded(kernel, method),
        Method::Lanes => shares(kernel, program, images, Shares::held(program, images))?.encoded(kernel, method),
        Method::Adaptive => encode_adaptively(kernel, program, images, References::default())?,
        Method::References => encode_by_references_by(kernel, program, images, &vec![None; images.len()])?,
    };
    Ok(seen.complete(encoded))
}

/// What every symbol of the images takes under a Program.
fn shares(kernel: Kernel, program: &Program, images: &[ImageRef<'_>], shares: Shares) -> Result<Shares, Error> {
    match &program.wide {
        Some(wide) if program.is_deep() => {
            let planes = images.iter().map(|image| plane(program, image, &wide.symbols(image.samples, program.bit_depth)?));
            shares_of(kernel, program, &mut planes.collect::<Result<Vec<Plane<u16>>, _>>()?, shares)
        }
        _ => shares_of(kernel, program, &mut byte_planes(program, images)?, shares),
    }
}

fn shares_of<S: Sample>(kernel: Kernel, program: &Program, planes: &mut [Plane<S>], mut shares: Shares) -> Result<Shares, Error> {
    walk(program, kernel, Method::Direct.slope(program), planes, &References::default(), &mut Budget::new(u64::MAX), &mut shares)?;
    Ok(shares)
}

/// Planes of symbols of up to 8 bits.
fn byte_planes(program: &Program, images: &[ImageRef<'_>]) -> Result<Vec<Plane>, Error> {
    let of = |image: &ImageRef<'_>| match &program.wide {
        Some(wide) => {
            let symbols = wide.symbols(image.samples, program.bit_depth)?;
            plane(program, image, &symbols.into_iter().map(|symbol| symbol as u8).collect::<Vec<u8>>())
        }
        None => plane(program, image, image.samples),
    };
    images.iter().map(of).collect()
}

fn plane<S: Sample>(program: &Program, image: &ImageRef<'_>, symbols: &[S]) -> Result<Plane<S>, Error> {
    Plane::new(image.height, image.width, symbols, &program.order, program.alphabet())
}

fn encoded(coder: RangeEncoder) -> Encoded {
    let (bytes, ideal_bits) = coder.finish();
    Encoded { bytes, ideal_bits }
}

/// Cross-entropy of planes under a Program by [`Method::Direct`], unit 2^-16 bits.
///
/// # Errors
/// `InvalidArgument` if a plane has another alphabet or other channels than the Program.
pub fn ideal_bits<S: Sample>(program: &Program, planes: &mut [Plane<S>]) -> Result<u64, Error> {
    if planes.iter().any(|plane| plane.alphabet() != program.alphabet() || plane.channels != program.channels()) {
        return Err(Error::InvalidArgument { what: "a plane has another alphabet or other channels than the Program" });
    }
    Ok(shares_of(Kernel::best(), program, planes, Shares { ideal_bits: 0, kept: Kept::Nothing })?.ideal_bits)
}

/// What symbols take, and what is kept of them.
#[derive(Debug)]
struct Shares {
    /// Unit 2^-16.
    ideal_bits: u64,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Nothing,
    /// Coded one after the other.
    Stream(RangeEncoder),
    All(rans::Held),
}

impl Shares {
    fn streamed() -> Self {
        Self { ideal_bits: 0, kept: Kept::Stream(RangeEncoder::default()) }
    }

    fn held(program: &Program, images: &[ImageRef<'_>]) -> Self {
        let bytes = images.iter().map(|image| image.samples.len()).sum::<usize>();
        let samples = if program.wide.is_some() { bytes / 2 } else { bytes };
        Self { ideal_bits: 0, kept: Kept::All(rans::Held::of(samples)) }
    }

    /// The block: what was not held is coded by [`Method::Direct`].
    fn encoded(self, kernel: Kernel, method: Method) -> Encoded {
        let bytes = match self.kept {
            Kept::All(held) if method == Method::Lanes => rans::encode(kernel, held),
            Kept::All(held) => {
                let mut coder = RangeEncoder::default();
                held.shares().for_each(|(left, width)| coder.encode(left, width));
                coder.finish().0
            }
            Kept::Stream(coder) => coder.finish().0,
            Kept::Nothing => Vec::new(),
        };
        Encoded { bytes, ideal_bits: self.ideal_bits }
    }
}

impl<S: Sample> Code<S> for Shares {
    #[inline]
    fn code(&mut self, _: &[Plane<S>], _: usize, _: &[Place], mixtures: &mut Mixtures, symbols: &mut [S]) -> Result<(), Error> {
        let mut found = Found::default();
        for (group, symbols) in symbols.chunks(GROUP).enumerate() {
            found.symbols.iter_mut().zip(symbols).for_each(|(found, symbol)| *found = symbol.value() as u16);
            self.ideal_bits += mixtures.share_group(group * GROUP, symbols.len(), &mut found);
            let (lefts, widths) = (&found.lefts[..symbols.len()], &found.widths[..symbols.len()]);
            match &mut self.kept {
                Kept::Nothing => {}
                Kept::Stream(coder) => lefts.iter().zip(widths).for_each(|(&left, &width)| coder.encode(left, width)),
                Kept::All(held) => held.push(lefts, widths),
            }
        }
        Ok(())
    }
}

/// Whole symbols, decoded one after the other.
struct DirectDecode(RangeDecoder);

impl<S: Sample> Code<S> for DirectDecode {
    #[inline]
    fn code(&mut self, _: &[Plane<S>], _: usize, _: &[Place], mixtures: &mut Mixtures, symbols: &mut [S]) -> Result<(), Error> {
        mixtures.prepare(symbols.len());
        for (lane, symbol) in symbols.iter_mut().enumerate() {
            *symbol = S::of(self.0.decode(mixtures, lane)?.into());
        }
        Ok(())
    }
}

/// Whole symbols, decoded a group at a time.
struct LanesDecode(RansDecoder);

impl<S: Sample> Code<S> for LanesDecode {
    #[inline]
    fn code(&mut self, _: &[Plane<S>], _: usize, _: &[Place], mixtures: &mut Mixtures, symbols: &mut [S]) -> Result<(), Error> {
        mixtures.prepare_groups(symbols.len());
        let mut found = Found::default();
        for (group, symbols) in symbols.chunks_mut(GROUP).enumerate() {
            mixtures.find_group(group * GROUP, symbols.len(), &self.0.quantiles(), &mut found);
            self.0.advance(symbols.len(), &found)?;
            symbols.iter_mut().zip(found.symbols).for_each(|(symbol, found)| *symbol = S::of(found.into()));
        }
        Ok(())
    }
}

/// Decodes the images of a block that was encoded by [`encode`], given their shapes `(height, width)`; samples as [`ImageRef`] has them.
///
/// Damaged bytes give other samples, which only a digest can tell.
///
/// # Errors
/// `Corrupt` for bytes no encoder writes, `LimitExceeded` if the images need more than the budget.
pub fn decode(program: &Program, shapes: &[(usize, usize)], bytes: &[u8], budget: &mut Budget) -> Result<Vec<Vec<u8>>, Error> {
    decode_as(Method::Direct, program, shapes, bytes, budget)
}

/// Decodes the images of a block that was encoded by [`encode_as`] with the same method.
///
/// # Errors
/// Those of [`decode`].
pub fn decode_as(method: Method, program: &Program, shapes: &[(usize, usize)], bytes: &[u8], budget: &mut Budget) -> Result<Vec<Vec<u8>>, Error> {
    decode_by(Kernel::best(), method, program, shapes, bytes, budget)
}

fn decode_by(
    kernel: Kernel,
    method: Method,
    program: &Program,
    shapes: &[(usize, usize)],
    bytes: &[u8],
    budget: &mut Budget,
) -> Result<Vec<Vec<u8>>, Error> {
    let channels = program.channels();
    // What a plane holds, and what is made of it.
    let bytes_a_sample = if program.is_deep() { 6 } else { 2 } + if program.wide.is_some() { 2 } else { 0 };
    let mut possible = (bytes.len() as u64).saturating_add(16).saturating_mul(method.most_samples_per_byte());
    for &(height, width) in shapes {
        let samples = height.checked_mul(width).and_then(|pixels| pixels.checked_mul(channels));
        let samples = samples.ok_or(Error::LimitExceeded { what: "an image", limit: budget.left() })?;
        possible = possible.checked_sub(samples as u64).ok_or(Error::corrupt("shapes of a block, too large for its bytes"))?;
        budget.take("samples of a block", samples as u64, bytes_a_sample)?;
    }
    let (strays, bytes) = Strays::read(program, shapes, bytes, budget)?;
    match (&program.wide, method) {
        (Some(_), Method::Adaptive | Method::References) if program.is_deep() => {
            Err(Error::Unsupported { what: "block method of deep symbols", found: 1, known: 0 })
        }
        (Some(wide), _) if program.is_deep() => {
            let planes = decode_whole::<u16>(kernel, method, program, shapes, bytes, budget)?;
            planes.into_iter().map(|plane| wide.samples(plane.into_samples(&program.order).into_iter())).collect()
        }
        (wide, _) => {
            let planes = match method {
                Method::Direct | Method::Lanes => decode_whole(kernel, method, program, shapes, bytes, budget)?,
                Method::Adaptive => decode_adaptive(kernel, program, shapes, References::default(), bytes, budget)?,
                Method::References => {
                    let (references, bytes) = References::read(bytes, shapes, budget)?;
                    decode_adaptive(kernel, program, shapes, references, bytes, budget)?
                }
            };
            let images = planes.into_iter().map(|plane| plane.into_samples(&program.order));
            match wide {
                Some(wide) => images.map(|symbols| wide.samples(symbols.into_iter().map(u16::from))).collect(),
                None => {
                    let mut images = images.collect::<Vec<_>>();
                    strays.inspect(|strays| strays.samples(&mut images));
                    Ok(images)
                }
            }
        }
    }
}

fn decode_whole<S: Sample>(
    kernel: Kernel,
    method: Method,
    program: &Program,
    shapes: &[(usize, usize)],
    bytes: &[u8],
    budget: &mut Budget,
) -> Result<Vec<Plane<S>>, Error> {
    let mut planes = empty(program, shapes);
    let slope = method.slope(program);
    if method == Method::Lanes {
        let mut coder = LanesDecode(RansDecoder::new(kernel, bytes)?);
        walk(program, kernel, slope, &mut planes, &References::default(), budget, &mut coder)?;
        coder.0.finish()?;
    } else {
        walk(program, kernel, slope, &mut planes, &References::default(), budget, &mut DirectDecode(RangeDecoder::new(bytes)?))?;
    }
    Ok(planes)
}

fn empty<S: Sample>(program: &Program, shapes: &[(usize, usize)]) -> Vec<Plane<S>> {
    shapes.iter().map(|&(height, width)| Plane::empty(height, width, program.channels(), program.alphabet())).collect()
}

#[cfg(test)]
mod tests;
