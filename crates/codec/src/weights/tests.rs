use super::*;
use crate::error::ErrorKind;

/// Bytes as weights are: roughly Laplacian around zero, from a seed.
fn laplacian(count: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 16
    };
    (0..count)
        .map(|_| {
            let size = (next() | 1 << 16).trailing_zeros() * 6 + next() % 6;
            let size = size.min(127) as i8;
            (if next() & 1 == 0 { size } else { -size }) as u8
        })
        .collect()
}

fn samples() -> Vec<Vec<u8>> {
    vec![vec![], vec![7], vec![0; 5000], vec![255, 0], (0..=255).collect(), laplacian(20_000, 3), b"weights weights weights weights".to_vec()]
}

type Encode = fn(&[u8]) -> Option<Vec<u8>>;

fn coders() -> [(Coder, Encode); 3] {
    [(Coder::Huffman, huffman::encode), (Coder::Lz77, |raw| Some(lz77::encode(raw))), (Coder::Range, |raw| Some(range::encode(raw)))]
}

#[test]
fn every_coder_gives_every_sample_back() {
    for raw in samples() {
        for (coder, encode) in coders() {
            let coded = encode(&raw).unwrap();
            let back = decode(coder, &coded, raw.len() as u64, &mut Budget::new(1 << 20));
            assert_eq!(back.unwrap(), raw, "{coder:?}, {} bytes", raw.len());
        }
    }
}

#[test]
fn the_shortest_is_kept_and_near_the_entropy() {
    let raw = laplacian(20_000, 3);
    let mut counts = [0f64; 256];
    raw.iter().for_each(|&byte| counts[byte as usize] += 1.0);
    let entropy: f64 = counts.iter().filter(|&&n| n > 0.0).map(|n| n * (20_000.0 / n).log2() / 8.0).sum();
    let coded = encode(&raw);
    assert_eq!(coded.bytes.len() as u64, coded.sizes.huffman.min(coded.sizes.range));
    assert!((coded.sizes.range as f64) < entropy * 1.02 + 40.0, "{:?} {entropy}", coded.sizes);
    assert!((coded.sizes.huffman as f64) < entropy * 1.02 + 160.0, "{:?} {entropy}", coded.sizes);
    assert!(coded.sizes.lz77 > coded.sizes.huffman);
    // Layers differ in scale, which only contexts see.
    let layers: Vec<u8> = (0..8).flat_map(|layer| laplacian(2500, layer).into_iter().map(move |w| (w as i8 >> (layer % 4)) as u8)).collect();
    let coded = encode(&layers);
    assert_eq!(coded.coder, Coder::Range);
    assert!(coded.sizes.range * 100 < coded.sizes.huffman * 97, "{:?}", coded.sizes);
    let noise: Vec<u8> = blake3::Hasher::new().finalize_xof().by_ref_bytes(300);
    assert_eq!(encode(&noise).coder, Coder::Stored);
}

trait ByRefBytes {
    fn by_ref_bytes(self, count: usize) -> Vec<u8>;
}

impl ByRefBytes for blake3::OutputReader {
    fn by_ref_bytes(mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.fill(&mut bytes);
        bytes
    }
}

#[test]
fn hostile_bytes_give_errors_or_bytes_of_the_declared_length() {
    let raw = laplacian(300, 5);
    for (coder, encode) in coders() {
        let coded = encode(&raw).unwrap();
        for at in 0..coded.len() {
            for bit in 0..8 {
                let mut bad = coded.clone();
                bad[at] ^= 1 << bit;
                if let Ok(back) = decode(coder, &bad, 300, &mut Budget::new(1 << 20)) {
                    assert_eq!(back.len(), 300);
                }
            }
            assert!(decode(coder, &coded[..at], 300, &mut Budget::new(1 << 20)).is_err(), "{coder:?} cut at {at}");
        }
        let longer = [&coded[..], &[1]].concat();
        assert!(decode(coder, &longer, 300, &mut Budget::new(1 << 20)).is_err(), "{coder:?}");
        let huge = decode(coder, &coded, u64::MAX, &mut Budget::new(1 << 30)).unwrap_err();
        assert_eq!(huge.kind(), ErrorKind::LimitExceeded);
        assert!(decode(coder, &coded, 1 << 30, &mut Budget::new(2 << 30)).is_err(), "{coder:?}");
    }
}

/// Weight, name, and the codes below.
type Node = (u64, u8, Vec<(u8, String)>);

