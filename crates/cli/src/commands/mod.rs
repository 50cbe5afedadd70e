//! One file a command, each around one call of the library.

mod compress;
mod demo;
mod expand;
mod inspect;
mod list;
mod model;
mod train;
mod tune;
mod verify;

use std::path::{Path, PathBuf};

use kolmo::options::{CompressOptions, DeviceChoice, ExpandOptions, Fidelity, LearnOptions, Limits};
use serde::Serialize;

use crate::args::{Arguments, Command, Device, Global, Learning};
use crate::exit::{self, Failure};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::progress::{Screen, Watcher};
use crate::render::Paint;

/// What all commands share.
struct Session<'a> {
    global: &'a Global,
    output: Output,
    screen: Screen,
    interrupt: Interrupt,
    paint: Paint,
}

/// Runs a command and returns the exit status; everything has been said then.
pub(crate) fn run(arguments: &Arguments) -> u8 {
    let session = Session::new(&arguments.global);
    if let Err(failure) = check_kernel() {
        return session.end(Err(failure));
    }
    let ended = match &arguments.command {
        Command::Compress(what) => compress::run(&session, what),
        Command::Expand(what) => expand::run(&session, what),
        Command::Verify(what) => verify::run(&session, what),
        Command::List(what) => list::run(&session, what),
        Command::Inspect(what) => inspect::run(&session, what),
        Command::Train(what) => train::run(&session, what),
        Command::Tune(what) => tune::run(&session, what),
        Command::Model(what) => model::run(&session, what),
        Command::Demo(what) => demo::run(&session, what),
    };
    session.end(ended)
}

/// A kernel that is wished for has to be there: whoever names one wants to test or to time it.
fn check_kernel() -> Result<u8, Failure> {
    match std::env::var("KOLMO_KERNEL") {
        Ok(wished) if wished != kolmo::options::kernel() => Err(Failure::Usage {
            what: format!("KOLMO_KERNEL is {wished}, which this machine does not have"),
            help: format!("set it to one of {}, or unset it", kolmo::options::kernels().join(", ")),
        }),
        _ => Ok(exit::DONE),
    }
}

impl<'a> Session<'a> {
    fn new(global: &'a Global) -> Self {
        let screen = Screen::new(global.quiet, global.json);
        let level = match (global.quiet, global.verbose) {
            (true, _) => tracing_subscriber::filter::LevelFilter::ERROR,
            (false, 0) => tracing_subscriber::filter::LevelFilter::WARN,
            (false, 1) => tracing_subscriber::filter::LevelFilter::INFO,
            (false, 2) => tracing_subscriber::filter::LevelFilter::DEBUG,
            (false, _) => tracing_subscriber::filter::LevelFilter::TRACE,
        };
        tracing_subscriber::fmt()
            .with_writer(screen.clone())
            .with_max_level(level)
            .with_ansi(Paint::stderr(global.color).coloured())
            .without_time()
            .init();
        Self { global, output: Output::default(), screen, interrupt: Interrupt::default(), paint: Paint::stdout(global.color) }
    }

    /// Listens to Ctrl-C and watches a call.
    fn watch(&self) -> Watcher {
        self.interrupt.listen(self.screen.clone());
        self.watcher()
    }

    /// Watches another call of the same command.
    fn watcher(&self) -> Watcher {
        let json = self.global.json.then(|| self.output.clone());
        Watcher::new(self.screen.clone(), self.interrupt.clone(), json)
    }

    /// Prints a result: `body` as a JSON line of type `kind`, or the text.
    fn result<T: Serialize>(&self, kind: &str, body: &T, text: impl FnOnce(Paint) -> String) {
        if self.global.json {
            self.output.json(kind, body);
        } else {
            self.output.text(&text(self.paint));
        }
    }

    /// Says what is left to say.
    fn end(&self, ended: Result<u8, Failure>) -> u8 {
        let written = self.output.finish();
        let failure = match (ended, written) {
            (Err(failure), _) => failure,
            (Ok(_), Err(error)) => Failure::Io { what: "writing to stdout".to_owned(), error },
            (Ok(status), Ok(())) => return status,
        };
        let report = failure.report();
        if self.global.json {
            self.output.json("error", &report);
        }
        self.screen.write(report.text().as_bytes());
        report.exit
    }

    fn limits(&self) -> Limits {
        Limits { memory_bytes: self.global.max_memory, ..Limits::default() }
    }

    fn expand_options(&self, only: &[String], base: Option<&PathBuf>) -> ExpandOptions {
        ExpandOptions {
            threads: self.global.threads,
            force: self.global.force,
            only: only.to_vec(),
            base: base.cloned(),
            limits: self.limits(),
            stop: self.interrupt.stop.clone(),
        }
    }

    /// Options of a call that learns, if it learns.
    fn compress_options(&self, learning: Option<&Learning>, pixels: bool) -> CompressOptions {
        CompressOptions {
            fidelity: if pixels { Fidelity::Pixels } else { Fidelity::Files },
            learn: learning.map(|learning| LearnOptions {
                effort: learning.effort,
                time_budget: learning.time_budget,
                seed: self.global.seed,
                device: match learning.device {
                    Device::Auto => DeviceChoice::Auto,
                    Device::Cpu => DeviceChoice::Cpu,
                    Device::Gpu => DeviceChoice::Gpu,
                },
                checkpoint: learning.checkpoint.clone(),
                resume: learning.resume,
                priors: !learning.no_priors,
                network: learning.network,
                kinds: !learning.no_kinds,
            }),
            program: None,
            base: None,
            coding: None,
            threads: self.global.threads,
            sample_bytes: self.global.max_memory / 8,
            force: self.global.force,
            dry_run: false,
            limits: self.limits(),
            stop: self.interrupt.stop.clone(),
        }
    }
}

/// `output`, or else `DIR.<extension>` beside the folder `input`.
fn output_or_beside(output: Option<&PathBuf>, input: &Path, extension: &str) -> Result<PathBuf, Failure> {
    if let Some(output) = output {
        return Ok(output.clone());
    }
    // `.` and `..` have no name of their own: ask where they are.
    let named = if input.file_name().is_some() {
        input.to_path_buf()
    } else {
        input.canonicalize().map_err(|error| Failure::Io { what: format!("looking for {}", input.display()), error })?
    };
    let Some(name) = named.file_name() else {
        return Err(Failure::Usage { what: format!("no name can be made from {}", input.display()), help: "say where to write with -o".to_owned() });
    };
    let mut name = name.to_owned();
    name.push(".");
    name.push(extension);
    Ok(named.with_file_name(name))
}

/// The status of a call that found nothing wrong.
const fn done() -> u8 {
    exit::DONE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_stand_beside_their_input() {
        let beside = |input: &str| output_or_beside(None, Path::new(input), "kolmo").unwrap();
        assert_eq!(beside("set/photos"), Path::new("set/photos.kolmo"));
        assert_eq!(beside("photos.v2/"), Path::new("photos.v2.kolmo"));
        let here = std::env::current_dir().unwrap();
        assert_eq!(beside(".").parent(), here.parent());
        assert!(output_or_beside(None, Path::new("/"), "kolmo").is_err());
    }
}
