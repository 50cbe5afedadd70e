//! How the fields of a recipe are written and read.
//!
//! Numbers are LEB128 (seven bits a byte, low bits first, at most ten bytes); byte strings are a number and so many bytes.

use crate::Error;

/// Writes fields.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn new(tag: u8) -> Self {
        Self { bytes: vec![tag] }
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub(crate) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 & 0x7f | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn string(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.raw(bytes);
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads fields; every read checks what is left.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(left: &'a [u8]) -> Self {
        Self { left }
    }

    pub(crate) fn raw(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], Error> {
        let (head, tail) = self.left.split_at_checked(n).ok_or(Error::Truncated { what, needed: n as u64, found: self.left.len() as u64 })?;
        self.left = tail;
        Ok(head)
    }

    pub(crate) fn byte(&mut self, what: &'static str) -> Result<u8, Error> {
        Ok(self.raw(1, what)?[0])
    }

    pub(crate) fn number(&mut self, what: &'static str) -> Result<u64, Error> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(what)?;
            if shift == 63 && byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Error::corrupt(what))
    }

    /// A number that is used as a count or length in memory.
    pub(crate) fn size(&mut self, what: &'static str) -> Result<usize, Error> {
        usize::try_from(self.number(what)?).map_err(|_| Error::corrupt(what))
    }

    pub(crate) fn string(&mut self, what: &'static str) -> Result<&'a [u8], Error> {
        let n = self.size(what)?;
        self.raw(n, what)
    }

    /// Nothing may be left.
    pub(crate) const fn end(&self) -> Result<(), Error> {
        if self.left.is_empty() { Ok(()) } else { Err(Error::corrupt("recipe: bytes after its end")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_there_and_back_and_never_run_on() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut writer = Writer::default();
            writer.number(number);
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.number("n").unwrap(), number);
            reader.end().unwrap();
            assert!(Reader::new(&bytes[..bytes.len() - 1]).number("n").is_err());
        }
        assert!(Reader::new(&[0xff; 20]).number("n").is_err());
        assert!(Reader::new(&[0x80; 9]).number("n").is_err());
    }

    #[test]
    fn a_string_longer_than_the_recipe_is_truncated() {
        let error = Reader::new(&[200, 1, 7]).string("palette").unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Truncated);
    }
}
