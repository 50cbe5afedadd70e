//! Integers as bytes, for Huffman and LZ77.
//!
//! *Plain*: each integer zigzagged, one byte for up to 8 bits, else two, low byte first. *Runs*: zeros before each other integer are counted, as
//! Deep Compression (Han et al. 2016) does, in a stream of their own: a byte 0..=254 says how many, 255 says 255 and goes on; the other
//! integers follow plain in a second stream. Zeros at the end are not counted.

use crate::Error;
use crate::container::fields::{unzigzag, zigzag};

const CONTINUED: u8 = 255;

fn width(bits: u8) -> usize {
    if bits <= 8 { 1 } else { 2 }
}

pub(super) fn put_plain(out: &mut Vec<u8>, integer: i32, bits: u8) {
    let value = zigzag(i64::from(integer)) as u32;
    out.extend_from_slice(value.to_le_bytes().get(..width(bits)).unwrap_or_default());
}

/// Takes one integer off the front.
pub(super) fn take_plain(bytes: &mut &[u8], bits: u8, largest: i32) -> Result<i32, Error> {
    let corrupt = || Error::corrupt("network weights: plain integers");
    let (own, rest) = bytes.split_at_checked(width(bits)).ok_or_else(corrupt)?;
    *bytes = rest;
    let value = own.iter().rev().fold(0u64, |value, &byte| value.wrapping_shl(8) | u64::from(byte));
    i32::try_from(unzigzag(value)).ok().filter(|integer| integer.unsigned_abs() <= largest.unsigned_abs()).ok_or_else(corrupt)
}

/// The two streams.
pub(super) fn to_runs(integers: &[i32], bits: u8) -> (Vec<u8>, Vec<u8>) {
    let (mut runs, mut values) = (Vec::new(), Vec::new());
    let mut zeros = 0u64;
    for &integer in integers {
        if integer == 0 {
            zeros = zeros.saturating_add(1);
            continue;
        }
        while zeros >= u64::from(CONTINUED) {
            runs.push(CONTINUED);
            zeros = zeros.saturating_sub(u64::from(CONTINUED));
        }
        runs.push(zeros as u8);
        zeros = 0;
        put_plain(&mut values, integer, bits);
    }
    (runs, values)
}

/// Fills `integers`, which are zero, from the two streams.
pub(super) fn from_runs(runs: &[u8], mut values: &[u8], bits: u8, largest: i32, integers: &mut [i32]) -> Result<(), Error> {
    let corrupt = || Error::corrupt("network weights: runs of zeros");
    let mut rest = integers.iter_mut();
    let mut zeros = 0usize;
    for &run in runs {
        zeros = zeros.checked_add(usize::from(run)).ok_or_else(corrupt)?;
        if run == CONTINUED {
            continue;
        }
        let integer = take_plain(&mut values, bits, largest)?;
        let place = rest.nth(zeros).filter(|_| integer != 0).ok_or_else(corrupt)?;
        *place = integer;
        zeros = 0;
    }
    if zeros == 0 && values.is_empty() { Ok(()) } else { Err(corrupt()) }
}
