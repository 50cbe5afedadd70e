//! The data of scans: coefficients out of bits and back (ITU-T T.81, annexes F and G).
//!
//! Writing makes the choices that libjpeg makes: runs of empty blocks as long as they may be, no code where none is needed. Files of encoders that choose
//! otherwise do not come back, and whoever reads finds that out by writing.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "blocks are counted by the frame, coefficients are below 64, values of 16 bits"
)]

use super::huffman::{BitReader, BitWriter, Code};
use super::stream::{Scan, Stream};

/// Coefficients of a block, in zigzag order.
pub(super) type Block = [i16; 64];

/// Corrections that libjpeg holds back until it ends a run of blocks.
const MOST_CORRECTIONS: usize = 1000;

/// Goes through the blocks of a scan in order: `step` gets the restart marker that is due before a block, the block's part of the scan and its number in
/// its component.
fn each_block(stream: &Stream, scan: &Scan, mut step: impl FnMut(Option<u32>, usize, usize) -> Option<()>) -> Option<()> {
    let (mut mcu, mut restarts) = (0, 0);
    let mut due = || {
        let is_due = scan.restart > 0 && mcu > 0 && mcu % scan.restart == 0;
        mcu += 1;
        is_due.then(|| {
            restarts += 1;
            restarts - 1
        })
    };
    if let [(component, ..)] = scan.parts[..] {
        let component = &stream.components[component];
        for y in 0..component.real_down {
            for x in 0..component.real_across {
                step(due(), 0, y * component.across + x)?;
            }
        }
        return Some(());
    }
    for my in 0..stream.mcus.1 {
        for mx in 0..stream.mcus.0 {
            let mut due = due();
            for (part, &(component, ..)) in scan.parts.iter().enumerate() {
                let component = &stream.components[component];
                for v in 0..component.v {
                    for h in 0..component.h {
                        step(due.take(), part, (my * component.v + v) * component.across + mx * component.h + h)?;
                    }
                }
            }
        }
    }
    Some(())
}

/// The bits of a difference or coefficient: how many, and which (one less if it is negative).
const fn magnitude(value: i32) -> (u32, u32) {
    let n = 32 - value.unsigned_abs().leading_zeros();
    (n, if value < 0 { value.wrapping_sub(1).cast_unsigned() } else { value.cast_unsigned() })
}

/// The value of `n` such bits.
fn extended(reader: &mut BitReader<'_>, n: u32) -> Option<i32> {
    if n == 0 {
        return Some(0);
    }
    let bits = reader.bits(n)?.cast_signed();
    Some(if bits >> (n - 1) == 0 { bits - (1 << n) + 1 } else { bits })
}

fn code(stream: &Stream, number: Option<usize>) -> Option<&Code> {
    stream.codes.get(number?)
}

/// Reads a scan into the blocks of all components. Says how segments are filled up, if any had to be.
pub(super) fn read(stream: &Stream, scan: &Scan, data: &[u8], planes: &mut [Vec<Block>]) -> Option<Option<bool>> {
    let mut reader = BitReader::new(data);
    let (mut before, mut run, mut pad) = ([0i32; 4], 0u32, None);
    let mut ended = |rest: Option<u32>| {
        if let Some(rest) = rest {
            pad.get_or_insert(rest & 1 == 1);
        }
    };
    each_block(stream, scan, |restart, part, at| {
        if restart.is_some() {
            ended(reader.end());
            reader.restart()?;
            (before, run) = ([0; 4], 0);
        }
        let (component, dc, ac) = scan.parts[part];
        let block = planes[component].get_mut(at)?;
        if scan.from == 0 {
            if scan.high > 0 {
                block[0] |= (reader.bits(1)? << scan.low) as i16;
            } else {
                let n = reader.symbol(code(stream, dc)?)?;
                before[part] += extended(&mut reader, u32::from(n).min(16))?;
                block[0] = i16::try_from(i64::from(before[part]) << scan.low).ok()?;
            }
        }
        let from = scan.from.max(1);
        if scan.to < from {
            return Some(());
        }
        let ac = code(stream, ac)?;
        if scan.high > 0 { refine(&mut reader, ac, scan, block, &mut run) } else { read_run(&mut reader, ac, scan, from, block, &mut run) }
    })?;
    ended(reader.end());
    Some(pad)
}

