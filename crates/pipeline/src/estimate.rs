//! What compressing would give, from a sample and without writing anything.

use std::path::Path;
use std::time::Instant;

use crate::base::Previous;
use crate::choose::{self, Chosen, FROM_BUILT_IN, code_program};
use crate::coding::Way;
use crate::compress::{cuts, name, ratio};
use crate::dataset::{self, Dataset, Group, Loading};
use crate::error::Error;
use crate::files;
use crate::general as general_way;
use crate::observe::{Event, Step};
use crate::options::CompressOptions;
use crate::pages::Aside;
use crate::program_file;
use crate::rating::Rating;
use crate::summary::{ArchiveSizes, CompressSummary};
use crate::work::Crew;

/// Bytes of files that are looked at.
const SAMPLE_BYTES: u64 = 128 << 20;

/// Steps of the network that is learned for a look.
const STEPS: u64 = 400;

/// What the payload under a Program of full training is of that after [`STEPS`], on average: learned from nothing and from a built-in Program.
const FROM_NOTHING: f64 = 0.93;
const FROM_PRIOR: f64 = 0.98;

/// The first of these by the bits that a sample takes after [`STEPS`]: what is mostly noise gains little by longer training, graphics and empty images gain much. A line
/// through six sets of 0.7 to 4.8 bits; with it five of them are estimated within 1 %.
fn from_nothing(bits: f64, is_deep: bool) -> f64 {
    // Samples of more than 8 bits are noise at the lower end.
    if is_deep { 0.98 } else { (0.83 + 0.035 * bits).min(0.985) }
}

/// The second of them likewise, a line through emoji_noto64 (0.7 bits, of which training takes off a twelfth) and two sets of photographs.
fn from_prior(bits: f64) -> f64 {
    (0.91 + 0.021 * bits).min(FROM_PRIOR)
}

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
    // Nothing is written where the archive would be.
    let aside = Aside::new(&std::env::temp_dir(), options.limits.memory_bytes);
    let listed = files::list(input, &[archive], cuts(options), &aside, crew)?;
    let (n_files, all) = (listed.whole_count(), listed.bytes());
    let every = all.div_ceil(SAMPLE_BYTES).max(1) as usize;
    let mut dataset = dataset::load(listed.every(every)?, &Loading { seed: 0, ..Loading::new(options) }, crew)?;
    drop(listed);
    let previous = options.base.as_deref().map(|base| Previous::open(base, archive)).transpose()?;
    if let Some(previous) = &previous {
        previous.pair(&mut dataset, crew)?;
    }
    let scale = ratio(all as f64, dataset.summary.file_bytes).max(1.0);

    let given = options.program.as_deref().map(|file| program_file::read(file, &options.limits)).transpose()?;
    let mut general = dataset.general()?;
    let (mut payload, mut program_bytes, mut programs) = (0.0, 0, Vec::new());
    let (chosen, kinds) = choose::programs(&mut dataset, given, options, Some(STEPS), crew)?;
    for (group, chosen) in dataset.groups.iter().zip(chosen) {
        let Some(mut chosen) = chosen else {
            general.extend(&group.items);
            continue;
        };
        let outlook = outlook(&dataset, group, &mut chosen, Way::new(options), false, crew)?;
        payload += outlook.payload_bytes * scale;
        program_bytes += outlook.program_bytes;
        chosen.summary.images = (group.items.len() as f64 * scale) as u64;
        programs.push(chosen.summary);
    }
    general.sort_unstable();
    let general = general_way::size(&dataset, &general, QUICK, previous.as_ref().map(|previous| &previous.file), crew)? as f64 * scale;
    let frame = kolmo_codec::container::HEADER_BYTES + kolmo_codec::container::TRAILER_BYTES;
    let index = n_files as u64 + 64;
    let mut sizes = ArchiveSizes { frame, programs: program_bytes, payload: payload as u64, index, recipes: 0, general: general as u64, total: 0 };
    sizes.total = sizes.frame + sizes.programs + sizes.payload + sizes.index + sizes.general;
    let note = if every > 1 { format!(" of {} files", dataset.items.len()) } else { String::new() };
    crew.note(format!("this is an estimate from a quick look{note}, some per cent off; nothing was written"));
    let mut preprocess = dataset.summary;
    if every > 1 {
        preprocess.files = n_files as u64;
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
        programs,
        kinds,
        seconds: begun.elapsed().as_secs_f64(),
        estimate: true,
        ..CompressSummary::default()
    })
}

/// What a group of images may take once its Program is learned in full.
pub(crate) struct Outlook {
    pub(crate) program_bytes: u64,
    pub(crate) payload_bytes: f64,
}

/// What a group may take under a Program that was learned in [`STEPS`], or not learned at all; its summary is told how it would be coded.
/// `quick` looks at fewer images.
pub(crate) fn outlook(dataset: &Dataset, group: &Group, chosen: &mut Chosen, way: Way, quick: bool, crew: &Crew<'_>) -> Result<Outlook, Error> {
    let Chosen { program, summary, judged, .. } = chosen;
    let candidate = summary.candidates.iter().find(|candidate| candidate.chosen);
    let is_from_prior = candidate.is_some_and(|candidate| candidate.way.starts_with(FROM_BUILT_IN));
    // Images may have come and gone since a kind was judged.
    let (method, bytes) = match judged.filter(|_| group.kind == 0 && !quick) {
        Some(judged) => judged,
        None => crew.pool.install(|| {
            let rating = if quick { Rating::quick(dataset, group) } else { Rating::new(dataset, group) }?;
            rating.judged(program, rating.direct_bytes(program)?, way)
        })?,
    };
    let bits = ratio(8.0 * bytes as f64, dataset.subpixels(&group.items)?);
    let grows = match summary.steps {
        0 => 1.0,
        // Looks at the same images are compared with each other.
        _ if quick => [FROM_NOTHING, FROM_PRIOR][usize::from(is_from_prior)],
        _ if is_from_prior => from_prior(bits),
        _ => from_nothing(bits, group.layout.bit_depth > 8),
    };
    let program_bytes = code_program(program, summary).bytes.len() as u64;
    summary.kept = true;
    summary.coding = method.name().into();
    Ok(Outlook { program_bytes, payload_bytes: bytes as f64 * grows })
}

#[cfg(test)]
mod tests {
    use super::{FROM_PRIOR, from_nothing, from_prior};

    #[test]
    fn noise_gains_least_by_longer_training() {
        let by_bits = [0.1, 0.7, 1.7, 3.2, 4.5, 7.9].map(|bits| from_nothing(bits, false));
        assert!(by_bits.is_sorted() && by_bits[0] > 0.8 && by_bits[5] < 1.0, "{by_bits:?}");
        assert!(from_nothing(2.0, true) > from_nothing(2.0, false));
        let by_bits = [0.1, 0.7, 2.0, 3.4, 7.9].map(from_prior);
        assert!(by_bits.is_sorted() && by_bits[0] > 0.9 && by_bits[3..] == [FROM_PRIOR; 2], "{by_bits:?}");
    }
}
