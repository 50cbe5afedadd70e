//! Does an archive hold what it promises, and what a folder holds?

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Instant;

use kolmo_codec::against::Base;
use kolmo_codec::container::{Fidelity, Index};
use kolmo_data::source::{self, Found};
use kolmo_verify::compare::first_difference;
use kolmo_verify::expand::{self, Copies, Expanded, Options};
use kolmo_verify::paths;
use kolmo_verify::places::{Place, Places};

use crate::base;
use crate::error::Error;
use crate::expand::about;
use crate::observe::{Event, Observer, Step};
use crate::options::ExpandOptions;
use crate::program_file;
use crate::summary::{NamedReason, VerifySummary};
use crate::work::Crew;

/// Expands `archive` in memory, compares all digests, and every file with the one in `folder`, if one is given. Goes on after a
/// difference: the summary names them all.
///
/// # Errors
/// If the archive's frame is damaged, or a file cannot be read; see [`Error`]. Damaged blocks and files that differ are no errors but
/// entries of [`VerifySummary::differences`].
pub fn verify(archive: &Path, folder: Option<&Path>, options: &ExpandOptions, observer: &mut dyn Observer) -> Result<VerifySummary, Error> {
    let begun = Instant::now();
    let crew = &mut Crew::new(options.threads, &options.stop, observer)?;
    crew.observer.event(&Event::StepStarted { step: Step::Expand });
    let mut reader = program_file::open(archive, &options.limits)?;
    let base = base::needed(archive, &mut reader, None, options.base.as_deref())?;
    let contents = reader.contents();
    let index = contents.index();
    let fidelity = contents.fidelity();
    let copies = Copies::new(index);
    let places = Places::new(&contents, &mut contents.budget())?;
    // Of a file that is cut, its first item stands for it.
    let stands = |item: u32| index.cuts.position(item).map_or(item, |cut| index.cuts.all()[cut].first) as usize;
    let mut differences: BTreeMap<usize, String> = BTreeMap::new();
    let (mut done, mut n_done) = (vec![false; index.items.len()], 0);
    let pool = crew.pool.clone();
    expand::blocks(
        &mut reader,
        &Options {
            limits: &options.limits,
            wanted: None,
            pool: Some(&pool),
            files: folder.is_some(),
            base: base.as_ref().map(|base| base as &dyn Base),
        },
        |outcome| -> Result<(), Error> {
            let same = |item: u32| std::iter::once(item).chain(copies.of(item));
            match outcome.result {
                Ok(expanded) => {
                    for mut expanded in expanded {
                        for item in same(expanded.item) {
                            expanded.item = item;
                            if let Some(reason) = difference(index, fidelity, folder, places.of(&contents, item), &expanded)? {
                                differences.entry(stands(item)).or_insert(reason);
                            }
                            n_done += first_time(&mut done, item);
                        }
                    }
                }
                Err(error) if error.kind() == kolmo_verify::ErrorKind::LimitExceeded => return Err(error.into()),
                Err(error) => {
                    for item in contents.items_of(outcome.block).iter().flat_map(|&item| same(item)) {
                        differences.insert(stands(item), format!("damaged in the archive: {error}"));
                        n_done += first_time(&mut done, item);
                    }
                }
            }
            crew.progress("verifying", n_done, index.items.len());
            crew.check()
        },
    )
    .map_err(|error| about(archive, error))?;

    let mut summary = VerifySummary { files: index.file_count(), ..VerifySummary::default() };
    summary.verified_files = summary.files - differences.len() as u64;
    let named = |(item, reason): (usize, String)| NamedReason { path: index.file_path(item as u32).unwrap_or_default().to_owned(), reason };
    summary.differences = differences.into_iter().map(named).collect();
    if let Some(folder) = folder {
        summary.differences.extend(surplus(index, folder, archive)?);
    }
    summary.seconds = begun.elapsed().as_secs_f64();
    Ok(summary)
}

/// 1 if an item has not been done before: those of several pieces come several times.
fn first_time(done: &mut [bool], item: u32) -> usize {
    usize::from(!std::mem::replace(&mut done[item as usize], true))
}

/// What differs between an item (or a piece of it) and the file of its name, or of which it is a part.
fn difference(index: &Index, fidelity: Fidelity, folder: Option<&Path>, place: Option<Place>, expanded: &Expanded) -> Result<Option<String>, Error> {
    let (Some(folder), Some(path)) = (folder, index.file_path(expanded.item)) else { return Ok(None) };
    let path = paths::below(folder, path)?;
    // One file stands for itself, as in compressing it.
    let path = if folder.is_file() { folder.to_path_buf() } else { path };
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Some("missing in the folder".into())),
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    // A part of a file is compared byte by byte, whatever is promised of images that are files.
    let begin = place.map_or(0, |place| place.offset) + expanded.start;
    let end = begin + expanded.bytes.len() as u64;
    let (last, fidelity) = place.map_or((expanded.last, fidelity), |place| (end == place.file_bytes, Fidelity::Files));
    // Of a piece that is not the last, only its own bytes; of the last, one more, to see whether the file goes on.
    let whole = expanded.image.is_some() && fidelity == Fidelity::Pixels;
    let most = if whole { u64::MAX } else { expanded.bytes.len() as u64 + u64::from(last) };
    let mut original = Vec::new();
    file.seek(SeekFrom::Start(begin)).map_err(Error::io("read", &path))?;
    file.take(most).read_to_end(&mut original).map_err(Error::io("read", &path))?;
    let found = first_difference(fidelity, expanded, last, &original);
    Ok(found.map(|difference| difference.after(begin - expanded.start).to_string()))
}

/// Files of the folder that the archive does not hold.
fn surplus(index: &Index, folder: &Path, archive: &Path) -> Result<Vec<NamedReason>, Error> {
    let archive = archive.canonicalize().ok();
    let cut: HashSet<&str> = index.cuts.all().iter().filter_map(|cut| index.file_path(cut.first)).collect();
    let mut unknown: Vec<String> = Vec::new();
    source::walk(folder, |found| {
        if let Found::File(entry) = found
            && index.items.position(&entry.path).is_none()
            && !cut.contains(entry.path.as_str())
            && entry.file.canonicalize().ok() != archive
        {
            unknown.push(entry.path);
        }
        Ok::<(), Error>(())
    })?;
    unknown.sort_unstable();
    Ok(unknown.into_iter().map(|path| NamedReason { path, reason: "not in the archive".into() }).collect())
}
