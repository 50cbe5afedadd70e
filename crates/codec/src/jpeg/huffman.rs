//! Huffman codes of a JPEG file, and the bits that they are read from and written to.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "symbols are bytes, lengths are 1..=16, bits are counted")]

/// A code: at most 256 symbols, 1 to 16 bits each, given out in the order of their lengths (ITU-T T.81, annex C).
#[derive(Debug, Clone)]
pub(super) struct Code {
    /// For each symbol its code above its length in the lower 8 bits; 0 if it has none.
    codes: [u32; 256],
    /// For each length the first code, and how many.
    first: [u32; 17],
    count: [u32; 17],
    symbols: Vec<u8>,
}

impl Code {
    /// A code of `counts[i]` symbols of length `i + 1`; nothing if there are too many for their lengths or not as many symbols.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let (mut codes, mut first, mut count) = ([0; 256], [0; 17], [0; 17]);
        let (mut code, mut at) = (0u32, 0);
        for (length, &n) in (1..).zip(counts) {
            (first[length], count[length]) = (code, u32::from(n));
            for &symbol in symbols.get(at..at + usize::from(n))? {
                codes[usize::from(symbol)] = code << 8 | length as u32;
                code += 1;
            }
            if code > 1 << length {
                return None;
            }
            at += usize::from(n);
            code <<= 1;
        }
        (at == symbols.len()).then(|| Self { codes, first, count, symbols: symbols.to_vec() })
    }
}

/// Bits of a segment of a scan, highest first, without the zeros that are stuffed behind bytes of `ff`.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
    bits: u64,
    left: u32,
}

impl<'a> BitReader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, bits: 0, left: 0 }
    }

    fn fill(&mut self) {
        while self.left <= 48 {
            let Some(&byte) = self.bytes.get(self.at) else { return };
            if byte == 0xff && self.bytes.get(self.at + 1) != Some(&0) {
                return; // a marker
            }
            self.at += if byte == 0xff { 2 } else { 1 };
            self.bits = self.bits << 8 | u64::from(byte);
            self.left += 8;
        }
    }

    /// The next `n` bits, at most 16.
    #[inline]
    pub(super) fn bits(&mut self, n: u32) -> Option<u32> {
        if self.left < n {
            self.fill();
        }
        self.left = self.left.checked_sub(n)?;
        Some((self.bits >> self.left) as u32 & ((1 << n) - 1))
    }

    /// The next symbol.
    pub(super) fn symbol(&mut self, code: &Code) -> Option<u8> {
        let (mut bits, mut before) = (0, 0);
        for length in 1..17 {
            bits = bits << 1 | self.bits(1)?;
            let n = bits.wrapping_sub(code.first[length]);
            if n < code.count[length] {
                return code.symbols.get((before + n) as usize).copied();
            }
            before += code.count[length];
        }
        None
    }

    /// Ends at a whole byte: the bits that were left of it, or nothing if it was whole already. Then passes a restart marker, if one follows.
    pub(super) fn end(&mut self) -> Option<u32> {
        self.fill();
        let part = self.left % 8;
        let rest = (part > 0).then(|| (self.bits >> (self.left - part)) as u32 & ((1 << part) - 1) | 1 << part);
        self.left -= part;
        rest
    }

    /// Passes the restart marker that has to follow a whole byte.
    pub(super) fn restart(&mut self) -> Option<()> {
        let [0xff, 0xd0..=0xd7] = self.bytes.get(self.at..self.at + 2)? else { return None };
        self.at += 2;
        (self.left == 0).then_some(())
    }
}

/// Writes the bits of a scan.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    bits: u64,
    held: u32,
    /// What fills up the last byte of a segment.
    pad: bool,
}

impl<'a> BitWriter<'a> {
    pub(super) const fn new(out: &'a mut Vec<u8>, pad: bool) -> Self {
        Self { out, bits: 0, held: 0, pad }
    }

    /// Bytes written so far, all that came before the scan included.
    pub(super) const fn len(&self) -> usize {
        self.out.len()
    }

    /// The lowest `n` bits of `bits`, at most 16.
    #[inline]
    pub(super) fn bits(&mut self, bits: u32, n: u32) {
        self.bits = self.bits << n | u64::from(bits & ((1 << n) - 1));
        self.held += n;
        while self.held >= 8 {
            self.held -= 8;
            let byte = (self.bits >> self.held) as u8;
            self.out.push(byte);
            if byte == 0xff {
                self.out.push(0);
            }
        }
    }

    /// A symbol, if it has a code.
    #[inline]
    pub(super) fn symbol(&mut self, code: &Code, symbol: u8) -> Option<()> {
        let code = code.codes[usize::from(symbol)];
        self.bits(code >> 8, code & 0xff);
        (code != 0).then_some(())
    }

    /// Fills up the last byte.
    pub(super) fn end(&mut self) {
        let missing = (8 - self.held % 8) % 8;
        self.bits(if self.pad { 0xff } else { 0 }, missing);
    }

    /// Restart marker number `n`.
    pub(super) fn restart(&mut self, n: u32) {
        self.end();
        self.out.extend([0xff, 0xd0 | (n % 8) as u8]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_go_there_and_back_through_stuffed_bytes() {
        let mut counts = [0; 16];
        (counts[1], counts[3], counts[15]) = (2, 3, 9);
        let symbols: Vec<u8> = (0..14).map(|n| n * 17).collect();
        let code = Code::new(&counts, &symbols).unwrap();
        let mut out = Vec::new();
        let mut writer = BitWriter::new(&mut out, true);
        for n in 0..3 {
            for &symbol in &symbols {
                writer.symbol(&code, symbol).unwrap();
                writer.bits(0xffff, 11);
            }
            writer.restart(n);
        }
        assert!(writer.symbol(&code, 1).is_none(), "it has no code");
        assert!(out.windows(2).any(|pair| pair == [0xff, 0]));
        let mut reader = BitReader::new(&out);
        for _ in 0..3 {
            for &symbol in &symbols {
                assert_eq!(reader.symbol(&code), Some(symbol));
                assert_eq!(reader.bits(11), Some(0x7ff));
            }
            reader.end();
            reader.restart().unwrap();
        }
        assert_eq!(reader.bits(1), None);
    }

    #[test]
    fn codes_that_do_not_fit_are_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(Code::new(&counts, &[1, 2, 3]).is_none(), "three codes of one bit");
        counts[0] = 2;
        assert!(Code::new(&counts, &[1]).is_none() && Code::new(&counts, &[1, 2, 3]).is_none(), "not as many symbols");
        assert!(Code::new(&counts, &[1, 2]).is_some());
    }
}
