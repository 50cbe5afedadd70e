//! The zlib stream inside a PNG: how it was made, and making it again.

use crate::Error;
use crate::format::png_filter::{Filters, Rule};
use crate::recipe::{Reader, Writer};
use crate::zlib::{self, Settings};

/// How a zlib stream came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) settings: Settings,
    pub(crate) header: Header,
}

/// The two bytes before the deflate data. Encoders patch them, so they do not follow from the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    /// As they are.
    Bytes([u8; 2]),
    /// They declare the smallest window that holds the data (so libpng trims it), and this level class (0..=3).
    Trimmed(u8),
}

impl Header {
    fn of(bytes: [u8; 2], raw_bytes: usize) -> Self {
        let trimmed = Self::Trimmed(bytes[1] >> 6);
        if trimmed.bytes(raw_bytes) == bytes { trimmed } else { Self::Bytes(bytes) }
    }

    fn bytes(self, raw_bytes: usize) -> [u8; 2] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Trimmed(class) => {
                let window_code = (0..7).find(|code| raw_bytes <= 256 << code).unwrap_or(7);
                let cmf = window_code << 4 | 8;
                let flags = class << 6;
                let check = 31 - (u16::from(cmf) << 8 | u16::from(flags)) % 31;
                [cmf, flags | (check % 31) as u8]
            }
        }
    }
}

impl Origin {
    /// What plain rebuilding uses.
    pub(crate) const PLAIN: Self = Self { settings: Settings::PLAIN, header: Header::Bytes([0x78, 0x9c]) };

    /// Looks for settings with which stock zlib makes `stream` of `raw`.
    ///
    /// Candidates come in one fixed order that depends on this file alone, never on what was seen before: otherwise a
    /// recipe, and so an archive, would depend on how files are spread over threads.
    pub(crate) fn search(raw: &[u8], stream: &[u8], filters: &Filters) -> Option<Self> {
        let header = [*stream.first()?, *stream.get(1)?];
        let declared = (header[0] >> 4) + 8;
        let narrow = (9..15).contains(&declared).then_some(declared);
        let repeats = |settings: &Settings| zlib::deflates_to(*settings, raw, stream);
        let find = |settings: Vec<Settings>| {
            let each = |settings| std::iter::once(settings).chain(narrow.map(|window_bits| Settings { window_bits, ..settings }));
            settings.into_iter().flat_map(each).find(repeats)
        };
        let (likely, rest) = candidates(header[1] >> 6, filters);
        let found = find(likely).or_else(|| if is_optimised(raw, stream) { None } else { find(rest) })?;
        Some(Self { settings: found, header: Header::of(header, raw.len()) })
    }

    /// The stream.
    pub(crate) fn deflate(self, raw: &[u8]) -> Vec<u8> {
        let mut stream = zlib::deflate(self.settings, raw);
        stream[..2].copy_from_slice(&self.header.bytes(raw.len()));
        stream
    }

