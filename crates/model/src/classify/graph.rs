//! A network as a list of operations on named tensors.

/// Channels, rows, columns of an activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Extent {
    /// Rows times columns.
    #[must_use]
    pub const fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Values of one image.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.channels * self.pixels()
    }

    /// It holds nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a tensor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Weights of a convolution or a fully connected layer: what is pruned and rounded.
    Weight,
    /// Added to each output channel.
    Bias,
    /// Factor of a normalisation.
    Gamma,
    /// Offset of a normalisation.
    Beta,
    /// Mean of a normalisation, measured in training.
    Mean,
    /// Variance of a normalisation, measured in training.
    Variance,
}

impl Role {
    /// Moved by gradients; else measured.
    #[must_use]
    pub const fn is_learned(self) -> bool {
        !matches!(self, Self::Mean | Self::Variance)
    }
}

/// A tensor of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// As PyTorch names it, for example `layer1.0.conv1.weight`.
    pub name: String,
    /// As PyTorch shapes it: `[outputs, inputs, rows, columns]`, `[outputs, inputs]` or `[channels]`.
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
}

impl Spec {
    /// Number of values.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// One operation. Numbers of tensors count in [`Graph::specs`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Square kernel, zeros around.
    Conv {
        /// Weight tensor.
        weight: usize,
        /// Bias tensor.
        bias: Option<usize>,
        /// Side of the kernel.
        kernel: usize,
        /// Step in both directions.
        stride: usize,
        /// Zeros on each side.
        pad: usize,
    },
    /// Batch normalisation over images and pixels, then perhaps ReLU.
    Norm {
        /// Factor, offset, mean, variance: four tensors from this one on.
        gamma: usize,
        /// ReLU after it.
        relu: bool,
    },
    /// ReLU alone.
    Relu,
    /// Sum with the value `other`, then ReLU.
    AddRelu {
        /// Number of a value.
        other: usize,
    },
    /// Largest value of a square window.
    MaxPool {
        /// Side of the window.
        kernel: usize,
        /// Step in both directions.
        stride: usize,
        /// Positions outside on each side.
        pad: usize,
    },
    /// Mean over all pixels.
    MeanPool,
    /// Every second pixel, with channels of zeros before and behind ("option A" of He et al. 2015).
    Shortcut {
        /// Channels of zeros on each side.
        pad: usize,
    },
    /// Fully connected.
    Linear {
        /// Weight tensor.
        weight: usize,
        /// Bias tensor.
        bias: usize,
    },
}

/// An operation in its place. Value 0 is the image, value `i + 1` the result of node `i`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What is done.
    pub op: Op,
    /// Number of the value it is done to; smaller than the node's own.
    pub input: usize,
}

/// A network. The last value is a score a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// In order.
    pub nodes: Vec<Node>,
    /// Its tensors, in the order in which operations use them.
    pub specs: Vec<Spec>,
    /// Extent of each value, from the image on.
    pub extents: Vec<Extent>,
}

impl Graph {
    /// A graph that takes images of `input`.
    #[must_use]
    pub fn new(input: Extent) -> Self {
        Self { nodes: Vec::new(), specs: Vec::new(), extents: vec![input] }
    }

    /// Number of the last value.
    #[must_use]
    pub fn last(&self) -> usize {
        self.nodes.len()
    }

