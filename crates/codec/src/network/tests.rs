use super::*;
use crate::error::ErrorKind;

fn noise(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    }
}

/// `zeros` of 100 integers are zero, the others small and seldom large.
fn tensor(name: &str, shape: &[usize], bits: u8, zeros: u64, seed: u64) -> Tensor {
    let mut next = noise(seed);
    let most = u64::from(largest(bits).unsigned_abs());
    let count: usize = shape.iter().product();
    let integers = (0..count).map(|_| {
        if next() % 100 < zeros {
            return 0;
        }
        let size = if next().is_multiple_of(50) { 1 + next() % most } else { 1 + next() % most.min(3) };
        if next().is_multiple_of(2) { size as i32 } else { -(size as i32) }
    });
    let integers = integers.collect();
    let steps = (0..shape[0]).map(|i| (0.001f32 * (i + 1) as f32).to_bits()).collect();
    Tensor { name: name.into(), shape: shape.to_vec(), values: Values::Quantised { bits, steps, integers } }
}

fn sample() -> Archive {
    let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::MIN_POSITIVE / 2.0].map(f32::to_bits);
    let signalling = [0x7f80_0001, 0xffc0_1234];
    Archive {
        about: "{\"what\":\"a sample\"}".into(),
        tensors: vec![
            tensor("conv1.weight", &[6, 3, 3, 3], 4, 60, 1),
            Tensor { name: "bn1.weight".into(), shape: vec![7], values: Values::Exact([&special[..], &signalling].concat()) },
            tensor("conv2.weight", &[5, 6, 1, 1], 9, 20, 2),
            tensor("fc.weight", &[4, 30], 16, 90, 3),
            Tensor { name: "empty".into(), shape: vec![0, 4], values: Values::Exact(vec![]) },
            Tensor { name: "one".into(), shape: vec![], values: Values::Exact(vec![42]) },
        ],
    }
}

#[test]
fn every_bit_comes_back_by_every_coder() {
    let archive = sample();
    let (bytes, sizes) = write(&archive).unwrap();
    assert_eq!(sizes.total, bytes.len() as u64);
    assert_eq!(sizes.total, HEADER_BYTES + TRAILER_BYTES + sizes.directory + sizes.exact + sizes.steps + sizes.integers);
    assert_eq!(read(&bytes, &Limits::default()).unwrap(), archive);
    // each coder wins somewhere
    let mut won = std::collections::BTreeSet::new();
    for (count, zeros) in [(3, 0), (40, 50), (4000, 97), (20_000, 0), (3000, 100)] {
        let mut tensor = tensor("w", &[count, 1], 8, zeros, count as u64);
        let Values::Quantised { integers, steps, .. } = &mut tensor.values else { unreachable!() };
        steps.truncate(1);
        if count == 20_000 {
            // long copies of what looks like noise
            let (first, rest) = integers.split_at_mut(5000);
            rest.chunks_mut(5000).for_each(|chunk| chunk.copy_from_slice(first));
            let mut next = noise(9);
            integers.iter_mut().take(5000).for_each(|integer| *integer = (next() % 255) as i32 - 127);
            let (first, rest) = integers.split_at_mut(5000);
            rest.chunks_mut(5000).for_each(|chunk| chunk.copy_from_slice(first));
        }
        let archive = Archive { about: String::new(), tensors: vec![tensor] };
        let (bytes, sizes) = write(&archive).unwrap();
        won.insert(sizes.coder.unwrap().name());
        assert_eq!(read(&bytes, &Limits::default()).unwrap(), archive, "{count} {zeros}");
    }
    assert!(won.contains("range") && won.contains("lz77"), "{won:?}");
}

#[test]
fn coders_that_lose_decode_too() {
    let archive = sample();
    let shapes: Vec<_> = archive
        .tensors
        .iter()
        .filter_map(|tensor| match &tensor.values {
            Values::Quantised { bits, .. } => Some((integers::Shape::of(&tensor.shape).unwrap(), *bits)),
            Values::Exact(_) => None,
        })
        .collect();
    let expected: Vec<Vec<i32>> = archive
        .tensors
        .iter()
        .filter_map(|tensor| match &tensor.values {
            Values::Quantised { integers, .. } => Some(integers.clone()),
            Values::Exact(_) => None,
        })
        .collect();
    for (coder, bytes) in integers::all(&archive.tensors).unwrap() {
        let decoded = integers::decode(coder, &bytes, &shapes, &mut Budget::new(1 << 20)).unwrap();
        assert_eq!(decoded, expected, "{}", coder.name());
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x11;
            let _ = integers::decode(coder, &bad, &shapes, &mut Budget::new(1 << 20));
            let _ = integers::decode(coder, &bytes[..at], &shapes, &mut Budget::new(1 << 20));
        }
    }
}

