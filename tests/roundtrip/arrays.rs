//! Files that hold many images: each image is learned from and coded as one of its own, and the file comes back whole.

use std::fs;

use kolmo::ErrorKind;
use kolmo::observe::Silent;
use kolmo::options::{CompressOptions, ExpandOptions, Fidelity, Limits};

use crate::corpus::picture::{Noise, texture};
use crate::corpus::room::{Room, files, general, given, learning};
use crate::program;

/// An array of bytes as NumPy writes it.
fn npy(shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
    let header = format!("{header:<117}\n");
    [b"\x93NUMPY\x01\x00\x76\x00", header.as_bytes(), data].concat()
}

/// The samples of `count` pictures.
fn pictures(layout: &str, side: u32, count: u64) -> Vec<u8> {
    (0..count).flat_map(|number| texture(layout, side, side, number).samples).collect()
}

/// Records of CIFAR-10: a label, then red, green and blue.
fn cifar(count: u64) -> Vec<u8> {
    let record = |number: u64| {
        let samples = texture("rgb8", 32, 32, number).samples;
        let plane = |c: usize| samples.iter().skip(c).step_by(3).copied().collect::<Vec<u8>>();
        [vec![(number % 10) as u8], plane(0), plane(1), plane(2)].concat()
    };
    (0..count).flat_map(record).collect()
}

/// Arrays of two kinds, one of them twice, one picture of which stands in it twice; numbers that are none; a text.
fn fill(room: &Room) {
    let mut gray = pictures("gray8", 24, 30);
    gray.copy_within(..24 * 24, 24 * 24 * 29);
    room.put("mnist/train.npy", &npy("(30, 24, 24)", &gray));
    room.put("mnist/train.npy-notes", b"what lies next to it");
    room.put("mnist/again.npy", &npy("(30, 24, 24)", &gray));
    room.put("mnist/idx", &[&[0, 0, 8, 3, 0, 0, 0, 12, 0, 0, 0, 24, 0, 0, 0, 24][..], &pictures("gray8", 24, 12)].concat());
    room.put("cifar/data_batch_1.bin", &cifar(24));
    room.put("noise.npy", &npy("(20, 24, 24)", &Noise::new(1).bytes(20 * 576)));
    room.put("notes.txt", &b"what this is about. ".repeat(99));
}

fn by_hand(room: &Room) -> CompressOptions {
    program::write(&room.at("all.kprog"), &["gray8", "rgb8"]);
    given(&room.at("all.kprog"))
}

#[test]
fn arrays_come_back_whole_and_are_learned_image_by_image() {
    let room = Room::new();
    fill(&room);
    let summary = room.there_and_back(&learning());
    assert_eq!((summary.preprocess.files, summary.verified_files), (7, 7));
    // Those of the arrays, copies included.
    assert_eq!(summary.preprocess.images, 30 + 30 + 12 + 24);
    let of = |group: &str| summary.programs.iter().find(|program| program.group == group && program.kept).map(|program| program.images);
    assert_eq!((of("gray8"), of("rgb8")), (Some(29), Some(24)), "copies are coded once: {:?}", summary.programs);
}

#[test]
fn an_array_is_one_file_to_everybody() {
    let room = Room::new();
    fill(&room);
    let summary = room.compress("x.kolmo", &by_hand(&room));
    assert_eq!(summary.programs.iter().filter(|program| program.kept).count(), 2, "{:?}", summary.programs);
    let listed = kolmo::list(&room.at("x.kolmo"), &Limits::default()).expect("a list");
    let named: Vec<(&str, &str, Option<u64>)> = listed.iter().map(|item| (item.path.as_str(), item.shape.as_str(), item.file_bytes)).collect();
    let expected = [
        ("cifar/data_batch_1.bin", "24 x rgb8 32x32", Some(24 * 3073)),
        ("mnist/again.npy", "30 x gray8 24x24", Some(128 + 30 * 576)),
        ("mnist/idx", "12 x gray8 24x24", Some(16 + 12 * 576)),
        ("mnist/train.npy-notes", "", Some(20)),
        ("mnist/train.npy", "30 x gray8 24x24", Some(128 + 30 * 576)),
        ("noise.npy", "", Some(128 + 20 * 576)),
        ("notes.txt", "", Some(1980)),
    ];
    assert_eq!(named, expected);
    assert_eq!(kolmo::inspect(&room.at("x.kolmo"), &Limits::default()).expect("a report").files, 7);

    let only = |name: &str| ExpandOptions { only: vec![name.to_owned()], ..ExpandOptions::default() };
    let expanded = kolmo::expand(&room.at("x.kolmo"), &room.at("one"), &only("mnist/train.npy"), &mut Silent).expect("one file");
    assert_eq!((expanded.files, expanded.verified_files), (1, 1));
    let one = files(&room.at("one"));
    assert_eq!(one.keys().collect::<Vec<_>>(), ["mnist/train.npy"]);
    assert!(one["mnist/train.npy"] == fs::read(room.set().join("mnist/train.npy")).expect("the array"));
    let part = kolmo::expand(&room.at("x.kolmo"), &room.at("part"), &only("mnist/train.npy/03"), &mut Silent).expect_err("no file");
    assert!(part.kind() == ErrorKind::InvalidArgument && part.to_string().contains("expand the whole file"), "{part}");

    // Into a folder that exists, and over a file that does.
    let again = || kolmo::expand(&room.at("x.kolmo"), &room.at("one"), &only("mnist/train.npy"), &mut Silent);
    assert_eq!(again().expect_err("it exists").kind(), ErrorKind::InvalidArgument);
    fs::write(room.at("one/mnist/train.npy"), b"another").expect("a file");
    let force = ExpandOptions { force: true, ..only("mnist/train.npy") };
    kolmo::expand(&room.at("x.kolmo"), &room.at("one"), &force, &mut Silent).expect("one file");
    assert!(files(&room.at("one")) == one);
}

