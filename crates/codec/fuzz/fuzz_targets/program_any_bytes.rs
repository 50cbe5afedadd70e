//! Whatever the bytes, reading them as a Program gives an error or a Program that codes every image and gives it back.
#![no_main]

use kolmo_codec::block::{self, ImageRef, Method};
use kolmo_codec::limits::{Budget, Limits};
use kolmo_codec::program::Program;
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { memory_bytes: 1 << 20, program_macs_per_pixel: 20_000, items: 1000 };

fuzz_target!(|input: (u8, u8, &[u8], &[u8])| {
    let (height, width, samples, bytes) = input;
    let Ok(program) = Program::from_bytes(bytes, &LIMITS) else { return };
    assert_eq!(program.to_bytes(), bytes, "a Program is written as it was read");
    let (height, width) = (usize::from(height % 9), usize::from(width % 9));
    let count = height * width * program.channels();
    let drawn = samples.iter().chain(std::iter::repeat(&0)).take(count);
    let samples: Vec<u8> = match &program.wide {
        None => drawn.map(|sample| sample >> (8 - program.bit_depth())).collect(),
        Some(wide) => {
            let symbols = if wide.values.is_empty() { 1 << program.bit_depth() } else { wide.values.len() as u32 };
            let drawn: Vec<u16> = drawn.map(|&sample| (u32::from(sample) * 257 % symbols) as u16).collect();
            wide.samples(drawn.into_iter()).expect("each symbol has a sample")
        }
    };
    for method in [Method::Direct, Method::Lanes, Method::Adaptive, Method::References] {
        if program.is_deep() && matches!(method, Method::Adaptive | Method::References) {
            continue;
        }
        let encoded = block::encode_as(method, &program, &[ImageRef { height, width, samples: &samples }]).expect("samples fit the Program");
        let decode = |bytes: &[u8]| block::decode_as(method, &program, &[(height, width)], bytes, &mut Budget::new(1 << 26));
        assert_eq!(decode(&encoded.bytes).expect("what was encoded decodes"), [samples.clone()]);
        // Any payload: an error or samples of the right shape.
        for bytes in [bytes, &[&encoded.bytes[..encoded.bytes.len().min(128)], bytes].concat()] {
            if let Ok(decoded) = decode(bytes) {
                assert_eq!(decoded[0].len(), samples.len());
                assert!(program.wide.is_some() || decoded[0].iter().all(|&sample| u32::from(sample) < 1 << program.bit_depth()));
            }
        }
    }
});
