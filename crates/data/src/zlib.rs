//! Stock zlib behind safe functions.
//!
//! Only stock zlib repeats the streams that stock zlib wrote: zlib-ng and the deflates written in Rust choose other matches.
//! This is why the one `unsafe` file of the crate exists. `image`'s own inflate is the oracle in the tests.
#![allow(unsafe_code, reason = "zlib is a C library; every block says why it is sound")]

use std::ffi::c_int;
use std::mem::{MaybeUninit, size_of};

use libz_sys as z;

/// What deflate's output depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    /// 1 fastest to 9 smallest.
    pub(crate) level: u8,
    /// 1..=9; symbols a block holds are `2^(mem_level + 6)`.
    pub(crate) mem_level: u8,
    /// 0 default, 1 filtered, 2 Huffman only, 3 run lengths, 4 fixed codes.
    pub(crate) strategy: u8,
    /// log2 of the window, 9..=15.
    pub(crate) window_bits: u8,
}

impl Settings {
    /// What most programs use for anything.
    pub(crate) const PLAIN: Self = Self { level: 6, mem_level: 8, strategy: 0, window_bits: 15 };

    pub(crate) const fn is_valid(self) -> bool {
        matches!(self.level, 1..=9) && matches!(self.mem_level, 1..=9) && self.strategy <= 4 && matches!(self.window_bits, 9..=15)
    }
}

/// Bytes handed to zlib at a time: its counters are 32 bits wide.
const PIECE: usize = 1 << 30;

/// Deflates `input` to a zlib stream.
pub(crate) fn deflate(settings: Settings, input: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    run_deflate(settings, input, |bytes| {
        output.extend_from_slice(bytes);
        true
    });
    output
}

/// Bytes that [`deflate`] would give.
pub(crate) fn deflated_bytes(settings: Settings, input: &[u8]) -> usize {
    let mut n = 0;
    run_deflate(settings, input, |bytes| {
        n += bytes.len();
        true
    });
    n
}

/// Whether [`deflate`] would give `stream`, its two header bytes aside. Stops at the first byte that differs.
pub(crate) fn deflates_to(settings: Settings, input: &[u8], stream: &[u8]) -> bool {
    let mut at = 0;
    let same = run_deflate(settings, input, |bytes| {
        let skip = 2usize.saturating_sub(at).min(bytes.len());
        let same = stream.get(at..at + bytes.len()).is_some_and(|expected| expected[skip..] == bytes[skip..]);
        at += bytes.len();
        same
    });
    same && at == stream.len()
}

/// Gives the stream to `sink` piece by piece until it answers `false`; tells whether it never did.
fn run_deflate(settings: Settings, input: &[u8], mut sink: impl FnMut(&[u8]) -> bool) -> bool {
    assert!(settings.is_valid(), "deflate settings are checked where they are read");
    let mut stream = Stream::deflate(settings);
    let mut buffer = [0u8; 1 << 14];
    let mut left = input;
    loop {
        let finish = left.len() <= PIECE;
        let step = stream.step(&left[..left.len().min(PIECE)], &mut buffer, finish);
        left = &left[step.read..];
        if !sink(&buffer[..step.written]) {
            return false;
        }
        match step.status {
            z::Z_STREAM_END => return true,
            z::Z_OK => {}
            status => panic!("deflate cannot fail on valid arguments, but said {status}"),
        }
    }
}

/// Why a stream could not be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InflateError {
    /// It is no zlib stream, or its check sum is wrong.
    Corrupt,
    /// It ends before its end mark.
    Truncated,
    /// It holds more than the caller wants.
    TooLong,
}

/// Inflates the zlib stream at the start of `stream`; returns at most `limit` bytes, and how many bytes of `stream` it takes.
///
/// Memory grows with what is really there, never with what is promised.
pub(crate) fn inflate(stream: &[u8], limit: usize) -> Result<(Vec<u8>, usize), InflateError> {
    let mut zlib = Stream::inflate();
    let mut output = Vec::new();
    let mut buffer = [0u8; 1 << 14];
    let mut left = stream;
    loop {
        let step = zlib.step(&left[..left.len().min(PIECE)], &mut buffer, false);
        left = &left[step.read..];
        if step.written > limit - output.len() {
            return Err(InflateError::TooLong);
        }
        output.extend_from_slice(&buffer[..step.written]);
        match step.status {
            z::Z_STREAM_END => return Ok((output, stream.len() - left.len())),
            z::Z_OK if !left.is_empty() || step.written == buffer.len() => {}
            z::Z_OK | z::Z_BUF_ERROR => return Err(InflateError::Truncated),
            _ => return Err(InflateError::Corrupt),
        }
    }
}

/// CRC-32 of the concatenation, as PNG chunks carry it.
pub(crate) fn crc32(parts: [&[u8]; 2]) -> u32 {
    let mut crc = 0;
    for piece in parts.into_iter().flat_map(|part| part.chunks(PIECE)) {
        // SAFETY: pointer and length describe `piece`, which lives through the call; its length fits because PIECE does.
        crc = unsafe { z::crc32(crc, piece.as_ptr(), piece.len() as z::uInt) };
    }
    crc as u32
}

/// What one call of zlib did.
struct Step {
    read: usize,
    written: usize,
    status: c_int,
}

