//! JPEG files, sound and odd.

use std::fs;

use kolmo::options::{CompressOptions, Fidelity, Limits};

use crate::corpus::archive::jpegs;
use crate::corpus::room::{Room, by_zstd, general};

#[test]
fn jpeg_files_come_back_from_their_coefficients_or_as_bytes() {
    let room = Room::new();
    let mut all = jpegs();
    room.put("a copy.jpg", &all["cmyk.jpg"]);
    room.put("under another name.dat", &all.remove("optimised_444.jpg").expect("it is there"));
    all.iter().for_each(|(name, bytes)| room.put(name, bytes));
    room.put("notes.txt", b"not a picture");
    let summary = room.there_and_back(&general());
    let told = &summary.jpeg;
    // Arithmetic codes, and a file that is cut off.
    assert_eq!((summary.preprocess.jpegs, told.files, told.as_bytes), (10, 9, 2), "{told:?}");
    assert_eq!(summary.preprocess.general.len(), 1, "{:?}", summary.preprocess.general);
    let items = kolmo::list(&room.at("x.kolmo"), &Limits::default()).expect("a list");
    let method = |path: &str| items.iter().find(|item| item.path == path).expect("listed").method.as_str();
    assert_eq!(["cut.jpg", "progressive_422.jpg", "under another name.dat"].map(method), ["jpeg"; 3]);
    assert_eq!([method("notes.txt"), method("cmyk.jpg"), method("a copy.jpg")], ["stored", "copy", "jpeg"]);
    let one = fs::read(room.at("x.kolmo")).expect("the archive");
    room.compress("y.kolmo", &CompressOptions { threads: 1, fidelity: Fidelity::Pixels, ..general() });
    let other = kolmo::list(&room.at("y.kolmo"), &Limits::default()).expect("a list");
    assert!(other.iter().zip(&items).all(|(other, item)| other.method == item.method), "pixels are asked for, bytes are kept");
    room.compress("z.kolmo", &CompressOptions { threads: 1, ..general() });
    assert!(one == fs::read(room.at("z.kolmo")).expect("the archive"), "the same bytes on one thread");
}

#[test]
fn jpeg_files_that_zstd_makes_less_of_are_left_to_it() {
    let room = Room::new();
    let sound = &jpegs()["optimised_444.jpg"];
    // The same but for what follows their end, so none is a copy.
    (0..40).for_each(|n| room.put(&format!("{n}.jpg"), &[&sound[..], &[n]].concat()));
    let summary = room.there_and_back(&general());
    assert_eq!((summary.sizes.general, summary.jpeg.as_bytes), (by_zstd(&room.set()), 40));
}
