//! `Budget`: one number of bytes for all shards, taken before an entry is put and given back after it
//! is gone, so that it is never exceeded.

use std::sync::atomic::Ordering::Relaxed;

use crate::sync::AtomicU64;

/// Bytes in use, out of a fixed number. Orders nothing but itself: entries are handed over by their
/// shards' locks.
#[repr(align(128))]
pub(crate) struct Budget {
    used: AtomicU64,
    peak: AtomicU64,
    limit: u64,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Self {
        Budget { used: AtomicU64::new(0), peak: AtomicU64::new(0), limit }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Relaxed)
    }

    /// Takes `bytes` if they are there.
    pub(crate) fn try_take(&self, bytes: u64) -> bool {
        if bytes == 0 {
            return true;
        }
        let mut used = self.used.load(Relaxed);
        loop {
            let Some(then) = used.checked_add(bytes).filter(|&then| then <= self.limit) else {
                return false;
            };
            match self.used.compare_exchange_weak(used, then, Relaxed, Relaxed) {
                Ok(_) => {
                    if then > self.peak.load(Relaxed) {
                        self.peak.fetch_max(then, Relaxed);
                    }
                    return true;
                }
                Err(now) => used = now,
            }
        }
    }

    /// Gives back what was taken.
    pub(crate) fn give_back(&self, bytes: u64) {
        if bytes > 0 {
            self.used.fetch_sub(bytes, Relaxed);
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    #[test]
    fn no_interleaving_takes_more_than_there_is() {
        loom::model(|| {
            let budget = Arc::new(Budget::new(10));
            let other = {
                let budget = Arc::clone(&budget);
                thread::spawn(move || {
                    let taken = budget.try_take(6);
                    if taken {
                        budget.give_back(2);
                    }
                    if taken { 4 } else { 0 }
                })
            };
            let mine = if budget.try_take(7) { 7 } else { 0 };
            let theirs = other.join().unwrap();
            assert!(mine + theirs > 0, "somebody must have been served");
            assert_eq!(budget.used(), mine + theirs);
            assert!(budget.used() <= 10 && budget.peak() <= 10);
        });
    }
}