#[test]
fn sparse_integers_cost_little_more_than_their_entropy() {
    let tensor = tensor("w", &[64, 64, 3, 3], 4, 95, 7);
    let Values::Quantised { integers, .. } = &tensor.values else { unreachable!() };
    let count = integers.len() as f64;
    let entropy: f64 = (-7..=7)
        .map(|value| integers.iter().filter(|&&integer| integer == value).count() as f64)
        .filter(|&n| n > 0.0)
        .map(|n| -n * (n / count).log2())
        .sum::<f64>()
        / 8.0;
    let bytes = range_bytes(&tensor.shape, 4, integers).unwrap() as f64;
    assert!(bytes < 1.05 * entropy + 60.0, "{bytes} of {entropy}");
    // a channel that is never used costs nearly nothing
    let dead: Vec<i32> = integers.iter().enumerate().map(|(at, &integer)| if at / 9 % 2 == 0 { 0 } else { integer }).collect();
    let half = range_bytes(&tensor.shape, 4, &dead).unwrap() as f64;
    assert!(half < 0.55 * bytes, "{half} of {bytes}");
}

#[test]
fn damage_is_found_and_never_a_panic() {
    let (bytes, _) = write(&sample()).unwrap();
    for at in 0..bytes.len() {
        assert!(read(&bytes[..at], &Limits::default()).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << bit;
            assert!(read(&bad, &Limits::default()).is_err(), "bit {bit} of byte {at}");
        }
    }
    let long = [&bytes[..], &[0]].concat();
    assert_eq!(read(&long, &Limits::default()).unwrap_err().kind(), ErrorKind::Corrupt);
    let mut unknown = bytes.clone();
    unknown[8] = 2;
    assert_eq!(read(&unknown, &Limits::default()).unwrap_err().kind(), ErrorKind::Unsupported);
    let small = Limits { memory_bytes: 500, ..Limits::default() };
    assert_eq!(read(&bytes, &small).unwrap_err().kind(), ErrorKind::LimitExceeded);
}

/// Gives bytes the digest that belongs to them, as an attacker would.
fn signed(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.len() - 32;
    let digest = *blake3::hash(&bytes[..end]).as_bytes();
    bytes[end..].copy_from_slice(&digest);
    bytes
}

#[test]
fn bytes_that_lie_with_the_right_digest_are_refused() {
    let (bytes, _) = write(&sample()).unwrap();
    for at in 0..bytes.len() - 32 {
        for flip in [0x01, 0x80, 0xff] {
            let mut bad = bytes.clone();
            bad[at] ^= flip;
            // The minor version may differ, and zstd has several spellings of one directory; nothing may come back changed.
            let read = read(&signed(bad), &Limits { memory_bytes: 1 << 24, ..Limits::default() });
            assert!(read.is_err() || read.is_ok_and(|archive| archive == sample()), "byte {at}");
        }
    }
    // a directory that claims far more than its bytes say
    let huge = Archive { about: String::new(), tensors: vec![tensor("w", &[2, 2], 3, 0, 1)] };
    let sections = frame::Sections {
        directory: {
            let mut directory = directory::to_bytes(&huge);
            let end = directory.len();
            // shape 2 x 2 becomes 127 x 127, three times
            directory.truncate(end - 5);
            directory.extend_from_slice(&[3, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0x7f, 0x7f, 3, 1]);
            directory
        },
        exact: vec![],
        steps: planes::encode(&[0]),
        coder: Coder::Range,
        integers: vec![0; 8],
    };
    let (bytes, _) = frame::to_bytes(&sections, &[0; 32]).unwrap();
    let kind = read(&bytes, &Limits::default()).unwrap_err().kind();
    assert!(matches!(kind, ErrorKind::Corrupt | ErrorKind::LimitExceeded), "{kind:?}");
}

#[test]
fn tensors_that_contradict_themselves_are_not_written() {
    let good = || tensor("w", &[2, 3], 4, 0, 1);
    let refuse = |change: &dyn Fn(&mut Tensor)| {
        let mut bad = good();
        change(&mut bad);
        assert_eq!(write(&Archive { about: String::new(), tensors: vec![bad] }).unwrap_err().kind(), ErrorKind::InvalidArgument);
    };
    refuse(&|tensor| tensor.shape = vec![2, 4]);
    refuse(&|tensor| tensor.name.clear());
    refuse(&|tensor| {
        let Values::Quantised { integers, .. } = &mut tensor.values else { unreachable!() };
        integers[0] = 8;
    });
    refuse(&|tensor| {
        let Values::Quantised { bits, .. } = &mut tensor.values else { unreachable!() };
        *bits = 17;
    });
    refuse(&|tensor| {
        let Values::Quantised { steps, .. } = &mut tensor.values else { unreachable!() };
        steps.push(0);
    });
    let twice = Archive { about: String::new(), tensors: vec![good(), good()] };
    assert_eq!(write(&twice).unwrap_err().kind(), ErrorKind::InvalidArgument);
}