/// A zlib stream in its own box: zlib keeps a pointer back to it, so it must not move.
struct Stream {
    // Never turned into a `z_stream` value: zlib wants null allocators, which Rust's function pointers cannot be.
    inner: Box<MaybeUninit<z::z_stream>>,
    deflates: bool,
}

impl Stream {
    fn deflate(settings: Settings) -> Self {
        let mut inner = Box::new(MaybeUninit::<z::z_stream>::zeroed());
        // SAFETY: an all-zero z_stream (null allocators mean malloc and free) is what zlib's manual asks for, the version
        // string and the size are those of the linked library, and the numbers were checked by `Settings::is_valid`.
        let status = unsafe {
            z::deflateInit2_(
                inner.as_mut_ptr(),
                c_int::from(settings.level),
                z::Z_DEFLATED,
                c_int::from(settings.window_bits),
                c_int::from(settings.mem_level),
                c_int::from(settings.strategy),
                z::zlibVersion(),
                size_of::<z::z_stream>() as c_int,
            )
        };
        assert_eq!(status, z::Z_OK, "zlib found no memory for its state");
        Self { inner, deflates: true }
    }

    fn inflate() -> Self {
        let mut inner = Box::new(MaybeUninit::<z::z_stream>::zeroed());
        // SAFETY: as in `deflate`; 15 window bits read any stream.
        let status = unsafe { z::inflateInit2_(inner.as_mut_ptr(), 15, z::zlibVersion(), size_of::<z::z_stream>() as c_int) };
        assert_eq!(status, z::Z_OK, "zlib found no memory for its state");
        Self { inner, deflates: false }
    }

    /// One call: reads from `input`, writes to `output`.
    fn step(&mut self, input: &[u8], output: &mut [u8], finish: bool) -> Step {
        let (avail_in, avail_out) = (input.len() as z::uInt, output.len() as z::uInt);
        let stream = self.inner.as_mut_ptr();
        let flush = if finish { z::Z_FINISH } else { z::Z_NO_FLUSH };
        // SAFETY: `stream` was initialised by its constructor and has not moved since. The pointers and lengths describe
        // slices that live through the call (both lengths are at most PIECE); zlib reads `input` and never writes to it.
        // Fields are accessed through the raw pointer, so no reference to a z_stream with null allocators exists.
        unsafe {
            (*stream).next_in = input.as_ptr().cast_mut();
            (*stream).avail_in = avail_in;
            (*stream).next_out = output.as_mut_ptr();
            (*stream).avail_out = avail_out;
            let status = if self.deflates { z::deflate(stream, flush) } else { z::inflate(stream, flush) };
            Step { read: (avail_in - (*stream).avail_in) as usize, written: (avail_out - (*stream).avail_out) as usize, status }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let stream = self.inner.as_mut_ptr();
        // SAFETY: initialised by its constructor, ended only here.
        unsafe {
            if self.deflates {
                z::deflateEnd(stream)
            } else {
                z::inflateEnd(stream)
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(n: usize) -> Vec<u8> {
        let mut state = 1u32;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8 & 0x1f
        })
        .take(n)
        .collect()
    }

    #[test]
    fn streams_are_those_of_stock_zlib() {
        // If another zlib is linked in, archives could not be expanded elsewhere: this digest must never change.
        let input = noise(200_000);
        let mut all = Vec::new();
        for level in 1..=9 {
            for strategy in 0..=4 {
                all.extend(deflate(Settings { level, mem_level: 8, strategy, window_bits: 15 }, &input));
            }
        }
        let digest = crate::digest::of_bytes(&all).to_string();
        assert_eq!(digest, "504ad68980552c13573233e8d6aecfcafe4227354f403dcd6395ce4fbc25db2e");
    }

    #[test]
    fn inflate_stops_at_the_end_the_limit_and_the_damage() {
        let input = noise(100_000);
        let mut stream = deflate(Settings::PLAIN, &input);
        let n = stream.len();
        assert!(deflates_to(Settings::PLAIN, &input, &stream));
        assert!(!deflates_to(Settings { level: 1, ..Settings::PLAIN }, &input, &stream));
        assert!(!deflates_to(Settings::PLAIN, &input, &stream[..n - 1]));
        stream.push(7);
        assert!(!deflates_to(Settings::PLAIN, &input, &stream));
        assert_eq!(inflate(&stream, input.len()), Ok((input.clone(), n)));
        assert_eq!(inflate(&stream, input.len() - 1), Err(InflateError::TooLong));
        assert_eq!(inflate(&stream[..n - 1], input.len()), Err(InflateError::Truncated));
        assert_eq!(inflate(&[], 10), Err(InflateError::Truncated));
        stream[n - 1] ^= 1;
        assert_eq!(inflate(&stream, input.len()), Err(InflateError::Corrupt));
        assert_eq!(inflate(b"not zlib", 10), Err(InflateError::Corrupt));
    }

    #[test]
    fn an_empty_input_has_a_stream() {
        let stream = deflate(Settings::PLAIN, &[]);
        assert_eq!(inflate(&stream, 0), Ok((Vec::new(), stream.len())));
    }

    #[test]
    fn crc_is_the_published_one() {
        assert_eq!(crc32([b"1234", b"56789"]), 0xcbf4_3926);
    }
}
