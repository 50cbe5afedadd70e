//! Runs countable work on a pool of threads, watched and stoppable.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::channel;

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

    /// The same, but hands each result to `sink`, in order, and keeps none: at most two units a thread are under way or wait for their turn.
    pub(crate) fn each<T: Sync, R: Send>(
        &mut self,
        stage: &'static str,
        units: &[T],
        work: impl Fn(&T) -> Result<R, Error> + Sync,
        sink: impl FnMut(R) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.each_of(stage, units.iter(), work, sink)
    }

    /// The same of units that come one by one.
    pub(crate) fn each_of<T: Send, R: Send>(
        &mut self,
        stage: &'static str,
        mut units: impl ExactSizeIterator<Item = T>,
        work: impl Fn(T) -> Result<R, Error> + Sync,
        mut sink: impl FnMut(R) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let total = units.len();
        let pool = Arc::clone(&self.pool);
        let ahead = pool.current_num_threads() * 2;
        pool.in_place_scope(|scope| {
            let (sender, receiver) = channel();
            let (mut begun, mut waiting) = (0, BTreeMap::new());
            for done in 0..total {
                self.check()?;
                while begun < done + ahead {
                    let Some(unit) = units.next() else { break };
                    let (work, sender, number) = (&work, sender.clone(), begun);
                    scope.spawn(move |_| {
                        // A panic is handed on rather than waited for in vain. Nobody listens any more after an error.
                        let _ = sender.send((number, catch_unwind(AssertUnwindSafe(|| work(unit)))));
                    });
                    begun += 1;
                }
                let result = loop {
                    if let Some(result) = waiting.remove(&done) {
                        break result;
                    }
                    // Never an error: this thread holds a sender.
                    if let Ok((number, result)) = receiver.recv() {
                        waiting.insert(number, result.unwrap_or_else(|panic| resume_unwind(panic)));
                    }
                };
                sink(result?)?;
                if (done + 1) % ahead == 0 || done + 1 == total {
                    self.progress(stage, done + 1, total);
                }
            }
            self.check()
        })
    }

    /// Does two things at once: `aside` on one thread of the pool, `work` on this one and those it is spread over.
    pub(crate) fn beside<A: Send, B>(&mut self, aside: impl Fn() -> A + Sync, work: impl FnOnce(&mut Self) -> B) -> (A, B) {
        let mut done = None;
        let worked = Arc::clone(&self.pool).in_place_scope(|scope| {
            scope.spawn(|_| done = Some(aside()));
            work(self)
        });
        (done.unwrap_or_else(aside), worked)
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
