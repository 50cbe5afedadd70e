//! Images that show like things in like places are learned with the places of their pixels.

use kolmo::observe::Silent;
use kolmo::options::Limits;
use kolmo::summary::RatesSummary;
use kolmo_data::layout::Image;

use crate::corpus::file::pnm;
use crate::corpus::picture::{Noise, texture};
use crate::corpus::room::{Room, learning};

/// Light with grain, and sparse dots: one of two pixels in a square in the middle of the first 24 columns, one of thirty elsewhere.
fn dotted(layout: &str, width: u32, seed: u64) -> Image {
    let (mut image, mut noise) = (texture(layout, width, 24, 0), Noise::new(seed));
    let (columns, sample_bytes) = (width as usize, image.layout.sample_bytes());
    for (at, sample) in image.samples.chunks_exact_mut(sample_bytes).enumerate() {
        let (y, x) = (at / columns, at % columns);
        let is_middle = (9..15).contains(&y) && (9..15).contains(&x);
        let dot = if noise.below(if is_middle { 2 } else { 30 }) == 0 { 100 } else { 0 };
        let light = (100 + dot + noise.below(2)) as u16;
        sample.copy_from_slice(&light.to_le_bytes()[..sample_bytes]);
    }
    image
}

/// Learns from 80 of them, the last of a width of its own; tells the rates, and how many hats the Program has.
fn learned(layout: &str, last: u32) -> (RatesSummary, u64) {
    let room = Room::new();
    for n in 0..80 {
        room.put(&format!("{n:02}.pgm"), &pnm(&dotted(layout, if n == 79 { last } else { 24 }, n)));
    }
    let file = room.at("a.kprog");
    let trained = kolmo::train(&room.set(), &file, &learning(), &mut Silent).expect("a Program is learned");
    let inspected = kolmo::inspect(&file, &Limits::default()).expect("a Program file");
    (trained.programs[0].rates, inspected.programs[0].hats)
}

#[test]
fn images_of_one_subject_take_less_for_it() {
    let [(placed, hats), (blind, none)] = [24, 25].map(|last| learned("gray8", last));
    assert_eq!((hats, none), (8, 0));
    assert!(placed.tuned.test < 0.96 * blind.tuned.test, "{placed:?} {blind:?}");
    assert_eq!(learned("gray16", 24).1, 8);
}

#[test]
fn programs_keep_their_places_when_they_are_tuned_and_used() {
    let room = Room::new();
    for n in 0..60 {
        // A texture behind a frame.
        let mut image = texture("gray8", 60, 60, n);
        let in_frame = |at: usize| !(10..50).contains(&(at % 60)) || !(10..50).contains(&(at / 60));
        image.samples.iter_mut().enumerate().filter(|(at, _)| in_frame(*at)).for_each(|(_, sample)| *sample = 255);
        room.put(&format!("{n}.pgm"), &pnm(&image));
    }
    let hats = |file: &str| kolmo::inspect(&room.at(file), &Limits::default()).expect("a Program file").programs[0].hats;
    let summary = room.there_and_back(&learning());
    assert!(summary.programs[0].kept, "{:?}", summary.programs);
    assert_eq!(hats("x.kolmo"), 8);
    kolmo::tune(&room.at("x.kolmo"), &room.set(), &room.at("tuned.kprog"), &learning(), &mut Silent).expect("a Program is tuned");
    assert_eq!(hats("tuned.kprog"), 8);
}
