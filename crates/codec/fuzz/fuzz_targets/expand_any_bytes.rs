//! Whatever the bytes, reading them as an archive ends, inside the limits, with files or with an error of a known kind.
//!
//! The digest at the end is made right first where the lengths allow it, or no input would ever get past it.
#![no_main]

use std::io::Cursor;

use kolmo_codec::ErrorKind;
use kolmo_codec::container::{HEADER_BYTES, Reader, TRAILER_BYTES};
use kolmo_codec::limits::Limits;
use kolmo_data::digest::of_bytes;
use kolmo_verify::Error;
use kolmo_verify::expand::{Options, blocks};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { memory_bytes: 1 << 20, program_macs_per_pixel: 20_000, items: 1000 };

fn sealed(bytes: &[u8]) -> Option<Vec<u8>> {
    let length = |at: usize| usize::try_from(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?)).ok();
    let body = bytes.len().checked_sub(TRAILER_BYTES as usize)?;
    let begin = (HEADER_BYTES as usize).checked_add(length(32)?)?;
    let end = begin.checked_add(length(40)?).filter(|&end| end <= body)?;
    let digest = of_bytes(&[&bytes[..begin], &bytes[end..body]].concat());
    Some([&bytes[..body], &digest.0].concat())
}

fn read(bytes: &[u8]) {
    let known = |error: &Error| {
        let kind = error.kind();
        // Differences to a base that is not given.
        let wants_base = matches!(error, Error::Block { source: kolmo_codec::Error::BaseNeeded { .. }, .. });
        let known = wants_base || matches!(kind, ErrorKind::Corrupt | ErrorKind::Truncated | ErrorKind::Unsupported | ErrorKind::LimitExceeded);
        assert!(known, "{error:?}");
    };
    let mut reader = match Reader::open(Cursor::new(bytes), &LIMITS) {
        Ok(reader) => reader,
        Err(error) => return known(&error.into()),
    };
    let end = blocks(&mut reader, &Options::all(&LIMITS), |outcome| {
        if let Err(error) = outcome.result {
            known(&error);
        }
        Ok::<(), Error>(())
    });
    if let Err(error) = end {
        known(&error);
    }
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    if let Some(bytes) = sealed(bytes) {
        read(&bytes);
    }
});
