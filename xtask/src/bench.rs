//! Measures kolmo and its rivals: on folders of images, on checkpoints, and on networks.

mod checkpoint;
mod curve;
mod imagecodecs;
mod jpeg;
pub(crate) mod kolmo;
mod network;
mod per_image;
mod rate;
mod raw_tar;
mod rival;
mod row;
mod scale;
mod set;
mod speed;
mod stored;
mod table;

use anyhow::Result;
use clap::Subcommand;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Size and speed of whole sets; writes benches/rate.csv and benches/rate.md.
    Rate(rate::RateArgs),
    /// Speed of coding under a given Program, by threads and instructions; writes benches/speed.csv and benches/speed.md.
    Speed(speed::SpeedArgs),
    /// Time and memory an item as sets grow; writes benches/scale.md.
    Scale(scale::ScaleArgs),
    /// Size and speed of network checkpoints; writes benches/checkpoint.md.
    Checkpoint(checkpoint::CheckpointArgs),
    /// Size and speed of folders of JPEG files; writes benches/jpeg.md.
    Jpeg(jpeg::JpegArgs),
    /// Rates over time spent learning and over the size of the network; writes benches/curve.csv and benches/curve.md.
    Curve(curve::CurveArgs),
    /// Size and accuracy of a network made small; writes benches/network.csv and benches/network.md.
    Network(network::NetworkArgs),
}

/// Runs one bench.
///
/// # Errors
/// If a set cannot be read, a tool fails, or anything that came back is not what went in.
pub(crate) fn run(command: &BenchCommand) -> Result<()> {
    match command {
        BenchCommand::Rate(args) => rate::run(args),
        BenchCommand::Speed(args) => speed::run(args),
        BenchCommand::Scale(args) => scale::run(args),
        BenchCommand::Checkpoint(args) => checkpoint::run(args),
        BenchCommand::Jpeg(args) => jpeg::run(args),
        BenchCommand::Curve(args) => curve::run(args),
        BenchCommand::Network(args) => network::run(args),
    }
}
