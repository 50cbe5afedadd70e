//! Numbers of every form come back, whatever their values; what is hostile is refused.

use super::*;
use crate::error::ErrorKind;
use proptest::prelude::*;

fn back(coded: &[u8], len: usize) -> Result<Vec<u8>, Error> {
    decode(coded, len as u64, &mut Budget::new(1 << 24))
}

#[track_caller]
fn there_and_back(raw: &[u8], spans: &[Span]) -> usize {
    let coded = encode(raw, spans).unwrap();
    assert!(back(&coded, raw.len()).unwrap() == raw, "other bytes came back");
    coded.len()
}

/// Values like those of a layer: a sum of bytes, so nearly normal, from a seed.
fn weights(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..count).map(|_| (0..6).map(|_| next()).sum::<f32>() * 0.05).collect()
}

fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The upper halves, as bfloat16 cut off has them.
fn bf16_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| ((value.to_bits() >> 16) as u16).to_le_bytes()).collect()
}

fn whole(form: Form, raw: &[u8]) -> [Span; 1] {
    [Span { form, bytes: raw.len() as u64 }]
}

#[test]
fn weights_take_what_their_exponents_and_mantissas_need() {
    let values = weights(100_000, 1);
    let (single, half) = (f32_bytes(&values), bf16_bytes(&values));
    // 26.5 and 10.5 bits a number.
    assert_eq!(there_and_back(&single, &whole(Form::Float32, &single)), 326_238);
    assert_eq!(there_and_back(&half, &whole(Form::Float16, &half)), 132_289);
    // Single precision that holds halves costs no more than these.
    let widened: Vec<u8> = values.iter().flat_map(|value| (value.to_bits() & 0xffff_0000).to_le_bytes()).collect();
    assert_eq!(there_and_back(&widened, &whole(Form::Float32, &widened)), 132_311);
}

#[test]
fn tensors_of_different_scale_have_codes_of_their_own() {
    let (small, large) = (weights(50_000, 2), weights(50_000, 3).into_iter().map(|value| value * 1000.0).collect::<Vec<_>>());
    let raw = [bf16_bytes(&small), bf16_bytes(&large)].concat();
    let two = [Span { form: Form::Float16, bytes: 100_000 }; 2];
    let (apart, together) = (there_and_back(&raw, &two), there_and_back(&raw, &whole(Form::Float16, &raw)));
    assert!(apart + 5000 < together, "{apart} and {together}");
}

#[test]
fn constant_and_repeated_spans_take_nothing() {
    let zeros = vec![0; 1 << 20];
    assert!(there_and_back(&zeros, &whole(Form::Float32, &zeros)) < 100);
    let layer = bf16_bytes(&weights(20_000, 4));
    let raw = [layer.as_slice(), b"between", &layer, &layer].concat();
    let of = |form, bytes| Span { form, bytes };
    let spans = [of(Form::Float16, 40_000), of(Form::Bytes, 7), of(Form::Float16, 40_000), of(Form::Float32, 40_000)];
    assert!(there_and_back(&raw, &spans) < there_and_back(&layer, &whole(Form::Float16, &layer)) + 40);
}

#[test]
fn odd_values_and_sizes_come_back() {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::MIN_POSITIVE, 1e-45, f32::from_bits(0xffc1_2345), f32::from_bits(0x7f80_0001)];
    let raw = f32_bytes(&odd.repeat(300));
    for form in form::FORMS {
        assert!(there_and_back(&raw, &whole(form, &raw)) < 1200, "{form:?}");
    }
    assert!(there_and_back(&[], &[]) < 40);
    there_and_back(&[], &[Span { form: Form::Float64, bytes: 0 }]);
    let (few, of) = ([1u8, 2, 3, 4, 5, 6, 7], |form, bytes| Span { form, bytes });
    there_and_back(&few, &[of(Form::Bytes, 1), of(Form::Float16, 2), of(Form::Float32, 0), of(Form::Float32, 4)]);
}

