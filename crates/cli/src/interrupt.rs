//! Ctrl-C: first "enough training", then "enough".

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kolmo::options::StopFlag;

use crate::progress::Screen;

/// What a signal should do now; shared by the handler and the [`crate::progress::Watcher`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt {
    /// Handed to the library.
    pub(crate) stop: StopFlag,
    /// Whether something is being trained, so that one request has something to end.
    pub(crate) training: Arc<AtomicBool>,
}

impl Interrupt {
    /// Listens to SIGINT, SIGTERM and SIGHUP from now on. Without it a signal simply ends the process.
    pub(crate) fn listen(&self, screen: Screen) {
        let here = self.clone();
        let listening = ctrlc::set_handler(move || {
            let message = match here.request() {
                1 => "stopping training, using the best checkpoint; Ctrl-C again to cancel",
                2 => "cancelling",
                // Something did not hear us twice: the user wins, at the price of a temporary file left behind.
                _ => std::process::exit(130),
            };
            screen.say(message);
        });
        debug_assert!(listening.is_ok(), "one command, one handler");
    }

    /// Asks the running call to stop, twice if there is no training to end, and tells how often it has been asked.
    fn request(&self) -> u8 {
        let asked = self.stop.request();
        if asked == 1 && !self.training.load(Ordering::SeqCst) { self.stop.request() } else { asked }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_ends_training_two_end_everything() {
        let interrupt = Interrupt::default();
        interrupt.training.store(true, Ordering::SeqCst);
        assert_eq!(interrupt.request(), 1);
        assert!(interrupt.stop.stop_training() && !interrupt.stop.cancelled());
        interrupt.training.store(false, Ordering::SeqCst);
        assert_eq!(interrupt.request(), 2);
        assert!(interrupt.stop.cancelled());
    }

    #[test]
    fn one_request_is_enough_where_nothing_is_trained() {
        let interrupt = Interrupt::default();
        assert_eq!(interrupt.request(), 2);
        assert!(interrupt.stop.cancelled());
    }
}
