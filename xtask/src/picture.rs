//! A picture as its file stores it: samples are not converted, palettes not expanded.

mod dicom;

use std::fs::File;
use std::io::{BufWriter, Cursor, Write};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Samples of one picture.
///
/// - one sample a byte, interleaved `[height, width, channels]`, each below `2^depth`; of 16 bits two bytes, the higher first, as PNG has them
/// - palette pictures hold indices, one channel; the colours are a fact beside them
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) color: png::ColorType,
    pub(crate) depth: png::BitDepth,
    pub(crate) samples: Vec<u8>,
    /// Colours of a palette picture, RGB triples.
    pub(crate) palette: Option<Vec<u8>>,
    /// Transparency of palette entries, or the one transparent sample value.
    pub(crate) transparency: Option<Vec<u8>>,
}

/// Extensions of files that are looked into.
const EXTENSIONS: [&str; 10] = ["png", "pnm", "pbm", "pgm", "ppm", "bmp", "tif", "tiff", "webp", "dcm"];

impl Picture {
    /// A picture without palette.
    ///
    /// # Errors
    /// If the samples do not fill the shape.
    pub(crate) fn new(width: u32, height: u32, color: png::ColorType, depth: png::BitDepth, samples: Vec<u8>) -> Result<Self> {
        let picture = Self { width, height, color, depth, samples, palette: None, transparency: None };
        let subpixels = u64::from(width) * u64::from(height) * picture.channels() as u64;
        if picture.samples.len() as u64 != subpixels * picture.sample_bytes() as u64 {
            bail!("{} samples do not fill {width}x{height} with {} channels", picture.samples.len(), picture.channels());
        }
        Ok(picture)
    }

    /// Bytes of a sample.
    pub(crate) fn sample_bytes(&self) -> usize {
        if self.depth == png::BitDepth::Sixteen { 2 } else { 1 }
    }

    /// Samples of all pixels.
    pub(crate) fn subpixels(&self) -> u64 {
        (self.samples.len() / self.sample_bytes()) as u64
    }

    /// Samples of a pixel.
    pub(crate) fn channels(&self) -> usize {
        self.color.samples()
    }

    /// Whether a file of that name is looked into.
    pub(crate) fn is_named(path: &str) -> bool {
        let extension = path.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
    }

    /// Reads a file's bytes. PNG as stored; other formats as grey, grey+alpha, RGB or RGBA of 8 or 16 bits.
    ///
    /// # Errors
    /// If the bytes are no picture we read.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Self::read_png(bytes)
        } else if dicom::is_dicom(bytes) {
            dicom::read(bytes)
        } else {
            Self::read_other(bytes)
        }
    }

    fn read_png(bytes: &[u8]) -> Result<Self> {
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::IDENTITY);
        let mut reader = decoder.read_info().context("no sound PNG")?;
        let info = reader.info();
        if info.animation_control.is_some() {
            bail!("animated PNG");
        }
        let (width, height, color, depth) = (info.width, info.height, info.color_type, info.bit_depth);
        let palette = info.palette.as_ref().map(|colours| colours.to_vec());
        let transparency = info.trns.as_ref().map(|values| values.to_vec());
        let mut packed = vec![0; reader.output_buffer_size().context("picture too large")?];
        let frame = reader.next_frame(&mut packed).context("no sound PNG")?;
        let per_row = width as usize * color.samples();
        let mut samples = Vec::with_capacity(per_row * height as usize);
        for row in packed.chunks_exact(frame.line_size).take(height as usize) {
            match depth {
                png::BitDepth::Sixteen => samples.extend_from_slice(&row[..2 * per_row]),
                _ => unpack(row, depth as usize, per_row, &mut samples),
            }
        }
        Ok(Self { palette, transparency, ..Self::new(width, height, color, depth, samples)? })
    }

    fn read_other(bytes: &[u8]) -> Result<Self> {
        use image::DynamicImage as Read;
        let read = image::load_from_memory(bytes).context("no picture of a known format")?;
        let (width, height) = (read.width(), read.height());
        let deep = |samples: Vec<u16>| samples.into_iter().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
        let depth = if read.color().bytes_per_pixel() > read.color().channel_count() { png::BitDepth::Sixteen } else { png::BitDepth::Eight };
        let (color, samples) = match read {
            Read::ImageLuma16(pixels) => (png::ColorType::Grayscale, deep(pixels.into_raw())),
            Read::ImageLumaA16(pixels) => (png::ColorType::GrayscaleAlpha, deep(pixels.into_raw())),
            Read::ImageRgb16(pixels) => (png::ColorType::Rgb, deep(pixels.into_raw())),
            Read::ImageRgba16(pixels) => (png::ColorType::Rgba, deep(pixels.into_raw())),
            Read::ImageLuma8(pixels) => (png::ColorType::Grayscale, pixels.into_raw()),
            Read::ImageLumaA8(pixels) => (png::ColorType::GrayscaleAlpha, pixels.into_raw()),
            Read::ImageRgb8(pixels) => (png::ColorType::Rgb, pixels.into_raw()),
            Read::ImageRgba8(pixels) => (png::ColorType::Rgba, pixels.into_raw()),
            other => bail!("samples of type {:?}", other.color()),
        };
        Self::new(width, height, color, depth, samples)
    }

    /// The picture as a PNG file: the same samples always make the same bytes.
    ///
    /// # Errors
    /// If the encoder refuses the shape.
    pub(crate) fn png(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(self.color);
        encoder.set_depth(self.depth);
        encoder.set_compression(png::Compression::Balanced);
        if let Some(palette) = &self.palette {
            encoder.set_palette(palette.clone());
        }
        if let Some(transparency) = &self.transparency {
            encoder.set_trns(transparency.clone());
        }
        let mut writer = encoder.write_header().context("PNG header")?;
        let per_row = self.width as usize * self.channels();
        let packed = match self.depth {
            png::BitDepth::Sixteen => self.samples.clone(),
            _ => self.samples.chunks_exact(per_row).flat_map(|row| pack(row, self.depth as usize)).collect(),
        };
        writer.write_image_data(&packed).context("PNG samples")?;
        writer.finish().context("PNG end")?;
        Ok(bytes)
    }

    /// Writes the picture as a PNG file, with the folders it needs.
    ///
    /// # Errors
    /// If the path cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
        let mut writer = BufWriter::new(file);
        writer.write_all(&self.png()?).and_then(|()| writer.flush()).with_context(|| format!("{} cannot be written", path.display()))
    }

    /// The colours people see, `[height, width, 4]`, of 16 bits: equal for two files that show the same, however they store it.
    pub(crate) fn rgba(&self) -> Result<Vec<u16>> {
        // `image` knows palettes, depths and transparency; we hand it the file.
        let decoded = image::load_from_memory(&self.png()?).context("a PNG of ours cannot be read")?;
        Ok(decoded.into_rgba16().into_raw())
    }
}

