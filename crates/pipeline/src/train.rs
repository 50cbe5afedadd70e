//! Programs without an archive: learned from a folder, or trained further.

use std::path::Path;
use std::time::Instant;

use kolmo_codec::program::Program;
use kolmo_codec::weights::CodedProgram;
use kolmo_data::layout::Layout;

use crate::choose::{Means, code_program, learn_one, start, time_shares, worth_learning};
use crate::compress::prepare;
use crate::dataset::Group;
use crate::error::Error;
use crate::kinds::{self, allot};
use crate::learn::{From, Lesson, learn_group};
use crate::observe::{Event, Observer, Step};
use crate::options::{CompressOptions, LearnOptions};
use crate::output::{self, Output};
use crate::program_file;
use crate::summary::{ProgramSummary, TrainSummary};
use crate::symbols::Symbols;
use crate::work::Crew;

/// Learns a Program for each sample layout found in `input`, or for each kind of images of a layout where that pays, and writes them to the Program file `output`.
///
/// # Errors
/// `InvalidArgument` if there is no image to learn from or `options.learn` is `None`; else see [`Error`]. Nothing is left behind then.
pub fn train(input: &Path, output: &Path, options: &CompressOptions, observer: &mut dyn Observer) -> Result<TrainSummary, Error> {
    let begun = Instant::now();
    let learn = learning(options)?;
    output::check_free(output, options.force)?;
    let crew = &mut Crew::new(options.threads, &options.stop, observer)?;
    let out = Output::create(output, options.force)?;
    let mut dataset = prepare(input, &out, options, crew)?;
    kinds::divide(&mut dataset, options, crew)?;
    let shares = time_shares(&dataset, Some(learn))?;
    let mut all = Programs::default();
    for (group, share) in dataset.groups.iter().zip(shares) {
        crew.check()?;
        if !worth_learning(&dataset, group)? {
            continue;
        }
        let start = start(&dataset, group, learn, crew)?;
        let means = Means { learn, time_budget: share, most_steps: None, way: None, look: false };
        let learned = learn_one(&dataset, group, start.as_ref(), &means, crew)?;
        all.push(group.layout, &learned.program, learned.summary);
    }
    if all.coded.is_empty() {
        let what = format!(
            "{}: there are no images to learn from, or too few (JPEG files need no Program: `compress` codes them as they are)",
            input.display()
        );
        return Err(Error::InvalidArgument { what });
    }
    crew.check()?;
    all.finish(output, out, dataset.summary, begun)
}

/// Trains the Programs of `program` (a Program file or an archive) further on the images in `input` and writes them to the Program file
/// `output`. Programs of a layout that `input` does not have are kept as they are.
///
/// # Errors
/// `InvalidArgument` if no Program fits any image; else see [`Error`]. Nothing is left behind then.
pub fn tune(program: &Path, input: &Path, output: &Path, options: &CompressOptions, observer: &mut dyn Observer) -> Result<TrainSummary, Error> {
    let begun = Instant::now();
    let learn = learning(options)?;
    output::check_free(output, options.force)?;
    let crew = &mut Crew::new(options.threads, &options.stop, observer)?;
    let given = program_file::read(program, &options.limits)?;
    let out = Output::create(output, options.force)?;
    let mut dataset = prepare(input, &out, options, crew)?;
    allot::among(&mut dataset, &given, crew)?;
    let shares = time_shares(&dataset, Some(learn))?;
    let mut all = Programs::default();
    let mut tuned = 0;
    for (place, (layout, program)) in given.iter().enumerate() {
        crew.check()?;
        let nth = 1 + given[..place].iter().filter(|(before, _)| before == layout).count() as u64;
        let symbols = Symbols::of(program);
        let is_mine = |group: &Group| {
            group.layout == *layout && (group.kind == 0 || group.kind == nth) && symbols.suit(group.colour) && !group.learnable.is_empty()
        };
        let group = dataset.groups.iter().zip(&shares).find(|(group, _)| is_mine(group));
        let Some((group, share)) = group else {
            crew.note(format!("{} holds no {layout} images for it: its Program is kept as it is", input.display()));
            all.push(*layout, program, ProgramSummary { stopped: "given".into(), ..ProgramSummary::default() });
            continue;
        };
        crew.observer.event(&Event::StepStarted { step: Step::Tune });
        let stop = crew.stop();
        let expected_bytes = dataset.expected_bytes(group)?;
        let name = group.name();
        let lesson = Lesson {
            name: &name,
            share: group.share,
            from: From::Tuned(program),
            symbols: &symbols,
            options: learn,
            expected_bytes,
            time_budget: *share,
            most_steps: None,
        };
        let learned = learn_group(*layout, &dataset.dealt(group), &lesson, crew.observer, stop)?;
        all.push(*layout, &learned.program, learned.summary);
        tuned += 1;
    }
    if tuned == 0 {
        let what = format!("{}: no image here has the sample layout of a Program in {}", input.display(), program.display());
        return Err(Error::InvalidArgument { what });
    }
    crew.check()?;
    all.finish(output, out, dataset.summary, begun)
}

fn learning(options: &CompressOptions) -> Result<&LearnOptions, Error> {
    options.learn.as_ref().ok_or_else(|| Error::InvalidArgument { what: "training needs learning options".into() })
}

#[derive(Default)]
struct Programs {
    coded: Vec<(Layout, CodedProgram)>,
    about: Vec<ProgramSummary>,
}

impl Programs {
    fn push(&mut self, layout: Layout, program: &Program, mut about: ProgramSummary) {
        about.group = layout.to_string();
        about.parameters = program.parameters();
        about.macs_per_pixel = program.macs_per_pixel();
        about.kept = true;
        self.coded.push((layout, code_program(program, &mut about)));
        self.about.push(about);
    }

    fn finish(self, output: &Path, out: Output, preprocess: crate::summary::PreprocessSummary, begun: Instant) -> Result<TrainSummary, Error> {
        let bytes = program_file::write(&self.coded, out)?;
        let seconds = begun.elapsed().as_secs_f64();
        Ok(TrainSummary { output: output.display().to_string(), preprocess, programs: self.about, bytes, seconds })
    }
}
