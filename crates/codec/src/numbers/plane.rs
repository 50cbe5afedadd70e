//! One plane of a chunk: coded in the way that takes least, and read back.

use crate::Error;
use crate::container::fields::{Fields, put_varint};
use crate::numbers::huffman::{self, Lengths, Table};

/// How a plane is coded.
const CONSTANT: u8 = 0;
const STORED: u8 = 1;
const ZSTD: u8 = 2;
const HUFFMAN: u8 = 3;
const HUFFMAN_AS_BEFORE: u8 = 4;

/// zstd's level for a first look, and for what is kept.
const QUICK: i32 = 1;
const DENSE: i32 = 19;

/// Huffman codes have to save a 64th to be worth the time of decoding them; zstd, which decodes more slowly, as much against them.
const LEAST_GAIN: u64 = 64;

/// How often each byte occurs.
pub(super) fn counts(plane: &[u8]) -> [u32; 256] {
    // Four sets, so that equal neighbours do not wait for each other.
    let mut sets = [[0u32; 256]; 4];
    for four in plane.chunks(4) {
        for (set, &byte) in sets.iter_mut().zip(four) {
            if let Some(count) = set.get_mut(usize::from(byte)) {
                *count = count.saturating_add(1);
            }
        }
    }
    let [mut sum, others @ ..] = sets;
    for set in others {
        sum.iter_mut().zip(set).for_each(|(sum, count)| *sum = sum.saturating_add(count));
    }
    sum
}

/// Codes for bytes that occur `counts` times, if they save enough, and the bytes that plane and codes will then take; without codes, the
/// bytes of the plane as it is.
pub(super) fn plan(counts: &[u32; 256]) -> (Option<Lengths>, u64) {
    let symbols = counts.iter().fold(0u64, |sum, &count| sum.saturating_add(count.into()));
    let most = counts.iter().copied().max().unwrap_or(0);
    if u64::from(most) == symbols {
        return (None, 1);
    }
    // No byte much more frequent than all on average: there is nothing to gain.
    if u64::from(most).saturating_mul(256) < symbols.saturating_add(symbols / 8) {
        return (None, symbols);
    }
    let lengths = Lengths::of(counts);
    let bytes = lengths.as_ref().and_then(|lengths| Some((lengths.bits(counts)? / 8).saturating_add(lengths.written_bytes())));
    match bytes {
        Some(bytes) if bytes < symbols.saturating_sub(symbols / LEAST_GAIN) => (lengths, bytes),
        _ => (None, symbols),
    }
}

/// Writes planes that have the same place in the chunks of a stream.
#[derive(Debug, Default)]
pub(super) struct Writer {
    /// The codes that were written last.
    before: Option<Lengths>,
}

impl Writer {
    /// Appends `plane`. `lengths` are codes made for it and its neighbours.
    pub(super) fn write(&mut self, plane: &[u8], lengths: Option<&Lengths>, out: &mut Vec<u8>) -> Result<(), Error> {
        let (counts, size) = (counts(plane), plane.len() as u64);
        if let Some(&first) = plane.first().filter(|first| counts.get(usize::from(**first)).is_some_and(|&count| u64::from(count) == size)) {
            out.extend([CONSTANT, first]);
            return Ok(());
        }
        let as_before = lengths.is_some() && self.before.as_ref() == lengths;
        let bits = lengths.and_then(|lengths| lengths.bits(&counts));
        let huffman = bits.map(|bits| (bits / 8).saturating_add(if as_before { 0 } else { lengths.map_or(0, Lengths::written_bytes) }));
        let huffman = huffman.filter(|&bytes| bytes < size.saturating_sub(size / LEAST_GAIN));
        let to_beat = huffman.unwrap_or(size);
        let to_beat = to_beat.saturating_sub(to_beat / LEAST_GAIN);
        if let Some(coded) = zstd(plane, to_beat)? {
            put_zstd(&coded, out);
            return Ok(());
        }
        match (huffman, lengths) {
            (Some(_), Some(lengths)) => {
                out.push(if as_before { HUFFMAN_AS_BEFORE } else { HUFFMAN });
                if !as_before {
                    lengths.write(out);
                    self.before = Some(lengths.clone());
                }
                huffman::encode(plane, lengths, out);
            }
            _ => {
                out.push(STORED);
                out.extend_from_slice(plane);
            }
        }
        Ok(())
    }
}

/// Appends a plane that is one zstd frame.
pub(super) fn put_zstd(coded: &[u8], out: &mut Vec<u8>) {
    out.push(ZSTD);
    put_varint(out, coded.len() as u64);
    out.extend_from_slice(coded);
}

/// `plane` as a zstd frame, if that takes less than `to_beat`, as a quick look has to tell.
pub(super) fn zstd(plane: &[u8], to_beat: u64) -> Result<Option<Vec<u8>>, Error> {
    let compress = |level| crate::general::compress(plane, level).map_err(|error| Error::io("compress numbers for", &error));
    if compress(QUICK)?.len() as u64 >= to_beat {
        return Ok(None);
    }
    Ok(Some(compress(DENSE)?).filter(|coded| (coded.len() as u64) < to_beat))
}

/// Reads planes that have the same place in the chunks of a stream.
#[derive(Default)]
pub(super) struct Reader {
    before: Option<Table>,
}

impl Reader {
    /// Reads the next plane into all of `out`.
    pub(super) fn read(&mut self, fields: &mut Fields<'_>, unzstd: &mut Unzstd, out: &mut [u8]) -> Result<(), Error> {
        match fields.u8()? {
            CONSTANT => out.fill(fields.u8()?),
            STORED => out.copy_from_slice(fields.take(out.len() as u64)?),
            ZSTD => {
                let len = fields.varint()?;
                unzstd.decode(fields.take(len)?, out)?;
            }
            HUFFMAN => {
                let lengths = Lengths::read(fields)?;
                let table = self.before.get_or_insert_with(Table::empty);
                table.renew(&lengths);
                huffman::decode(fields, table, out)?;
            }
            HUFFMAN_AS_BEFORE => {
                let table = self.before.as_ref().ok_or_else(|| fields.corrupt())?;
                huffman::decode(fields, table, out)?;
            }
            found => return Err(Error::Unsupported { what: "coding of a plane", found: found.into(), known: HUFFMAN_AS_BEFORE.into() }),
        }
        Ok(())
    }
}

/// The next plane of `bytes` bytes as it stands in the payload, if it is stored.
pub(super) fn stored<'a>(fields: &mut Fields<'a>, bytes: usize) -> Result<Option<&'a [u8]>, Error> {
    let mut ahead = fields.clone();
    if ahead.u8()? != STORED {
        return Ok(None);
    }
    let plane = ahead.take(bytes as u64)?;
    *fields = ahead;
    Ok(Some(plane))
}

/// A zstd decoder that is made when it is needed, and then kept.
#[derive(Default)]
pub(super) struct Unzstd(Option<zstd::bulk::Decompressor<'static>>);

impl Unzstd {
    /// Decodes frames that must fill `out`.
    pub(super) fn decode(&mut self, coded: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let coder = match &mut self.0 {
            Some(coder) => coder,
            none => none.insert(zstd::bulk::Decompressor::new().map_err(|error| Error::io("decode a block of", &error))?),
        };
        let written = coder.decompress_to_buffer(coded, out).map_err(|_| Error::corrupt("plane of numbers"))?;
        if written == out.len() { Ok(()) } else { Err(Error::corrupt("plane of numbers")) }
    }
}