/// Decodes a Huffman stream as `FORMAT.md` says, without the library.
fn huffman_by_the_book(bytes: &[u8], len: usize) -> Vec<u8> {
    let mut lengths = Vec::new();
    let mut rest = bytes;
    while lengths.len() < 256 {
        lengths.extend(std::iter::repeat_n(rest[0] & 31, usize::from(rest[0] >> 5) + 1));
        rest = &rest[1..];
    }
    let present = (0u8..=255).filter(|&value| lengths[usize::from(value)] != 31);
    let mut nodes: Vec<Node> = present.map(|value| (1 << (30 - lengths[usize::from(value)]), value, vec![(value, String::new())])).collect();
    while nodes.len() > 1 {
        nodes.sort_by_key(|(weight, name, _)| (std::cmp::Reverse(*weight), *name));
        let (one, zero) = (nodes.pop().unwrap(), nodes.pop().unwrap());
        let below = |bit: char, node: Vec<(u8, String)>| node.into_iter().map(move |(value, code)| (value, format!("{bit}{code}")));
        nodes.push((one.0 + zero.0, one.1.min(zero.1), below('1', one.2).chain(below('0', zero.2)).collect()));
    }
    let codes = nodes.pop().unwrap().2;
    let bits: String = rest.iter().map(|byte| format!("{byte:08b}")).collect();
    let (mut at, mut out) = (0, Vec::new());
    while out.len() < len {
        let (value, code) = codes.iter().find(|(_, code)| bits[at..].starts_with(code.as_str())).unwrap();
        assert_eq!(code.len(), usize::from(lengths[usize::from(*value)]));
        at += code.len();
        out.push(*value);
    }
    out
}

#[test]
fn huffman_is_what_the_format_says() {
    for raw in [laplacian(700, 9), vec![7; 5], b"abracadabra".to_vec()] {
        assert_eq!(huffman_by_the_book(&huffman::encode(&raw).unwrap(), raw.len()), raw);
    }
}

#[test]
fn unknown_coders_are_named() {
    for code in 0..4 {
        assert_eq!(Coder::from_code(code).unwrap().code(), code);
    }
    assert_eq!(Coder::from_code(4).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn built_in_programs_are_those_of_the_format() {
    for (number, prior) in PRIORS.iter().enumerate() {
        assert_eq!(usize::from(prior.number), number);
        let digest = blake3::hash(prior.entry()).to_hex();
        let row = format!("| {number} | {} | {} | `{}` | {} | `{digest}` |", prior.name, prior.layout_name(), prior.file(), prior.entry().len());
        assert!(include_str!("../../FORMAT.md").contains(&row), "FORMAT.md lacks {row}");
        let program = prior.program().unwrap();
        assert_eq!(program.to_bytes(), prior.raw(&mut Budget::new(1 << 20)).unwrap());
        assert_eq!(prior.raw(&mut Budget::new(100)).unwrap_err().kind(), ErrorKind::LimitExceeded);
    }
}

#[test]
fn a_built_in_program_takes_a_byte_and_its_changes_little() {
    for prior in &PRIORS {
        let mut raw = prior.raw(&mut Budget::new(1 << 20)).unwrap();
        let decode = |coded: &CodedProgram, raw: &[u8]| decode(coded.coder, &coded.bytes, raw.len() as u64, &mut Budget::new(1 << 20));
        let coded = encode_program(&raw);
        assert_eq!((coded.coder, &coded.bytes[..], coded.sizes.prior), (Coder::Prior, &[prior.number][..], Some(1)));
        assert_eq!(decode(&coded, &raw).unwrap(), raw);
        for at in (100..raw.len()).step_by(raw.len() / 20) {
            raw[at] = raw[at].wrapping_add(at as u8 | 1);
        }
        let coded = encode_program(&raw);
        assert_eq!(coded.coder, Coder::Prior);
        assert!(coded.bytes.len() < raw.len() / 50, "{} of {}", coded.bytes.len(), raw.len());
        assert_eq!(decode(&coded, &raw).unwrap(), raw);
    }
}

#[test]
fn what_no_built_in_program_is_gets_an_error() {
    let decode = |bytes: &[u8], len: u64| decode(Coder::Prior, bytes, len, &mut Budget::new(1 << 20)).unwrap_err().kind();
    let len = PRIORS[0].raw_bytes();
    assert_eq!(decode(&[], len), ErrorKind::Truncated);
    assert_eq!(decode(&[u8::MAX], len), ErrorKind::Unsupported);
    assert_eq!(decode(&[0], len - 1), ErrorKind::Corrupt);
    assert_eq!(decode(&[0, 1, 2], len), ErrorKind::Corrupt);
    assert!(Coder::from_code(Coder::Prior.code()).is_err(), "only Programs are coded so");
}
