//! The networks known by name; which of them a checkpoint is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::checkpoint::{Array, Checkpoint};
use super::graph::{Extent, Graph, Role};
use crate::error::Error;
use crate::sample::Dice;

/// Largest side of the small-image stem.
pub const SMALL_STEM: usize = 64;

/// A network's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// He et al. 2015, 18 layers, widths 64 to 512; tensors as torchvision names them.
    ResNet18,
    /// The same paper's network for CIFAR, `6 blocks + 2` layers, widths 16 to 64.
    ResNetCifar {
        /// Blocks a stage.
        blocks: usize,
    },
    /// Three convolutions of 16, 32 and 64 channels, pooling, a fully connected layer.
    Small,
}

impl Kind {
    /// All that have a name.
    pub const NAMED: [Self; 6] = [
        Self::ResNet18,
        Self::ResNetCifar { blocks: 3 },
        Self::ResNetCifar { blocks: 5 },
        Self::ResNetCifar { blocks: 7 },
        Self::ResNetCifar { blocks: 9 },
        Self::Small,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ResNet18 => f.write_str("resnet18"),
            Self::ResNetCifar { blocks } => write!(f, "resnet{}", 6 * blocks + 2),
            Self::Small => f.write_str("small"),
        }
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let known = || Self::NAMED.map(|kind| kind.to_string()).join(", ");
        let found = Self::NAMED.into_iter().find(|kind| kind.to_string() == name);
        found.ok_or_else(|| Error::InvalidArgument { what: format!("no network is called {name}; known are {}", known()) })
    }
}

/// How a block whose channels change passes its input on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passing {
    /// Without weights ("option A").
    Pad,
    /// A convolution and a normalisation, named `<this>.0` and `<this>.1`.
    Conv(String),
}

/// A network with all its sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arch {
    /// Its name.
    pub kind: Kind,
    /// Images it takes.
    pub input: Extent,
    /// Scores it gives.
    pub classes: usize,
    /// First convolution 7x7 with stride 2 and pooling (ImageNet) instead of 3x3.
    pub large_stem: bool,
    /// Name of the last layer: `fc` with torchvision, `linear` in some CIFAR checkpoints.
    pub head: String,
    /// How blocks that change channels pass their input on.
    pub passing: Passing,
    /// Normalisations are folded into convolutions, which have biases instead.
    pub folded: bool,
}

impl Arch {
    /// A new network of this kind, as torchvision has it: large stem above [`SMALL_STEM`] pixels.
    #[must_use]
    pub fn new(kind: Kind, input: Extent, classes: usize) -> Self {
        let large_stem = kind == Kind::ResNet18 && input.height.max(input.width) > SMALL_STEM;
        let passing = if kind == Kind::ResNet18 { Passing::Conv("downsample".to_owned()) } else { Passing::Pad };
        Self { kind, input, classes, large_stem, head: "fc".to_owned(), passing, folded: false }
    }

    /// Which network a checkpoint is, by the names and shapes of its tensors. `side` is that of the images it will see.
    ///
    /// # Errors
    /// `Checkpoint` if it is none that is known.
    pub fn detect(checkpoint: &Checkpoint, height: usize, width: usize) -> Result<Self, Error> {
        let tensors = &checkpoint.tensors;
        let has = |name: &str| tensors.contains_key(name);
        let unknown = |what: String| Error::Checkpoint { path: checkpoint.path.clone(), source: what.into() };
        let first = tensors.get("conv1.weight").filter(|first| first.shape.len() == 4);
        let Some(first) = first else {
            return Err(unknown("there is no tensor conv1.weight of four dimensions, so this is no network known by name".to_owned()));
        };
        let head = ["fc", "linear"].into_iter().find(|head| has(&format!("{head}.weight")));
        let Some((head, Some(&classes))) = head.map(|head| (head, tensors[&format!("{head}.weight")].shape.first())) else {
            return Err(unknown("there is no tensor fc.weight or linear.weight, so the number of classes is not known".to_owned()));
        };
        let blocks = (0..).take_while(|block| has(&format!("layer1.{block}.conv1.weight"))).count();
        let kind = match (has("layer4.0.conv1.weight"), has("layer3.0.conv1.weight"), has("conv3.weight")) {
            (true, ..) => Kind::ResNet18,
            (_, true, _) => Kind::ResNetCifar { blocks },
            (_, _, true) => Kind::Small,
            _ => return Err(unknown("its tensors are those of no network known by name".to_owned())),
        };
        let passing = ["downsample", "shortcut"].into_iter().find(|name| has(&format!("layer2.0.{name}.0.weight")));
        Ok(Self {
            kind,
            input: Extent { channels: first.shape[1], height, width },
            classes,
            large_stem: first.shape[2] == 7,
            head: head.to_owned(),
            passing: passing.map_or(Passing::Pad, |name| Passing::Conv(name.to_owned())),
            folded: kind != Kind::Small && has("conv1.bias"),
        })
    }

