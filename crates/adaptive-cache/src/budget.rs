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

    /// Nothing taken yet.
    pub(crate) fn nothing(&self) -> Taken<'_> {
        self.taken(0)
    }

    /// Bytes that are taken already, those of an entry that is on its way out.
    pub(crate) fn taken(&self, bytes: u64) -> Taken<'_> {
        Taken { budget: self, bytes }
    }

    fn try_take(&self, bytes: u64) -> bool {
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
}

/// Bytes taken from a budget that belong to no entry. Given back when dropped, also by a panic of a
/// caller's code.
pub(crate) struct Taken<'b> {
    budget: &'b Budget,
    bytes: u64,
}

impl Taken<'_> {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes more until they are `bytes`, if they are there.
    pub(crate) fn grow_to(&mut self, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let taken = self.budget.try_take(more);
        if taken {
            self.bytes += more;
        }
        taken
    }

    /// Adds bytes that came free; none of them passes through the budget.
    pub(crate) fn absorb(&mut self, mut other: Taken<'_>) {
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// Leaves `bytes` with an entry, whose `before` were on the books already; the rest goes back.
    pub(crate) fn leave_with_entry(mut self, bytes: u64, before: u64) {
        self.bytes = self.bytes + before - bytes;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.used.fetch_sub(self.bytes, Relaxed);
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
                    let mut taken = budget.nothing();
                    if !taken.grow_to(6) {
                        return 0;
                    }
                    taken.leave_with_entry(4, 0);
                    4
                })
            };
            let mut taken = budget.nothing();
            let mine = if taken.grow_to(7) { 7 } else { 0 };
            taken.leave_with_entry(mine, 0);
            let theirs = other.join().unwrap();
            assert!(mine + theirs > 0, "somebody must have been served");
            assert_eq!(budget.used(), mine + theirs);
            assert!(budget.used() <= 10 && budget.peak() <= 10);
        });
    }
}
