//! The markers of a JPEG file: its frame, tables and scans (ITU-T T.81, annex B).
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "slices are of checked lengths; sizes are of 16 bits, factors 1..=4")]

use super::huffman::Code;

/// Scans and tables of codes of a file at most; encoders make some ten.
const MOST_SCANS: usize = 128;
const MOST_CODES: usize = 256;

/// A component of the frame.
#[derive(Debug, Clone)]
pub(super) struct Component {
    id: u8,
    /// Blocks of it in an MCU, across and down.
    pub(super) h: usize,
    pub(super) v: usize,
    /// Number of its quantisation table.
    table: usize,
    /// Its blocks in whole MCUs.
    pub(super) across: usize,
    pub(super) down: usize,
    /// Those that the image reaches.
    pub(super) real_across: usize,
    pub(super) real_down: usize,
}

/// A scan: some bits of some coefficients of some components.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    /// Bytes of the file before its data, those of other scans left out.
    pub(super) head: usize,
    /// Where its data stand in the file.
    pub(super) data: std::ops::Range<usize>,
    /// Number of each component, of its codes for DC and for AC.
    pub(super) parts: Vec<(usize, Option<usize>, Option<usize>)>,
    /// First and last coefficient.
    pub(super) from: usize,
    pub(super) to: usize,
    /// Bits below those known already (0: none are known), and below those that this scan adds.
    pub(super) high: u32,
    pub(super) low: u32,
    /// MCUs between restart markers, or 0.
    pub(super) restart: usize,
}

/// What the markers say.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) progressive: bool,
    pub(super) components: Vec<Component>,
    pub(super) mcus: (usize, usize),
    pub(super) scans: Vec<Scan>,
    pub(super) codes: Vec<Code>,
    /// In the order of coefficients.
    quants: [Option<[u16; 64]>; 4],
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(*bytes.get(at)?) << 8 | usize::from(*bytes.get(at + 1)?))
}

impl Stream {
    /// Reads the markers of a file; `None` if it is none of those that are taken apart: sequential or progressive, Huffman codes, 8 bits. `bare` files are
    /// without the data of their scans.
    pub(super) fn parse(bytes: &[u8], bare: bool) -> Option<Self> {
        let mut stream = Self { progressive: false, components: vec![], mcus: (0, 0), scans: vec![], codes: vec![], quants: [None; 4] };
        let mut slots = [[None; 4]; 2];
        let (mut restart, mut cut) = (0, 0);
        if !bytes.starts_with(&[0xff, 0xd8]) {
            return None;
        }
        let mut at = 2;
        while at < bytes.len() {
            if bytes[at] != 0xff {
                return None;
            }
            while bytes.get(at) == Some(&0xff) {
                at += 1;
            }
            let marker = *bytes.get(at)?;
            at += 1;
            if marker == 0xd9 {
                break;
            }
            let length = number(bytes, at)?;
            let body = bytes.get(at + 2..at + length)?;
            at += length;
            match marker {
                0xc0..=0xc2 => stream.frame(marker, body)?,
                0xc4 => stream.read_codes(body, &mut slots)?,
                0xdb => stream.read_quants(body)?,
                0xdd => restart = number(body, 0).filter(|_| body.len() == 2)?,
                0xda => {
                    let scan = stream.read_scan(body, &slots, restart)?;
                    let end = if bare { at } else { end_of_data(bytes, at) };
                    stream.scans.push(Scan { head: at - cut, data: at..end, ..scan });
                    cut += end - at;
                    at = end;
                }
                // Frames of other processes, arithmetic coding, numbers of lines that come late, and what has no length.
                0xc3 | 0xc5..=0xcf | 0xdc | 0xde | 0xdf | 0x00..=0xbf | 0xd0..=0xd8 => return None,
                _ => {}
            }
        }
        stream.is_whole().then_some(stream)
    }

    /// Whether each component has a table and a scan of its DC, without which its blocks would cost nothing.
    fn is_whole(&self) -> bool {
        let has_scan = |n: usize| self.scans.iter().any(|scan| scan.from == 0 && scan.high == 0 && scan.parts.iter().any(|part| part.0 == n));
        !self.components.is_empty() && (0..self.components.len()).all(|n| has_scan(n) && self.quant(n).is_some())
    }

