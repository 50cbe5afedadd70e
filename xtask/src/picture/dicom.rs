//! Plain DICOM: one grey frame of 16 bits, little-endian. Signed samples are moved up by half their range, so that all can be a PNG.

use anyhow::{Context as _, Result, bail};

use super::Picture;

/// Bytes before the first element.
const HEAD: usize = 132;

pub(super) fn is_dicom(bytes: &[u8]) -> bool {
    bytes.get(HEAD - 4..HEAD) == Some(b"DICM")
}

/// # Errors
/// If it is cut, has sequences of unsaid length, or other samples.
pub(super) fn read(bytes: &[u8]) -> Result<Picture> {
    let number = |at: usize| bytes.get(at..at + 2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).context("a DICOM file that ends early");
    let (mut at, mut implicit) = (HEAD, false);
    let (mut rows, mut columns, mut bits, mut signed) = (0, 0, 0, false);
    loop {
        let (group, element) = (number(at)?, number(at + 2)?);
        let long = matches!(bytes.get(at + 4..at + 6), Some(b"OB" | b"OW" | b"SQ" | b"UN" | b"UT" | b"UC" | b"UR"));
        let (start, wide) = match group != 2 && implicit {
            true => (at + 8, at + 4),
            false if long => (at + 12, at + 8),
            false => (at + 8, usize::MAX),
        };
        let length = match wide {
            usize::MAX => usize::from(number(at + 6)?),
            wide => usize::from(number(wide)?) | usize::from(number(wide + 2)?) << 16,
        };
        let value = bytes.get(start..start + length).context("a DICOM element without an end")?;
        match (group, element) {
            (2, 0x10) => match value.trim_ascii_end() {
                value if value.starts_with(b"1.2.840.10008.1.2.1") => implicit = false,
                b"1.2.840.10008.1.2\0" => implicit = true,
                _ => bail!("coded DICOM samples"),
            },
            (0x28, 2) if number(start)? != 1 => bail!("DICOM samples in colour"),
            (0x28, 0x10) => rows = number(start)?,
            (0x28, 0x11) => columns = number(start)?,
            (0x28, 0x100) => bits = number(start)?,
            (0x28, 0x103) => signed = number(start)? == 1,
            (0x7fe0, 0x10) => {
                if bits != 16 {
                    bail!("DICOM samples of {bits} bits");
                }
                let turn = if signed { 0x80 } else { 0 };
                let samples = value.chunks_exact(2).flat_map(|pair| [pair[1] ^ turn, pair[0]]).collect();
                return Picture::new(columns.into(), rows.into(), png::ColorType::Grayscale, png::BitDepth::Sixteen, samples);
            }
            _ => {}
        }
        at = start + length;
    }
}