/// Reads the first bits of a block's AC coefficients; `run` counts the blocks that are known to have none.
fn read_run(reader: &mut BitReader<'_>, ac: &Code, scan: &Scan, from: usize, block: &mut Block, run: &mut u32) -> Option<()> {
    if *run > 0 {
        *run -= 1;
        return Some(());
    }
    let mut k = from;
    while k <= scan.to {
        let symbol = reader.symbol(ac)?;
        let (zeros, n) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        match (zeros, n) {
            (15, 0) => k += 16,
            (_, 0) => {
                *run = (1 << zeros) - 1 + reader.bits(zeros as u32)?;
                break;
            }
            _ => {
                k += zeros;
                *block.get_mut(k).filter(|_| k <= scan.to)? = i16::try_from(i64::from(extended(reader, n)?) << scan.low).ok()?;
                k += 1;
            }
        }
    }
    Some(())
}

/// Reads a further bit of a block's AC coefficients.
fn refine(reader: &mut BitReader<'_>, ac: &Code, scan: &Scan, block: &mut Block, run: &mut u32) -> Option<()> {
    let one = 1i16 << scan.low;
    let correct = |reader: &mut BitReader<'_>, value: &mut i16| {
        if reader.bits(1)? == 1 {
            *value = value.checked_add(if *value < 0 { -one } else { one })?;
        }
        Some(())
    };
    let mut k = scan.from;
    while k <= scan.to && *run == 0 {
        let symbol = reader.symbol(ac)?;
        let (mut zeros, n) = (u32::from(symbol >> 4), symbol & 15);
        let value = match (zeros, n) {
            (15, 0) => 0,
            (_, 0) => {
                *run = (1 << zeros) + reader.bits(zeros)?;
                break;
            }
            _ => {
                if reader.bits(1)? == 1 {
                    one
                } else {
                    -one
                }
            }
        };
        while k <= scan.to {
            let known = &mut block[k];
            if *known != 0 {
                correct(reader, known)?;
            } else if zeros == 0 {
                *known = value;
                k += 1;
                break;
            } else {
                zeros -= 1;
            }
            k += 1;
        }
    }
    if *run > 0 {
        for known in &mut block[k..=scan.to] {
            if *known != 0 {
                correct(reader, known)?;
            }
        }
        *run -= 1;
    }
    Some(())
}

/// Empty blocks and corrections that wait for the code which ends them.
#[derive(Debug, Default)]
struct Waiting {
    run: u32,
    corrections: Vec<bool>,
}

impl Waiting {
    fn end(&mut self, writer: &mut BitWriter<'_>, ac: &Code) -> Option<()> {
        if self.run > 0 {
            let n = self.run.ilog2();
            writer.symbol(ac, (n as u8) << 4)?;
            writer.bits(self.run, n);
            self.run = 0;
        }
        put(writer, &mut self.corrections);
        Some(())
    }
}

fn put(writer: &mut BitWriter<'_>, corrections: &mut Vec<bool>) {
    for bit in corrections.drain(..) {
        writer.bits(bit.into(), 1);
    }
}

