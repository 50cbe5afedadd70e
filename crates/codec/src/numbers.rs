//! The way of numbers: spans of floats and integers come apart into byte planes, each coded in the way that pays.
//!
//! Weights of a network are noise in their mantissas and highly regular in their exponents. So the bytes of equal place of all numbers of one
//! form (a *plane*) are coded together: constant, stored, by zstd, or by Huffman codes that are made anew where neighbouring tensors differ.
//! What the numbers mean, and which file they come from, is the caller's; `FORMAT.md` specifies every byte.

mod form;
mod huffman;
mod plane;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::cell::RefCell;
use std::collections::HashMap;

use crate::Error;
use crate::container::fields::{Fields, put_varint};
use crate::limits::Budget;

use form::FORMS;
pub use form::Form;

/// Bytes that hold numbers of one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Their form.
    pub form: Form,
    /// How many bytes, whole numbers.
    pub bytes: u64,
}

const WHAT: &str = "spans of a block";

/// Kind of a span that repeats an earlier one; the others are codes of forms.
const COPY: u8 = 8;

/// Shorter spans are not looked for: to name the earlier one takes two or three bytes.
const LEAST_COPY: usize = 16;

/// Codes `raw`, which consists of `spans`.
///
/// # Errors
/// `InvalidArgument` if spans are no whole numbers, or do not make up `raw`; `Io` if zstd fails, which it does only for want of memory.
pub fn encode(raw: &[u8], spans: &[Span]) -> Result<Vec<u8>, Error> {
    const DIFFER: Error = Error::InvalidArgument { what: "spans of numbers do not make up the bytes" };
    let mut writers = FORMS.map(stream::Writer::new);
    let (mut list, mut bytes_of_any) = (Vec::new(), Vec::new());
    let mut seen: HashMap<&[u8], usize> = HashMap::new();
    let mut rest = raw;
    for (number, span) in spans.iter().filter(|span| span.bytes > 0).enumerate() {
        let split = usize::try_from(span.bytes).ok().and_then(|bytes| rest.split_at_checked(bytes));
        let (bytes, tail) = split.filter(|(bytes, _)| bytes.len().is_multiple_of(span.form.width())).ok_or(DIFFER)?;
        rest = tail;
        if bytes.len() >= LEAST_COPY {
            if let Some(first) = seen.get(bytes) {
                list.push(COPY);
                put_varint(&mut list, number.saturating_sub(*first) as u64);
                continue;
            }
            seen.insert(bytes, number);
        }
        list.push(span.form.code());
        put_varint(&mut list, span.bytes);
        match writers.get_mut(usize::from(span.form.code())) {
            Some(writer) if span.form != Form::Bytes => writer.span(bytes)?,
            _ => bytes_of_any.extend_from_slice(bytes),
        }
    }
    if !rest.is_empty() {
        return Err(DIFFER);
    }
    let mut out = Vec::new();
    put_varint(&mut out, list.len() as u64);
    put_section(&stream::write_bytes(&list)?, &mut out);
    for writer in writers {
        let coded = if writer.form() == Form::Bytes { stream::write_bytes(&bytes_of_any)? } else { writer.finish()? };
        put_section(&coded, &mut out);
    }
    Ok(out)
}

fn put_section(coded: &[u8], out: &mut Vec<u8>) {
    put_varint(out, coded.len() as u64);
    out.extend_from_slice(coded);
}

/// Where a span's bytes come from.
enum Source {
    Stream(Form),
    /// The bytes of the result that begin here.
    Copy(usize),
}

/// Bytes that numbers of one form take about, whatever their neighbours: that of their planes in Huffman codes.
#[must_use]
pub fn estimate(form: Form, numbers: &[u8]) -> u64 {
    let mut planes = Default::default();
    form::split(form, numbers, &mut planes);
    planes.iter().take(form.width()).fold(0, |sum, plane| sum.saturating_add(plane::plan(&plane::counts(plane)).1))
}

/// Gives back the `raw_len` bytes. They and what decoding holds beside them are paid for out of `budget`.
///
/// # Errors
/// `Corrupt`, `Truncated` or `Unsupported` if the payload is not in order or decodes to another length; `LimitExceeded`.
pub fn decode(payload: &[u8], raw_len: u64, budget: &mut Budget) -> Result<Vec<u8>, Error> {
    crate::general::decode(crate::general::GeneralMethod::Numbers, payload, raw_len, budget)
}

thread_local! {
    /// Kept, because fresh memory for every block costs a third of the time of small ones.
    static ROOM: RefCell<stream::Room> = RefCell::default();
}

/// Decodes into all of `raw`, which is paid for already.
pub(crate) fn decode_to(payload: &[u8], raw: &mut [u8], budget: &mut Budget) -> Result<(), Error> {
    ROOM.with_borrow_mut(|room| {
        room.clear();
        decode_in(payload, raw, room, budget)
    })
}

