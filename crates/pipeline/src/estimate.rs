//! What compressing would give, from a sample and without writing anything.

use std::path::Path;
use std::time::Instant;

use crate::coding::coded_bytes;
use crate::compress::{name, ratio};
use crate::dataset::{self, ItemState};
use crate::error::Error;
use crate::general as general_way;
use crate::observe::{Event, Step};
use crate::options::CompressOptions;
use crate::summary::{ArchiveSizes, CompressSummary};
use crate::work::Crew;

/// Bytes of files that are looked at.
const SAMPLE_BYTES: u64 = 128 << 20;

/// A learned Program needs about this share of the order-0 entropy of the median edge detector's residuals: of photographs, and of
/// graphics (images of less than `GRAPHICS_BPSP`). Rates aimed at over entropies measured: photos100 3.6/5.28, cifar10 3.55/5.45,
/// fashion_mnist 3.05/4.12, kodak8 2.5/4.66 bpsp; nuclei 0.74/2.11, emoji 1.0/2.09 bpsp.
const PHOTO_SHARE: f64 = 0.65;
const GRAPHICS_SHARE: f64 = 0.42;
const GRAPHICS_BPSP: f64 = 2.5;
/// The same share of 16-bit samples, much of which is noise: gray16 4.34/4.93, mri_dicom16 1.99/3.09 bpsp.
const DEEP_SHARE: f64 = 0.8;

/// What a Program is taken to cost, at the most; a small group is not taken to pay for more than a tenth of itself.
const PROGRAM_BYTES: f64 = 15_000.0;

/// zstd's level for the sample: quick, and within some per cent of the dense one.
const QUICK: i32 = 3;

pub(crate) fn estimate(
    input: &Path,
    archive: &Path,
    options: &CompressOptions,
    crew: &mut Crew<'_>,
    begun: Instant,
) -> Result<CompressSummary, Error> {
    crew.observer.event(&Event::StepStarted { step: Step::Preprocess });
    let entries = dataset::list(input, &[archive], crew)?;
    let all: u64 = entries.iter().map(|entry| entry.bytes).sum();
    let every = all.div_ceil(SAMPLE_BYTES).max(1) as usize;
    let sample: Vec<_> = entries.iter().step_by(every).cloned().collect();
    let dataset = dataset::load(&sample, options.fidelity, 0, crew)?;
    let scale = ratio(all as f64, dataset.summary.file_bytes).max(1.0);

    let learns = options.learn.is_some() || options.program.is_some();
    let mut general: Vec<usize> = (0..dataset.items.len()).filter(|&n| matches!(dataset.items[n].state, ItemState::General(_))).collect();
    let (mut payload, mut programs) = (0.0, 0.0);
    for group in &dataset.groups {
        if !learns || !crate::compress::worth_learning(&dataset, group) {
            general.extend(&group.items);
            continue;
        }
        let bits = group.items.iter().filter_map(|&number| match &dataset.items[number].state {
            ItemState::Image { image, statistics, .. } => {
                let share = match statistics.residual_bpsp {
                    _ if image.layout.bit_depth == 16 => DEEP_SHARE,
                    ..GRAPHICS_BPSP => GRAPHICS_SHARE,
                    _ => PHOTO_SHARE,
                };
                Some(share * statistics.residual_bpsp * image.subpixels() as f64)
            }
            _ => None,
        });
        let coded = bits.sum::<f64>() / 8.0 * scale;
        payload += coded;
        programs += PROGRAM_BYTES.min(coded / 10.0);
    }
    general.sort_unstable();
    let general = coded_bytes(&general_way::coded(&dataset.items, &general, QUICK, crew)?) as f64 * scale;
    let frame = kolmo_codec::container::HEADER_BYTES + kolmo_codec::container::TRAILER_BYTES;
    let index = entries.len() as u64 + 64;
    let mut sizes = ArchiveSizes { frame, programs: programs as u64, payload: payload as u64, index, recipes: 0, general: general as u64, total: 0 };
    sizes.total = sizes.frame + sizes.programs + sizes.payload + sizes.index + sizes.general;
    let note = if every > 1 { format!(" of {} files", sample.len()) } else { String::new() };
    crew.note(format!("this is an estimate from a quick look{note}, easily 20 % off; nothing was written"));
    let mut preprocess = dataset.summary;
    if every > 1 {
        preprocess.files = entries.len() as u64;
        preprocess.file_bytes = all;
        preprocess.images = (preprocess.images as f64 * scale) as u64;
        preprocess.subpixels = (preprocess.subpixels as f64 * scale) as u64;
        preprocess.sample_bytes = (preprocess.sample_bytes as f64 * scale) as u64;
    }
    preprocess.seconds = begun.elapsed().as_secs_f64();
    let total = sizes.total as f64;
    Ok(CompressSummary {
        fidelity: name(options.fidelity).into(),
        rate_bpsp: ratio(8.0 * total, preprocess.subpixels),
        percent_of_input: ratio(100.0 * total, preprocess.file_bytes),
        preprocess,
        sizes,
        seconds: begun.elapsed().as_secs_f64(),
        estimate: true,
        ..CompressSummary::default()
    })
}
