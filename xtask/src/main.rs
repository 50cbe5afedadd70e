//! Chores of the workspace: what CI runs, data sets, benches.
//!
//! No product code and no product crate: xtask runs the `kolmo` binary and reads its `--json`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks through stdout and stderr")]

mod bench;
mod child;
mod ci;
mod dataset;
mod fingerprint;
mod picture;
mod prior;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chores of the kolmo workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run what CI runs, cheapest first, and stop at the first failure.
    Ci(ci::CiArgs),
    /// List, fetch, check or make data sets.
    #[command(subcommand)]
    Dataset(dataset::DatasetCommand),
    /// Make a Program that is built in. None that was ever released may change: only new ones are made.
    Prior(prior::PriorArgs),
    /// Measure kolmo and its rivals.
    #[command(subcommand)]
    Bench(bench::BenchCommand),
}

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Ci(args) => ci::run(&args),
        Command::Dataset(command) => dataset::run(&command),
        Command::Prior(args) => prior::run(&args),
        Command::Bench(command) => bench::run(&command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
