//! Which tensors of a block are coded as differences to their twins in a base, and the block with these differences in it.

use kolmo_codec::against::{self, Base as _, Patch};
use kolmo_codec::numbers::{self, Form, Span};
use kolmo_data::tensor::Element;

use super::form;
use crate::base::{BaseFile, Twin};
use crate::error::Error;

/// Bytes of base that are read at a time.
const READ_BYTES: usize = 1 << 20;

/// A tensor is judged by this many bytes at so many places of it.
const SAMPLE_BYTES: u64 = 1 << 16;
const SAMPLES: u64 = 8;

/// Tensors shorter than this share codes with their neighbours, so those of one element type are judged together.
const SMALL_BYTES: u64 = 1 << 16;

/// Differences have to save a 32nd by the estimate.
const LEAST_GAIN: u64 = 32;

/// Where the estimate is a smaller saving than a tenth, both ways are tried in full.
const CLEARLY: u64 = 10;

/// A part of a twin that lies in a block.
#[derive(Debug, Clone, Copy)]
struct Part {
    patch: Patch,
    element: Element,
}

/// Those of a block.
#[derive(Debug, Default)]
pub(super) struct Parts(Vec<Part>);

/// Appends the parts of `twins` that lie in the `length` bytes of their file from `start` on, which stand in the block from `at` on. Numbers
/// that the ends cut in two are left out.
pub(super) fn push_parts(twins: &[Twin], start: u64, length: u64, at: u64, parts: &mut Parts) {
    let end = start + length;
    for twin in twins {
        let width = twin.element.bytes();
        if twin.offset >= end || twin.offset + twin.bytes <= start {
            continue;
        }
        let skipped = start.saturating_sub(twin.offset).div_ceil(width) * width;
        let last = (twin.bytes.min(end - twin.offset)) / width * width;
        if skipped < last {
            let patch = Patch { at: at + twin.offset + skipped - start, bytes: last - skipped, from: twin.from + skipped, width: width as u8 };
            parts.0.push(Part { patch, element: twin.element });
        }
    }
}

/// `raw` coded against `base`, if that seems to pay, and whether it clearly does.
pub(super) fn encode(raw: &[u8], spans: &[Span], parts: &Parts, base: &BaseFile) -> Result<Option<(Vec<u8>, bool)>, Error> {
    let (patches, gain) = choose(raw, parts, base)?;
    if patches.is_empty() {
        return Ok(None);
    }
    let mut folded = raw.to_vec();
    let mut twins = Vec::new();
    for patch in &patches {
        let mut from = patch.from;
        for folded in folded[patch.at as usize..][..patch.bytes as usize].chunks_mut(READ_BYTES) {
            twins.resize(folded.len(), 0);
            read(base, from, &mut twins)?;
            against::fold(folded, &twins, patch.width);
            from += folded.len() as u64;
        }
    }
    let coded = against::encode(base.id(), &patches, &folded, &respanned(spans, &patches))?;
    Ok(Some((coded, gain > raw.len() as u64 / CLEARLY)))
}

/// The parts that are worth it, and the bytes that they save by the estimate.
fn choose(raw: &[u8], parts: &Parts, base: &BaseFile) -> Result<(Vec<Patch>, u64), Error> {
    let (mut patches, mut gain) = (Vec::new(), 0);
    let mut small: Vec<(Element, Vec<Part>)> = Vec::new();
    for part in &parts.0 {
        if part.patch.bytes < SMALL_BYTES {
            match small.iter_mut().find(|(element, _)| *element == part.element) {
                Some((_, group)) => group.push(*part),
                None => small.push((part.element, vec![*part])),
            }
            continue;
        }
        let saved = saved(raw, std::slice::from_ref(part), base)?;
        if saved > 0 {
            patches.push(part.patch);
            gain += saved;
        }
    }
    for (_, group) in small {
        let saved = saved(raw, &group, base)?;
        if saved > 0 {
            patches.extend(group.iter().map(|part| part.patch));
            gain += saved;
        }
    }
    patches.sort_by_key(|patch| patch.at);
    Ok((patches, gain))
}