#[test]
fn spans_that_do_not_fit_are_refused() {
    for spans in
        [&[][..], &[Span { form: Form::Bytes, bytes: 7 }], &[Span { form: Form::Bytes, bytes: 9 }], &[Span { form: Form::Float32, bytes: 8 }; 2]]
    {
        assert_eq!(encode(&[0; 8], spans).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    assert_eq!(encode(&[0; 6], &[Span { form: Form::Float32, bytes: 6 }]).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

/// A payload that has everything: two streams, all codings of planes, a copy.
fn rich() -> (Vec<u8>, Vec<u8>) {
    let layer = f32_bytes(&weights(700, 5));
    let ids: Vec<u8> = (0..200u16).flat_map(|id| (id % 40).to_le_bytes()).collect();
    let raw = [b"header ".repeat(9).as_slice(), &layer, &ids, &layer, &f32_bytes(&weights(1500, 6))].concat();
    let of = |form, bytes| Span { form, bytes };
    let spans = [of(Form::Bytes, 63), of(Form::Float32, 2800), of(Form::Integer16, 400), of(Form::Float32, 2800), of(Form::Float32, 6000)];
    let coded = encode(&raw, &spans).unwrap();
    (raw, coded)
}

#[test]
fn every_bit_flip_and_prefix_is_an_error_or_as_many_bytes() {
    let (raw, coded) = rich();
    assert!(back(&coded, raw.len()).unwrap() == raw);
    for at in 0..coded.len() {
        assert!(back(&coded[..at], raw.len()).is_err(), "the first {at} bytes are taken for the whole");
        // All bits near the front, where the structure is; one a byte in the planes.
        for bit in if at < 200 { 0..8 } else { at % 8..at % 8 + 1 } {
            let mut bad = coded.clone();
            bad[at] ^= 1 << bit;
            match back(&bad, raw.len()) {
                Ok(other) => assert_eq!(other.len(), raw.len()),
                Err(error) => assert!(
                    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Truncated | ErrorKind::Unsupported | ErrorKind::LimitExceeded),
                    "{error:?}"
                ),
            }
        }
    }
    for wrong in [0, 1, raw.len() - 1, raw.len() + 1] {
        assert!(back(&coded, wrong).is_err());
    }
    assert!(decode(&coded, u64::MAX, &mut Budget::new(u64::MAX)).is_err());
}

#[test]
fn memory_is_paid_for_before_it_is_taken() {
    let zeros = vec![0; 1 << 22];
    let coded = encode(&zeros, &whole(Form::Float32, &zeros)).unwrap();
    assert!(coded.len() < 300);
    assert_eq!(decode(&coded, 1 << 22, &mut Budget::new(1 << 21)).unwrap_err().kind(), ErrorKind::LimitExceeded);
    assert!(decode(&coded, 1 << 22, &mut Budget::new(6 << 20)).is_ok());
    // A list of spans that is longer than the spans could be.
    let mut list = Vec::new();
    put_varint(&mut list, 1 << 40);
    list.extend([0; 20]);
    assert_eq!(back(&list, 100).unwrap_err().kind(), ErrorKind::Corrupt);
}

proptest! {
    #[test]
    fn any_spans_come_back(parts in prop::collection::vec((0usize..8, 0usize..400, 0u8..4, any::<u32>()), 0..12)) {
        let (mut raw, mut spans) = (Vec::new(), Vec::new());
        for (form, count, kind, seed) in parts {
            let form = form::FORMS[form];
            let bytes = count * form.width();
            spans.push(Span { form, bytes: bytes as u64 });
            match kind {
                0 => raw.extend(f32_bytes(&weights(bytes / 4 + 1, seed)).into_iter().take(bytes)),
                1 => raw.extend(std::iter::repeat_n(seed as u8, bytes)),
                2 => raw.extend(weights(bytes, seed).into_iter().map(|value| value.to_bits() as u8)),
                _ => raw.extend((0..bytes).map(|at| (at / 8 % 50) as u8)),
            }
        }
        there_and_back(&raw, &spans);
    }

    #[test]
    fn any_payload_is_an_error_or_as_many_bytes(payload in prop::collection::vec(any::<u8>(), 0..100), len in 0usize..300) {
        if let Ok(raw) = back(&payload, len) {
            prop_assert_eq!(raw.len(), len);
        }
    }
}
