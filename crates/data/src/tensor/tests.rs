//! Checkpoints are found as they are written, and lies are told apart from them.

use std::io::Cursor;

use super::*;

fn found(file: &[u8]) -> Numbers {
    find(&mut Cursor::new(file), file.len() as u64).unwrap().expect("numbers")
}

fn refused(file: &[u8]) -> String {
    match find(&mut Cursor::new(file), file.len() as u64) {
        Err(why) => why.to_string(),
        Ok(numbers) => panic!("{numbers:?}"),
    }
}

fn safetensors(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![7; data]].concat()
}

#[test]
fn safetensors_name_their_tensors() {
    let header = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[3],"data_offsets":[8,14]},
        "a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"none":{"dtype":"F16","shape":[0,5],"data_offsets":[14,14]},
        "scalar":{"dtype":"I64","shape":[],"data_offsets":[14,22]},"new":{"dtype":"F4","shape":[6],"data_offsets":[22,25]}}"#;
    let file = safetensors(header, 30);
    let (numbers, data) = (found(&file), 8 + header.len() as u64);
    assert_eq!(numbers.kind, Kind::Safetensors);
    let tensors: Vec<_> = numbers.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.element, tensor.offset - data, tensor.bytes)).collect();
    let expected = [
        ("a", Element::F32, 0, 8),
        ("b", Element::Bf16, 8, 6),
        ("none", Element::F16, 14, 0),
        ("scalar", Element::I64, 14, 8),
        ("new", Element::Raw, 22, 3),
    ];
    assert_eq!(tensors, expected);
    assert_eq!(numbers.regions.len(), 4, "empty tensors are no regions");
    assert_eq!(numbers.tensors[0].shape, [2, 1]);
}

