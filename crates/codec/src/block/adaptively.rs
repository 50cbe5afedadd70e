//! Blocks whose symbols are coded as decisions: by [`Method::Adaptive`] and [`Method::References`].

use super::colours::Seen;
use super::machine::Code;
use super::walk::walk;
use super::{Encoded, ImageRef, Method, Reference, References, byte_planes, empty, encoded};
use crate::adaptive::{Adaptive, Decide, Place};
use crate::cdf::Mixtures;
use crate::context::Plane;
use crate::error::Error;
use crate::kernel::Kernel;
use crate::limits::Budget;
use crate::program::Program;
use crate::range::decoder::RangeDecoder;
use crate::range::encoder::RangeEncoder;

/// Encodes images under a Program by [`Method::References`]; `references` are those of the images, one each.
///
/// # Errors
/// Those of [`encode`](super::encode), and `InvalidArgument` for other than one reference an image, one that is none to an earlier image with pixels or moved by
/// more than [`MOST_MOVED`](super::MOST_MOVED), or more than [`MOST_WAVES`](super::MOST_WAVES) images in a chain of them.
pub fn encode_by_references(program: &Program, images: &[ImageRef<'_>], references: &[Option<Reference>]) -> Result<Encoded, Error> {
    let seen = Seen::new(program, images)?;
    Ok(seen.complete(encode_by_references_by(Kernel::best(), program, &seen.images(), references)?))
}

pub(super) fn encode_by_references_by(
    kernel: Kernel,
    program: &Program,
    images: &[ImageRef<'_>],
    references: &[Option<Reference>],
) -> Result<Encoded, Error> {
    let shapes: Vec<_> = images.iter().map(|image| (image.height, image.width)).collect();
    let references = References::new(references, &shapes)?;
    let mut bytes = Vec::new();
    references.write(&mut bytes);
    let encoded = encode_adaptively(kernel, program, images, references)?;
    bytes.extend_from_slice(&encoded.bytes);
    Ok(Encoded { bytes, ..encoded })
}

pub(super) fn encode_adaptively(kernel: Kernel, program: &Program, images: &[ImageRef<'_>], references: References) -> Result<Encoded, Error> {
    if program.is_deep() {
        return Err(Error::InvalidArgument { what: "adaptive coding is for symbols of up to 8 bits" });
    }
    let mut planes = byte_planes(program, images)?;
    let budget = &mut Budget::new(u64::MAX);
    let mut coder = RangeEncoder::default();
    let adaptive = Adaptive::new(kernel, &planes, program.bit_depth, references.clone(), budget)?;
    walk(program, kernel, Method::Adaptive.slope(program), &mut planes, &references, budget, &mut Mixed { adaptive, coder: &mut coder })?;
    Ok(encoded(coder))
}

pub(super) fn decode_adaptive(
    kernel: Kernel,
    program: &Program,
    shapes: &[(usize, usize)],
    references: References,
    bytes: &[u8],
    budget: &mut Budget,
) -> Result<Vec<Plane>, Error> {
    let mut planes = empty(program, shapes);
    let coder = RangeDecoder::new(bytes)?;
    let adaptive = Adaptive::new(kernel, &planes, program.bit_depth, references.clone(), budget)?;
    walk(program, kernel, Method::Adaptive.slope(program), &mut planes, &references, budget, &mut Mixed { adaptive, coder })?;
    Ok(planes)
}

/// Symbols as decisions, mixed with what the block has shown so far.
struct Mixed<C> {
    adaptive: Adaptive,
    coder: C,
}

impl<C: Decide> Code<u8> for Mixed<C> {
    fn begin(&mut self, planes: &[Plane], wave: usize) {
        self.adaptive.begin(planes, wave);
    }

    #[inline]
    fn code(&mut self, planes: &[Plane], c: usize, places: &[Place], mixtures: &mut Mixtures, symbols: &mut [u8]) -> Result<(), Error> {
        self.adaptive.code(planes, c, places, mixtures, symbols, &mut self.coder)
    }
}

impl Decide for &mut RangeEncoder {
    #[inline]
    fn decide(&mut self, p: u32, known: bool) -> Result<bool, Error> {
        self.encode_decision(known, p);
        Ok(known)
    }
}

impl Decide for RangeDecoder {
    #[inline]
    fn decide(&mut self, p: u32, _: bool) -> Result<bool, Error> {
        self.decode_decision(p)
    }
}
