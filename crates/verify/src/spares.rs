//! Buffers of blocks that were handed out and are used again: the system takes longer to give new memory than numbers take to decode.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Smaller blocks get memory of their own: an allocator has it at hand.
const LEAST_BYTES: u64 = 1 << 20;

/// Buffers that wait for their next use.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    buffers: Mutex<Vec<Vec<u8>>>,
    most_bytes: AtomicU64,
}

impl Spares {
    /// How many bytes may wait; none at first.
    pub(crate) fn allow(&self, bytes: u64) {
        self.most_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Bytes that wait.
    #[cfg(test)]
    fn bytes(&self) -> u64 {
        self.buffers.lock().map_or(0, |buffers| sum(&buffers))
    }

    /// A buffer that holds `bytes` without growing, if one waits; else a new, empty one.
    pub(crate) fn take(&self, bytes: u64) -> Vec<u8> {
        let Ok(mut buffers) = self.buffers.lock() else { return Vec::new() };
        let fits = buffers.iter().position(|buffer| buffer.capacity() as u64 >= bytes).filter(|_| bytes >= LEAST_BYTES);
        fits.map_or_else(Vec::new, |at| buffers.swap_remove(at))
    }

    /// Lets a buffer wait, if there is room.
    pub(crate) fn give(&self, buffer: Vec<u8>) {
        let bytes = buffer.capacity() as u64;
        if let Ok(mut buffers) = self.buffers.lock()
            && bytes >= LEAST_BYTES
            && sum(&buffers).saturating_add(bytes) <= self.most_bytes.load(Ordering::Relaxed)
        {
            buffers.push(buffer);
        }
    }

    /// Lets all of them go.
    pub(crate) fn clear(&self) {
        if let Ok(mut buffers) = self.buffers.lock() {
            buffers.clear();
        }
    }
}

fn sum(buffers: &[Vec<u8>]) -> u64 {
    buffers.iter().fold(0, |sum, buffer| sum.saturating_add(buffer.capacity() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_wait_within_what_is_allowed() {
        let spares = Spares::default();
        let buffer = || Vec::with_capacity(2 << 20);
        spares.give(buffer());
        assert_eq!(spares.bytes(), 0, "nothing is allowed yet");
        spares.allow(5 << 20);
        (0..3).for_each(|_| spares.give(buffer()));
        spares.give(vec![0; 1000]);
        assert_eq!(spares.bytes(), 4 << 20);
        assert_eq!(spares.take(3 << 20).capacity(), 0);
        assert_eq!(spares.take(1000).capacity(), 0);
        assert_eq!(spares.take(2 << 20).capacity(), 2 << 20);
        assert_eq!(spares.bytes(), 2 << 20);
        spares.clear();
        assert_eq!(spares.bytes(), 0);
    }
}
