//! Files that may be JPEG come back, whatever they are; whatever the payload, decoding it gives an error or as many bytes as were asked for.
#![no_main]

use kolmo_codec::jpeg::{decode, encode};
use kolmo_codec::limits::Budget;
use libfuzzer_sys::fuzz_target;

const MEMORY: u64 = 1 << 26;

fuzz_target!(|input: (&[u8], &[u8], u16)| {
    let (one, two, length) = input;
    let raw = [one, two].concat();
    let lengths = [one.len() as u64, two.len() as u64];
    if let Some(encoded) = encode(&raw, &lengths, MEMORY).expect("lengths make up the bytes") {
        let decoded = decode(&encoded.bytes, raw.len() as u64, &mut Budget::new(2 * MEMORY)).expect("what was encoded decodes");
        assert_eq!(decoded, raw);
    }
    if let Ok(decoded) = decode(one, length.into(), &mut Budget::new(1 << 20)) {
        assert_eq!(decoded.len(), usize::from(length));
    }
});