#[test]
fn a_safetensors_header_that_lies_is_refused_by_name() {
    let tensor = |about: &str| safetensors(&format!(r#"{{"w":{about}}}"#), 8);
    for (about, says) in [
        (r#"{"dtype":"F32","shape":[2],"data_offsets":[0,9]}"#, "tensor w ends at byte 9 of 8"),
        (r#"{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}"#, "tensor w ends at byte"),
        (r#"{"dtype":"F32","shape":[2],"data_offsets":[8,0]}"#, "ends before it begins"),
        (r#"{"dtype":"F32","shape":[3],"data_offsets":[0,8]}"#, "takes 8 bytes"),
        (r#"{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}"#, "takes 8 bytes"),
        (r#"{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}"#, "no shape"),
        (r#"{"dtype":"F32","shape":[2],"data_offsets":[0]}"#, "two offsets"),
        (r#"{"shape":[2],"data_offsets":[0,8]}"#, "no type"),
        (r#"7"#, "no type"),
        (r#"{"#, "no JSON"),
    ] {
        let why = refused(&tensor(about));
        assert!(why.contains(says), "{why}");
    }
    let two = r#"{"v":{"dtype":"I8","shape":[5],"data_offsets":[0,5]},"w":{"dtype":"I8","shape":[5],"data_offsets":[3,8]}}"#;
    assert!(refused(&safetensors(two, 8)).contains("w overlaps another tensor"));
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    assert!(refused(&safetensors(&deep, 8)).contains("no JSON"));
}

fn npy(descr: &str, shape: &str, data: usize) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), &vec![7; data]].concat()
}

#[test]
fn npy_arrays_are_one_tensor() {
    let numbers = found(&npy("<f4", "(3, 2)", 24));
    assert_eq!((numbers.kind, numbers.tensors[0].element, numbers.tensors[0].shape.as_slice()), (Kind::Npy, Element::F32, &[3, 2][..]));
    assert_eq!(numbers.regions[0].bytes, 24);
    assert_eq!(found(&npy("<f8", "()", 8)).tensors[0].shape, [0; 0]);
    assert_eq!(found(&npy("|u1", "(5,)", 5)).tensors[0].element, Element::I8);
    assert_eq!(found(&npy(">f4", "(3, 2)", 24)).tensors[0].element, Element::Raw);
    let whole = npy("<f4", "(3, 2)", 24);
    for cut in 6..whole.len() {
        assert!(find(&mut Cursor::new(&whole[..cut]), cut as u64).is_err(), "the first {cut} bytes");
    }
    assert!(refused(&npy("<f4", "(4294967296, 4294967296)", 24)).contains("24 bytes follow"));
    assert!(refused(&npy("<f4", "(x,)", 24)).contains("no shape"));
}

/// What `torch.save` writes for `{'net': OrderedDict(w=tensor of [2, 3]), 'epoch': 7}`, byte by byte.
fn pickle(protocol_head: &[u8]) -> Vec<u8> {
    let text = |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let global = |name: &str| [b"c", name.as_bytes(), b"\n"].concat();
    [
        protocol_head,
        b"}q\x00(",
        &text("net"),
        &global("collections\nOrderedDict"),
        b")Rq\x01",
        &text("w"),
        &global("torch._utils\n_rebuild_tensor_v2"),
        b"((",
        &text("storage"),
        &global("torch\nFloatStorage"),
        &text("0"),
        &text("cpu"),
        b"K\x08tQK\x01K\x02K\x03\x86K\x03K\x01\x86\x89",
        &global("collections\nOrderedDict"),
        b")RtRs",
        &text("epoch"),
        b"K\x07u.",
    ]
    .concat()
}

fn legacy() -> Vec<u8> {
    let number = |number: &[u8]| [b"\x80\x02", number, b"."].concat();
    let magic = number(b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19");
    let keys = b"\x80\x02]q\x00X\x01\x00\x00\x000a.".to_vec();
    [magic, number(b"M\xe9\x03"), number(b"}q\x00"), pickle(b"\x80\x02"), keys, 8u64.to_le_bytes().to_vec(), vec![7; 32]].concat()
}

#[test]
fn pickles_are_followed_and_never_run() {
    let file = legacy();
    let numbers = found(&file);
    assert_eq!(numbers.kind, Kind::PytorchPickle);
    let data = file.len() as u64 - 32;
    assert_eq!(numbers.regions, [Region { offset: data, bytes: 32, element: Element::F32 }]);
    let [tensor] = numbers.tensors.as_slice() else { panic!("{:?}", numbers.tensors) };
    assert_eq!((tensor.name.as_str(), tensor.offset, tensor.bytes, tensor.shape.as_slice()), ("net.w", data + 4, 24, &[2, 3][..]));
    assert_eq!(tensor.dtype, "Float");
    // Whatever is cut off or flipped ends in numbers inside the file, or is refused.
    for at in 14..file.len() {
        assert!(find(&mut Cursor::new(&file[..at]), at as u64).is_err(), "the first {at} bytes");
        for bit in 0..8 {
            let mut bad = file.clone();
            bad[at] ^= 1 << bit;
            let _ = find(&mut Cursor::new(&bad), bad.len() as u64);
        }
    }
}

#[test]
fn pickles_that_loop_or_swell_end() {
    let refused = |body: &[u8]| {
        let file = [&legacy()[..15], b"\x80\x02", body].concat();
        assert!(find(&mut Cursor::new(&file), file.len() as u64).is_err());
    };
    refused(&b"]q\x00h\x00a".repeat(1000));
    refused(&b"(".repeat(100_000));
    refused(&[&b"K\x00"[..], &b"\x85".repeat(3_000_000)].concat());
    refused(&[&b"K\x00"[..], &b"2".repeat(100_000), &b"\x87".repeat(40_000)].concat());
    refused(b"X\xff\xff\xff\xff");
    refused(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff");
    // A dictionary that holds itself: names are gathered to a depth, and only so many.
    let own = b"}q\x00(X\x01\x00\x00\x00ah\x00X\x01\x00\x00\x00bh\x00u.";
    let number = |number: &[u8]| [b"\x80\x02", number, b"."].concat();
    let file = [&legacy()[..15], &number(b"M\xe9\x03"), &number(b"}q\x00"), b"\x80\x02", own, b"\x80\x02]q\x00."].concat();
    assert_eq!(find(&mut Cursor::new(&file), file.len() as u64), Ok(None));
}

/// A ZIP archive of stored files, without check sums.
fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let [name_bytes, size] = [name.len(), bytes.len()].map(|length| (length as u32).to_le_bytes());
        directory.extend(
            [b"PK\x01\x02", &[0; 16][..], &size, &size, &name_bytes[..2], &[0; 12], &(out.len() as u32).to_le_bytes(), name.as_bytes()].concat(),
        );
        out.extend([b"PK\x03\x04", &[0; 14][..], &size, &size, &name_bytes[..2], &[0, 0], name.as_bytes(), bytes].concat());
    }
    let [size, at] = [directory.len(), out.len()].map(|length| (length as u32).to_le_bytes());
    [out, directory, [b"PK\x05\x06", &[0; 8][..], &size, &at, &[0, 0]].concat()].concat()
}

#[test]
fn zip_archives_of_pytorch_and_numpy_are_opened() {
    let file = zip(&[("net/data.pkl", pickle(b"\x80\x02")), ("net/data/0", vec![7; 32]), ("net/version", b"3\n".to_vec())]);
    let numbers = found(&file);
    assert_eq!((numbers.kind, numbers.tensors[0].name.as_str(), numbers.regions[0].element), (Kind::PytorchZip, "net.w", Element::F32));
    assert_eq!(file[numbers.regions[0].offset as usize..][..32], [7; 32]);
    for at in 0..file.len() {
        let _ = find(&mut Cursor::new(&file[..at]), at as u64);
        for bit in 0..8 {
            let mut bad = file.clone();
            bad[at] ^= 1 << bit;
            let _ = find(&mut Cursor::new(&bad), bad.len() as u64);
        }
    }
    let arrays = zip(&[("a.npy", npy("<f8", "(2,)", 16)), ("b.npy", npy("<f4", "(9,)", 1)), ("c.txt", b"no array".to_vec())]);
    let numbers = found(&arrays);
    assert_eq!((numbers.kind, numbers.tensors.len(), numbers.tensors[0].name.as_str()), (Kind::Npz, 1, "a"));
    let text = zip(&[("c.txt", b"no array".to_vec())]);
    assert_eq!(find(&mut Cursor::new(&text), text.len() as u64), Ok(None));
}

#[test]
fn undeclared_floats_are_told_from_bytes() {
    let mut state = 1u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let values: Vec<f32> = (0..700_000).map(|_| (next() + next() + next() + next()) * 0.1).collect();
    let single: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let double: Vec<u8> = values.iter().map(|value| f64::from(*value) / 3.0).flat_map(f64::to_le_bytes).collect();
    let half: Vec<u8> = values.iter().flat_map(|value| ((value.to_bits() >> 16) as u16).to_le_bytes()).collect();
    for (bytes, element) in [(single.clone(), Element::F32), (double, Element::F64), (half, Element::Bf16)] {
        let len = bytes.len() as u64;
        assert_eq!(found(&bytes).regions, [Region { offset: 0, bytes: len, element }]);
        let shifted = [b"odd".as_slice(), &bytes].concat();
        let phase = 3 % element.bytes();
        let whole = (len + 3 - phase) / element.bytes() * element.bytes();
        assert_eq!(found(&shifted).regions, [Region { offset: phase, bytes: whole, element }], "{element:?}");
    }
    let noise: Vec<u8> = single.iter().step_by(4).copied().collect();
    let text = b"It was the best of times, it was the worst of times, it was the age of wisdom. ".repeat(500);
    for bytes in [noise, text, vec![0; 100_000]] {
        assert_eq!(find(&mut Cursor::new(&bytes), bytes.len() as u64), Ok(None));
    }
}

#[test]
fn nothing_is_found_in_nothing() {
    for bytes in [&b""[..], b"P", b"{", b"PK\x03\x04", b"\x93NUMPY"] {
        assert!(!matches!(find(&mut Cursor::new(bytes), bytes.len() as u64), Ok(Some(_))));
    }
}
