//! Sample layouts by number.

/// Number and name of every sample layout. The number's high four bits say the colour (0 gray, 1 gray and alpha, 2 RGB, 3 RGBA, 4 indices
/// into a palette), its low four the bits of a sample, 0 for 16.
pub const LAYOUTS: [(u8, &str); 15] = [
    (0x00, "gray16"),
    (0x01, "gray1"),
    (0x02, "gray2"),
    (0x04, "gray4"),
    (0x08, "gray8"),
    (0x10, "graya16"),
    (0x18, "graya8"),
    (0x20, "rgb16"),
    (0x28, "rgb8"),
    (0x30, "rgba16"),
    (0x38, "rgba8"),
    (0x41, "indexed1"),
    (0x42, "indexed2"),
    (0x44, "indexed4"),
    (0x48, "indexed8"),
];

/// The name of layout number `code`.
#[must_use]
pub fn layout_name(code: u8) -> Option<&'static str> {
    LAYOUTS.into_iter().find_map(|(known, name)| (known == code).then_some(name))
}

/// The number of the layout called `name`.
#[must_use]
pub fn layout_code(name: &str) -> Option<u8> {
    LAYOUTS.into_iter().find_map(|(code, known)| (known == name).then_some(code))
}
