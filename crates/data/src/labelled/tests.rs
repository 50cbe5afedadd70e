use std::fs;

use image::{GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use tempfile::TempDir;

use super::*;
use crate::ErrorKind;

struct Room(TempDir);

impl Room {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn put(&self, path: &str, bytes: &[u8]) {
        let file = self.0.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
    fn grey(&self, path: &str, side: u32, tone: u8) {
        let mut bytes = Vec::new();
        GrayImage::from_pixel(side, side, Luma([tone])).write_to(&mut std::io::Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        self.put(path, &bytes);
    }
    /// Two classes of 80 tones each.
    fn tones(&self, prefix: &str) {
        for tone in 0..80 {
            self.grey(&format!("{prefix}dark/{tone:02}.png"), 4, tone);
            self.grey(&format!("{prefix}light/{tone:02}.png"), 4, 255 - tone);
        }
    }
    fn read(&self) -> Result<Labelled, Error> {
        read(self.0.path(), &LabelledOptions::default())
    }
    #[track_caller]
    fn refuses(&self, name: &str, words: &str) {
        let error = self.read().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        let text = error.to_string();
        assert!(text.contains(name) && text.contains(words), "{text}");
    }
}

#[test]
fn classes_are_folders_and_parts_are_dealt() {
    let room = Room::new();
    room.tones("");
    room.put("README.txt", b"about");
    room.put("dark/.hidden", b"");
    room.put("dark/broken.png", b"\x89PNG\r\n\x1a\nnothing");
    room.grey("light/a copy.png", 4, 255);
    let set = room.read().unwrap();
    assert_eq!((set.classes.as_slice(), set.channels, set.size), (&["dark".to_owned(), "light".to_owned()][..], 1, Size { height: 4, width: 4 }));
    assert_eq!(set.images.len(), 160);
    assert_eq!(set.report.duplicates, [("light/a copy.png".to_owned(), "light/00.png".to_owned())]);
    assert_eq!(set.report.unreadable[0].0, "dark/broken.png");
    assert!(!set.report.given_split);
    for part in [Part::Validation, Part::Test] {
        assert!((1..30).contains(&set.of(part).count()));
    }
}

#[test]
fn given_parts_are_kept_and_test_images_never_learned_from() {
    let room = Room::new();
    room.tones("train/");
    room.grey("test/dark/a.png", 4, 100);
    room.grey("test/light/b.png", 4, 10); // also train/dark/10.png
    let set = room.read().unwrap();
    assert!(set.report.given_split);
    assert_eq!(set.of(Part::Test).count(), 2);
    assert_eq!(set.report.duplicates, [("train/dark/10.png".to_owned(), "test/light/b.png".to_owned())]);
    assert_eq!(set.of(Part::Train).count() + set.of(Part::Validation).count(), 159);
    room.grey("test/odd/c.png", 4, 101);
    room.refuses("c.png", "no class odd");
}

#[test]
fn colour_makes_three_planes_of_all() {
    let room = Room::new();
    room.tones("");
    let mut bytes = Vec::new();
    RgbImage::from_pixel(4, 4, Rgb([9, 8, 7])).write_to(&mut std::io::Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    room.put("dark/colour.png", &bytes);
    let set = room.read().unwrap();
    assert_eq!(set.channels, 3);
    let colour = set.images.iter().find(|image| image.path == "dark/colour.png").unwrap();
    assert_eq!(colour.samples, [[9; 16], [8; 16], [7; 16]].concat());
}

#[test]
fn what_cannot_be_learned_from_is_named() {
    let room = Room::new();
    room.put("README.txt", b"nothing else");
    room.refuses("", "no labelled images");
    room.grey("single/1.png", 4, 100);
    room.tones("");
    room.refuses("single", "one image only");
    room.grey("single/2.png", 5, 101);
    room.refuses("single/2.png", "5x5");
    let sized = read(room.0.path(), &LabelledOptions { size: Some(4), ..LabelledOptions::default() });
    assert!(sized.is_ok_and(|set| set.size == Size { height: 4, width: 4 }));
    room.grey("single/more/3.png", 4, 102);
    room.refuses("single/more", "within the class");
    let gone = read(&room.0.path().join("gone"), &LabelledOptions::default()).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::Io);
    let small = LabelledOptions { memory_bytes: 100, size: Some(4), ..LabelledOptions::default() };
    fs::remove_dir_all(room.0.path().join("single/more")).unwrap();
    assert_eq!(read(room.0.path(), &small).unwrap_err().kind(), ErrorKind::LimitExceeded);
}
