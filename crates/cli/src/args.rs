//! What may be said to `kolmo`.

pub(crate) mod model;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::quantity;

const EXIT_CODES: &str = "\
Exit status: 0 done, 1 verify found a difference, 2 usage, 3 bad archive, 4 limit exceeded,
5 input/output or our bug, 130 cancelled.
Results go to stdout, all else to stderr.
Ctrl-C ends a training with its best checkpoint; a second one cancels.";

/// Finds the shortest program that generates your data, bit for bit.
#[derive(Debug, Parser)]
#[command(name = "kolmo", version, after_help = EXIT_CODES, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// What every command understands.
    #[command(flatten)]
    pub(crate) global: Global,
}

/// Options that mean the same everywhere.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// Print JSON Lines, each with `type` and `schema`, progress included
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print results and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more on stderr (-vv, -vvv: still more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Worker threads [default: one a core]
    #[arg(long, global = true, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) threads: usize,
    /// Seed of initial weights, sampling and split
    #[arg(long, global = true, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Replace outputs that exist
    #[arg(long, global = true)]
    pub(crate) force: bool,
    /// What reading an archive may hold in memory; of samples to learn from an eighth of it is held
    #[arg(long, global = true, value_name = "SIZE", default_value = "2GiB", value_parser = quantity::parse_bytes)]
    pub(crate) max_memory: u64,
    /// When to colour
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Colour::Auto)]
    pub(crate) color: Colour,
}

/// When output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// One call of the library each.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Learn a folder, write an archive, prove that every file comes back
    Compress(Compress),
    /// Write the files of an archive
    Expand(Expand),
    /// Expand in memory and compare with the fingerprints, or with a folder
    Verify(Verify),
    /// Name the items of an archive
    List(List),
    /// Show where each byte of an archive goes
    Inspect(Inspect),
    /// Learn a Program from a folder, for `compress --program`
    Train(Train),
    /// Train a Program further on another folder
    Tune(Tune),
    /// Train, compress, expand, verify, measure or tune your own image classifier
    #[command(subcommand)]
    Model(model::Model),
    /// Watch all five steps on 2,000 small pictures of clothes (about a minute)
    Demo(Demo),
}

/// How a Program is learned.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Learning")]
pub(crate) struct Learning {
    /// Size of the network and length of training, 1 (seconds) to 9 (an hour)
    #[arg(long, value_name = "1..9", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub(crate) effort: u8,
    /// Upper bound on training time, such as 90s, 3m or 1h30m; kinds of images are not told apart then
    #[arg(long, value_name = "TIME", value_parser = quantity::parse_duration)]
    pub(crate) time_budget: Option<Duration>,
    /// Where to train; coding always runs on the CPU, in integers
    #[arg(long, value_enum, default_value_t = Device::Auto)]
    pub(crate) device: Device,
    /// Keep checkpoints in this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// Go on from the checkpoint found there
    #[arg(long, requires = "checkpoint")]
    pub(crate) resume: bool,
    /// Do without built-in Programs: learn everything from nothing
    #[arg(long)]
    pub(crate) no_priors: bool,
    /// Size of the network, whatever the effort: smaller ones decode faster, larger ones predict better [default: by effort and dataset]
    #[arg(long, value_name = "1..6", value_parser = clap::value_parser!(u8).range(1..=6))]
    pub(crate) network: Option<u8>,
    /// Learn one Program for all images of a sample layout, whatever kinds of images these are
    #[arg(long)]
    pub(crate) no_kinds: bool,
}

/// Where to train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Device {
    /// A GPU if this build and this machine have one.
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU, or an error.
    Gpu,
}

/// `kolmo compress`.
#[derive(Debug, Args)]
pub(crate) struct Compress {
    /// Folder or file to compress: images are learned, JPEG files coded by their coefficients, checkpoints and arrays as numbers, the rest as bytes
    #[arg(value_name = "DIR")]
    pub(crate) input: PathBuf,
    /// Archive to write [default: DIR.kolmo beside the folder]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Keep pixels and image facts only, not the bytes of the files around them
    #[arg(long)]
    pub(crate) pixels: bool,
    /// Use this Program where the sample layout fits, learn nothing
    #[arg(long, value_name = "FILE", conflicts_with = "no_learn")]
    pub(crate) program: Option<PathBuf>,
    /// Learn nothing, store everything the general way
    #[arg(long)]
    pub(crate) no_learn: bool,
    /// Code tensors as differences to those of this checkpoint that have the same name, type and length, where that pays. To expand
    /// the archive the same file is needed: keep it
    #[arg(long, value_name = "FILE")]
    pub(crate) base: Option<PathBuf>,
    /// How samples are coded under a Program
    #[arg(long, value_name = "WAY", value_enum, default_value_t = Coding::Auto)]
    pub(crate) coding: Coding,
    /// Only look and estimate; write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Tell every way of coding that was looked at, what it would take and what was chosen
    #[arg(long)]
    pub(crate) explain: bool,
    #[command(flatten)]
    pub(crate) learning: Learning,
}

