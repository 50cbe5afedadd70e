//! A network with all that is needed to use it: architecture, tensors, normalisation of its inputs, names of its classes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::arch::{Arch, Kind, Parameters, bind, name, random};
use super::checkpoint::{Array, Checkpoint};
use super::evaluate::{self, Score};
use super::graph::{Extent, Graph};
use super::images::{ImageSet, Normalisation};
use crate::error::Error;

/// Key of the string beside the tensors of a `.safetensors` file.
const KEY: &str = "kolmo.network";

/// What the tensors alone do not tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Name of the architecture, for people; the tensors say the same.
    pub arch: String,
    /// Rows of its images.
    pub height: usize,
    /// Columns of its images.
    pub width: usize,
    /// What is done to samples first.
    pub normalisation: Normalisation,
    /// Names of the classes; empty if not known.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Seed of the split whose training part it has learned from, where that is known: with another seed, validation images would be images it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<u64>,
    /// Counters of batches that its checkpoint had (`bn1.num_batches_tracked`), to be written back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, i64>,
}

impl About {
    /// What a checkpoint says about itself, if it does.
    ///
    /// # Errors
    /// `Checkpoint` if it says it wrongly.
    pub fn of(checkpoint: &Checkpoint) -> Result<Option<Self>, Error> {
        checkpoint.metadata.get(KEY).map(|text| Self::from_json(&checkpoint.path, text)).transpose()
    }

    /// As the string that travels with the tensors.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the string.
    ///
    /// # Errors
    /// `Checkpoint` names `path`.
    pub fn from_json(path: &str, text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| Error::Checkpoint { path: path.to_owned(), source: error.into() })
    }
}

/// A network that can be measured and trained.
#[derive(Debug, Clone)]
pub struct Network {
    /// Which it is.
    pub arch: Arch,
    /// Its operations.
    pub graph: Graph,
    /// Its tensors, in the graph's order.
    pub parameters: Parameters,
    /// The rest.
    pub about: About,
}

impl Network {
    /// A new network with random weights.
    #[must_use]
    pub fn new(kind: Kind, input: Extent, classes: Vec<String>, normalisation: Normalisation, seed: u64) -> Self {
        let arch = Arch::new(kind, input, classes.len());
        let graph = arch.graph();
        let about = About {
            arch: kind.to_string(),
            height: input.height,
            width: input.width,
            normalisation,
            classes,
            split: None,
            counters: BTreeMap::new(),
        };
        Self { parameters: random(&graph, seed), arch, graph, about }
    }

    /// The network that a checkpoint is. `size` (rows, columns) is that of the images it will see, where the checkpoint does not say;
    /// so is `normalisation`, by default ImageNet's.
    ///
    /// # Errors
    /// `Checkpoint` or `Tensor`, naming what does not fit.
    pub fn from_checkpoint(checkpoint: &Checkpoint, size: (usize, usize), normalisation: Option<Normalisation>) -> Result<Self, Error> {
        let said = About::of(checkpoint)?;
        let (height, width) = said.as_ref().map_or(size, |about| (about.height, about.width));
        let arch = Arch::detect(checkpoint, height, width)?;
        let channels = arch.input.channels;
        let graph = arch.graph();
        let parameters = bind(&graph, checkpoint)?;
        let mut about = said.unwrap_or_else(|| About {
            arch: arch.kind.to_string(),
            height,
            width,
            normalisation: Normalisation::imagenet(channels),
            classes: Vec::new(),
            split: None,
            counters: BTreeMap::new(),
        });
        about.counters.clone_from(&checkpoint.counters);
        if let Some(normalisation) = normalisation {
            about.normalisation = normalisation;
        }
        if !about.normalisation.fits(channels) {
            let what = format!("the normalisation needs a mean and a deviation above 0 for each of {channels} channels");
            return Err(Error::InvalidArgument { what });
        }
        if about.classes.len() != graph.classes() {
            about.classes.clear();
        }
        Ok(Self { arch, graph, parameters, about })
    }

    /// The tensors under their names.
    #[must_use]
    pub fn named(&self) -> Vec<(String, Array)> {
        name(&self.graph, &self.parameters)
    }

    /// A `.safetensors` file.
    ///
    /// # Errors
    /// As [`Checkpoint::to_safetensors`].
    pub fn to_safetensors(&self) -> Result<Vec<u8>, Error> {
        let about = About { counters: BTreeMap::new(), ..self.about.clone() };
        let metadata = [(KEY.to_owned(), about.to_json()), ("format".to_owned(), "pt".to_owned())];
        Checkpoint::to_safetensors(&self.named(), &self.about.counters, &metadata.into())
    }

    /// Measures it.
    #[must_use]
    pub fn score(&self, set: &ImageSet) -> Score {
        evaluate::score(&self.graph, &self.parameters, &self.about.normalisation, set)
    }
}
