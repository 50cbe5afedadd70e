//! From floats to the integer Program.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use kolmo_codec::Limits;
use kolmo_codec::colour::Colour;
use kolmo_codec::program::{Dense, Head, Program, Stage, Wide};

use crate::error::Error;
use crate::levels::Levels;
use crate::net::{HeadNet, Layer, Net, NetShape};

/// What a Program codes; the fields are those of [`Program`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbols {
    /// Bits of a symbol.
    pub bit_depth: u8,
    /// How samples of 16 bits become symbols.
    pub wide: Option<Wide>,
    /// The colour space that they are of.
    pub colour: Option<Colour>,
}

/// Rounds a network to integers.
///
/// `order` and `follows` as in [`Program`]; the weight steps are those that [`Net::forward`] uses when `rounded`.
///
/// # Errors
/// `Codec` if the result breaks one of the codec's bounds.
pub fn quantise(net: &Net, shape: &NetShape, order: &[u8], follows: &[Option<u8>], symbols: Symbols, levels: Levels) -> Result<Program, Error> {
    let mut stages = vec![Stage { taps: shape.window(), layers: net.first.iter().map(|layer| dense(layer, 512.0, levels)).collect() }];
    if !net.second.is_empty() {
        stages.push(Stage { taps: NetShape::near(), layers: net.second.iter().map(|layer| dense(layer, 512.0, levels)).collect() });
    }
    let heads = net.heads.iter().zip(follows).map(|(head, &follows)| Head {
        hidden: vec![dense(&head.hidden, 512.0, levels)],
        out: dense(&head.out, 4096.0, levels),
        follows,
    });
    let Symbols { bit_depth, wide, colour } = symbols;
    let (heads, spikes) = (heads.collect(), shape.spike_taps());
    let hats = u8::try_from(shape.hats).unwrap_or(u8::MAX); // `validate` refuses what does not fit
    let program = Program { bit_depth, wide, colour, hats, order: order.to_vec(), stages, heads, components: shape.components, spikes };
    program.validate(&Limits::default())?;
    Ok(program)
}

/// The float network whose rounding a Program is.
///
/// # Errors
/// `InvalidArgument` if no [`NetShape`] describes the Program.
pub fn dequantise(program: &Program, device: &Device) -> Result<(Net, NetShape), Error> {
    let units = |layers: &[Dense]| layers.iter().map(|layer| layer.n_out).collect::<Vec<_>>();
    let window = program.stages.first().map_or(&[][..], |stage| &stage.taps);
    let shape = NetShape {
        channels: program.channels(),
        reach: window.iter().map(|tap| usize::from(tap.dy.unsigned_abs())).max().unwrap_or(0),
        first: program.stages.first().map_or_else(Vec::new, |stage| units(&stage.layers)),
        second: program.stages.get(1).map_or_else(Vec::new, |stage| units(&stage.layers)),
        head: program.heads.first().and_then(|head| head.hidden.first()).map_or(0, |layer| layer.n_out),
        components: program.components,
        spikes: program.spikes.len(),
        deep: program.is_deep(),
        hats: program.hats.into(),
    };
    let stack = |index: usize| {
        program.stages.get(index).map_or_else(Vec::new, |stage| stage.layers.iter().map(|layer| float(layer, 512.0, device)).collect())
    };
    let heads = program.heads.iter().map(|head| match &head.hidden[..] {
        [hidden] => Ok(HeadNet { hidden: float(hidden, 512.0, device), out: float(&head.out, 4096.0, device) }),
        _ => Err(foreign()),
    });
    let net = Net { first: stack(0), second: stack(1), heads: heads.collect::<Result<_, _>>()? };
    let follows: Vec<_> = program.heads.iter().map(|head| head.follows).collect();
    let known = follows == crate::train::follows(shape.channels, program.colour) && shape.spikes <= 6;
    let symbols = Symbols { bit_depth: program.bit_depth, wide: program.wide.clone(), colour: program.colour };
    // Rounding the floats must give the same Program again: weights, taps, everything.
    if !known
        || quantise(&net, &shape, &program.order, &follows, symbols, Levels::of(program))?
            .stages
            .iter()
            .map(|s| &s.taps)
            .ne(program.stages.iter().map(|s| &s.taps))
    {
        return Err(foreign());
    }
    Ok((net, shape))
}

fn foreign() -> Error {
    Error::InvalidArgument { what: "the Program has a shape that this version cannot train; make one with `kolmo train`".to_owned() }
}

fn float(layer: &Dense, bias_units: f32, device: &Device) -> Layer {
    let mut weights = vec![0f32; layer.weights.len()];
    for (o, unit) in layer.weights.chunks_exact(layer.n_in).enumerate() {
        let step = (-f32::from(layer.step_codes[o]) / 8.0).exp2();
        for (i, &weight) in unit.iter().enumerate() {
            weights[i * layer.n_out + o] = f32::from(weight) * step;
        }
    }
    let biases: Vec<f32> = layer.biases.iter().map(|&bias| f32::from(bias) / bias_units).collect();
    Layer {
        weight: Param::from_tensor(Tensor::from_data(TensorData::new(weights, [layer.n_in, layer.n_out]), device)),
        bias: Param::from_tensor(Tensor::from_data(TensorData::new(biases, [layer.n_out]), device)),
    }
}

/// The values of a tensor on the host.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    #[expect(clippy::expect_used, reason = "every tensor of the network is f32 by construction")]
    tensor.into_data().try_to_vec::<f32>().expect("f32 tensor")
}

/// `bias_units` integer units make a bias of 1.
fn dense(layer: &Layer, bias_units: f32, levels: Levels) -> Dense {
    let weight = layer.weight.val();
    let [n_in, n_out] = weight.dims();
    let values = host(weight);
    let mut weights = vec![0i8; n_in * n_out];
    let step_codes: Vec<u8> = (0..n_out)
        .map(|o| {
            let column = (0..n_in).map(|i| values[i * n_out + o]);
            let largest = column.clone().map(f32::abs).fold(0.0, f32::max);
            let code = levels.step_code(largest);
            let step = (-f32::from(code) / 8.0).exp2();
            for (i, value) in column.enumerate() {
                weights[o * n_in + i] = (value / step).round().clamp(-127.0, 127.0) as i8;
            }
            code
        })
        .collect();
    let biases = host(layer.bias.val()).iter().map(|bias| (bias * bias_units).round().clamp(-32768.0, 32767.0) as i16).collect();
    Dense { n_in, n_out, weights, step_codes, biases }
}