fn decode_in(payload: &[u8], raw: &mut [u8], room: &mut stream::Room, budget: &mut Budget) -> Result<(), Error> {
    let raw_len = raw.len() as u64;
    let mut fields = Fields::new("block of numbers", payload);
    // Spans are not empty, and each takes at most five bytes of the list.
    let list_bytes = fields.varint()?;
    if list_bytes > raw_len.saturating_mul(5) {
        return Err(fields.corrupt());
    }
    let mut list = Vec::new();
    budget.take(WHAT, list_bytes, 1)?;
    let list_bytes = usize::try_from(list_bytes).map_err(|_| fields.corrupt())?;
    list.try_reserve_exact(list_bytes).map_err(|_| Error::LimitExceeded { what: WHAT, limit: budget.left() })?;
    list.resize(list_bytes, 0);
    let coded = fields.varint()?;
    let mut list_stream = stream::Reader::new(Form::Bytes, fields.take(coded)?, list_bytes as u64);
    list_stream.read(&mut list, room, budget)?;
    list_stream.end()?;
    let (plan, stream_bytes) = read_list(&list, raw_len, budget)?;
    let mut streams = Vec::new();
    for (form, bytes) in FORMS.into_iter().zip(stream_bytes) {
        let coded = fields.varint()?;
        streams.push(stream::Reader::new(form, fields.take(coded)?, bytes));
    }
    fields.end()?;

    let (mut at, mut plan) = (0usize, plan.into_iter().peekable());
    while let Some((source, mut bytes)) = plan.next() {
        if let Source::Stream(form) = source {
            // neighbours of one form are read at once: chunks go where they belong, whatever spans they cross
            while let Some((_, more)) = plan.next_if(|(source, _)| matches!(source, Source::Stream(next) if *next == form)) {
                bytes = bytes.saturating_add(more);
            }
        }
        let end = at.saturating_add(bytes);
        match source {
            Source::Stream(form) => {
                let out = raw.get_mut(at..end).ok_or(Error::corrupt(WHAT))?;
                streams.get_mut(usize::from(form.code())).ok_or(Error::corrupt(WHAT))?.read(out, room, budget)?;
            }
            Source::Copy(from) => {
                let (before, out) = raw.split_at_mut_checked(at).ok_or(Error::corrupt(WHAT))?;
                let from = before.get(from..from.saturating_add(bytes)).ok_or(Error::corrupt(WHAT))?;
                out.get_mut(..bytes).ok_or(Error::corrupt(WHAT))?.copy_from_slice(from);
            }
        }
        at = end;
    }
    streams.iter().try_for_each(stream::Reader::end)
}

type Plan = Vec<(Source, usize)>;

/// Spans with their lengths, which sum to `raw_len`, and how many bytes each stream becomes.
fn read_list(list: &[u8], raw_len: u64, budget: &mut Budget) -> Result<(Plan, [u64; 8]), Error> {
    let mut fields = Fields::new(WHAT, list);
    let mut plan: Plan = Vec::new();
    let mut begins: Vec<usize> = Vec::new();
    let mut stream_bytes = [0u64; 8];
    let mut at = 0usize;
    // A span takes at least two bytes of the list, and this much here.
    budget.take(WHAT, (list.len() as u64).div_ceil(2), size_of::<(Source, usize)>().saturating_add(size_of::<usize>()) as u64)?;
    while fields.offset() < list.len() as u64 {
        let (kind, value) = (fields.u8()?, fields.varint()?);
        let (source, bytes) = if kind == COPY {
            let back = usize::try_from(value).ok().filter(|&back| back > 0);
            let first = back.and_then(|back| plan.len().checked_sub(back)).ok_or_else(|| fields.corrupt())?;
            let (begin, bytes) =
                begins.get(first).zip(plan.get(first)).map(|(&begin, (_, bytes))| (begin, *bytes)).ok_or_else(|| fields.corrupt())?;
            (Source::Copy(begin), bytes)
        } else {
            let form = FORMS.get(usize::from(kind)).copied();
            let form = form.ok_or(Error::Unsupported { what: "form of numbers", found: kind.into(), known: COPY.into() })?;
            let bytes = usize::try_from(value).ok().filter(|&bytes| bytes > 0 && bytes.is_multiple_of(form.width()));
            let bytes = bytes.ok_or_else(|| fields.corrupt())?;
            let sum = stream_bytes.get_mut(usize::from(kind)).ok_or_else(|| fields.corrupt())?;
            *sum = sum.checked_add(value).ok_or_else(|| fields.corrupt())?;
            (Source::Stream(form), bytes)
        };
        begins.push(at);
        plan.push((source, bytes));
        at = at.checked_add(bytes).filter(|&at| at as u64 <= raw_len).ok_or_else(|| fields.corrupt())?;
    }
    if at as u64 == raw_len { Ok((plan, stream_bytes)) } else { Err(fields.corrupt()) }
}