    pub(crate) fn write(self, writer: &mut Writer) {
        let Settings { level, mem_level, strategy, window_bits } = self.settings;
        writer.raw(&[level << 4 | mem_level, strategy << 4 | window_bits]);
        match self.header {
            Header::Trimmed(class) => writer.byte(class),
            Header::Bytes(bytes) => {
                writer.byte(4);
                writer.raw(&bytes);
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        const WHAT: &str = "recipe: deflate settings";
        let (a, b) = (reader.byte(WHAT)?, reader.byte(WHAT)?);
        let settings = Settings { level: a >> 4, mem_level: a & 15, strategy: b >> 4, window_bits: b & 15 };
        let header = match reader.byte(WHAT)? {
            class @ 0..=3 => Header::Trimmed(class),
            4 => Header::Bytes([reader.byte(WHAT)?, reader.byte(WHAT)?]),
            _ => return Err(Error::corrupt(WHAT)),
        };
        if settings.is_valid() { Ok(Self { settings, header }) } else { Err(Error::corrupt(WHAT)) }
    }
}

/// Whether `stream` is so short that some other, slower program than zlib must have made it.
///
/// Optimisers save 2 to 8 % over zlib's best level; without this question 800 files of emoji_noto64 took 23 s to be refused.
/// Long streams are not asked about: their candidates are abandoned after the first of many blocks.
fn is_optimised(raw: &[u8], stream: &[u8]) -> bool {
    if raw.len() > 1 << 20 {
        return false;
    }
    let best = [0, 1].map(|strategy| zlib::deflated_bytes(Settings { level: 9, strategy, ..Settings::PLAIN }, raw));
    let best = best[0].min(best[1]);
    (stream.len() + 32) * 100 < best * 99
}

/// Settings to try: those that agree with the stream's header, then all others.
///
/// - `class`: what the stream's header says of the level (0: 1, or a strategy without matches; 1: 2 to 5; 2: 6; 3: 7 to 9)
/// - libpng deflates with memory level 8, Pillow with 9; both choose the `filtered` strategy when they filter
/// - OpenCV asks libpng for memory level 9 and the default strategy, and likes level 9 (all files of fashion_mnist)
fn candidates(class: u8, filters: &Filters) -> (Vec<Settings>, Vec<Settings>) {
    let levels: &[u8] = match class {
        0 => &[1],
        1 => &[5, 3, 4, 2],
        2 => &[6],
        _ => &[9, 7, 8],
    };
    let pairs = match filters {
        Filters::Uniform(0) => [(8, 0), (9, 0), (8, 1), (9, 1)],
        Filters::Rule(Rule::Pillow | Rule::PillowOptimised) => [(9, 1), (8, 1), (9, 0), (8, 0)],
        Filters::Rule(Rule::Libpng) if class == 3 => [(9, 0), (8, 1), (8, 0), (9, 1)],
        _ => [(8, 1), (8, 0), (9, 1), (9, 0)],
    };
    let make = |level, mem_level, strategy| Settings { level, mem_level, strategy, window_bits: 15 };
    let of_level = |level: u8| pairs.map(|(mem_level, strategy)| make(level, mem_level, strategy));
    // run lengths only, Huffman only: the level means nothing there
    let without_matches = [(3, 8), (3, 9), (2, 8), (2, 9)].map(|(strategy, mem_level)| make(6, mem_level, strategy));
    let likely = levels.iter().copied().flat_map(of_level).chain(without_matches).collect();
    let others = [6, 9, 1, 2, 3, 4, 5, 7, 8].into_iter().filter(|level| !levels.contains(level));
    (likely, others.flat_map(of_level).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trimmed_headers_are_libpngs() {
        // 28x28 gray: 812 raw bytes; 105x105 of one bit: 1575
        assert_eq!(Header::Trimmed(3).bytes(812), [0x28, 0xcf]);
        assert_eq!(Header::Trimmed(2).bytes(1575), [0x38, 0x8d]);
        assert_eq!(Header::Trimmed(2).bytes(1 << 20), [0x78, 0x9c]);
        assert_eq!(Header::of([0x78, 0x9c], 812), Header::Bytes([0x78, 0x9c]));
        assert_eq!(Header::of([0x78, 0xda], 40_000), Header::Trimmed(3));
    }

    #[test]
    fn the_search_finds_what_zlib_did() {
        let raw: Vec<u8> = (0..60_000u32).map(|i| (i.wrapping_mul(i) >> 9) as u8 & 0x3f).collect();
        let filters = Filters::Rule(Rule::Libpng);
        for level in 1..=9 {
            for (mem_level, strategy, window_bits) in [(8, 0, 15), (9, 1, 15), (8, 1, 12), (9, 0, 9), (8, 3, 15), (9, 2, 15)] {
                let settings = Settings { level, mem_level, strategy, window_bits };
                let stream = zlib::deflate(settings, &raw);
                let origin = Origin::search(&raw, &stream, &filters).unwrap_or_else(|| panic!("{settings:?}"));
                assert_eq!(origin.deflate(&raw), stream);
            }
        }
        let mut other = zlib::deflate(Settings::PLAIN, &raw);
        other[5000] ^= 1;
        assert_eq!(Origin::search(&raw, &other, &filters), None);
    }
}
