//! Images that were converted from a colour space.

use kolmo_codec::colour::Colour;
use kolmo_data::layout::Image;

use crate::corpus::file::{LIBPNG, png};
use crate::corpus::picture::texture;
use crate::corpus::room::{Room, general, learning};

/// A smooth picture with some noise that was converted from `colour`, but for its last pixel.
fn converted(colour: Colour, width: u32, height: u32, seed: u64) -> Image {
    let mut image = texture("rgb8", width, height, seed);
    for (at, pixel) in image.samples.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let (x, y) = (at as u32 % width, at as u32 / width);
        let noise = pixel.map(|sample| sample % 4);
        *pixel = [60 + (x + y) as u8 % 100 + noise[0], 135 + (x / 9) as u8 % 20 + noise[1], 125 + (y / 7) as u8 % 20 + noise[2]];
    }
    colour.samples(&mut image.samples);
    image.samples.last_chunk_mut::<3>().expect("a pixel").copy_from_slice(&[3, 250, 9]);
    image
}

#[test]
fn converted_images_are_learned_in_their_colour_space() {
    let room = Room::new();
    (0..6).for_each(|seed| room.put(&format!("converted/{seed}.png"), &png(&converted(Colour::PhotoCd, 196, 180, seed), LIBPNG)));
    (0..3).for_each(|seed| room.put(&format!("rgb/{seed}.png"), &png(&texture("rgb8", 90, 80, seed), LIBPNG)));
    let summary = room.there_and_back(&learning());
    let kept: Vec<_> = summary.programs.iter().filter(|program| program.kept).map(|program| (program.colour.as_str(), program.images)).collect();
    assert!(kept.contains(&("PhotoYCC", 6)), "{kept:?}");
}

#[test]
fn converted_images_are_a_group_of_their_own_unless_others_are_there_and_they_are_few() {
    let files = |names: &[&str]| {
        let room = Room::new();
        for &name in names {
            let image = if name == "rgb" { texture("rgb8", 60, 50, 3) } else { converted(Colour::Jfif, 60, 50, 1) };
            room.put(&format!("{name}.png"), &png(&image, LIBPNG));
        }
        room.there_and_back(&general()).preprocess.groups.iter().map(|group| group.images).collect::<Vec<_>>()
    };
    assert_eq!([files(&["converted"]), files(&["rgb"]), files(&["converted", "rgb"])], [vec![1], vec![1], vec![2]]);
}