#[test]
fn the_tensor_of_an_array_is_still_taken_out() {
    let room = Room::new();
    fill(&room);
    room.compress("x.kolmo", &by_hand(&room));
    let named = kolmo::tensors(&room.at("x.kolmo"), None, &Limits::default()).expect("a list");
    let named: Vec<(&str, &[u64])> = named.iter().map(|tensor| (tensor.path.as_str(), tensor.shape.as_slice())).collect();
    assert_eq!(named, [("mnist/again.npy", &[30, 24, 24][..]), ("mnist/train.npy", &[30, 24, 24]), ("noise.npy", &[20, 24, 24])]);
    for name in ["mnist/train.npy", "mnist/again.npy"] {
        let out = room.at("w.npy");
        let options = ExpandOptions { force: true, ..ExpandOptions::default() };
        kolmo::expand_tensor(&room.at("x.kolmo"), &format!("{name}::"), &out, &options).expect("a tensor");
        let (tensor, array) = (fs::read(&out).expect("the tensor"), fs::read(room.set().join(name)).expect("the array"));
        assert!(tensor[..6] == array[..6] && tensor[128..] == array[128..], "{name}");
    }
}

#[test]
fn a_byte_that_differs_is_found_where_it_is() {
    let room = Room::new();
    fill(&room);
    room.compress("x.kolmo", &by_hand(&room));
    let changed = |name: &str, change: fn(&mut Vec<u8>)| {
        let path = room.set().join(name);
        let before = fs::read(&path).expect("the array");
        let mut bytes = before.clone();
        change(&mut bytes);
        fs::write(&path, bytes).expect("the array");
        let verified = room.verify("x.kolmo");
        fs::write(&path, before).expect("the array");
        assert_eq!((verified.files, verified.verified_files), (7, 6));
        verified.differences.into_iter().map(|named| format!("{}: {}", named.path, named.reason)).collect::<Vec<_>>()
    };
    assert_eq!(changed("mnist/train.npy", |bytes| bytes[5000] ^= 1), ["mnist/train.npy: differs first at byte 5000"]);
    assert_eq!(changed("mnist/train.npy", |bytes| bytes[60] ^= 1), ["mnist/train.npy: differs first at byte 60"]);
    assert_eq!(changed("mnist/idx", |bytes| bytes.push(0)), [format!("mnist/idx: differs first at byte {}", 16 + 12 * 576)]);
    assert_eq!(changed("cifar/data_batch_1.bin", |bytes| bytes[3073] ^= 1), ["cifar/data_batch_1.bin: differs first at byte 3073"]);
    fs::write(room.set().join("mnist/train.npz"), b"new").expect("a file");
    let surplus = room.verify("x.kolmo").differences;
    assert_eq!(surplus.iter().map(|named| named.path.as_str()).collect::<Vec<_>>(), ["mnist/train.npz"]);
}

#[test]
fn one_array_alone_and_pixels_and_a_base() {
    let room = Room::new();
    let array = npy("(30, 24, 24)", &pictures("gray8", 24, 30));
    fs::write(room.at("alone.npy"), &array).expect("the array");
    let (alone, archive) = (room.at("alone.npy"), room.at("alone.kolmo"));
    let files = by_hand(&room);
    let pixels = CompressOptions { fidelity: Fidelity::Pixels, ..files.clone() };
    for options in [files, pixels, general(), CompressOptions { base: Some(alone.clone()), ..general() }] {
        let options = CompressOptions { force: true, ..options };
        let summary = kolmo::compress(&alone, &archive, &options, &mut Silent).expect("an array can be compressed");
        assert_eq!((summary.preprocess.files, summary.verified_files), (1, 1));
        assert_eq!(summary.preprocess.images, if options.base.is_some() { 0 } else { 30 });
        assert!(room.expand("alone.kolmo", "back")["alone.npy"] == array);
        let verified = kolmo::verify(&archive, Some(&alone), &ExpandOptions::default(), &mut Silent).expect("an archive can be verified");
        assert_eq!((verified.files, verified.differences.len()), (1, 0), "{:?}", verified.differences);
        fs::remove_dir_all(room.at("back")).expect("back");
    }
}
