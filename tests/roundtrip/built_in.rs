//! Small sets under Programs that every reader has.

use kolmo::options::{CompressOptions, LearnOptions};
use kolmo_data::layout::Image;

use crate::corpus::file::{LIBPNG, png, pnm};
use crate::corpus::picture::{Noise, disc, texture};
use crate::corpus::room::{Room, quick};

fn by_built_in() -> CompressOptions {
    CompressOptions { learn: Some(LearnOptions { priors: true, ..quick() }), ..CompressOptions::default() }
}

/// Even light with coarse grain that all channels share, as photographs in the dark have, and no drawing.
fn grainy(side: u32, seed: u64) -> Image {
    let (mut image, mut noise) = (texture("rgb8", side, side, 0), Noise::new(seed));
    for pixel in image.samples.as_chunks_mut::<3>().0 {
        let light = 60 + (0..4).map(|_| noise.below(26) as u8).sum::<u8>();
        *pixel = [light, light, light].map(|light| light + (noise.below(12) + noise.below(12)) as u8);
    }
    image
}

#[test]
fn a_few_drawings_and_icons_take_one_at_once() {
    let room = Room::new();
    for side in 30..36 {
        room.put(&format!("drawing{side}.pbm"), &pnm(&disc("gray1", side)));
        room.put(&format!("icon{side}.png"), &png(&disc("rgba8", side), LIBPNG));
    }
    let summary = room.there_and_back(&by_built_in());
    let taken: Vec<_> = summary.programs.iter().map(|program| (program.group.as_str(), program.prior.as_deref(), program.kept)).collect();
    assert_eq!(taken, [("gray1", Some("drawing"), true), ("rgba8", Some("graphics"), true)]);
}

#[test]
fn two_may_share_the_images_and_their_bytes_are_told_together() {
    let room = Room::new();
    for number in 0..6 {
        room.put(&format!("photo{number}.ppm"), &pnm(&grainy(64, number)));
        room.put(&format!("icon{number}.png"), &png(&disc("rgb8", 120 + number as u32), LIBPNG));
    }
    let summary = room.there_and_back(&by_built_in());
    let candidates = &summary.programs[0].candidates;
    let pair = candidates.iter().find(|candidate| candidate.programs == 2).unwrap_or_else(|| panic!("no pair: {candidates:?}"));
    assert!(pair.chosen, "{candidates:?}");
    assert_eq!(summary.programs.iter().map(|program| program.images).collect::<Vec<_>>(), [6, 6]);
    // The section says ten bytes about each Program.
    assert_eq!(pair.real_bytes.map(|bytes| bytes + 20), Some(summary.sizes.payload + summary.sizes.programs));
}
