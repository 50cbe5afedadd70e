//! Differences come back, whatever the numbers; a wrong base and hostile patches are refused.

use super::*;
use crate::error::ErrorKind;
use crate::general::{self, GeneralMethod};
use crate::numbers::Form;
use proptest::prelude::*;

/// A base in memory.
#[derive(Debug)]
struct Memory {
    id: BaseId,
    bytes: Vec<u8>,
}

impl Memory {
    fn new(bytes: &[u8]) -> Self {
        let id = BaseId { digest: *blake3::hash(bytes).as_bytes(), bytes: bytes.len() as u64, name: "before.safetensors".into() };
        Self { id, bytes: bytes.to_vec() }
    }
}

impl Base for Memory {
    fn id(&self) -> &BaseId {
        &self.id
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let twins = self.bytes.get(offset as usize..).and_then(|bytes| bytes.get(..out.len()));
        out.copy_from_slice(twins.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

fn decode(payload: &[u8], len: usize, base: Option<&dyn Base>, memory: u64) -> Result<Vec<u8>, Error> {
    let mut raw = Vec::new();
    general::decode_into(GeneralMethod::Against, payload, len as u64, base, &mut Budget::new(memory), &mut raw)?;
    Ok(raw)
}

fn patch(at: u64, bytes: u64, from: u64, width: u8) -> Patch {
    Patch { at, bytes, from, width }
}

/// Codes `raw` with its patches folded; all of it is bytes of any meaning.
fn coded(raw: &[u8], base: &Memory, patches: &[Patch]) -> Vec<u8> {
    let mut folded = raw.to_vec();
    for patch in patches {
        let twins = &base.bytes[patch.from as usize..][..patch.bytes as usize];
        fold(&mut folded[patch.at as usize..][..patch.bytes as usize], twins, patch.width);
    }
    encode(&base.id, patches, &folded, &[Span { form: Form::Bytes, bytes: raw.len() as u64 }]).unwrap()
}

fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn differences_of_either_sign_are_small() {
    let folded = |number: u32, base: u32| {
        let mut bytes = number.to_le_bytes();
        fold(&mut bytes, &base.to_le_bytes(), 4);
        u32::from_le_bytes(bytes)
    };
    assert_eq!([(7, 7), (6, 7), (8, 7), (5, 7)].map(|(number, base)| folded(number, base)), [0, 1, 2, 3]);
    assert_eq!([folded(0, u32::MAX), folded(u32::MAX, 0), folded(1 << 31, 0)], [2, 1, u32::MAX]);
}

#[test]
fn every_number_comes_back_from_every_other() {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 0.0, f32::MAX, f32::MIN_POSITIVE, 1e-45, f32::from_bits(0xffff_ffff)];
    let pairs: Vec<(f32, f32)> = odd.iter().flat_map(|&a| odd.iter().map(move |&b| (a, b))).collect();
    let bytes = |values: Vec<f32>| values.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>();
    let (numbers, twins) = (bytes(pairs.iter().map(|pair| pair.0).collect()), bytes(pairs.iter().map(|pair| pair.1).collect()));
    for width in [1, 2, 4] {
        let mut folded = numbers.clone();
        fold(&mut folded, &twins, width);
        unfold(&mut folded, &twins, width);
        assert_eq!(folded, numbers, "{width}");
    }
    let all: Vec<(u8, u8)> = (0..=255).flat_map(|a| (0..=255).map(move |b| (a, b))).collect();
    let (numbers, twins): (Vec<u8>, Vec<u8>) = all.into_iter().unzip();
    let mut folded = numbers.clone();
    fold(&mut folded, &twins, 1);
    unfold(&mut folded, &twins, 1);
    assert_eq!(folded, numbers);
}

#[test]
fn equal_tensors_take_nothing() {
    let base = Memory::new(&noise(300_000, 1));
    let mut raw = noise(100, 2);
    raw.extend_from_slice(&base.bytes[8..200_008]);
    let patches = [patch(100, 100_000, 8, 4), patch(100_100, 100_000, 100_008, 4)];
    let payload = coded(&raw, &base, &patches);
    assert!(payload.len() < 400, "{}", payload.len());
    assert_eq!(base_of(&payload[..HEAD_BYTES.min(payload.len() as u64) as usize]).unwrap(), base.id);
    assert_eq!(decode(&payload, raw.len(), Some(&base), 1 << 20).unwrap(), raw);
    let short = decode(&payload, raw.len(), Some(&base), raw.len() as u64 + 1000).unwrap_err();
    assert_eq!(short.kind(), ErrorKind::LimitExceeded);
}

#[test]
fn the_base_is_asked_for_by_name() {
    let (base, other) = (Memory::new(&noise(64, 1)), Memory::new(&noise(65, 1)));
    let payload = coded(&[0; 32], &base, &[patch(0, 32, 32, 8)]);
    assert_eq!(decode(&payload, 32, Some(&base), 1 << 16).unwrap(), [0; 32]);
    let missing = decode(&payload, 32, None, 1 << 16).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::InvalidArgument);
    let digits = blake3::hash(&base.bytes).to_hex();
    for said in ["before.safetensors", "64 bytes", "--base FILE", &digits[..12]] {
        assert!(missing.to_string().contains(said), "{missing}");
    }
    let wrong = decode(&payload, 32, Some(&other), 1 << 16).unwrap_err();
    assert!(matches!(&wrong, Error::BaseNeeded { given: Some(given), .. } if given.bytes == 65), "{wrong}");
}

/// A payload whose patches are written by hand.
fn forged(base: &Memory, patches: &[u64]) -> Vec<u8> {
    let mut payload = base.id.digest.to_vec();
    put_varint(&mut payload, base.id.bytes);
    put_varint(&mut payload, base.id.name.len() as u64);
    payload.extend_from_slice(base.id.name.as_bytes());
    patches.iter().for_each(|&field| put_varint(&mut payload, field));
    payload.extend(numbers::encode(&[0; 32], &[Span { form: Form::Bytes, bytes: 32 }]).unwrap());
    payload
}

#[test]
fn hostile_patches_are_refused() {
    let base = Memory::new(&noise(64, 1));
    let ended = |patches: &[u64]| decode(&forged(&base, patches), 32, Some(&base), 1 << 16).map_err(|error| error.kind());
    assert!(ended(&[0]).is_ok(), "no patch is fine");
    assert!(ended(&[1, 0, 32, 0, 8]).is_ok());
    assert!(ended(&[2, 0, 8, 0, 8, 16, 8, 1, 8]).is_ok(), "and so is one that lies lower in the base");
    let hostile: [(&str, &[u64]); 11] = [
        ("leaves the block", &[1, 0, 40, 0, 8]),
        ("begins behind the block", &[1, 32, 8, 0, 8]),
        ("leaves the base", &[1, 0, 32, zigzag(33), 8]),
        ("begins before the base", &[1, 0, 8, zigzag(-8), 8]),
        ("is no whole number", &[1, 0, 12, 0, 8]),
        ("is empty", &[1, 0, 0, 0, 8]),
        ("has an odd width", &[1, 0, 9, 0, 3]),
        ("has no width", &[1, 0, 8, 0, 0]),
        ("wraps", &[1, u64::MAX, 8, 0, 8]),
        ("wraps in the base", &[2, 0, 8, 0, 8, 0, 8, zigzag(i64::MAX), 8]),
        ("is said to be there", &[3, 0, 8, 0, 8]),
    ];
    for (why, patches) in hostile {
        assert!(matches!(ended(patches), Err(ErrorKind::Corrupt | ErrorKind::Truncated)), "a patch {why}: {:?}", ended(patches));
    }
    for count in [33, 1 << 40, u64::MAX] {
        assert_eq!(ended(&[count, 0, 8, 0, 8]), Err(ErrorKind::Corrupt));
    }
    let mut nameless = base.id.digest.to_vec();
    put_varint(&mut nameless, 64);
    for name in ["", "..", "a/b", "a\nb", "C:", &"x".repeat(1025)] {
        let mut payload = nameless.clone();
        put_varint(&mut payload, name.len() as u64);
        payload.extend_from_slice(name.as_bytes());
        payload.push(0);
        assert_eq!(base_of(&payload).unwrap_err().kind(), ErrorKind::Corrupt, "{name:?}");
        assert!(encode(&BaseId { name: name.into(), ..base.id.clone() }, &[], &[], &[]).is_err());
    }
}

#[test]
fn patches_out_of_place_are_not_written() {
    let base = Memory::new(&noise(64, 1));
    let spans = [Span { form: Form::Bytes, bytes: 32 }];
    for patches in [vec![patch(8, 8, 0, 8), patch(8, 8, 8, 8)], vec![patch(0, 8, 60, 8)], vec![patch(28, 8, 0, 8)], vec![patch(0, 8, 0, 16)]] {
        assert!(encode(&base.id, &patches, &[0; 32], &spans).is_err(), "{patches:?}");
    }
}

#[test]
fn every_bit_flip_and_every_prefix_ends_well() {
    let base = Memory::new(&noise(400, 1));
    let raw: Vec<u8> = base.bytes.iter().map(|byte| byte.wrapping_add(byte & 1)).collect();
    let payload = coded(&raw, &base, &[patch(0, 100, 40, 4), patch(120, 80, 0, 2), patch(200, 200, 200, 8)]);
    assert_eq!(decode(&payload, 400, Some(&base), 1 << 16).unwrap(), raw);
    for at in 0..payload.len() {
        for bit in 0..8 {
            let mut bad = payload.clone();
            bad[at] ^= 1 << bit;
            // Wrong bytes of the right length are the digest's to find.
            if let Ok(back) = decode(&bad, 400, Some(&base), 1 << 16) {
                assert_eq!(back.len(), 400);
            }
        }
        assert!(decode(&payload[..at], 400, Some(&base), 1 << 16).is_err());
    }
}

proptest! {
    #[test]
    fn blocks_come_back_whatever_their_patches(
        raw in proptest::collection::vec(any::<u8>(), 0..600),
        base in proptest::collection::vec(any::<u8>(), 1..600),
        wishes in proptest::collection::vec((0u64..80, 1u64..20, 0u64..600, 0u32..4), 0..12),
    ) {
        let base = Memory::new(&base);
        let (mut patches, mut at) = (Vec::new(), 0);
        for (gap, count, from, width) in wishes {
            let width = 1u8 << width;
            let wished = patch(at + gap, count * u64::from(width), from, width);
            if is_sound(&wished, raw.len() as u64, base.id.bytes) {
                patches.push(wished);
                at = wished.end();
            }
        }
        let payload = coded(&raw, &base, &patches);
        prop_assert_eq!(decode(&payload, raw.len(), Some(&base), 1 << 20).unwrap(), raw);
    }
}