    /// Scores it gives.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.extents.last().map_or(0, |extent| extent.channels)
    }

    /// Numbers of all parameters together.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.specs.iter().map(Spec::count).sum()
    }

    /// Numbers of the tensors that are pruned and rounded.
    #[must_use]
    pub fn weights(&self) -> Vec<usize> {
        (0..self.specs.len()).filter(|&at| self.specs[at].role == Role::Weight).collect()
    }

    /// Multiply-accumulates of one image.
    #[must_use]
    pub fn macs(&self) -> u64 {
        let of = |(at, node): (usize, &Node)| match node.op {
            Op::Conv { weight, .. } => (self.specs[weight].count() * self.extents[at + 1].pixels()) as u64,
            Op::Linear { weight, .. } => self.specs[weight].count() as u64,
            _ => 0,
        };
        self.nodes.iter().enumerate().map(of).sum()
    }

    fn spec(&mut self, name: String, shape: Vec<usize>, role: Role) -> usize {
        self.specs.push(Spec { name, shape, role });
        self.specs.len() - 1
    }

    fn push(&mut self, op: Op, input: usize, extent: Extent) -> usize {
        self.nodes.push(Node { op, input });
        self.extents.push(extent);
        self.last()
    }

    /// Side of a window's output.
    const fn slid(side: usize, kernel: usize, stride: usize, pad: usize) -> usize {
        (side + 2 * pad).saturating_sub(kernel) / stride + 1
    }

    /// Adds a convolution called `name` to the value `input`.
    pub fn conv(&mut self, name: &str, input: usize, outputs: usize, (kernel, stride, pad): (usize, usize, usize), has_bias: bool) -> usize {
        let from = self.extents[input];
        let weight = self.spec(format!("{name}.weight"), vec![outputs, from.channels, kernel, kernel], Role::Weight);
        let bias = has_bias.then(|| self.spec(format!("{name}.bias"), vec![outputs], Role::Bias));
        let slid = |side| Self::slid(side, kernel, stride, pad);
        let extent = Extent { channels: outputs, height: slid(from.height), width: slid(from.width) };
        self.push(Op::Conv { weight, bias, kernel, stride, pad }, input, extent)
    }

    /// Adds a normalisation called `name`.
    pub fn norm(&mut self, name: &str, input: usize, relu: bool) -> usize {
        let extent = self.extents[input];
        let gamma = self.specs.len();
        for (part, role) in [("weight", Role::Gamma), ("bias", Role::Beta), ("running_mean", Role::Mean), ("running_var", Role::Variance)] {
            self.spec(format!("{name}.{part}"), vec![extent.channels], role);
        }
        self.push(Op::Norm { gamma, relu }, input, extent)
    }

    /// Adds a ReLU.
    pub fn relu(&mut self, input: usize) -> usize {
        self.push(Op::Relu, input, self.extents[input])
    }

    /// Adds a sum with ReLU.
    pub fn add_relu(&mut self, input: usize, other: usize) -> usize {
        self.push(Op::AddRelu { other }, input, self.extents[input])
    }

    /// Adds a pooling of largest values.
    pub fn max_pool(&mut self, input: usize, (kernel, stride, pad): (usize, usize, usize)) -> usize {
        let from = self.extents[input];
        let slid = |side| Self::slid(side, kernel, stride, pad);
        self.push(Op::MaxPool { kernel, stride, pad }, input, Extent { channels: from.channels, height: slid(from.height), width: slid(from.width) })
    }

    /// Adds a mean over all pixels.
    pub fn mean_pool(&mut self, input: usize) -> usize {
        let channels = self.extents[input].channels;
        self.push(Op::MeanPool, input, Extent { channels, height: 1, width: 1 })
    }

    /// Adds a shortcut without weights to `channels` channels.
    pub fn shortcut(&mut self, input: usize, channels: usize) -> usize {
        let from = self.extents[input];
        let pad = channels.saturating_sub(from.channels) / 2;
        let extent = Extent { channels: from.channels + 2 * pad, height: from.height.div_ceil(2), width: from.width.div_ceil(2) };
        self.push(Op::Shortcut { pad }, input, extent)
    }

    /// Adds a fully connected layer called `name` to a value of one pixel.
    pub fn linear(&mut self, name: &str, input: usize, outputs: usize) -> usize {
        let inputs = self.extents[input].len();
        let weight = self.spec(format!("{name}.weight"), vec![outputs, inputs], Role::Weight);
        let bias = self.spec(format!("{name}.bias"), vec![outputs], Role::Bias);
        self.push(Op::Linear { weight, bias }, input, Extent { channels: outputs, height: 1, width: 1 })
    }
}
