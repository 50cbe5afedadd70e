//! Integers of all tensors, by each of the coders.

use super::predictor::{Predictor, Turn};
use super::runs::{from_runs, put_plain, take_plain, to_runs};
use super::{Tensor, Values, largest};
use crate::Error;
use crate::container::fields::{Fields, put_varint};
use crate::limits::Budget;
use crate::range::decoder::RangeDecoder;
use crate::range::encoder::RangeEncoder;
use crate::weights::{Coder, huffman, lz77};

const WHAT: &str = "network weights";
/// A decision costs at least 2^-14.5 bits, so a byte says at most this many zeros; more are refused.
const MOST_A_BYTE: u64 = 1 << 18;

/// Kinds of a Huffman-coded tensor.
const PLAIN: u8 = 0;
const RUNS: u8 = 1;

/// A tensor as the predictor walks it: filters, channels of a filter, places of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) outputs: usize,
    pub(super) inputs: usize,
    pub(super) places: usize,
}

impl Shape {
    /// First dimension, second, product of the others; missing ones are 1.
    pub(super) fn of(shape: &[usize]) -> Result<Self, Error> {
        let places = shape.iter().skip(2).try_fold(1usize, |product, &size| product.checked_mul(size)).ok_or(Error::corrupt(WHAT))?;
        Ok(Self { outputs: shape.first().copied().unwrap_or(1), inputs: shape.get(1).copied().unwrap_or(1), places })
    }

    pub(super) fn count(self) -> Result<usize, Error> {
        let count = self.outputs.checked_mul(self.inputs).and_then(|count| count.checked_mul(self.places));
        count.ok_or(Error::corrupt(WHAT))
    }
}

/// Bytes that the integers of an archive take, by each coder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CoderSizes {
    /// A byte an integer of up to 8 bits, else two.
    pub plain: u64,
    /// Huffman codes of runs of zeros and of the other integers.
    pub huffman: u64,
    /// LZ77.
    pub lz77: u64,
    /// Context-adaptive range coding.
    pub range: u64,
}

pub(super) struct Coded {
    pub(super) coder: Coder,
    pub(super) bytes: Vec<u8>,
    pub(super) sizes: CoderSizes,
}

fn quantised(tensors: &[Tensor]) -> impl Iterator<Item = (&Tensor, u8, &[i32])> {
    tensors.iter().filter_map(|tensor| match &tensor.values {
        Values::Exact(_) => None,
        Values::Quantised { bits, integers, .. } => Some((tensor, *bits, integers.as_slice())),
    })
}

/// The integers by every coder, first as they are.
pub(super) fn all(tensors: &[Tensor]) -> Result<Vec<(Coder, Vec<u8>)>, Error> {
    let mut plain = Vec::new();
    for (_, bits, integers) in quantised(tensors) {
        integers.iter().for_each(|&integer| put_plain(&mut plain, integer, bits));
    }
    let mut predictor = Predictor::default();
    let mut range = Writing(RangeEncoder::default());
    for (tensor, bits, integers) in quantised(tensors) {
        predictor.walk(Shape::of(&tensor.shape)?, bits, &mut integers.to_vec(), &mut range)?;
    }
    let lz77 = lz77::encode(&plain);
    let mut coded = vec![(Coder::Stored, plain)];
    coded.extend(encode_huffman(tensors).map(|bytes| (Coder::Huffman, bytes)));
    coded.push((Coder::Lz77, lz77));
    coded.push((Coder::Range, range.0.finish().0));
    Ok(coded)
}

/// Codes the integers every way and keeps the shortest, of equals the first.
pub(super) fn encode(tensors: &[Tensor]) -> Result<Coded, Error> {
    let all = all(tensors)?;
    let len = |wanted: Coder| all.iter().find(|(coder, _)| *coder == wanted).map(|(_, bytes)| bytes.len() as u64);
    let plain = len(Coder::Stored).unwrap_or_default();
    let sizes = CoderSizes {
        plain,
        // codes too long for a table are worse than none
        huffman: len(Coder::Huffman).unwrap_or(plain),
        lz77: len(Coder::Lz77).unwrap_or(plain),
        range: len(Coder::Range).unwrap_or(plain),
    };
    let (coder, bytes) = all.into_iter().min_by_key(|(_, bytes)| bytes.len()).unwrap_or((Coder::Stored, Vec::new()));
    Ok(Coded { coder, bytes, sizes })
}

/// Bytes that range coding alone takes for one tensor, its predictor beginning anew.
///
/// # Errors
/// `InvalidArgument` if the shape does not say how many integers there are.
pub fn range_bytes(shape: &[usize], bits: u8, integers: &[i32]) -> Result<u64, Error> {
    let shape = Shape::of(shape)?;
    if shape.count()? != integers.len() {
        return Err(Error::InvalidArgument { what: "a tensor's shape does not say how many values it has" });
    }
    let mut range = Writing(RangeEncoder::default());
    Predictor::default().walk(shape, bits, &mut integers.to_vec(), &mut range)?;
    Ok(range.0.finish().0.len() as u64)
}