/// Appends the first `count` samples of a packed row, most significant bits first.
fn unpack(row: &[u8], depth: usize, count: usize, samples: &mut Vec<u8>) {
    let per_byte = 8 / depth;
    let mask = 0xff_u8 >> (8 - depth);
    let all = row.iter().flat_map(|byte| (0..per_byte).map(move |slot| byte >> (8 - depth * (slot + 1)) & mask));
    samples.extend(all.take(count));
}

/// Packs a row of samples, most significant bits first; the last byte is filled with zeros.
fn pack(row: &[u8], depth: usize) -> Vec<u8> {
    let place = |slot: usize| 8 - depth * (slot + 1);
    row.chunks(8 / depth).map(|group| group.iter().enumerate().fold(0, |byte, (slot, sample)| byte | sample << place(slot))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_comes_back() {
        use png::{BitDepth, ColorType};
        for (color, depth) in [
            (ColorType::Grayscale, BitDepth::One),
            (ColorType::Grayscale, BitDepth::Two),
            (ColorType::Grayscale, BitDepth::Four),
            (ColorType::Grayscale, BitDepth::Eight),
            (ColorType::GrayscaleAlpha, BitDepth::Eight),
            (ColorType::Rgb, BitDepth::Eight),
            (ColorType::Rgba, BitDepth::Eight),
            (ColorType::Grayscale, BitDepth::Sixteen),
            (ColorType::Rgba, BitDepth::Sixteen),
        ] {
            let count = 13 * 5 * color.samples() * if depth == BitDepth::Sixteen { 2 } else { 1 };
            let samples = (0..count).map(|at| (at * 37 % 251) as u8 & (0xff >> 8_u32.saturating_sub(depth as u32))).collect();
            let picture = Picture::new(13, 5, color, depth, samples).unwrap();
            assert_eq!(Picture::read(&picture.png().unwrap()).unwrap(), picture, "{color:?} {depth:?}");
        }
    }

    #[test]
    fn palettes_are_kept_apart_from_indices() {
        let mut picture = Picture::new(3, 1, png::ColorType::Indexed, png::BitDepth::Two, vec![0, 2, 1]).unwrap();
        picture.palette = Some(vec![255, 0, 0, 0, 255, 0, 0, 0, 255]);
        picture.transparency = Some(vec![255, 255, 0]);
        let read = Picture::read(&picture.png().unwrap()).unwrap();
        assert_eq!(read, picture);
        assert_eq!(read.rgba().unwrap(), [255, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 255].map(|sample: u16| sample * 257));
    }

    #[test]
    fn other_formats_are_read_as_eight_bit_samples() {
        let picture = Picture::read(b"P6\n2 1\n255\n\x01\x02\x03\x04\x05\x06").unwrap();
        assert_eq!((picture.width, picture.height, picture.color), (2, 1, png::ColorType::Rgb));
        assert_eq!(picture.samples, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn what_is_no_picture_is_an_error() {
        assert!(Picture::read(b"\x89PNG\r\n\x1a\nnothing").is_err());
        assert!(Picture::read(b"plain text").is_err());
        let sound = Picture::new(4, 4, png::ColorType::Rgb, png::BitDepth::Eight, vec![7; 48]).unwrap().png().unwrap();
        assert!(Picture::read(&sound[..sound.len() - 20]).is_err());
        assert!(Picture::new(4, 4, png::ColorType::Rgb, png::BitDepth::Eight, vec![7; 47]).is_err());
    }

    #[test]
    fn names_tell_what_is_looked_into() {
        assert!(Picture::is_named("a/b.PNG"));
        assert!(!Picture::is_named("SOURCE.txt"));
        assert!(!Picture::is_named("png"));
    }
}
