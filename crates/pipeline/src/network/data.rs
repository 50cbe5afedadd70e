//! Labelled folders as sets a network can take, and networks from files.

use std::path::Path;

use kolmo_data::labelled::{self, Labelled, LabelledOptions};
use kolmo_data::split::Part;
use kolmo_model::classify::checkpoint::Checkpoint;
use kolmo_model::classify::graph::Extent;
use kolmo_model::classify::images::ImageSet;
use kolmo_model::classify::network::Network;
use kolmo_model::classify::train::Parts;

use super::file;
use super::options::DataOptions;
use super::summary::DataSummary;
use crate::error::Error;
use crate::observe::{Event, Observer, Step};
use crate::options::Limits;
use crate::summary::NamedReason;

/// A folder that was read.
pub(super) struct Data {
    /// Seed of its split.
    pub(super) split: u64,
    pub(super) labelled: Labelled,
    pub(super) summary: DataSummary,
}

/// Reads a folder and says what was left out. The split is the one that `network` was trained on, if it says so, else that of the options' seed.
pub(super) fn read(
    folder: &Path,
    network: Option<&Path>,
    options: &DataOptions,
    limits: &Limits,
    observer: &mut dyn Observer,
) -> Result<Data, Error> {
    let said = network.map(|file| file::split_of(file, limits)).transpose()?.flatten();
    let split = said.unwrap_or(options.seed);
    observer.event(&Event::StepStarted { step: Step::Preprocess });
    let reading = LabelledOptions { size: options.size, seed: split, memory_bytes: limits.memory_bytes };
    let labelled = labelled::read(folder, &reading)?;
    let named = |pairs: &[(String, String)]| pairs.iter().map(|(path, reason)| NamedReason { path: path.clone(), reason: reason.clone() }).collect();
    let count = |part| labelled.of(part).count();
    let summary = DataSummary {
        classes: labelled.classes.clone(),
        height: labelled.size.height,
        width: labelled.size.width,
        channels: labelled.channels,
        train: count(Part::Train),
        validation: count(Part::Validation),
        test: count(Part::Test),
        given_split: labelled.report.given_split,
        unreadable: named(&labelled.report.unreadable),
        duplicates: named(&labelled.report.duplicates),
    };
    for (what, list) in [("cannot be read", &summary.unreadable), ("are copies", &summary.duplicates)] {
        if let Some(first) = list.first() {
            let text = format!("{} files {what} and are left out, first {} ({})", list.len(), first.path, first.reason);
            observer.event(&Event::Note { text });
        }
    }
    Ok(Data { labelled, split, summary })
}

impl Data {
    /// Extent of the images as they are.
    pub(super) fn extent(&self) -> Extent {
        Extent { channels: self.labelled.channels, height: self.labelled.size.height, width: self.labelled.size.width }
    }

    /// The images as a network with `channels` inputs takes them; grey planes are repeated.
    pub(super) fn parts(&self, channels: usize) -> Result<Parts, Error> {
        let extent = Extent { channels, ..self.extent() };
        let of = |part| -> Result<ImageSet, Error> {
            let mut set = ImageSet::new(extent);
            for image in self.labelled.of(part) {
                set.push(&image.samples, image.label)?;
            }
            Ok(set)
        };
        Ok(Parts { train: of(Part::Train)?, validation: of(Part::Validation)?, test: of(Part::Test)? })
    }

    /// Refuses a network that cannot be used on these images.
    pub(super) fn check(&self, file: &Path, network: &Network) -> Result<(), Error> {
        if !network.about.normalisation.fits(network.graph.extents[0].channels) {
            let what = "the normalisation needs a mean and a deviation above 0 for each channel".to_owned();
            return Err(Error::InvalidArgument { what });
        }
        let refuse = |what: String| Err(Error::InvalidArgument { what: format!("{}: {what}", file.display()) });
        let classes = &self.labelled.classes;
        if network.graph.classes() != classes.len() {
            return refuse(format!("this network has {} classes, the folder of images has {}", network.graph.classes(), classes.len()));
        }
        if !network.about.classes.is_empty() && network.about.classes != *classes {
            return refuse(format!("this network's classes are {}, the folders are {}", network.about.classes.join(", "), classes.join(", ")));
        }
        let (size, extent) = (self.labelled.size, network.graph.extents[0]);
        if (size.height, size.width) != (extent.height, extent.width) {
            return refuse(format!("this network takes images of {}x{}, these are {size}; say --size to scale them", extent.width, extent.height));
        }
        if extent.channels != self.labelled.channels && self.labelled.channels != 1 {
            return refuse(format!("this network takes {} channels, these images have {}", extent.channels, self.labelled.channels));
        }
        Ok(())
    }

    /// Reads a network that is to be used on these images.
    pub(super) fn network(&self, file: &Path, options: &DataOptions, limits: &Limits) -> Result<Network, Error> {
        if file::is_archive(file)? {
            let (_, mut network, _, _) = file::network(file, limits)?;
            if let Some(normalisation) = &options.normalisation {
                network.about.normalisation.clone_from(normalisation);
            }
            self.check(file, &network)?;
            return Ok(network);
        }
        let checkpoint = Checkpoint::read(file)?;
        let size = (self.labelled.size.height, self.labelled.size.width);
        let network = Network::from_checkpoint(&checkpoint, size, options.normalisation.clone())?;
        self.check(file, &network)?;
        Ok(network)
    }
}