/// For each tensor 0 and its plain bytes, or 1, runs of zeros and the other integers, whichever is shorter; a stream of bytes is
/// `length varint, length of the codes varint, codes`.
fn encode_huffman(tensors: &[Tensor]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for (_, bits, integers) in quantised(tensors) {
        let mut plain = Vec::new();
        integers.iter().for_each(|&integer| put_plain(&mut plain, integer, bits));
        let (runs, values) = to_runs(integers, bits);
        let coded = |kind: u8, streams: &[&[u8]]| -> Option<Vec<u8>> {
            let mut out = vec![kind];
            for stream in streams {
                let codes = huffman::encode(stream)?;
                put_varint(&mut out, stream.len() as u64);
                put_varint(&mut out, codes.len() as u64);
                out.extend_from_slice(&codes);
            }
            Some(out)
        };
        let (plain, runs) = (coded(PLAIN, &[&plain])?, coded(RUNS, &[&runs, &values])?);
        out.extend_from_slice(if plain.len() <= runs.len() { &plain } else { &runs });
    }
    Some(out)
}

/// Integers of each tensor, paid for out of `budget`.
pub(super) fn decode(coder: Coder, bytes: &[u8], shapes: &[(Shape, u8)], budget: &mut Budget) -> Result<Vec<Vec<i32>>, Error> {
    let counts = shapes.iter().map(|(shape, _)| shape.count()).collect::<Result<Vec<_>, _>>()?;
    let total = counts.iter().map(|&count| count as u64).try_fold(0u64, u64::checked_add).ok_or(Error::corrupt(WHAT))?;
    if total > (bytes.len() as u64).saturating_add(16).saturating_mul(MOST_A_BYTE) {
        return Err(Error::corrupt("network weights: more than their bytes can say"));
    }
    budget.take(WHAT, total, 4)?;
    let mut tensors = Vec::with_capacity(shapes.len());
    let zeros = |count: usize| vec![0i32; count];
    match coder {
        Coder::Stored | Coder::Lz77 => {
            let widths = shapes.iter().zip(&counts).map(|((_, bits), &count)| count.checked_mul(if *bits <= 8 { 1 } else { 2 }));
            let plain = widths.into_iter().try_fold(0usize, |sum, width| sum.checked_add(width?)).ok_or(Error::corrupt(WHAT))?;
            budget.take(WHAT, plain as u64, 1)?;
            let unpacked = if coder == Coder::Stored { bytes.to_vec() } else { lz77::decode(bytes, plain)? };
            let mut rest = unpacked.as_slice();
            for (&(_, bits), &count) in shapes.iter().zip(&counts) {
                let integers = (0..count).map(|_| take_plain(&mut rest, bits, largest(bits))).collect::<Result<Vec<_>, _>>()?;
                tensors.push(integers);
            }
            if !rest.is_empty() {
                return Err(Error::corrupt(WHAT));
            }
        }
        Coder::Huffman => {
            let mut fields = Fields::new(WHAT, bytes);
            for (&(_, bits), &count) in shapes.iter().zip(&counts) {
                let kind = fields.u8()?;
                let mut stream = |most: u64| -> Result<Vec<u8>, Error> {
                    let (raw, length) = (fields.varint()?, fields.varint()?);
                    if raw > most {
                        return Err(fields.corrupt());
                    }
                    budget.take(WHAT, raw, 1)?;
                    let raw = usize::try_from(raw).map_err(|_| fields.corrupt())?;
                    huffman::decode(fields.take(length)?, raw)
                };
                // a run byte stands for at least one integer, an integer takes at most two bytes
                let most = (count as u64).saturating_mul(2);
                let mut integers = zeros(count);
                match kind {
                    PLAIN => {
                        let plain = stream(most)?;
                        let mut rest = plain.as_slice();
                        for integer in &mut integers {
                            *integer = take_plain(&mut rest, bits, largest(bits))?;
                        }
                        if !rest.is_empty() {
                            return Err(Error::corrupt(WHAT));
                        }
                    }
                    RUNS => {
                        let (runs, values) = (stream(count as u64)?, stream(most)?);
                        from_runs(&runs, &values, bits, largest(bits), &mut integers)?;
                    }
                    other => return Err(Error::Unsupported { what: "kind of a Huffman-coded tensor", found: other.into(), known: 1 }),
                }
                tensors.push(integers);
            }
            fields.end()?;
        }
        Coder::Prior => return Err(Error::corrupt(WHAT)),
        Coder::Range => {
            let mut reading = Reading(RangeDecoder::new(bytes)?);
            let mut predictor = Predictor::default();
            for (&(shape, bits), &count) in shapes.iter().zip(&counts) {
                // what the predictor remembers of inputs and their places
                budget.take(WHAT, (shape.inputs as u64).saturating_add((shape.inputs as u64).saturating_mul(shape.places as u64)), 16)?;
                let mut integers = zeros(count);
                predictor.walk(shape, bits, &mut integers, &mut reading)?;
                tensors.push(integers);
            }
        }
    }
    Ok(tensors)
}

struct Writing(RangeEncoder);

impl Turn for Writing {
    fn turn(&mut self, p: u32, wanted: bool) -> Result<bool, Error> {
        self.0.encode_decision(wanted, p);
        Ok(wanted)
    }
}

struct Reading(RangeDecoder);

impl Turn for Reading {
    fn turn(&mut self, p: u32, _: bool) -> Result<bool, Error> {
        self.0.decode_decision(p)
    }
}
