//! Work on a number of threads, watched from the caller's.

use std::sync::mpsc::{Sender, channel};

use crate::error::Error;
use crate::observe::{Event, Observer};

/// Passes events on to another thread.
struct Sending(Sender<Event>);

impl Observer for Sending {
    fn event(&mut self, event: &Event) {
        // a watcher that is gone watches nothing
        let _ = self.0.send(event.clone());
    }
}

/// Does `work` on a pool of `threads` (0: one a core), and nothing of it outside; `observer` is called on this thread.
pub(super) fn bounded<T: Send>(
    threads: usize,
    observer: &mut dyn Observer,
    work: impl FnOnce(&mut dyn Observer) -> Result<T, Error> + Send,
) -> Result<T, Error> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Error::InvalidArgument { what: format!("cannot start {threads} threads: {error}") })?;
    let (sender, receiver) = channel();
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || pool.install(move || work(&mut Sending(sender))));
        for event in receiver {
            observer.event(&event);
        }
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Silent;

    #[test]
    fn work_sees_as_many_threads_and_events_come_through_in_order() {
        #[derive(Default)]
        struct Texts(Vec<String>);
        impl Observer for Texts {
            fn event(&mut self, event: &Event) {
                let Event::Note { text } = event else { return };
                self.0.push(text.clone());
            }
        }
        let mut texts = Texts::default();
        for threads in [1, 3] {
            let counted = bounded(threads, &mut texts, |observer| {
                observer.event(&Event::Note { text: format!("{threads}") });
                Ok(rayon::current_num_threads())
            });
            assert_eq!(counted.unwrap(), threads);
        }
        assert_eq!(texts.0, ["1", "3"]);
        let failed: Result<(), _> = bounded(1, &mut Silent, |_| Err(Error::Cancelled));
        assert!(failed.is_err());
    }
}
