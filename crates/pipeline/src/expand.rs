//! An archive becomes files again.

use std::path::Path;
use std::time::Instant;

use kolmo_codec::against::Base;
use kolmo_codec::container::{Content, Index};
use kolmo_verify::expand::{self, Options};
use kolmo_verify::paths;
use kolmo_verify::places::Places;

use crate::base;
use crate::error::Error;
use crate::observe::{Event, Observer, Step};
use crate::options::ExpandOptions;
use crate::output::Staging;
use crate::program_file;
use crate::summary::ExpandSummary;
use crate::work::Crew;

/// Expands `archive` into the folder `output`, which is created if it is not there. Files are written aside and take their places when
/// all of them are there and their digests agree.
///
/// # Errors
/// See [`Error`]; no file of `output` has been touched then.
pub fn expand(archive: &Path, output: &Path, options: &ExpandOptions, observer: &mut dyn Observer) -> Result<ExpandSummary, Error> {
    let begun = Instant::now();
    let crew = &mut Crew::new(options.threads, &options.stop, observer)?;
    crew.observer.event(&Event::StepStarted { step: Step::Expand });
    let mut reader = program_file::open(archive, &options.limits)?;
    let wanted = wanted(reader.index(), &options.only)?;
    let contents = reader.contents();
    let index = contents.index();
    let places = Places::new(&contents, &mut contents.budget())?;
    // Of a file that is cut, its first item stands for it.
    let stands = |number: u32| index.cuts.position(number).is_none_or(|cut| index.cuts.all()[cut].first == number);
    let chosen = || (0u32..).zip(&wanted).filter(|(number, wanted)| **wanted && stands(*number)).filter_map(|(number, _)| index.file_path(number));
    let total = wanted.iter().filter(|wanted| **wanted).count();
    let blocks = expand::blocks_of(&reader, |item| wanted.get(item as usize).copied().unwrap_or(false));
    let base = base::needed(archive, &mut reader, Some(&blocks), options.base.as_deref())?;
    let mut staging = Staging::create(output, chosen(), options.force)?;
    if staging.folds_case()? {
        let chosen: Vec<&str> = chosen().collect();
        paths::check_case(chosen.len(), |number| chosen[number])?;
    }
    let mut summary = ExpandSummary::default();
    let mut done = 0;
    let mut left: Vec<u32> = index.cuts.all().iter().map(|cut| cut.count).collect();
    let pool = crew.pool.clone();
    let how =
        Options { limits: &options.limits, wanted: Some(&wanted), pool: Some(&pool), files: true, base: base.as_ref().map(|base| base as &dyn Base) };
    expand::expand(&mut reader, &how, |part| {
        let Some(path) = index.file_path(part.item) else { return Ok(()) };
        let place = places.of(&contents, part.item);
        match place {
            Some(place) => staging.write_part(path, place.offset + part.start, &part.bytes)?,
            None => staging.write(path, part.start, &part.bytes)?,
        }
        summary.file_bytes += part.bytes.len() as u64;
        summary.subpixels += part.image.as_ref().map_or(0, |image| image.subpixels());
        let mut whole = part.last;
        if let Some(left) = place.filter(|_| part.last).and_then(|place| left.get_mut(place.file)) {
            *left -= 1;
            whole = *left == 0;
        }
        summary.files += u64::from(whole);
        summary.verified_files += u64::from(whole);
        if part.last {
            done += 1;
            if done % 64 == 0 || done == total {
                crew.progress("expanding", done, total);
            }
        }
        crew.check()
    })
    .map_err(|error| about(archive, error))?;
    crew.check()?;
    staging.publish(options.force)?;
    summary.seconds = begun.elapsed().as_secs_f64();
    Ok(summary)
}

/// Names the archive in errors of its frame, and where it needs a base.
pub(crate) fn about(archive: &Path, error: Error) -> Error {
    match error {
        Error::Verify(kolmo_verify::Error::Archive(source)) => Error::codec(archive)(source),
        Error::Verify(kolmo_verify::Error::Block { source: source @ kolmo_codec::Error::BaseNeeded { .. }, .. }) => Error::codec(archive)(source),
        other => other,
    }
}

/// Which items `only` names: files, or whole folders.
fn wanted(index: &Index, only: &[String]) -> Result<Vec<bool>, Error> {
    let mut wanted = vec![only.is_empty(); index.items.len()];
    for name in only {
        let name = name.trim_end_matches('/');
        let folder = format!("{name}/");
        let mut found = false;
        for ((item, wanted), number) in index.items.iter().zip(&mut wanted).zip(0u32..) {
            if item.path == name && index.cuts.position(number).is_some() {
                let file = index.file_path(number).unwrap_or_default();
                return Err(Error::InvalidArgument { what: format!("{name}: this is a part of the file {file}; expand the whole file") });
            }
            if item.path == name || item.path.starts_with(&folder) {
                (found, *wanted) = (true, true);
            }
        }
        if !found {
            return Err(Error::InvalidArgument { what: format!("{name}: the archive holds no such file or folder; list it to see what it holds") });
        }
    }
    Ok(wanted)
}

/// Number of the item whose content `item` has.
pub(crate) fn original(index: &Index, item: usize) -> usize {
    match index.items.content(item) {
        Some(Content::Copy { of }) => of as usize,
        _ => item,
    }
}
