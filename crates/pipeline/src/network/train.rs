//! A network learned from a folder of labelled images.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use kolmo_model::classify::images::Normalisation;
use kolmo_model::classify::network::Network;
use kolmo_model::classify::train::{self, Epoch, Plan};

use super::data;
use super::options::TrainOptions;
use super::summary::{EpochSummary, ScoresSummary, TrainSummary};
use super::threads::bounded;
use super::watch::Watcher;
use crate::error::Error;
use crate::observe::{Event, Observer, Step};
use crate::output::{self, Output};

/// Weights lose this share at a learning rate of 1, per step.
const WEIGHT_DECAY: f64 = 0.02;

/// Learns a network from the images in `folder` and writes it to `output`, with its loss curve beside it (`<output>.curve.csv`).
///
/// # Errors
/// `InvalidArgument` if the images cannot be learned from or the network to begin with does not fit them; else see [`Error`].
pub fn train(folder: &Path, output: &Path, options: &TrainOptions, observer: &mut dyn Observer) -> Result<TrainSummary, Error> {
    bounded(options.data.threads, observer, |observer| learn(folder, output, options, observer))
}

fn learn(folder: &Path, output: &Path, options: &TrainOptions, observer: &mut dyn Observer) -> Result<TrainSummary, Error> {
    let begun = Instant::now();
    if options.epochs == 0 || options.batch < 2 || !(options.learning_rate.is_finite() && options.learning_rate > 0.0) {
        let what = "training needs at least one epoch, batches of at least two images and a learning rate above 0".to_owned();
        return Err(Error::InvalidArgument { what });
    }
    let curve = output.with_extension("curve.csv");
    output::check_free(output, options.force)?;
    output::check_free(&curve, options.force)?;
    let data = data::read(folder, options.from.as_deref(), &options.data, &options.limits, observer)?;
    let mut network = match &options.from {
        Some(file) => data.network(file, &options.data, &options.limits)?,
        None => {
            let native = data.parts(data.extent().channels)?;
            let normalisation = options.data.normalisation.clone().unwrap_or_else(|| Normalisation::of(&native.train));
            if !normalisation.fits(data.extent().channels) {
                let what = format!("the normalisation needs a mean and a deviation above 0 for each of {} channels", data.extent().channels);
                return Err(Error::InvalidArgument { what });
            }
            Network::new(options.arch, data.extent(), data.labelled.classes.clone(), normalisation, options.data.seed)
        }
    };
    network.about.classes.clone_from(&data.labelled.classes);
    network.about.split = Some(data.split);
    let parts = data.parts(network.graph.extents[0].channels)?;
    observer.event(&Event::StepStarted { step: Step::Generate });
    let plan = Plan {
        epochs: options.epochs,
        images: 0,
        batch: options.batch,
        learning_rate: options.learning_rate,
        weight_decay: WEIGHT_DECAY,
        augment: options.augment,
        seed: options.data.seed,
    };
    let template = network.clone();
    let mut keep = |parameters: &Vec<Vec<f32>>| {
        let Some(file) = &options.checkpoint else { return Ok(()) };
        let now = Network { parameters: parameters.clone(), ..template.clone() };
        let fresh = file.with_extension("new");
        let write = |bytes: Vec<u8>| std::fs::write(&fresh, bytes).and_then(|()| std::fs::rename(&fresh, file));
        write(now.to_safetensors()?).map_err(|error| kolmo_model::Error::Checkpoint { path: file.display().to_string(), source: error.into() })
    };
    let mut watcher = Watcher { stage: "train".to_owned(), observer, stop: &options.stop, keep: Some(&mut keep) };
    let trained = train::train(&network.graph, network.parameters, &parts, &network.about.normalisation, &plan, &mut watcher)?;
    network.parameters = trained.parameters;
    let scores = ScoresSummary { validation: trained.validation.into(), test: network.score(&parts.test).into() };
    if options.stop.cancelled() {
        return Err(Error::Cancelled);
    }
    let bytes = write(output, options.force, &network.to_safetensors()?)?;
    write(&curve, options.force, csv(&trained.epochs).as_bytes())?;
    Ok(TrainSummary {
        output: output.display().to_string(),
        curve: curve.display().to_string(),
        arch: network.about.arch.clone(),
        parameters: network.graph.parameters(),
        macs: network.graph.macs(),
        data: data.summary,
        epochs: trained.epochs.into_iter().map(|row| EpochSummary { row }).collect(),
        scores,
        interrupted: trained.interrupted,
        bytes,
        seconds: begun.elapsed().as_secs_f64(),
    })
}

/// Writes a file whole, and gives back its size.
pub(super) fn write(target: &Path, force: bool, bytes: &[u8]) -> Result<u64, Error> {
    let mut out = Output::create(target, force)?;
    out.file().write_all(bytes).map_err(Error::io("write", target))?;
    out.persist()?;
    Ok(bytes.len() as u64)
}

fn csv(epochs: &[Epoch]) -> String {
    let mut text = "epoch,train_loss,train_top1,validation_loss,validation_top1,learning_rate,seconds\n".to_owned();
    for row in epochs {
        let _ = writeln!(
            text,
            "{},{:.6},{:.3},{:.6},{:.3},{:.3e},{:.1}",
            row.epoch, row.train_loss, row.train_top1, row.validation_loss, row.validation_top1, row.learning_rate, row.seconds
        );
    }
    text
}
