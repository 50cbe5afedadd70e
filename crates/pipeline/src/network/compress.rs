//! A network made small under an accuracy budget.

use std::path::{Path, PathBuf};
use std::time::Instant;

use kolmo_model::classify::compress::{self as model, Candidate, Follow};
use kolmo_model::classify::fold::fold;
use kolmo_model::classify::network::Network;
use kolmo_model::classify::train::Watch;

use super::options::CompressOptions;
use super::summary::{ArchiveSummary, CandidateSummary, CompressSummary, StagesSummary};
use super::threads::bounded;
use super::train::write;
use super::watch::Watcher;
use super::{data, file, sweep};
use crate::error::Error;
use crate::observe::{Event, Observer, Step};
use crate::options::StopFlag;
use crate::output;

/// Makes the network in `input` small, so that at most `options.recipe.max_drop` points of accuracy are lost on the validation images of `folder`, and
/// writes the archive `output`. The archive is expanded and measured before it gets its name.
///
/// # Errors
/// `InvalidArgument` if network and images do not fit; else see [`Error`]. Nothing is left behind then.
pub fn compress(
    input: &Path,
    folder: &Path,
    output: &Path,
    options: &CompressOptions,
    observer: &mut dyn Observer,
) -> Result<CompressSummary, Error> {
    bounded(options.data.threads, observer, |observer| make_small(input, folder, output, options, observer))
}

fn make_small(input: &Path, folder: &Path, output: &Path, options: &CompressOptions, observer: &mut dyn Observer) -> Result<CompressSummary, Error> {
    let begun = Instant::now();
    output::check_free(output, options.force)?;
    let curves: Vec<PathBuf> = options.sweep.iter().flat_map(|prefix| sweep::files(prefix)).collect();
    for curve in &curves {
        output::check_free(curve, options.force)?;
    }
    let data = data::read(folder, Some(input), &options.data, &options.limits, observer)?;
    let mut network = data.network(input, &options.data, &options.limits)?;
    network.about.classes.clone_from(&data.labelled.classes);
    network.about.split = Some(data.split);
    if options.fold_norms {
        let (arch, graph, parameters) = fold(&network.arch, &network.graph, &network.parameters);
        network = Network { arch, graph, parameters, ..network };
        // there are no normalisations left to count for
        network.about.counters.clear();
    }
    let parts = data.parts(network.graph.extents[0].channels)?;
    let watcher = Watcher { stage: String::new(), observer, stop: &options.stop, keep: None };
    let mut follower = Follower { watcher };
    let small = model::compress(&network, &parts, &options.recipe, &mut follower)?;
    let observer = follower.watcher.observer;
    if options.stop.cancelled() {
        return Err(Error::Cancelled);
    }
    if !small.within_budget {
        let text = format!(
            "no network within {} points was found: this one loses {:.2}; allow more epochs, or a larger --max-drop",
            options.recipe.max_drop,
            small.stages.before[0].top1() - small.stages.tuned[0].top1()
        );
        observer.event(&Event::Note { text });
    }
    write(output, options.force, &small.bytes)?;
    // What is on the disk is what was measured.
    let (_, back, _, bytes) = file::network(output, &options.limits)?;
    let input_bytes = std::fs::metadata(input).map_err(Error::io("read", input))?.len();
    let mut candidates: Vec<CandidateSummary> = small.candidates.iter().map(summary_of).collect();
    candidates.sort_by_key(|candidate| candidate.bytes);
    let summary = CompressSummary {
        archive: output.display().to_string(),
        arch: back.about.arch.clone(),
        parameters: back.graph.parameters(),
        data: data.summary,
        strategy: options.recipe.strategy.to_string(),
        max_drop: options.recipe.max_drop,
        within_budget: small.within_budget,
        kept_percent: 100.0 * small.kept,
        folded: options.fold_norms,
        table: small.table,
        stages: StagesSummary::from(small.stages),
        sizes: ArchiveSummary::from(small.sizes),
        tensors: small.tensors,
        candidates,
        input_bytes,
        bytes,
        times_smaller: small.table.raw as f64 / bytes as f64,
        curves: curves.iter().map(|curve| curve.display().to_string()).collect(),
        seconds: begun.elapsed().as_secs_f64(),
    };
    if let Some(prefix) = &options.sweep {
        for (curve, text) in sweep::files(prefix).iter().zip(sweep::draw(&summary)) {
            write(curve, options.force, text.as_bytes())?;
        }
    }
    Ok(summary)
}

fn summary_of(candidate: &Candidate) -> CandidateSummary {
    CandidateSummary {
        bytes: candidate.bytes,
        nonzero: candidate.nonzero,
        tuned: candidate.tuned,
        validation: candidate.validation.into(),
        test: candidate.test.map(Into::into),
    }
}

struct Follower<'a> {
    watcher: Watcher<'a>,
}

impl Follow for Follower<'_> {
    fn stage(&mut self, stage: &str) {
        self.watcher.stage = stage.to_owned();
        let step = match stage.split(' ').next() {
            Some("measure") => Step::Preprocess,
            Some("prune") => Step::Generate,
            Some("tune") => Step::Tune,
            Some("expand") => Step::Expand,
            _ => Step::CompressProgram,
        };
        self.watcher.observer.event(&Event::StepStarted { step });
    }

    fn note(&mut self, text: String) {
        self.watcher.observer.event(&Event::Note { text });
    }

    fn progress(&mut self, stage: &'static str, done: usize, total: usize) {
        self.watcher.observer.event(&Event::Progress { stage, done: done as u64, total: total as u64 });
    }

    fn watch(&mut self) -> &mut dyn Watch {
        // the borrow is as short as the training
        let watch: &mut (dyn Watch + '_) = &mut self.watcher;
        watch
    }

    fn cancelled(&self) -> bool {
        StopFlag::cancelled(self.watcher.stop)
    }
}