    /// The network as operations.
    #[must_use]
    pub fn graph(&self) -> Graph {
        let mut graph = Graph::new(self.input);
        let features = match self.kind {
            Kind::ResNet18 => {
                let stem = if self.large_stem { (7, 2, 3) } else { (3, 1, 1) };
                let mut at = self.conv_norm(&mut graph, ("conv1", "bn1"), 0, 64, stem, true);
                if self.large_stem {
                    at = graph.max_pool(at, (3, 2, 1));
                }
                self.stages(&mut graph, at, &[64, 128, 256, 512], 2)
            }
            Kind::ResNetCifar { blocks } => {
                let at = self.conv_norm(&mut graph, ("conv1", "bn1"), 0, 16, (3, 1, 1), true);
                self.stages(&mut graph, at, &[16, 32, 64], blocks)
            }
            Kind::Small => {
                let mut at = 0;
                for (name, outputs) in [("conv1", 16), ("conv2", 32), ("conv3", 64)] {
                    at = graph.conv(name, at, outputs, (3, 1, 1), true);
                    at = graph.relu(at);
                    let extent = graph.extents[at];
                    if name != "conv3" && extent.height.min(extent.width) >= 2 {
                        at = graph.max_pool(at, (2, 2, 0));
                    }
                }
                at
            }
        };
        let pooled = graph.mean_pool(features);
        graph.linear(&self.head, pooled, self.classes);
        graph
    }

    fn conv_norm(
        &self,
        graph: &mut Graph,
        (conv, norm): (&str, &str),
        input: usize,
        outputs: usize,
        window: (usize, usize, usize),
        relu: bool,
    ) -> usize {
        let at = graph.conv(conv, input, outputs, window, self.folded);
        match (self.folded, relu) {
            (false, _) => graph.norm(norm, at, relu),
            (true, true) => graph.relu(at),
            (true, false) => at,
        }
    }

    fn stages(&self, graph: &mut Graph, mut at: usize, widths: &[usize], blocks: usize) -> usize {
        for (stage, &width) in widths.iter().enumerate() {
            for block in 0..blocks {
                let name = |part: &str| format!("layer{}.{block}.{part}", stage + 1);
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let inner = self.conv_norm(graph, (&name("conv1"), &name("bn1")), at, width, (3, stride, 1), true);
                let inner = self.conv_norm(graph, (&name("conv2"), &name("bn2")), inner, width, (3, 1, 1), false);
                let passed = match &self.passing {
                    _ if stride == 1 => at,
                    Passing::Pad => graph.shortcut(at, width),
                    Passing::Conv(passing) => {
                        let (conv, norm) = (name(&format!("{passing}.0")), name(&format!("{passing}.1")));
                        self.conv_norm(graph, (&conv, &norm), at, width, (1, 2, 0), false)
                    }
                };
                at = graph.add_relu(inner, passed);
            }
        }
        at
    }
}

/// Values of each tensor of a graph, in its order.
pub type Parameters = Vec<Vec<f32>>;

/// Random weights (He et al. 2015: normal, variance 2 / inputs of a kernel's outputs), the same for the same seed.
#[must_use]
pub fn random(graph: &Graph, seed: u64) -> Parameters {
    let mut dice = Dice::new(seed ^ 0x6e65_7477_6f72_6b00);
    let mut uniform = move || ((dice.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    let mut normal = move || (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
    let values = graph.specs.iter().map(|spec| {
        let count = spec.count();
        match spec.role {
            Role::Weight => {
                // of outputs for convolutions, as torchvision does; of inputs for the last layer, whose scores begin small
                let fan = if spec.shape.len() == 4 { spec.shape[0] * spec.shape[2] * spec.shape[3] } else { 6 * spec.shape[1] };
                let deviation = (2.0 / fan as f64).sqrt();
                (0..count).map(|_| (deviation * normal()) as f32).collect()
            }
            Role::Bias | Role::Beta | Role::Mean => vec![0.0; count],
            Role::Gamma | Role::Variance => vec![1.0; count],
        }
    });
    values.collect()
}

/// Takes a graph's tensors from a checkpoint.
///
/// # Errors
/// `Tensor` names the tensor that is missing, has another shape, or is not known.
pub fn bind(graph: &Graph, checkpoint: &Checkpoint) -> Result<Parameters, Error> {
    let wrong = |name: &str, what: String| Error::Tensor { path: checkpoint.path.clone(), name: name.to_owned(), what };
    let mut parameters = Vec::with_capacity(graph.specs.len());
    for spec in &graph.specs {
        let Some(array) = checkpoint.tensors.get(&spec.name) else {
            return Err(wrong(&spec.name, "is missing".to_owned()));
        };
        if array.shape != spec.shape {
            return Err(wrong(&spec.name, format!("has shape {:?}; the architecture needs {:?}", array.shape, spec.shape)));
        }
        parameters.push(array.values.clone());
    }
    if let Some(name) = checkpoint.tensors.keys().find(|name| graph.specs.iter().all(|spec| spec.name != **name)) {
        return Err(wrong(name, "belongs to no layer of the architecture".to_owned()));
    }
    Ok(parameters)
}

/// The tensors of a network under their names.
#[must_use]
pub fn name(graph: &Graph, parameters: &Parameters) -> Vec<(String, Array)> {
    let named = graph.specs.iter().zip(parameters);
    named.map(|(spec, values)| (spec.name.clone(), Array { shape: spec.shape.clone(), values: values.clone() })).collect()
}

#[cfg(test)]
mod tests;