/// What differences save on parts of one element type, by the estimate for a sample of them; 0 if that is too little.
fn saved(raw: &[u8], parts: &[Part], base: &BaseFile) -> Result<u64, Error> {
    let Some(first) = parts.first() else { return Ok(0) };
    let (mut plain, mut folded, mut twins) = (Vec::new(), Vec::new(), Vec::new());
    for Part { patch, .. } in parts {
        let width = u64::from(patch.width);
        let piece = SAMPLE_BYTES / SAMPLES;
        let places = if patch.bytes <= SAMPLE_BYTES { 1 } else { SAMPLES };
        let length = if places == 1 { patch.bytes } else { piece };
        for place in 0..places {
            let skipped = (patch.bytes - length) / places.max(2).saturating_sub(1) * place / width * width;
            let numbers = &raw[(patch.at + skipped) as usize..][..length as usize];
            twins.resize(numbers.len(), 0);
            read(base, patch.from + skipped, &mut twins)?;
            let begin = folded.len();
            plain.extend_from_slice(numbers);
            folded.extend_from_slice(numbers);
            against::fold(&mut folded[begin..], &twins, patch.width);
        }
        // Small tensors without end are judged by the first of them.
        if plain.len() as u64 > 16 * SAMPLE_BYTES {
            break;
        }
    }
    let (before, after) = (numbers::estimate(form(first.element), &plain), numbers::estimate(integers(first.patch.width), &folded));
    if after + before / LEAST_GAIN >= before {
        return Ok(0);
    }
    let all: u64 = parts.iter().map(|part| part.patch.bytes).sum();
    Ok(((before - after) as f64 * all as f64 / plain.len().max(1) as f64).ceil() as u64)
}

/// The spans of a block in which patches are integers.
fn respanned(spans: &[Span], patches: &[Patch]) -> Vec<Span> {
    let mut all = Vec::with_capacity(spans.len());
    let mut push = |form: Form, bytes: u64| {
        // What a patch leaves of a span may begin or end inside a number.
        let form = if bytes.is_multiple_of(form.width() as u64) { form } else { Form::Bytes };
        if bytes > 0 {
            all.push(Span { form, bytes });
        }
    };
    let mut patches = patches.iter().peekable();
    let mut at = 0;
    for span in spans {
        let end = at + span.bytes;
        while at < end {
            match patches.peek() {
                Some(patch) if patch.at <= at => {
                    let until = end.min(patch.at + patch.bytes);
                    push(integers(patch.width), until - at);
                    at = until;
                    if patch.at + patch.bytes <= at {
                        patches.next();
                    }
                }
                next => {
                    let until = next.map_or(end, |patch| end.min(patch.at));
                    push(span.form, until - at);
                    at = until;
                }
            }
        }
    }
    all
}

const fn integers(width: u8) -> Form {
    match width {
        8 => Form::Integer64,
        4 => Form::Integer32,
        2 => Form::Integer16,
        _ => Form::Integer8,
    }
}

fn read(base: &BaseFile, from: u64, twins: &mut [u8]) -> Result<(), Error> {
    base.read(from, twins).map_err(|error| base.failed(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_piece_cut_no_number() {
        let twins = [
            Twin { offset: 10, bytes: 40, from: 100, element: Element::F32 },
            Twin { offset: 50, bytes: 4, from: 7, element: Element::I8 },
            Twin { offset: 54, bytes: 16, from: 0, element: Element::F64 },
        ];
        let parts = |start, length, at| {
            let mut parts = Parts::default();
            push_parts(&twins, start, length, at, &mut parts);
            parts.0.into_iter().map(|Part { patch, .. }| (patch.at, patch.bytes, patch.from, patch.width)).collect::<Vec<_>>()
        };
        assert_eq!(parts(0, 100, 0), [(10, 40, 100, 4), (50, 4, 7, 1), (54, 16, 0, 8)]);
        assert_eq!(parts(12, 30, 1000), [(1002, 28, 104, 4)]);
        assert_eq!(parts(51, 18, 0), [(0, 3, 8, 1), (3, 8, 0, 8)]);
        assert_eq!(parts(47, 3, 0), []);
    }

    #[test]
    fn patched_spans_are_integers_and_nothing_is_lost() {
        let span = |form, bytes| Span { form, bytes };
        let patch = |at, bytes, width| Patch { at, bytes, from: 0, width };
        let spans = [span(Form::Bytes, 10), span(Form::Float32, 40), span(Form::Float16, 6), span(Form::Bytes, 3)];
        let patched = respanned(&spans, &[patch(10, 12, 4), patch(22, 28, 4), patch(52, 2, 2)]);
        let (four, two) = (Form::Integer32, Form::Integer16);
        let expected = [(Form::Bytes, 10), (four, 12), (four, 28), (Form::Float16, 2), (two, 2), (Form::Float16, 2), (Form::Bytes, 3)];
        assert_eq!(patched, expected.map(|(form, bytes)| span(form, bytes)));
        assert_eq!(respanned(&spans, &[]), spans);
    }
}
