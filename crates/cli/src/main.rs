//! `kolmo`: arguments in, text or JSON Lines out. Everything it does is one call of the library `kolmo`.

mod args;
mod commands;
mod exit;
mod interrupt;
mod json;
mod output;
mod progress;
mod quantity;
mod render;
mod sample;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = args::parse();
    ExitCode::from(commands::run(&arguments))
}
