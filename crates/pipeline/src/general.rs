//! Codes files that no Program codes into general blocks: texts and the like by zstd, checkpoints as numbers, or as what is new in them.

mod against;

use std::path::Path;

use kolmo_codec::container::{PIECE_BYTES, block_digest};
use kolmo_codec::general::{self, GeneralMethod};
use kolmo_codec::jpeg;
use kolmo_codec::numbers::{self, Form, Span};
use kolmo_data::digest::{Digest, of_bytes};
use kolmo_data::tensor::{Element, Numbers};

use crate::ascending::Ascending;
use crate::base::BaseFile;
use crate::coding::CodedBlock;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::item::{Insides, ItemState};
use crate::options::StopFlag;
use crate::sorted::Unsorted;
use crate::work::Crew;
use against::Parts;

/// Bytes of a solid block of general files: as much as zstd -19 looks back.
const SOLID_BYTES: u64 = 8 << 20;

/// Bytes of a block of JPEG files: what is learned from some serves those after it, but one of them costs the decoding of all before it.
const JPEG_BYTES: u64 = 1 << 20;

/// zstd's level for a look at numbers: the dense one takes minutes for weights, of which it finds no more.
const QUICK: i32 = 3;

/// Bytes of a glance at files, and of a piece of one.
const GLANCE_BYTES: u64 = 1 << 16;
const GLANCE_PIECE_BYTES: u64 = 1 << 15;

/// How a general block came about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GeneralCoding {
    pub(crate) method: GeneralMethod,
    /// What it expands to.
    pub(crate) raw_bytes: u64,
    pub(crate) content: What,
}

/// What files of a block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Files with numbers in them, some of them at least.
    Numbers,
    /// JPEG files, so many of them kept as bytes because they do not come back from their coefficients.
    Jpeg { as_bytes: u64 },
    /// Anything else.
    Other,
}

/// What is read for one general block: some whole files, or a piece of a long one.
#[derive(Debug, Clone)]
enum Load {
    Files(Ascending),
    Piece { item: usize, start: u64, first: bool, number: usize },
}

impl Load {
    /// A block lists its items in the order of the archive.
    fn of_files(mut numbers: Vec<usize>) -> Self {
        numbers.sort_unstable();
        Self::Files(Ascending::new(&numbers))
    }
}

/// Files that stand in blocks of their own, in this order: those with numbers in them, and those with twins in the base too.
const OTHER: char = '0';
const NUMBERS: char = '1';
const PAIRED: char = '2';
const JPEG: char = '3';

/// Bytes that the files `numbers`, none of which has numbers in it, take the general way by zstd's `level`: the same as [`size`], on this thread alone.
pub(crate) fn size_aside(dataset: &Dataset, numbers: &[usize], level: i32, stop: &StopFlag) -> Result<u64, Error> {
    let mut bytes = 0;
    for load in planned(dataset, numbers)? {
        if stop.cancelled() {
            return Err(Error::Cancelled);
        }
        bytes += block(dataset, &load, level, None)?.bytes.len() as u64;
    }
    Ok(bytes)
}

/// Bytes that some pieces of the files `numbers`, from all over them, take by zstd at each of some levels.
pub(crate) fn glance<const N: usize>(dataset: &Dataset, numbers: &[usize], levels: [i32; N]) -> Result<[u64; N], Error> {
    let mut all = 0;
    for &number in numbers {
        all += dataset.items.get(number)?.bytes.min(GLANCE_PIECE_BYTES);
    }
    let every = all.div_ceil(GLANCE_BYTES).max(1) as usize;
    let mut raw = Vec::new();
    for &number in numbers.iter().skip(every / 2).step_by(every) {
        let bytes = dataset.items.get(number)?.bytes;
        let middle = (bytes - bytes.min(GLANCE_PIECE_BYTES)) / 2;
        raw.extend(dataset.origin(number)?.read(middle, GLANCE_PIECE_BYTES)?);
    }
    let mut sizes = [0; N];
    for (size, level) in sizes.iter_mut().zip(levels) {
        *size = general::encode_at(&raw, level)?.1.len() as u64;
    }
    Ok(sizes)
}

/// Bytes that the files `numbers` take the general way. `level` is zstd's; `base` is where tensors have their twins.
pub(crate) fn size(dataset: &Dataset, numbers: &[usize], level: i32, base: Option<&BaseFile>, crew: &mut Crew<'_>) -> Result<u64, Error> {
    let mut bytes = 0;
    each(dataset, numbers, level, base, crew, |block| {
        bytes += block.bytes.len() as u64;
        Ok(())
    })?;
    Ok(bytes)
}

/// Codes the files `numbers` the general way and hands out block after block: solid blocks of files with the same extension where there are
/// many, files with numbers apart from the others, and those that have twins in the `base` too, long ones in pieces. A few blocks a thread are in memory at a time.
pub(crate) fn each(
    dataset: &Dataset,
    numbers: &[usize],
    level: i32,
    base: Option<&BaseFile>,
    crew: &mut Crew<'_>,
    sink: impl FnMut(CodedBlock<GeneralCoding>) -> Result<(), Error>,
) -> Result<(), Error> {
    let plan = planned(dataset, numbers)?;
    crew.each("storing", &plan, |load| block(dataset, load, level, base), sink)
}

