//! All numbers of one form, chunk by chunk.

use crate::Error;
use crate::container::fields::{Fields, put_varint};
use crate::limits::Budget;
use crate::numbers::form::{Form, MOST_PLANES, join, split};
use crate::numbers::huffman::Lengths;
use crate::numbers::plane::{self, Unzstd};

/// Bytes of a chunk at most: its planes and what they make together stay in a second-level cache. Of numbers of two bytes one plane is mostly stored as it is.
const fn chunk_bytes(form: Form) -> usize {
    if form.width() == 2 { 1 << 19 } else { 1 << 18 }
}

/// What a chunk of its own has to save beside its codes: its header takes some 20 bytes, and the time for new tables is worth the rest.
const CHUNK_COST: u64 = 600;

/// What codes of its own have to save a full chunk of a group, bytes a plane. Rare exponents are as many as the group is long, and each takes a place among the longest codes.
/// 32 MiB of normal bf16: 96 saves 680 bytes, 80 1,940 (3 % slower to decode), 64 3,680 (5 %), 16 4,610 (6 %). Chunks of wider numbers are shorter planes, in which new
/// tables cost more than they save: silero-vad in f32 would take 257 bytes of 957,169 less, and decode 3 % more slowly.
const OWN_COST: u64 = 80;

/// Writes one stream.
pub(super) struct Writer {
    form: Form,
    out: Vec<u8>,
    planes: [plane::Writer; MOST_PLANES],
    scratch: [Vec<u8>; MOST_PLANES],
    /// Numbers that will share codes.
    group: Vec<u8>,
    counts: [[u32; 256]; MOST_PLANES],
    cost: u64,
}

/// Bytes of a group at most.
const GROUP_BYTES: usize = 1 << 24;

impl Writer {
    pub(super) fn new(form: Form) -> Self {
        Self {
            form,
            out: Vec::new(),
            planes: Default::default(),
            scratch: Default::default(),
            group: Vec::new(),
            counts: [[0; 256]; MOST_PLANES],
            cost: 0,
        }
    }

    pub(super) const fn form(&self) -> Form {
        self.form
    }

    /// Takes in a span, whole numbers. Neighbours share codes where that takes less than codes of their own.
    pub(super) fn span(&mut self, numbers: &[u8]) -> Result<(), Error> {
        for part in numbers.chunks(chunk_bytes(self.form)) {
            split(self.form, part, &mut self.scratch);
            let planes = self.scratch.iter().take(self.form.width());
            let mut own = [[0; 256]; MOST_PLANES];
            own.iter_mut().zip(planes).for_each(|(counts, plane)| *counts = plane::counts(plane));
            let mut joint = self.counts;
            joint.iter_mut().flatten().zip(own.iter().flatten()).for_each(|(sum, &count)| *sum = sum.saturating_add(count));
            let (own_cost, joint_cost) = (self.cost_of(&own), self.cost_of(&joint));
            let apart = self.cost.saturating_add(own_cost).saturating_add(CHUNK_COST);
            if joint_cost > apart || self.group.len().saturating_add(part.len()) > GROUP_BYTES {
                self.flush()?;
                (self.counts, self.cost) = (own, own_cost);
            } else {
                (self.counts, self.cost) = (joint, joint_cost);
            }
            self.group.extend_from_slice(part);
        }
        Ok(())
    }

    fn cost_of(&self, counts: &[[u32; 256]; MOST_PLANES]) -> u64 {
        counts.iter().take(self.form.width()).fold(0, |sum, counts| sum.saturating_add(plane::plan(counts).1))
    }

    /// Writes the group; chunks share its codes, but for those that save enough by codes of their own.
    fn flush(&mut self) -> Result<(), Error> {
        let lengths: Vec<Option<Lengths>> = self.counts.iter().take(self.form.width()).map(|counts| plane::plan(counts).0).collect();
        let group = std::mem::take(&mut self.group);
        let full = chunk_bytes(self.form);
        for chunk in group.chunks(full) {
            if self.form.width() != 2 || chunk.len() < full || group.len() == full {
                self.chunk(chunk, &lengths)?;
                continue;
            }
            split(self.form, chunk, &mut self.scratch);
            let own = self.scratch.iter().zip(&lengths).map(|(plane, shared)| {
                let counts = plane::counts(plane);
                let (own, bytes) = plane::plan(&counts);
                let shared_bytes = shared.as_ref().and_then(|shared| shared.bits(&counts)).map(|bits| bits / 8);
                if shared_bytes.is_some_and(|shared| bytes.saturating_add(OWN_COST) < shared) { own } else { shared.clone() }
            });
            let own: Vec<Option<Lengths>> = own.collect();
            self.chunk(chunk, &own)?;
        }
        self.counts = [[0; 256]; MOST_PLANES];
        self.cost = 0;
        Ok(())
    }

    fn chunk(&mut self, chunk: &[u8], lengths: &[Option<Lengths>]) -> Result<(), Error> {
        put_varint(&mut self.out, chunk.len().checked_div(self.form.width()).unwrap_or(0) as u64);
        split(self.form, chunk, &mut self.scratch);
        for ((plane, writer), lengths) in self.scratch.iter().zip(&mut self.planes).zip(lengths) {
            writer.write(plane, lengths.as_ref(), &mut self.out)?;
        }
        Ok(())
    }

    /// The stream, coded.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, Error> {
        self.flush()?;
        Ok(self.out)
    }
}

