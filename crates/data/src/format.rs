//! One file a format: each opens a file into an image and a recipe, and rebuilds the file from them.

pub(crate) mod bmp;
pub(crate) mod decoded;
pub(crate) mod dicom;
pub(crate) mod gif;
pub(crate) mod png;
pub(crate) mod png_chunk;
pub(crate) mod png_filter;
pub(crate) mod png_stream;
#[cfg(test)]
mod png_tests;
pub(crate) mod pnm;
pub(crate) mod tiff;
pub(crate) mod tiff_directory;
pub(crate) mod webp;

/// First byte of every recipe. A tag is never given a second meaning.
pub(crate) mod tag {
    pub(crate) const PNG: u8 = 1;
    pub(crate) const PNM: u8 = 2;
    pub(crate) const PNM_TEXT: u8 = 3;
    pub(crate) const BMP: u8 = 4;
    pub(crate) const TIFF: u8 = 5;
    pub(crate) const TIFF_PLAIN: u8 = 6;
    pub(crate) const WEBP: u8 = 7;
    pub(crate) const GIF: u8 = 8;
    pub(crate) const TIFF_DEEP: u8 = 9;
    pub(crate) const DICOM: u8 = 10;
    pub(crate) const FRAME: u8 = 11;
}