/// How samples are coded under a Program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Coding {
    /// Adaptive for each group of images where it saves 3 % or more, from effort 7 on wherever it saves anything worth the name
    Auto,
    /// Whole symbols, as the Program says: fastest to expand
    Direct,
    /// Bit by bit, mixed with what was seen so far: densest for graphics and processed photographs, slower to expand
    Adaptive,
}

/// `kolmo expand`.
#[derive(Debug, Args)]
pub(crate) struct Expand {
    /// Archive to read
    #[arg(value_name = "ARCHIVE")]
    pub(crate) archive: PathBuf,
    /// Only these items, as `list` names them; or one tensor of a checkpoint, FILE::TENSOR, as `list --tensors` names it
    #[arg(value_name = "PATHS")]
    pub(crate) paths: Vec<String>,
    /// Folder to write [default: the archive's path without `.kolmo`]; for a tensor the file: `.npy` for NumPy, any other name for the bare
    /// bytes
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// The checkpoint that `compress --base` was given, if it was; `inspect` tells which one
    #[arg(long, value_name = "FILE")]
    pub(crate) base: Option<PathBuf>,
}

/// `kolmo verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Archive to read
    #[arg(value_name = "ARCHIVE")]
    pub(crate) archive: PathBuf,
    /// Folder to compare with
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// The checkpoint that `compress --base` was given, if it was; `inspect` tells which one
    #[arg(long, value_name = "FILE")]
    pub(crate) base: Option<PathBuf>,
}

/// `kolmo list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Archive to read
    #[arg(value_name = "ARCHIVE")]
    pub(crate) archive: PathBuf,
    /// Show size, coded size, way of coding and shape too
    #[arg(short, long)]
    pub(crate) long: bool,
    /// Name the tensors of checkpoints instead: type, shape, bytes, place in the file, and FILE::TENSOR as `expand` takes it
    #[arg(long, conflicts_with = "long")]
    pub(crate) tensors: bool,
    /// The checkpoint that `compress --base` was given, if it was; `inspect` tells which one
    #[arg(long, requires = "tensors", value_name = "FILE")]
    pub(crate) base: Option<PathBuf>,
}

/// `kolmo inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Archive to read
    #[arg(value_name = "ARCHIVE")]
    pub(crate) archive: PathBuf,
}

/// `kolmo train`.
#[derive(Debug, Args)]
pub(crate) struct Train {
    /// Folder to learn from
    #[arg(value_name = "DIR")]
    pub(crate) input: PathBuf,
    /// Program to write [default: DIR.kprog beside the folder]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Learn from pixels also where the bytes of a file cannot be rebuilt
    #[arg(long)]
    pub(crate) pixels: bool,
    #[command(flatten)]
    pub(crate) learning: Learning,
}

/// `kolmo tune`.
#[derive(Debug, Args)]
pub(crate) struct Tune {
    /// Program to begin with, or an archive that holds one
    #[arg(value_name = "PROGRAM")]
    pub(crate) program: PathBuf,
    /// Folder to learn from
    #[arg(value_name = "DIR")]
    pub(crate) input: PathBuf,
    /// Program to write [default: DIR.kprog beside the folder]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Learn from pixels also where the bytes of a file cannot be rebuilt
    #[arg(long)]
    pub(crate) pixels: bool,
    #[command(flatten)]
    pub(crate) learning: Learning,
}

/// `kolmo demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Keep the sample, its archive and the expanded files in this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

/// Parses the command line; prints help or a usage error and ends the process (0 or 2) where there is nothing to run.
pub(crate) fn parse() -> Arguments {
    // clap colours its own errors while it is still parsing, so it has to hear about `--color` before.
    let choice = match said_colour(std::env::args_os().map(|argument| argument.to_string_lossy().into_owned())) {
        Colour::Auto => clap::ColorChoice::Auto,
        Colour::Always => clap::ColorChoice::Always,
        Colour::Never => clap::ColorChoice::Never,
    };
    let matches = Arguments::command().color(choice).get_matches();
    Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn said_colour(arguments: impl Iterator<Item = String>) -> Colour {
    let mut said = Colour::Auto;
    let mut next_is_value = false;
    for argument in arguments {
        let value = if next_is_value { Some(argument.as_str()) } else { argument.strip_prefix("--color=") };
        match value {
            Some("always") => said = Colour::Always,
            Some("never") => said = Colour::Never,
            _ => {}
        }
        next_is_value = argument == "--color";
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_finds_no_contradiction() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn colour_is_heard_before_parsing() {
        let hear = |words: &[&str]| said_colour(words.iter().map(ToString::to_string));
        assert_eq!(hear(&["kolmo", "--color", "never", "list"]), Colour::Never);
        assert_eq!(hear(&["kolmo", "list", "--color=always"]), Colour::Always);
        assert_eq!(hear(&["kolmo", "list", "never"]), Colour::Auto);
    }
}