/// What is read for each block.
fn planned(dataset: &Dataset, numbers: &[usize]) -> Result<Vec<Load>, Error> {
    let mut long: Vec<(usize, u64)> = Vec::new();
    let mut short = Unsorted::new(dataset.files.aside());
    for &number in numbers {
        let item = dataset.items.get(number)?;
        if item.bytes > PIECE_BYTES {
            long.push((number, item.bytes));
        } else {
            let kind = match dataset.insides(number) {
                _ if item.state == ItemState::Jpeg => JPEG,
                Some(insides) if !insides.twins.is_empty() => PAIRED,
                Some(insides) if insides.numbers.is_some() => NUMBERS,
                _ => OTHER,
            };
            short.push(&format!("{kind}{}", extension(&dataset.path(number)?)), number as u64)?;
        }
    }
    let mut plan = Vec::new();
    let (mut run, mut filled, mut kind) = (Vec::new(), 0u64, OTHER);
    short.each(|key, number| {
        let (number, is_kind) = (number as usize, key.starts_with(kind));
        let bytes = dataset.items.get(number)?.bytes;
        let most = if key.starts_with(JPEG) { JPEG_BYTES } else { SOLID_BYTES };
        if !run.is_empty() && (!is_kind || filled.saturating_add(bytes) > most) {
            plan.push(Load::of_files(std::mem::take(&mut run)));
            filled = 0;
        }
        kind = key.chars().next().unwrap_or(kind);
        run.push(number);
        filled += bytes;
        Ok(())
    })?;
    if !run.is_empty() {
        plan.push(Load::of_files(run));
    }
    for (item, bytes) in long {
        let pieces = bytes.div_ceil(PIECE_BYTES);
        plan.extend((0..pieces).map(|n| Load::Piece { item, start: n * PIECE_BYTES, first: n == 0, number: n as usize }));
    }
    Ok(plan)
}

fn block(dataset: &Dataset, load: &Load, level: i32, base: Option<&BaseFile>) -> Result<CodedBlock<GeneralCoding>, Error> {
    let mut raw = Vec::new();
    let mut digests = Vec::new();
    let (mut spans, mut parts) = (Vec::new(), Parts::default());
    let none = Insides::default();
    let (mut of_numbers, mut jpegs) = (false, Vec::new());
    let begins = match load {
        Load::Files(numbers) => {
            for number in numbers.iter() {
                let (item, insides) = (dataset.items.get(number)?, dataset.insides(number).unwrap_or(&none));
                let origin = dataset.origin(number)?;
                let bytes = origin.read(0, item.bytes + 1)?;
                digests.push(checked(&origin.file, &bytes, item.bytes, Some(item.file_digest))?);
                against::push_parts(&insides.twins, 0, item.bytes, raw.len() as u64, &mut parts);
                raw.extend_from_slice(&bytes);
                push_spans(insides.numbers.as_ref(), 0, item.bytes, &mut spans);
                of_numbers |= insides.numbers.is_some();
                if item.state == ItemState::Jpeg {
                    jpegs.push(item.bytes);
                }
            }
            numbers.iter().collect()
        }
        &Load::Piece { item: number, start, first, number: piece } => {
            let (item, insides) = (dataset.items.get(number)?, dataset.insides(number).unwrap_or(&none));
            let origin = dataset.origin(number)?;
            raw = origin.read(start, PIECE_BYTES)?;
            let length = PIECE_BYTES.min(item.bytes - start);
            digests.push(checked(&origin.file, &raw, length, insides.pieces.get(piece).copied())?);
            push_spans(insides.numbers.as_ref(), start, length, &mut spans);
            against::push_parts(&insides.twins, start, length, 0, &mut parts);
            of_numbers = insides.numbers.is_some();
            if first { vec![number] } else { vec![] }
        }
    };
    if !jpegs.is_empty() {
        return jpeg_block(&raw, &jpegs, level, dataset.memory_bytes / 2, &digests, begins);
    }
    let differences = base.map(|base| against::encode(&raw, &spans, &parts, base)).transpose()?.flatten();
    let (method, bytes) = match differences {
        Some((coded, true)) => (GeneralMethod::Against, coded),
        other => {
            let alone = shortest(&raw, of_numbers.then_some(spans.as_slice()), level)?;
            let differences = other.map(|(coded, _)| coded).filter(|coded| coded.len() < alone.1.len());
            differences.map_or(alone, |coded| (GeneralMethod::Against, coded))
        }
    };
    let digest = block_digest(&bytes, &digests);
    let content = if of_numbers { What::Numbers } else { What::Other };
    Ok(CodedBlock { coding: GeneralCoding { method, raw_bytes: raw.len() as u64, content }, bytes, digest, items: begins })
}

