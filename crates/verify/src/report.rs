//! Where the bytes of an archive go.
#![allow(clippy::float_arithmetic, reason = "rates are for reading")]

use kolmo_codec::block::Method;
use kolmo_codec::container::{BlockCoding, Content, Reader, Sizes};
use kolmo_codec::weights::Coder;

use crate::Error;

/// Where the bytes of an archive go.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Bytes by section; they sum to `sizes.total`.
    pub sizes: Sizes,
    /// One entry a Program.
    pub programs: Vec<ProgramReport>,
    /// Subpixels coded by Programs, copies not counted.
    pub subpixels: u64,
    /// Size of all files, as found when they were compressed.
    pub file_bytes: u64,
    /// Items.
    pub items: u64,
    /// Blocks.
    pub blocks: u64,
}

/// What one Program does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramReport {
    /// Sample layout, e.g. `rgb8`.
    pub layout: &'static str,
    /// How it is coded.
    pub coder: Coder,
    /// Its size in the archive, and before coding.
    pub coded_bytes: u64,
    /// Its size before coding.
    pub raw_bytes: u64,
    /// Images it codes, copies not counted.
    pub images: u64,
    /// Subpixels it codes.
    pub subpixels: u64,
    /// Bytes of its blocks.
    pub payload_bytes: u64,
    /// How they are coded; `None` if there are none.
    pub method: Option<Method>,
}

impl Report {
    /// Reads the report off an open archive; no block is touched.
    ///
    /// # Errors
    /// `Corrupt` if a block names no Program or a layout has no channels.
    pub fn of<R>(reader: &Reader<R>) -> Result<Self, Error> {
        let index = reader.index();
        let mut programs: Vec<ProgramReport> = Vec::new();
        for entry in reader.programs() {
            programs.push(ProgramReport {
                layout: entry.layout,
                coder: entry.coder,
                coded_bytes: entry.coded_bytes(),
                raw_bytes: entry.raw_bytes,
                images: 0,
                subpixels: 0,
                payload_bytes: 0,
                method: None,
            });
        }
        for (block, number) in index.blocks.iter().zip(0u32..) {
            let BlockCoding::Program { program, method } = block.coding else { continue };
            let wrong = || kolmo_codec::Error::Corrupt { what: "index: the Program of a block", offset: Some(block.offset) };
            let program = usize::try_from(program).ok().and_then(|program| programs.get_mut(program)).ok_or_else(wrong)?;
            let layout: kolmo_data::layout::Layout = program.layout.parse().map_err(|_| wrong())?;
            // Blocks of near-duplicates may stand beside others; small blocks beside large ones are coded another way, and the large ones say how.
            program.method = match program.method {
                before @ Some(Method::References) => before,
                before @ Some(Method::Lanes) if method != Method::References => before,
                _ => Some(method),
            };
            program.payload_bytes = program.payload_bytes.saturating_add(block.coded_bytes);
            for part in reader.parts(number) {
                let content = usize::try_from(part.item).ok().and_then(|item| index.items.content(item));
                if let Some(Content::Image { height, width, .. }) = content {
                    program.images = program.images.saturating_add(1);
                    let pixels = u64::from(height).saturating_mul(width.into());
                    program.subpixels = program.subpixels.saturating_add(pixels.saturating_mul(layout.channels() as u64));
                }
            }
        }
        Ok(Self {
            sizes: reader.sizes(),
            subpixels: programs.iter().fold(0, |sum, program| sum.saturating_add(program.subpixels)),
            programs,
            file_bytes: index.file_bytes,
            items: index.items.len() as u64,
            blocks: index.blocks.len() as u64,
        })
    }

    /// Whole archive over the samples its Programs code, bpsp; 0 if there are none.
    #[must_use]
    pub fn rate_bpsp(&self) -> f64 {
        if self.subpixels == 0 { 0.0 } else { 8.0 * self.sizes.total as f64 / self.subpixels as f64 }
    }
}
