//! Bits to symbols.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "look-ups are masked to the table; places are checked against what is left before each round"
)]

use super::{Lengths, MAX_BITS, runs};
use crate::Error;
use crate::container::fields::Fields;

const ENTRIES: usize = 1 << MAX_BITS;
const MASK: u64 = ENTRIES as u64 - 1;

/// Symbols of one look-up at most.
const MOST: u64 = 6;

/// Look-ups between two refills: 56 bits wait after one.
const LOOKUPS: usize = 5;

/// What a round of look-ups may write, as the compiler can see it too: at most 7 symbols each, the last look-up eight bytes whole.
const ROUND: usize = (LOOKUPS - 1) * 7 + 8;

/// What the next bits mean.
#[derive(Debug, Clone)]
pub(in super::super) struct Table {
    /// One symbol: it, and the bits of its code.
    one: Box<[(u8, u8); ENTRIES]>,
    /// Windows of up to 11 bits: that of `width` bits with value `at` is entry `2^width + at`. Each has as many symbols as it holds whole, 0 to 6: their bits
    /// in byte 0, they in bytes 1 to 6, their number in byte 7.
    windows: Box<[u64; 2 * ENTRIES]>,
}

impl Table {
    /// A table to be filled by [`Table::renew`].
    pub(in super::super) fn empty() -> Self {
        Self { one: Box::new([(0, 0); ENTRIES]), windows: Box::new([0; 2 * ENTRIES]) }
    }

    #[cfg(test)]
    pub(super) fn new(lengths: &Lengths) -> Self {
        let mut table = Self::empty();
        // whatever was in it before
        table.windows.fill(u64::MAX);
        table.renew(lengths);
        table
    }

    /// Makes it the table of these codes.
    pub(in super::super) fn renew(&mut self, lengths: &Lengths) {
        let Self { one, windows } = self;
        // codes fill their space, so every entry gets its symbol
        for ((code, length), symbol) in lengths.codes().into_iter().zip(0u8..=255).filter(|((_, length), _)| *length > 0) {
            for entry in one.iter_mut().skip(code.into()).step_by(1 << length) {
                *entry = (symbol, length);
            }
        }
        // Windows of fewer bits come first: what stands behind the first symbol of a window is a narrower one, looked up already.
        windows[1] = 0;
        for width in 1..=MAX_BITS {
            for at in 0..1usize << width {
                let (symbol, length) = one[at];
                let length = u32::from(length);
                windows[(1 << width) + at] = if length > width {
                    0
                } else {
                    let behind = windows[(1 << (width - length)) + (at >> length)];
                    if behind >> 56 < MOST {
                        (behind + (1 << 56) + u64::from(length)) & 0xff00_0000_0000_00ff
                            | (behind & 0x0000_ffff_ffff_ff00) << 8
                            | u64::from(symbol) << 8
                    } else {
                        greedy(one, at, width)
                    }
                };
            }
        }
    }

    /// The windows of 11 bits.
    fn many(&self) -> &[u64; ENTRIES] {
        &self.windows.as_chunks::<ENTRIES>().0[1]
    }

    /// Holds every entry against the simple way to make it.
    #[cfg(test)]
    pub(super) fn check(&self) {
        for (at, entry) in self.many().iter().enumerate() {
            assert_eq!(*entry, greedy(&self.one, at, MAX_BITS), "entry {at}");
        }
    }
}

/// The entry of a window of `width` bits that may hold more than six symbols.
fn greedy(one: &[(u8, u8); ENTRIES], at: usize, width: u32) -> u64 {
    let (mut used, mut symbols, mut count) = (0u32, 0u64, 0u64);
    while count < MOST {
        let (symbol, length) = one[at >> used];
        if used + u32::from(length) > width {
            break;
        }
        used += u32::from(length);
        count += 1;
        symbols |= u64::from(symbol) << (8 * count);
    }
    u64::from(used) | symbols | count << 56
}

/// One stream, and how far it was read.
#[derive(Clone, Copy)]
struct Stream<'a> {
    input: &'a [u8],
    /// In bits. May pass the end: zeros follow there.
    position: usize,
}

/// Marks the end of the bits that wait, so that the zeros above it tell how many were used.
const MARK: u64 = 1 << 63;

impl<'a> Stream<'a> {
    const fn new(input: &'a [u8]) -> Self {
        Self { input, position: 0 }
    }

    /// At least 56 bits from the position on, the next one lowest, below [`MARK`]; `None` near the end of the input.
    #[inline(always)]
    fn waiting(&self) -> Option<u64> {
        let bytes = self.input.get(self.position >> 3..)?.first_chunk()?;
        Some((u64::from_le_bytes(*bytes) | MARK) >> (self.position & 7))
    }

    /// Moves on by what was used since [`Stream::waiting`].
    #[inline(always)]
    const fn used(&mut self, waiting: u64) {
        self.position = (self.position & !7) + waiting.leading_zeros() as usize;
    }