/// Writes a scan behind what `out` holds, which may become `limit` bytes long; `None` if that is too short, or a code is missing.
pub(super) fn write(stream: &Stream, scan: &Scan, planes: &[Vec<Block>], pad: bool, limit: usize, out: &mut Vec<u8>) -> Option<()> {
    let mut writer = BitWriter::new(out, pad);
    let (mut before, mut waiting) = ([0i32; 4], Waiting::default());
    each_block(stream, scan, |restart, part, at| {
        let (component, dc, ac) = scan.parts[part];
        if let Some(number) = restart {
            if let Some(ac) = code(stream, ac) {
                waiting.end(&mut writer, ac)?;
            }
            writer.restart(number);
            before = [0; 4];
        }
        let block = planes[component].get(at)?;
        if scan.from == 0 {
            let value = i32::from(block[0]) >> scan.low;
            if scan.high > 0 {
                writer.bits(value.cast_unsigned(), 1);
            } else {
                let (n, bits) = magnitude(value - before[part]);
                before[part] = value;
                writer.symbol(code(stream, dc)?, n as u8)?;
                writer.bits(bits, n.min(16));
            }
        }
        let from = scan.from.max(1);
        if scan.to >= from {
            let ac = code(stream, ac)?;
            if scan.high > 0 {
                write_refined(&mut writer, ac, scan, block, &mut waiting)?;
            } else {
                write_run(&mut writer, ac, scan, from, block, stream.progressive, &mut waiting)?;
            }
        }
        (writer.len() <= limit).then_some(())
    })?;
    if let Some(ac) = code(stream, scan.parts[0].2) {
        waiting.end(&mut writer, ac)?;
    }
    writer.end();
    (writer.len() <= limit).then_some(())
}

/// Writes the first bits of a block's AC coefficients. `runs`: whether empty ends of blocks are counted.
fn write_run(writer: &mut BitWriter<'_>, ac: &Code, scan: &Scan, from: usize, block: &Block, runs: bool, waiting: &mut Waiting) -> Option<()> {
    let mut zeros = 0;
    for &value in &block[from..=scan.to] {
        // Towards zero, as T.81 has it.
        let value = i32::from(value) / (1 << scan.low);
        if value == 0 {
            zeros += 1;
            continue;
        }
        waiting.end(writer, ac)?;
        while zeros > 15 {
            writer.symbol(ac, 0xf0)?;
            zeros -= 16;
        }
        let (n, bits) = magnitude(value);
        writer.symbol(ac, zeros << 4 | n.min(15) as u8)?;
        writer.bits(bits, n.min(15));
        zeros = 0;
    }
    if zeros > 0 {
        waiting.run += 1;
        if !runs || waiting.run == 0x7fff {
            waiting.end(writer, ac)?;
        }
    }
    Some(())
}

/// Writes a further bit of a block's AC coefficients.
fn write_refined(writer: &mut BitWriter<'_>, ac: &Code, scan: &Scan, block: &Block, waiting: &mut Waiting) -> Option<()> {
    let size = |value: i16| u32::from(value.unsigned_abs()) >> scan.low;
    let last_new = (scan.from..=scan.to).rev().find(|&k| size(block[k]) == 1).unwrap_or(0);
    let (mut zeros, mut corrections) = (0, Vec::new());
    for (k, &value) in block.iter().enumerate().take(scan.to + 1).skip(scan.from) {
        let size = size(value);
        if size == 0 {
            zeros += 1;
            continue;
        }
        while zeros > 15 && k <= last_new {
            waiting.end(writer, ac)?;
            writer.symbol(ac, 0xf0)?;
            zeros -= 16;
            put(writer, &mut corrections);
        }
        if size > 1 {
            corrections.push(size & 1 == 1);
            continue;
        }
        waiting.end(writer, ac)?;
        writer.symbol(ac, zeros << 4 | 1)?;
        writer.bits(u32::from(value > 0), 1);
        put(writer, &mut corrections);
        zeros = 0;
    }
    if zeros > 0 || !corrections.is_empty() {
        waiting.run += 1;
        waiting.corrections.append(&mut corrections);
        if waiting.run == 0x7fff || waiting.corrections.len() > MOST_CORRECTIONS - 63 {
            waiting.end(writer, ac)?;
        }
    }
    Some(())
}
