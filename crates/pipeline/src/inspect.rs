//! What an archive holds, without expanding it.

use std::path::Path;

use kolmo_codec::block::Method;
use kolmo_codec::container::{BlockCoding, Content, Cut, Fidelity, PIECE_BYTES, Reader};
use kolmo_codec::general::GeneralMethod;
use kolmo_codec::limits::Limits;
use kolmo_codec::program::Program;
use kolmo_verify::expand::bases;
use kolmo_verify::places::Places;
use kolmo_verify::report::Report;

use crate::choose::colour_name;
use crate::compress::archive_sizes;
use crate::error::Error;
use crate::expand::original;
use crate::program_file;
use crate::summary::{BaseSummary, InspectProgram, InspectSummary, ItemSummary};

/// Million samples a second that one core of 2023 with AVX-512 decodes: what a sample costs besides its network, and multiply-accumulates a nanosecond.
///
/// `cargo xtask bench speed` of 2026-11-25, one thread, 9,696 multiply-accumulates a sample: kodak8 8.4 directly and 0.9 adaptively (this says 8.8 and
/// 0.9), cifar10 6.7 and 0.6, photos100 6.1, its PNG files rebuilt; small blocks, and those of formats before 1.4, 5.7.
fn expected_speed(program: &Program, method: Method) -> f64 {
    let besides = match method {
        Method::Lanes => 55.0,
        Method::Adaptive | Method::References => 1_000.0,
        _ => 115.0,
    };
    1e3 / (besides + program.macs_per_pixel() as f64 / program.channels() as f64 / 165.0)
}

/// Where each byte of an archive goes. No block is read, but for the base that some say they need.
///
/// # Errors
/// See [`Error`].
pub fn inspect(archive: &Path, limits: &Limits) -> Result<InspectSummary, Error> {
    let mut reader = program_file::open(archive, limits)?;
    let bases = bases(&mut reader, None)?;
    let report = Report::of(&reader)?;
    let programs = kolmo_verify::expand::programs(&reader, limits, &mut reader.budget())?;
    let (major, minor) = reader.version();
    let program = |(about, (_, program)): (&kolmo_verify::report::ProgramReport, &(_, Program))| InspectProgram {
        group: about.layout.into(),
        coded_bytes: about.coded_bytes,
        coder: about.coder.name().into(),
        parameters: program.parameters(),
        macs_per_pixel: program.macs_per_pixel(),
        bit_depth: program.bit_depth().into(),
        colour: colour_name(program),
        step_symbols: 1 << program.alphabet().resolution(),
        values: program.wide.as_ref().map_or(0, |wide| wide.values.len() as u64),
        components: program.components() as u64,
        spikes: program.spikes() as u64,
        hats: program.hats.into(),
        images: about.images,
        subpixels: about.subpixels,
        payload_bytes: about.payload_bytes,
        coding: about.method.map_or("", Method::name).into(),
        expected_mb_per_s: about.method.map_or(0.0, |method| expected_speed(program, method)),
    };
    Ok(InspectSummary {
        format: format!("{major}.{minor}"),
        fidelity: match reader.fidelity() {
            Fidelity::Files => "files".into(),
            Fidelity::Pixels => "pixels".into(),
        },
        files: reader.index().file_count(),
        subpixels: report.subpixels,
        file_bytes: report.file_bytes,
        rate_bpsp: report.rate_bpsp(),
        sizes: archive_sizes(&report.sizes),
        blocks: report.blocks,
        bases: bases.iter().map(BaseSummary::of).collect(),
        programs: report.programs.iter().zip(&programs).map(program).collect(),
    })
}

/// The items of an archive in the order of their paths. No block is read, so what only expanding tells is left open: the file size of
/// images.
///
/// # Errors
/// See [`Error`].
pub fn list(archive: &Path, limits: &Limits) -> Result<Vec<ItemSummary>, Error> {
    let reader = program_file::open(archive, limits)?;
    let index = reader.index();
    let places = Places::new(&reader, &mut reader.budget())?;
    let mut items = Vec::with_capacity(index.items.len());
    for (number, item) in index.items.iter().enumerate() {
        if let Some(cut) = index.cuts.position(number as u32).map(|cut| index.cuts.all()[cut]) {
            if cut.first as usize == number {
                items.push(cut_file(&reader, &places, cut));
            }
            continue;
        }
        let Some(content) = index.items.content(original(index, number)) else { continue };
        let is_copy = matches!(item.content, Content::Copy { .. });
        let (block, file_bytes) = match content {
            Content::Image { block, .. } => (block, None),
            Content::General { block, bytes } => (block, Some(bytes)),
            Content::Copy { .. } => continue,
        };
        let coding = index.blocks.get(block as usize).map(|block| block.coding);
        let (method, shape) = match (coding, content) {
            (Some(BlockCoding::Program { program, .. }), Content::Image { height, width, .. }) => {
                let layout = reader.programs().get(program as usize).map_or("", |program| program.layout);
                ("program", format!("{layout} {width}x{height}"))
            }
            (Some(BlockCoding::General(GeneralMethod::Stored)), _) => ("stored", String::new()),
            (Some(BlockCoding::General(GeneralMethod::Numbers)), _) => ("numbers", String::new()),
            (Some(BlockCoding::General(GeneralMethod::Against)), _) => ("base", String::new()),
            (Some(BlockCoding::General(GeneralMethod::Jpeg)), _) => ("jpeg", String::new()),
            _ => ("general", String::new()),
        };
        let pieces = file_bytes.map_or(1, |bytes| bytes.div_ceil(PIECE_BYTES).max(1));
        let alone = reader.items_of(block).len() == 1;
        let own = || index.blocks.iter().skip(block as usize).take(pieces as usize).map(|block| block.coded_bytes).sum();
        items.push(ItemSummary {
            path: item.path.to_owned(),
            file_bytes,
            method: if is_copy { "copy".into() } else { method.into() },
            shape,
            coded_bytes: if is_copy { Some(0) } else { alone.then(own) },
        });
    }
    Ok(items)
}

/// A file that is cut: what its images are, and how many.
fn cut_file<R>(reader: &Reader<R>, places: &Places, cut: Cut) -> ItemSummary {
    let index = reader.index();
    let (mut images, mut last) = (0u64, None);
    for item in cut.first..cut.end() {
        let content = index.items.content(original(index, item as usize));
        if let Some(Content::Image { block, height, width, .. }) = content
            && let Some(BlockCoding::Program { program, .. }) = index.blocks.get(block as usize).map(|block| block.coding)
        {
            let layout = reader.programs().get(program as usize).map_or("", |program| program.layout);
            images += 1;
            last = Some((layout, width, height));
        }
    }
    ItemSummary {
        path: index.file_path(cut.first).unwrap_or_default().to_owned(),
        file_bytes: places.of(reader, cut.first).map(|place| place.file_bytes),
        method: if images > 0 { "program".into() } else { "general".into() },
        shape: last.map_or_else(String::new, |(layout, width, height)| format!("{images} x {layout} {width}x{height}")),
        coded_bytes: None,
    }
}
