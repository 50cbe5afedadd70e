//! Blocks come from the threads in any order and are handed out in theirs.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::Duration;

use super::Expanded;
use crate::Error;

/// A block's parts, or what is wrong with it.
type Result = std::result::Result<Vec<Expanded>, Error>;
/// Its number, and the result or the panic of the thread that expanded it.
type Message = (u32, std::thread::Result<Result>);

/// Blocks that have been expanded, or are about to be.
pub(super) struct Line {
    sender: Sender<Message>,
    receiver: Receiver<Message>,
    /// Senders given out whose message has not come yet.
    under_way: usize,
    waiting: HashMap<u32, Result>,
}

impl Default for Line {
    fn default() -> Self {
        let (sender, receiver) = channel();
        Self { sender, receiver, under_way: 0, waiting: HashMap::new() }
    }
}

impl Line {
    /// For one message, which has to be sent.
    pub(super) fn sender(&mut self) -> Sender<Message> {
        self.under_way = self.under_way.saturating_add(1);
        self.sender.clone()
    }

    /// A result that is there at once.
    pub(super) fn put(&mut self, number: u32, result: Result) {
        self.waiting.insert(number, result);
    }

    /// Waits for the result of block `number`, which has been put or given a sender.
    pub(super) fn take(&mut self, number: u32) -> Result {
        loop {
            if let Some(result) = self.waiting.remove(&number) {
                return result;
            }
            let (number, result) = self.receive();
            self.waiting.insert(number, result);
        }
    }

    /// Waits for all that is under way, and forgets it.
    pub(super) fn clear(&mut self) {
        while self.under_way > 0 {
            drop(self.receive());
        }
        self.waiting.clear();
    }

    fn receive(&mut self) -> (u32, Result) {
        let (number, result) = loop {
            match self.receiver.try_recv() {
                Ok(message) => break message,
                // Never: this holds a sender itself.
                Err(TryRecvError::Disconnected) => std::panic::resume_unwind(Box::new("a thread has gone")),
                Err(TryRecvError::Empty) => {}
            }
            // Whoever waits on a thread of the pool lends it for the work waited for.
            if rayon::yield_now() == Some(rayon::Yield::Executed) {
                continue;
            }
            if let Ok(message) = self.receiver.recv_timeout(Duration::from_millis(20)) {
                break message;
            }
        };
        self.under_way = self.under_way.saturating_sub(1);
        match result {
            Ok(result) => (number, result),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}
