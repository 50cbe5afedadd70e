//! Runs countable work on a pool of threads, watched and stoppable.

use std::sync::Arc;

use rayon::prelude::*;

use crate::error::Error;
use crate::observe::{Event, Observer};
use crate::options::StopFlag;

/// Units handed to a thread between two looks at the stop flag.
const UNITS_A_THREAD: usize = 4;

/// Threads, a watcher and a stop flag: what every long loop needs.
pub(crate) struct Crew<'a> {
    pub(crate) pool: Arc<rayon::ThreadPool>,
    pub(crate) observer: &'a mut dyn Observer,
    stop: &'a StopFlag,
}

impl<'a> Crew<'a> {
    /// `threads` 0 means one a core.
    pub(crate) fn new(threads: usize, stop: &'a StopFlag, observer: &'a mut dyn Observer) -> Result<Self, Error> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| Error::InvalidArgument { what: format!("cannot start {threads} threads: {error}") })?;
        Ok(Self { pool: Arc::new(pool), observer, stop })
    }

    /// Applies `work` to every unit on all threads; results in order. Stops at the first error, in order, or when cancelled.
    pub(crate) fn map<T: Sync, R: Send>(
        &mut self,
        stage: &'static str,
        units: &[T],
        work: impl Fn(&T) -> Result<R, Error> + Sync,
    ) -> Result<Vec<R>, Error> {
        let mut results = Vec::with_capacity(units.len());
        for chunk in units.chunks(self.pool.current_num_threads() * UNITS_A_THREAD) {
            self.check()?;
            let part: Vec<Result<R, Error>> = self.pool.install(|| chunk.par_iter().map(&work).collect());
            for result in part {
                results.push(result?);
            }
            self.progress(stage, results.len(), units.len());
        }
        self.check()?;
        Ok(results)
    }

    /// The same, but hands each result to `sink`, in order, and keeps none: two units a thread are under way at a time.
    pub(crate) fn each<T: Sync, R: Send>(
        &mut self,
        stage: &'static str,
        units: &[T],
        work: impl Fn(&T) -> Result<R, Error> + Sync,
        mut sink: impl FnMut(R) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut done = 0;
        for chunk in units.chunks(self.pool.current_num_threads() * 2) {
            self.check()?;
            let part: Vec<Result<R, Error>> = self.pool.install(|| chunk.par_iter().map(&work).collect());
            for result in part {
                sink(result?)?;
            }
            done += chunk.len();
            self.progress(stage, done, units.len());
        }
        self.check()
    }

    /// Reports countable progress.
    pub(crate) fn progress(&mut self, stage: &'static str, done: usize, total: usize) {
        self.observer.event(&Event::Progress { stage, done: done as u64, total: total as u64 });
    }

    /// Says a sentence.
    pub(crate) fn note(&mut self, text: String) {
        tracing::info!("{text}");
        self.observer.event(&Event::Note { text });
    }

    /// Whether to go on.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.stop.cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// The flag, for training.
    pub(crate) const fn stop(&self) -> &'a StopFlag {
        self.stop
    }
}
