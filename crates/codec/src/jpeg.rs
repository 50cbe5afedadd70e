//! The way of JPEG files: their Huffman codes are taken off, and coefficients coded by what is around them.
//!
//! A file comes apart into its markers and the coefficients of its components (`stream`, `scan`). Markers of all files of a block are coded together by
//! zstd; coefficients as binary decisions whose odds are learned while the files of the block go by (`model`), so that small files profit from those before
//! them. Expanding writes the Huffman codes anew. A file that does not come back that way byte for byte is kept as bytes: encoders choose differently, and damaged
//! files choose nothing. `FORMAT.md` specifies every byte.

mod border;
mod huffman;
mod mix;
mod model;
mod scan;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::Error;
use crate::container::fields::{Fields, put_varint};
use crate::general::{self, GeneralMethod};
use crate::kernel::Kernel;
use crate::limits::Budget;
use crate::range::decoder::RangeDecoder;
use crate::range::encoder::RangeEncoder;
use model::Model;
use scan::Block;
use stream::Stream;

/// Bytes that a block of coefficients takes while it is coded: these, its miss, the place of its last one, and sums at its borders.
const HELD: u64 = 128 + 2 + 1 + 32;

const WHAT: &str = "JPEG files of a block";

pub(crate) const fn corrupt() -> Error {
    Error::corrupt(WHAT)
}

/// A JPEG file that was taken apart.
struct Apart {
    stream: Stream,
    planes: Vec<Vec<Block>>,
    /// The file without the data of its scans.
    bare: Vec<u8>,
    /// What fills up segments of each scan.
    pads: Vec<bool>,
}

fn empty_planes(stream: &Stream) -> Vec<Vec<Block>> {
    stream.components.iter().map(|component| vec![[0; 64]; component.across.saturating_mul(component.down)]).collect()
}

/// Takes a file apart, if it comes back and its coefficients take no more than `memory_bytes`.
fn take_apart(file: &[u8], memory_bytes: u64) -> Option<Apart> {
    let stream = Stream::parse(file, false)?;
    // A block takes at least a bit.
    if stream.blocks() > (file.len() as u64).saturating_mul(8) || stream.blocks().saturating_mul(HELD) > memory_bytes {
        return None;
    }
    let mut planes = empty_planes(&stream);
    let (mut bare, mut pads, mut at) = (Vec::new(), Vec::new(), 0);
    for scan in &stream.scans {
        let pad = scan::read(&stream, scan, file.get(scan.data.clone())?, &mut planes)?;
        pads.push(pad.unwrap_or(true));
        bare.extend_from_slice(file.get(at..scan.data.start)?);
        at = scan.data.end;
    }
    bare.extend_from_slice(file.get(at..)?);
    let apart = Apart { stream, planes, bare, pads };
    let mut again = Vec::with_capacity(file.len());
    put_together(&apart, file.len(), &mut again)?;
    (again == file).then_some(apart)
}

/// Writes a file of at most `limit` bytes.
fn put_together(apart: &Apart, limit: usize, out: &mut Vec<u8>) -> Option<()> {
    let begin = out.len();
    let limit = begin.saturating_add(limit);
    let mut at = 0;
    for (scan, &pad) in apart.stream.scans.iter().zip(&apart.pads) {
        out.extend_from_slice(apart.bare.get(at..scan.head)?);
        at = scan.head;
        scan::write(&apart.stream, scan, &apart.planes, pad, limit, out)?;
    }
    out.extend_from_slice(apart.bare.get(at..)?);
    (out.len() <= limit).then_some(())
}

/// Counters of each context for a block of so many bytes.
fn log2_counters(bytes: u64) -> u32 {
    bytes.max(1).ilog2().saturating_sub(4).clamp(8, 15)
}

/// JPEG files, coded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The payload of their block.
    pub bytes: Vec<u8>,
    /// How many of them do not come back from their coefficients, and are kept as bytes.
    pub as_bytes: u64,
}