    /// The symbols of `out`, one by one; whether the stream ends with them and less than a byte of zero bits.
    fn finish(mut self, table: &[(u8, u8); ENTRIES], out: &mut [u8]) -> bool {
        let byte = |at: usize| usize::from(self.input.get(at).copied().unwrap_or(0));
        for place in out {
            let at = self.position >> 3;
            let waiting = (byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16) >> (self.position & 7);
            let (symbol, length) = table[waiting & MASK as usize];
            *place = symbol;
            self.position += usize::from(length);
        }
        self.position.div_ceil(8) == self.input.len() && byte(self.position >> 3) >> (self.position & 7) == 0
    }
}

/// One look-up into `out`, which then holds `done` symbols.
#[inline(always)]
fn look_up(waiting: &mut u64, table: &[u64; ENTRIES], out: &mut [u8; ROUND], done: &mut usize) {
    let entry = table[(*waiting & MASK) as usize];
    *waiting >>= entry & 63;
    out[*done..*done + 8].copy_from_slice(&(entry >> 8).to_le_bytes());
    *done += (entry >> 56 & 7) as usize;
}

/// Decodes what [`super::encode`] wrote into all of `out`.
pub(in super::super) fn decode(fields: &mut Fields<'_>, table: &Table, out: &mut [u8]) -> Result<(), Error> {
    let runs = runs(out.len());
    let mut lengths = [0u64; 4];
    for (length, _) in lengths.iter_mut().zip(runs).filter(|(_, run)| *run > 0) {
        *length = fields.varint()?;
    }
    let mut streams = [Stream::new(&[]); 4];
    for (stream, length) in streams.iter_mut().zip(lengths) {
        *stream = Stream::new(fields.take(length)?);
    }
    let (a, rest) = out.split_at_mut(runs[0]);
    let (b, rest) = rest.split_at_mut(runs[1]);
    let (c, d) = rest.split_at_mut(runs[2]);
    let mut outs = [a, b, c, d];
    let done = bulk(&mut streams, table.many(), &mut outs);
    let ended =
        streams.into_iter().zip(outs).zip(done).fold(true, |ended, ((stream, out), done)| ended & stream.finish(&table.one, &mut out[done..]));
    if ended { Ok(()) } else { Err(fields.corrupt()) }
}

/// The bulk of it; how many symbols were written of each stream.
fn bulk(streams: &mut [Stream<'_>; 4], table: &[u64; ENTRIES], outs: &mut [&mut [u8]; 4]) -> [usize; 4] {
    #[cfg(target_arch = "x86_64")]
    if crate::numbers::x86::is_there() {
        #[allow(unsafe_code, reason = "the function is safe where the instructions exist")]
        // SAFETY: they do, as was just asked.
        return unsafe { bulk_bmi2(streams, table, outs) };
    }
    rounds(streams, table, outs)
}

/// The same loops with shifts that leave registers alone.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "bmi1,bmi2,lzcnt,avx2")]
fn bulk_bmi2(streams: &mut [Stream<'_>; 4], table: &[u64; ENTRIES], outs: &mut [&mut [u8]; 4]) -> [usize; 4] {
    rounds(streams, table, outs)
}

/// All streams at once while each of them has room, then each alone.
#[inline(always)]
fn rounds(streams: &mut [Stream<'_>; 4], table: &[u64; ENTRIES], outs: &mut [&mut [u8]; 4]) -> [usize; 4] {
    let [mut a, mut b, mut c, mut d] = *streams;
    let [out_a, out_b, out_c, out_d] = outs;
    let mut done = [0usize; 4];
    loop {
        let windows = (window(out_a, done[0]), window(out_b, done[1]), window(out_c, done[2]), window(out_d, done[3]));
        let (Some(into_a), Some(into_b), Some(into_c), Some(into_d)) = windows else { break };
        let waiting = (a.waiting(), b.waiting(), c.waiting(), d.waiting());
        let (Some(mut bits_a), Some(mut bits_b), Some(mut bits_c), Some(mut bits_d)) = waiting else { break };
        let mut at = [0usize; 4];
        for _ in 0..LOOKUPS {
            look_up(&mut bits_a, table, into_a, &mut at[0]);
            look_up(&mut bits_b, table, into_b, &mut at[1]);
            look_up(&mut bits_c, table, into_c, &mut at[2]);
            look_up(&mut bits_d, table, into_d, &mut at[3]);
        }
        a.used(bits_a);
        b.used(bits_b);
        c.used(bits_c);
        d.used(bits_d);
        done.iter_mut().zip(at).for_each(|(done, at)| *done += at);
    }
    alone(&mut a, table, out_a, &mut done[0]);
    alone(&mut b, table, out_b, &mut done[1]);
    alone(&mut c, table, out_c, &mut done[2]);
    alone(&mut d, table, out_d, &mut done[3]);
    *streams = [a, b, c, d];
    done
}

#[inline(always)]
fn alone(stream: &mut Stream<'_>, table: &[u64; ENTRIES], out: &mut [u8], done: &mut usize) {
    while let (Some(into), Some(mut bits)) = (window(out, *done), stream.waiting()) {
        let mut at = 0;
        for _ in 0..LOOKUPS {
            look_up(&mut bits, table, into, &mut at);
        }
        stream.used(bits);
        *done += at;
    }
}

#[inline(always)]
fn window(out: &mut [u8], done: usize) -> Option<&mut [u8; ROUND]> {
    out.get_mut(done..)?.first_chunk_mut()
}
