//! Learning rate and phase of each step.

use std::time::{Duration, Instant};

use crate::effort::Plan;

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    /// The network is rounded.
    pub(super) rounded: bool,
    /// For this step.
    pub(super) learning_rate: f64,
}

/// Two cosines: one down to a tenth for the float network, one from three tenths down to nothing for the rounded one, each with a warm-up.
/// Warm-ups take a twentieth and a fiftieth of the planned steps, at most 150 and 50.
///
/// Progress is the share of the planned steps or of the time budget that is used up, whichever is more; so a budget squeezes the same curve.
#[derive(Debug)]
pub(super) struct Schedule {
    peak: f64,
    /// Share of the peak that the float network gets.
    float_share: f64,
    steps: u64,
    first: u64,
    /// Share of the schedule before rounding begins.
    floats: f64,
    budget: Option<Duration>,
    start: Instant,
    /// Progress that an early end of a phase has skipped.
    skipped: f64,
    /// First step of the present phase.
    phase_start: u64,
    rounded: bool,
}

impl Schedule {
    pub(super) fn new(plan: &Plan, first: u64, floats: f64, budget: Option<Duration>) -> Self {
        let rounded = floats <= 0.0;
        Self {
            peak: plan.learning_rate,
            float_share: plan.float_share,
            steps: plan.steps,
            first,
            floats,
            budget,
            start: Instant::now(),
            skipped: 0.0,
            phase_start: first,
            rounded,
        }
    }

    /// The pace of the step after `done` steps; `None` when all is done.
    pub(super) fn next(&mut self, done: u64) -> Option<Pace> {
        let progress = self.progress(done);
        if progress >= 1.0 {
            return None;
        }
        let rounded = progress >= self.floats;
        if rounded != self.rounded {
            (self.rounded, self.phase_start) = (rounded, done);
        }
        let (peak, end, share, warm_up) = if rounded {
            (0.3 * self.peak, 0.002 * self.peak, (progress - self.floats) / (1.0 - self.floats), (0.02 * self.steps as f64).clamp(10.0, 50.0))
        } else {
            let peak = self.float_share * self.peak;
            (peak, 0.1 * peak, progress / self.floats, (0.05 * self.steps as f64).clamp(10.0, 150.0))
        };
        let cosine = end + (peak - end) * 0.5 * (1.0 + (std::f64::consts::PI * share).cos());
        Some(Pace { rounded, learning_rate: cosine * ((done - self.phase_start + 1) as f64 / warm_up).min(1.0) })
    }

    /// Ends the present phase early; tells whether it was the last.
    pub(super) fn end_phase(&mut self, done: u64) -> bool {
        let to = if self.rounded { 1.0 } else { self.floats };
        self.skipped += (to - self.progress(done)).max(0.0);
        self.rounded
    }

    /// Steps that will have been taken in the end, as it looks after `done`.
    pub(super) fn planned(&self, done: u64) -> u64 {
        let progress = self.progress(done);
        let expected = self.first as f64 + (done - self.first) as f64 / (progress - self.first as f64 / self.steps as f64).max(1e-9);
        if self.budget.is_some() { (expected as u64).clamp(done, self.steps) } else { self.steps }
    }

    /// Seconds to go.
    pub(super) fn eta(&self, done: u64) -> f64 {
        let elapsed = self.start.elapsed().as_secs_f64();
        let progress = self.progress(done);
        let begun = self.first as f64 / self.steps as f64;
        elapsed * (1.0 - progress).max(0.0) / (progress - begun).max(1e-9)
    }

    /// The time budget has ended training, not the steps.
    pub(super) fn out_of_time(&self) -> bool {
        self.budget.is_some_and(|budget| self.start.elapsed() >= budget)
    }

    fn progress(&self, done: u64) -> f64 {
        let by_time = self.budget.map_or(0.0, |budget| self.start.elapsed().as_secs_f64() / budget.as_secs_f64().max(1e-3));
        (done as f64 / self.steps as f64).max(by_time) + self.skipped
    }
}