/// Codes `raw`, which consists of files of these `lengths`. `None` if none of them is a JPEG file that comes apart. Reading the block takes no more than
/// `memory_bytes` beside some times the bytes of the files; what needs more is kept as bytes.
///
/// # Errors
/// `InvalidArgument` if the lengths do not make up `raw`; `Io` if zstd fails, which it does only for want of memory.
pub fn encode(raw: &[u8], lengths: &[u64], memory_bytes: u64) -> Result<Option<Encoded>, Error> {
    const DIFFER: Error = Error::InvalidArgument { what: "lengths of JPEG files do not make up the bytes" };
    let (mut facts, mut bares) = (Vec::new(), Vec::new());
    put_varint(&mut facts, lengths.len() as u64);
    let log2 = log2_counters(raw.len() as u64);
    let Some(room) = memory_bytes.checked_sub(Model::bytes(log2)) else { return Ok(None) };
    let mut model = Model::new(Kernel::best(), log2);
    let mut coder = RangeEncoder::default();
    let (mut rest, mut as_bytes, mut before) = (raw, 0u64, Vec::new());
    for &length in lengths {
        let (file, tail) = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)).ok_or(DIFFER)?;
        rest = tail;
        let Some(mut apart) = take_apart(file, room) else {
            put_varint(&mut facts, length.saturating_mul(2));
            bares.extend_from_slice(file);
            as_bytes = as_bytes.saturating_add(1);
            continue;
        };
        put_varint(&mut facts, length.saturating_mul(2) | 1);
        if apart.bare == before {
            put_varint(&mut facts, 0);
        } else {
            put_varint(&mut facts, apart.bare.len() as u64);
            bares.extend_from_slice(&apart.bare);
            before.clone_from(&apart.bare);
        }
        facts.extend(apart.pads.iter().map(|&pad| u8::from(pad)));
        model.code(&apart.stream, &mut apart.planes, &mut &mut coder)?;
    }
    if !rest.is_empty() {
        return Err(DIFFER);
    }
    if as_bytes == lengths.len() as u64 {
        return Ok(None);
    }
    let mut out = Vec::new();
    for part in [facts, bares] {
        let (method, coded) = general::encode(&part)?;
        put_varint(&mut out, part.len() as u64);
        put_varint(&mut out, (coded.len() as u64).saturating_mul(2) | u64::from(method == GeneralMethod::Zstd));
        out.extend_from_slice(&coded);
    }
    out.extend_from_slice(&coder.finish().0);
    Ok(Some(Encoded { bytes: out, as_bytes }))
}

/// Appends the `wanted` bytes to `raw`, which is empty. Working memory is paid for out of `budget`.
pub(crate) fn decode_to(bytes: &[u8], wanted: usize, raw: &mut Vec<u8>, budget: &mut Budget) -> Result<(), Error> {
    let mut fields = Fields::new(WHAT, bytes);
    let mut parts = Vec::new();
    for _ in 0..2 {
        let (length, coded) = (fields.varint()?, fields.varint()?);
        let method = if coded & 1 == 1 { GeneralMethod::Zstd } else { GeneralMethod::Stored };
        // Facts of a file are some bytes for each of its scans; markers are bytes of the files.
        if length > (wanted as u64).saturating_mul(2).saturating_add(16) {
            return Err(corrupt());
        }
        parts.push(general::decode(method, fields.take(coded / 2)?, length, budget)?);
    }
    let (mut facts, mut bares) =
        (Fields::new(WHAT, parts.first().map_or(&[], Vec::as_slice)), Fields::new(WHAT, parts.get(1).map_or(&[], Vec::as_slice)));
    let log2 = log2_counters(wanted as u64);
    budget.take(WHAT, Model::bytes(log2), 1)?;
    let mut model = Model::new(Kernel::best(), log2);
    let mut coder = RangeDecoder::new(fields.rest())?;
    let mut before: &[u8] = &[];
    let files = facts.varint()?;
    for _ in 0..files {
        let fact = facts.varint()?;
        let length = usize::try_from(fact / 2).ok().filter(|&length| length <= wanted.saturating_sub(raw.len())).ok_or_else(corrupt)?;
        if fact & 1 == 0 {
            raw.extend_from_slice(bares.take(length as u64)?);
            continue;
        }
        let bare = facts.varint()?;
        if bare > 0 {
            before = bares.take(bare)?;
        }
        let stream = Stream::parse(before, true).ok_or_else(corrupt)?;
        if before.len() > length || stream.blocks() > (length as u64).saturating_mul(8) {
            return Err(corrupt());
        }
        let pads = facts.take(stream.scans.len() as u64)?;
        if pads.iter().any(|&pad| pad > 1) {
            return Err(corrupt());
        }
        let pads = pads.iter().map(|&pad| pad == 1).collect();
        let held = stream.blocks().saturating_mul(HELD);
        budget.take(WHAT, held, 1)?;
        let mut apart = Apart { planes: empty_planes(&stream), stream, bare: before.to_vec(), pads };
        model.code(&apart.stream, &mut apart.planes, &mut coder)?;
        let end = raw.len().saturating_add(length);
        put_together(&apart, length, raw).filter(|()| raw.len() == end).ok_or_else(corrupt)?;
        drop(apart);
        budget.give(held);
    }
    facts.end()?;
    bares.end()?;
    if raw.len() == wanted { Ok(()) } else { Err(corrupt()) }
}

/// The same as a new vector of `raw_len` bytes, paid for too.
///
/// # Errors
/// `Corrupt` if the bytes contradict themselves or give another number of bytes, `Truncated`, `LimitExceeded`.
pub fn decode(bytes: &[u8], raw_len: u64, budget: &mut Budget) -> Result<Vec<u8>, Error> {
    general::decode(GeneralMethod::Jpeg, bytes, raw_len, budget)
}