    fn frame(&mut self, marker: u8, body: &[u8]) -> Option<()> {
        let [8, rest @ ..] = body else { return None };
        let (height, width, count) = (number(rest, 0)?, number(rest, 2)?, usize::from(*rest.get(4)?));
        let parts = &rest[5..];
        if height == 0 || width == 0 || !(1..=4).contains(&count) || parts.len() != 3 * count || !self.components.is_empty() {
            return None;
        }
        self.progressive = marker == 0xc2;
        let factors = || parts.chunks_exact(3).map(|part| (usize::from(part[1] >> 4), usize::from(part[1] & 15)));
        let (most_h, most_v) = factors().fold((0, 0), |most, now| (most.0.max(now.0), most.1.max(now.1)));
        self.mcus = (width.div_ceil(8 * most_h.max(1)), height.div_ceil(8 * most_v.max(1)));
        for (part, (h, v)) in parts.chunks_exact(3).zip(factors()) {
            if !(1..=4).contains(&h) || !(1..=4).contains(&v) || part[2] > 3 || self.components.iter().any(|known| known.id == part[0]) {
                return None;
            }
            let real = |size: usize, factor: usize, most: usize| (size * factor).div_ceil(most).div_ceil(8);
            self.components.push(Component {
                id: part[0],
                h,
                v,
                table: usize::from(part[2]),
                across: self.mcus.0 * h,
                down: self.mcus.1 * v,
                real_across: real(width, h, most_h),
                real_down: real(height, v, most_v),
            });
        }
        Some(())
    }

    fn read_codes(&mut self, mut body: &[u8], slots: &mut [[Option<usize>; 4]; 2]) -> Option<()> {
        while let [what, rest @ ..] = body {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let (symbols, rest) = rest.split_at_checked(counts.iter().map(|&n| usize::from(n)).sum())?;
            let slot = slots.get_mut(usize::from(what >> 4))?.get_mut(usize::from(what & 15))?;
            if self.codes.len() == MOST_CODES {
                return None;
            }
            *slot = Some(self.codes.len());
            self.codes.push(Code::new(counts, symbols)?);
            body = rest;
        }
        Some(())
    }

    fn read_quants(&mut self, mut body: &[u8]) -> Option<()> {
        while let [what, rest @ ..] = body {
            let width = match what >> 4 {
                0 => 1,
                1 => 2,
                _ => return None,
            };
            let (steps, rest) = rest.split_at_checked(64 * width)?;
            let slot = self.quants.get_mut(usize::from(what & 15))?;
            // The model knows one table a component; a second one changes nothing but what it expects.
            let table = slot.get_or_insert([1; 64]);
            for (step, bytes) in table.iter_mut().zip(steps.chunks_exact(width)) {
                *step = bytes.iter().fold(0, |step, &byte| step << 8 | u16::from(byte)).max(1);
            }
            body = rest;
        }
        Some(())
    }

    fn read_scan(&self, body: &[u8], slots: &[[Option<usize>; 4]; 2], restart: usize) -> Option<Scan> {
        let [count, rest @ ..] = body else { return None };
        let count = usize::from(*count);
        if !(1..=4).contains(&count) || rest.len() != 2 * count + 3 || self.scans.len() == MOST_SCANS {
            return None;
        }
        let (from, to) = (usize::from(rest[2 * count]), usize::from(rest[2 * count + 1]));
        let (high, low) = (u32::from(rest[2 * count + 2] >> 4), u32::from(rest[2 * count + 2] & 15));
        let sound = if self.progressive {
            from <= to && to < 64 && low < 14 && (high == 0 || high == low + 1) && if from == 0 { to == 0 } else { count == 1 }
        } else {
            (from, to, high, low) == (0, 63, 0, 0)
        };
        let mut parts: Vec<(usize, Option<usize>, Option<usize>)> = Vec::new();
        for part in rest[..2 * count].chunks_exact(2) {
            let component = self.components.iter().position(|known| known.id == part[0])?;
            let code = |kind: usize, slot: u8| slots[kind].get(usize::from(slot)).copied();
            let (dc, ac) = (code(0, part[1] >> 4)?, code(1, part[1] & 15)?);
            // Codes that a scan needs have to be there.
            let (needs_dc, needs_ac) = (from == 0 && high == 0, to > 0);
            if (needs_dc && dc.is_none()) || (needs_ac && ac.is_none()) || parts.iter().any(|&(known, ..)| known >= component) {
                return None;
            }
            parts.push((component, dc, ac));
        }
        sound.then_some(Scan { head: 0, data: 0..0, parts, from, to, high, low, restart })
    }

    /// The quantisation table of a component, in the order of coefficients.
    pub(super) fn quant(&self, component: usize) -> Option<&[u16; 64]> {
        self.quants[self.components.get(component)?.table].as_ref()
    }

    /// Blocks of all components.
    pub(super) fn blocks(&self) -> u64 {
        self.components.iter().map(|component| component.across as u64 * component.down as u64).sum()
    }
}

/// Where the data of a scan end: at a marker that is none of a restart.
fn end_of_data(bytes: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = bytes.get(at) {
        if byte == 0xff {
            match bytes.get(at + 1) {
                Some(0 | 0xd0..=0xd7) => at += 2,
                Some(_) => break,
                None => at += 1,
            }
        } else {
            at += 1;
        }
    }
    at
}