/// A block of JPEG files of these `lengths`, for whose coefficients there are `memory_bytes`.
fn jpeg_block(
    raw: &[u8],
    lengths: &[u64],
    level: i32,
    memory_bytes: u64,
    digests: &[[u8; 32]],
    items: Vec<usize>,
) -> Result<CodedBlock<GeneralCoding>, Error> {
    // zstd finds what files have in common that differ in little but their markers.
    let quick = general::encode_at(raw, QUICK.min(level))?.1.len();
    let (method, bytes, as_bytes) = match jpeg::encode(raw, lengths, memory_bytes)?.filter(|coded| coded.bytes.len() < quick) {
        Some(coded) => (GeneralMethod::Jpeg, coded.bytes, coded.as_bytes),
        None => {
            let (method, bytes) = general::encode_at(raw, level)?;
            (method, bytes, lengths.len() as u64)
        }
    };
    let digest = block_digest(&bytes, digests);
    let coding = GeneralCoding { method, raw_bytes: raw.len() as u64, content: What::Jpeg { as_bytes } };
    Ok(CodedBlock { coding, bytes, digest, items })
}

/// `raw` in the way that takes least. With `spans`, zstd's dense level is only run where a quick one comes near.
fn shortest(raw: &[u8], spans: Option<&[Span]>, level: i32) -> Result<(GeneralMethod, Vec<u8>), Error> {
    let Some(spans) = spans else { return Ok(general::encode_at(raw, level)?) };
    let as_numbers = numbers::encode(raw, spans)?;
    let quick = general::encode_at(raw, QUICK.min(level))?;
    let near = as_numbers.len() + as_numbers.len() / 32;
    let other = if level > QUICK && quick.1.len() < near { general::encode_at(raw, level)? } else { quick };
    Ok(if as_numbers.len() < other.1.len() { (GeneralMethod::Numbers, as_numbers) } else { other })
}

/// Appends the spans of the `length` bytes from `start` on. Numbers that the ends cut in two are bytes.
fn push_spans(numbers: Option<&Numbers>, start: u64, length: u64, spans: &mut Vec<Span>) {
    let end = start + length;
    let mut at = start;
    let mut push = |form, until: u64, at: &mut u64| {
        if until > *at {
            spans.push(Span { form, bytes: until - *at });
            *at = until;
        }
    };
    for region in numbers.map_or(&[][..], |numbers| numbers.regions.as_slice()) {
        let (region_end, width) = (region.offset + region.bytes, region.element.bytes());
        if region_end <= start || region.offset >= end {
            continue;
        }
        let first = region.offset + start.saturating_sub(region.offset).div_ceil(width) * width;
        let last = region.offset + (region_end.min(end) - region.offset) / width * width;
        if first < last {
            push(Form::Bytes, first, &mut at);
            push(form(region.element), last, &mut at);
        }
    }
    push(Form::Bytes, end, &mut at);
}

const fn form(element: Element) -> Form {
    match element {
        Element::F64 => Form::Float64,
        Element::F32 => Form::Float32,
        Element::F16 | Element::Bf16 => Form::Float16,
        Element::I64 => Form::Integer64,
        Element::I32 => Form::Integer32,
        Element::I16 => Form::Integer16,
        Element::F8 | Element::I8 => Form::Integer8,
        _ => Form::Bytes,
    }
}

fn checked(file: &Path, bytes: &[u8], length: u64, expected: Option<Digest>) -> Result<[u8; 32], Error> {
    let digest = of_bytes(bytes);
    if bytes.len() as u64 != length || expected.is_some_and(|expected| expected != digest) {
        return Err(Error::Changed { path: file.to_path_buf() });
    }
    Ok(digest.0)
}

fn extension(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or_else(String::new, |(_, extension)| extension.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kolmo_data::tensor::{Kind, Region};

    #[test]
    fn extensions_are_of_the_name() {
        assert_eq!(extension("a.b/c"), "");
        assert_eq!(extension("a.b/c.TXT"), "txt");
    }

    #[test]
    fn spans_cover_every_piece_and_cut_no_number() {
        let region = |offset, bytes, element| Region { offset, bytes, element };
        let regions = vec![region(3, 40, Element::F32), region(43, 16, Element::F64), region(70, 2, Element::F8)];
        let numbers = Numbers { kind: Kind::Safetensors, regions, tensors: vec![] };
        let spans = |start, length| {
            let mut spans = Vec::new();
            push_spans(Some(&numbers), start, length, &mut spans);
            spans.into_iter().map(|span| (span.form, span.bytes)).collect::<Vec<_>>()
        };
        let bytes = Form::Bytes;
        assert_eq!(spans(0, 80), [(bytes, 3), (Form::Float32, 40), (Form::Float64, 16), (bytes, 11), (Form::Integer8, 2), (bytes, 8)]);
        assert_eq!(spans(4, 10), [(bytes, 3), (Form::Float32, 4), (bytes, 3)]);
        assert_eq!(spans(4, 4), [(bytes, 4)]);
        for (start, length) in (0..60).flat_map(|start| (0..20).map(move |length| (start, length))) {
            assert_eq!(spans(start, length).iter().map(|span| span.1).sum::<u64>(), length);
        }
    }
}
