//! Reading and writing the plain fields of a container: fixed integers, varints, runs.

use crate::Error;

/// Bytes that are read front to back; every read is checked.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    what: &'static str,
    bytes: &'a [u8],
    len: u64,
}

impl<'a> Fields<'a> {
    /// Fields of the section called `what` in error messages.
    pub(crate) const fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes, len: bytes.len() as u64 }
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: u64) -> Result<&'a [u8], Error> {
        let split = usize::try_from(count).ok().and_then(|count| self.bytes.split_at_checked(count));
        let (head, tail) = split.ok_or(Error::Truncated { what: self.what, needed: self.offset().saturating_add(count), found: self.len })?;
        self.bytes = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let bytes = self.take(N as u64)?;
        bytes.try_into().map_err(|_| Error::corrupt(self.what))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Error> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn digest16(&mut self) -> Result<[u8; 16], Error> {
        self.array()
    }

    pub(crate) fn digest32(&mut self) -> Result<[u8; 32], Error> {
        self.array()
    }

    /// All that was not read yet.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// A varint: 7 bits a byte, low bits first, the high bit says that more follow; no longer than needed.
    pub(crate) fn varint(&mut self) -> Result<u64, Error> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            let moved = bits.checked_shl(shift).unwrap_or(0);
            if moved.checked_shr(shift).unwrap_or(0) != bits {
                break;
            }
            value |= moved;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    break; // a longer spelling of the same number
                }
                return Ok(value);
            }
        }
        Err(self.corrupt())
    }

    /// A varint that fits 32 bits.
    pub(crate) fn varint32(&mut self) -> Result<u32, Error> {
        u32::try_from(self.varint()?).map_err(|_| self.corrupt())
    }

    /// Where we are, from the start of the section.
    pub(crate) const fn offset(&self) -> u64 {
        self.len.saturating_sub(self.bytes.len() as u64)
    }

    /// "Something is wrong here."
    pub(crate) const fn corrupt(&self) -> Error {
        Error::corrupt_at(self.what, self.offset())
    }

    /// Nothing may be left.
    pub(crate) fn end(&self) -> Result<(), Error> {
        if self.bytes.is_empty() { Ok(()) } else { Err(self.corrupt()) }
    }
}

/// Appends a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes a column as runs, value by value: `varint value, varint run`, run at least 1.
#[derive(Debug, Default)]
pub(crate) struct RunsWriter {
    out: Vec<u8>,
    value: u64,
    /// Of the value; 0 before the first.
    run: u64,
}

impl RunsWriter {
    pub(crate) fn push(&mut self, value: u64) {
        if value != self.value {
            self.close();
            self.value = value;
        }
        self.run = self.run.saturating_add(1);
    }

    fn close(&mut self) {
        if self.run > 0 {
            put_varint(&mut self.out, self.value);
            put_varint(&mut self.out, self.run);
            self.run = 0;
        }
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.close();
        self.out
    }
}

/// Reads a column of runs value by value, without ever holding the column.
#[derive(Debug)]
pub(crate) struct Runs<'a> {
    fields: Fields<'a>,
    value: u64,
    left: u64,
}

impl<'a> Runs<'a> {
    /// A column called `what`.
    pub(crate) const fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { fields: Fields::new(what, bytes), value: 0, left: 0 }
    }

    /// The next value.
    pub(crate) fn next(&mut self) -> Result<u64, Error> {
        if self.left == 0 {
            self.value = self.fields.varint()?;
            self.left = self.fields.varint()?;
        }
        self.left = self.left.checked_sub(1).ok_or_else(|| self.fields.corrupt())?;
        Ok(self.value)
    }

    /// The next value, if it fits 32 bits.
    pub(crate) fn next32(&mut self) -> Result<u32, Error> {
        u32::try_from(self.next()?).map_err(|_| self.fields.corrupt())
    }

    /// The last run must have ended with the column.
    pub(crate) fn end(&self) -> Result<(), Error> {
        if self.left == 0 { self.fields.end() } else { Err(self.fields.corrupt()) }
    }
}

/// A signed step as an unsigned number: 0, -1, 1, -2, ...
pub(crate) const fn zigzag(step: i64) -> u64 {
    ((step << 1) ^ (step >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub(crate) const fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ 0i64.wrapping_sub((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back_and_have_one_spelling() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            let mut fields = Fields::new("test", &bytes);
            assert_eq!(fields.varint().unwrap(), value);
            fields.end().unwrap();
            assert_eq!(unzigzag(zigzag(value as i64)), value as i64);
        }
        assert!(Fields::new("test", &[0x80, 0x00]).varint().is_err());
        assert!(Fields::new("test", &[0xff; 12]).varint().is_err());
        assert!(Fields::new("test", &[0xff; 3]).varint().is_err());
    }

    #[test]
    fn runs_come_back_and_refuse_empty_runs() {
        let mut column = RunsWriter::default();
        [5, 5, 5, 0, 0, 9].into_iter().for_each(|value| column.push(value));
        let bytes = column.finish();
        assert_eq!(bytes, [5, 3, 0, 2, 9, 1]);
        assert_eq!(RunsWriter::default().finish(), []);
        let mut runs = Runs::new("test", &bytes);
        let values: Vec<u64> = (0..6).map(|_| runs.next().unwrap()).collect();
        assert_eq!(values, [5, 5, 5, 0, 0, 9]);
        runs.end().unwrap();
        assert!(runs.next().is_err());
        assert!(Runs::new("test", &[7, 0]).next().is_err());
        let mut long = Runs::new("test", &[7, 2]);
        long.next().unwrap();
        assert!(long.end().is_err());
    }
}