/// The stream of bytes of any meaning: one chunk if zstd helps, else as other streams.
pub(super) fn write_bytes(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut writer = Writer::new(Form::Bytes);
    writer.span(bytes)?;
    let apart = writer.finish()?;
    let mut whole = Vec::new();
    if let Some(coded) = plane::zstd(bytes, apart.len() as u64)? {
        put_varint(&mut whole, bytes.len() as u64);
        plane::put_zstd(&coded, &mut whole);
        if whole.len() < apart.len() {
            return Ok(whole);
        }
    }
    Ok(apart)
}

/// Most bytes of a buffer that is kept from block to block.
const KEPT_BYTES: usize = 1 << 20;

/// What decoding holds beside its result, kept from block to block.
#[derive(Default)]
pub(super) struct Room {
    unzstd: Unzstd,
    scratch: [Vec<u8>; MOST_PLANES],
    /// Bytes of the buffers that the block at hand has paid for.
    paid: [usize; MOST_PLANES],
}

impl Room {
    /// Room for a new block, which has paid for nothing yet.
    pub(super) fn clear(&mut self) {
        self.paid = [0; MOST_PLANES];
        self.scratch.iter_mut().filter(|buffer| buffer.capacity() > KEPT_BYTES).for_each(|buffer| *buffer = Vec::new());
    }
}

/// Reads one stream.
pub(super) struct Reader<'a> {
    form: Form,
    fields: Fields<'a>,
    /// Bytes of the stream that no chunk has accounted for.
    left: u64,
    planes: [plane::Reader; MOST_PLANES],
    /// A chunk of which spans have not taken all: `waiting[taken..]` is left.
    waiting: Vec<u8>,
    taken: usize,
}

impl<'a> Reader<'a> {
    /// A stream that becomes `bytes` bytes.
    pub(super) fn new(form: Form, coded: &'a [u8], bytes: u64) -> Self {
        let fields = Fields::new(WHAT, coded);
        Self { form, fields, left: bytes, planes: Default::default(), waiting: Vec::new(), taken: 0 }
    }

    /// The next numbers, as many as fit `out`.
    pub(super) fn read(&mut self, mut out: &mut [u8], room: &mut Room, budget: &mut Budget) -> Result<(), Error> {
        while !out.is_empty() {
            let waiting = self.waiting.get(self.taken..).unwrap_or_default();
            if waiting.is_empty() {
                let bytes = self.header()?;
                if bytes <= out.len() {
                    let (chunk, rest) = out.split_at_mut_checked(bytes).ok_or(Error::corrupt(WHAT))?;
                    self.chunk(chunk, room, budget)?;
                    out = rest;
                } else {
                    let mut chunk = std::mem::take(&mut self.waiting);
                    budget.take(WHAT, bytes.saturating_sub(chunk.capacity()) as u64, 1)?;
                    resize(&mut chunk, bytes, budget)?;
                    self.chunk(&mut chunk, room, budget)?;
                    (self.waiting, self.taken) = (chunk, 0);
                }
                continue;
            }
            let bytes = waiting.len().min(out.len());
            let (head, rest) = out.split_at_mut_checked(bytes).ok_or(Error::corrupt(WHAT))?;
            head.copy_from_slice(waiting.get(..bytes).unwrap_or_default());
            self.taken = self.taken.saturating_add(bytes);
            out = rest;
        }
        Ok(())
    }

    /// Bytes of the chunk that comes next.
    fn header(&mut self) -> Result<usize, Error> {
        let bytes = self.fields.varint()?.checked_mul(self.form.width() as u64).filter(|&bytes| bytes > 0 && bytes <= self.left);
        let bytes = bytes.ok_or_else(|| self.fields.corrupt())?;
        self.left = self.left.saturating_sub(bytes);
        usize::try_from(bytes).map_err(|_| self.fields.corrupt())
    }

    fn chunk(&mut self, out: &mut [u8], room: &mut Room, budget: &mut Budget) -> Result<(), Error> {
        let Room { unzstd, scratch, paid } = room;
        if self.form.width() == 1 {
            return match &mut self.planes {
                [reader, ..] => reader.read(&mut self.fields, unzstd, out),
            };
        }
        let numbers = out.len().checked_div(self.form.width()).unwrap_or(0);
        let mut planes = [&[][..]; MOST_PLANES];
        let places = planes.iter_mut().zip(&mut self.planes).zip(scratch.iter_mut().zip(paid)).take(self.form.width());
        for ((plane, reader), (scratch, paid)) in places {
            *plane = match plane::stored(&mut self.fields, numbers)? {
                Some(stored) => stored,
                None => {
                    if *paid < numbers {
                        budget.take(WHAT, numbers.saturating_sub(*paid) as u64, 1)?;
                        *paid = numbers;
                    }
                    if scratch.len() < numbers {
                        resize(scratch, numbers, budget)?;
                    }
                    let scratch = scratch.get_mut(..numbers).ok_or(Error::corrupt(WHAT))?;
                    reader.read(&mut self.fields, unzstd, scratch)?;
                    scratch
                }
            };
        }
        join(self.form, &planes, out);
        Ok(())
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), Error> {
        if self.left == 0 && self.taken >= self.waiting.len() { self.fields.end() } else { Err(self.fields.corrupt()) }
    }
}

const WHAT: &str = "numbers of a block";

/// Makes a buffer hold `bytes` bytes, which are paid for.
fn resize(buffer: &mut Vec<u8>, bytes: usize, budget: &Budget) -> Result<(), Error> {
    buffer.try_reserve_exact(bytes.saturating_sub(buffer.len())).map_err(|_| Error::LimitExceeded { what: WHAT, limit: budget.left() })?;
    buffer.resize(bytes, 0);
    Ok(())
}
