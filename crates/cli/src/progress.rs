//! Stderr while a call runs: a bar on a terminal, notes, tracing; and events as JSON Lines.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use kolmo::observe::{Event, Observer, Step};

use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::render;

/// Time between two JSON lines of the same kind of progress.
const JSON_INTERVAL: Duration = Duration::from_millis(200);
/// Redraws of the bar a second.
const BAR_HERTZ: u8 = 10;

/// Stderr, shared by bar, notes, tracing and the signal handler, so that none writes across another.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    bars: MultiProgress,
    quiet: bool,
}

impl Screen {
    /// `json` on the same terminal leaves no room for a bar.
    pub(crate) fn new(quiet: bool, json: bool) -> Self {
        let room = io::stderr().is_terminal() && !quiet && !(json && io::stdout().is_terminal());
        let target = if room { ProgressDrawTarget::stderr_with_hz(BAR_HERTZ) } else { ProgressDrawTarget::hidden() };
        Self { bars: MultiProgress::with_draw_target(target), quiet }
    }

    /// Writes bytes to stderr above the bar. A stderr that is gone is nobody's failure.
    pub(crate) fn write(&self, bytes: &[u8]) {
        self.bars.suspend(|| io::stderr().lock().write_all(bytes)).unwrap_or_default();
    }

    /// `kolmo: <sentence>`.
    pub(crate) fn say(&self, sentence: &str) {
        self.write(format!("kolmo: {sentence}\n").as_bytes());
    }

    fn note(&self, sentence: &str) {
        if !self.quiet {
            self.write(format!("note: {}\n", render::shown(sentence)).as_bytes());
        }
    }
}

/// Collects one line of tracing and hands it to the screen whole.
#[derive(Debug)]
pub(crate) struct Line {
    screen: Screen,
    bytes: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.screen.write(&self.bytes);
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Screen {
    type Writer = Line;
    fn make_writer(&'a self) -> Line {
        Line { screen: self.clone(), bytes: Vec::new() }
    }
}

/// Shows events.
pub(crate) struct Watcher {
    screen: Screen,
    interrupt: Interrupt,
    json: Option<Output>,
    bar: Option<(String, ProgressBar)>,
    told: Option<(String, Instant)>,
}

impl Watcher {
    /// `json` receives the events as lines, if given.
    pub(crate) fn new(screen: Screen, interrupt: Interrupt, json: Option<Output>) -> Self {
        Self { screen, interrupt, json, bar: None, told: None }
    }

    /// The bar called `name`, made anew if another is shown.
    fn bar(&mut self, name: &str, template: &str) -> &ProgressBar {
        if self.bar.as_ref().is_none_or(|(shown, _)| shown != name) {
            self.clear();
            let style = ProgressStyle::with_template(template).map_or_else(|_| ProgressStyle::default_bar(), |style| style.progress_chars("━╸ "));
            let bar = self.screen.bars.add(ProgressBar::new(0).with_style(style).with_prefix(name.to_owned()));
            return &self.bar.insert((name.to_owned(), bar)).1;
        }
        &self.bar.get_or_insert_with(|| (name.to_owned(), ProgressBar::hidden())).1
    }

    fn clear(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Whether a JSON line is due: the first and the last of a row always, between them five a second.
    fn due(&mut self, row: &str, last: bool) -> bool {
        let due = last || self.told.as_ref().is_none_or(|(told, when)| told != row || when.elapsed() >= JSON_INTERVAL);
        if due {
            self.told = Some((row.to_owned(), Instant::now()));
        }
        due
    }

    fn tell_json(&mut self, event: &Event) {
        let due = match event {
            Event::Training { group, tuning, step, steps, .. } => self.due(&format!("{group} {tuning}"), step >= steps),
            Event::Learning { stage, step, steps, .. } => self.due(stage, step >= steps),
            Event::Progress { stage, done, total } => self.due(stage, done >= total),
            _ => true,
        };
        if let (true, Some(output)) = (due, &self.json) {
            output.json("event", event);
        }
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::StepStarted { step } => {
                let name = step_name(*step);
                self.bar(name, "  {prefix}").tick();
            }
            Event::Training { group, tuning, step, steps, loss_bpsp, samples_per_second, eta_seconds, .. } => {
                let name = format!("{} {}", if *tuning { "tune" } else { "train" }, render::shown(group));
                let message = format!(
                    "{} bpsp  {} samples/s  ETA {}",
                    render::rate(*loss_bpsp),
                    render::short(*samples_per_second),
                    render::clock(*eta_seconds)
                );
                let bar = self.bar(&name, "  {prefix:14} {bar:30} step {human_pos}/{human_len}  {msg}");
                bar.set_length(*steps);
                bar.set_message(message);
                bar.set_position(*step);
            }
            Event::Learning { stage, step, steps, loss, top1, images_per_second, eta_seconds, .. } => {
                let message =
                    format!("loss {loss:.4}  {top1:.1} %  {} images/s  ETA {}", render::short(*images_per_second), render::clock(*eta_seconds));
                let bar = self.bar(&render::shown(stage), "  {prefix:14} {bar:30} step {human_pos}/{human_len}  {msg}");
                bar.set_length(*steps);
                bar.set_message(message);
                bar.set_position(*step);
            }
            Event::Epoch { stage, row } => self.screen.note(&format!(
                "{stage}, epoch {}: train {:.4} {:.2} %, validation {:.4} {:.2} %",
                row.epoch, row.train_loss, row.train_top1, row.validation_loss, row.validation_top1
            )),
            Event::Progress { stage, done, total } => {
                let bar = self.bar(stage, "  {prefix:14} {bar:30} {human_pos}/{human_len}");
                bar.set_length(*total);
                bar.set_position(*done);
            }
            Event::Note { text } => self.screen.note(text),
        }
    }
}

impl Observer for Watcher {
    fn event(&mut self, event: &Event) {
        match event {
            Event::StepStarted { step } => {
                self.interrupt.training.store(matches!(step, Step::Generate | Step::Tune), Ordering::SeqCst);
            }
            Event::Training { .. } | Event::Learning { .. } => self.interrupt.training.store(true, Ordering::SeqCst),
            Event::Epoch { .. } | Event::Progress { .. } | Event::Note { .. } => {}
        }
        if self.json.is_some() {
            self.tell_json(event);
        }
        self.show(event);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.clear();
    }
}

const fn step_name(step: Step) -> &'static str {
    match step {
        Step::Preprocess => "preprocess",
        Step::Generate => "generate",
        Step::CompressProgram => "compress the Program",
        Step::Expand => "expand",
        Step::Tune => "tune",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_progress_keeps_first_and_last() {
        let mut watcher = Watcher::new(Screen::new(true, true), Interrupt::default(), Some(Output::default()));
        assert!(watcher.due("encoding", false));
        assert!(!watcher.due("encoding", false));
        assert!(watcher.due("encoding", true));
        assert!(watcher.due("verifying", false));
    }

    #[test]
    fn training_is_known_between_its_step_and_the_next() {
        let interrupt = Interrupt::default();
        let mut watcher = Watcher::new(Screen::new(true, false), interrupt.clone(), None);
        watcher.event(&Event::StepStarted { step: Step::Generate });
        assert!(interrupt.training.load(Ordering::SeqCst));
        watcher.event(&Event::StepStarted { step: Step::Expand });
        assert!(!interrupt.training.load(Ordering::SeqCst));
    }
}
