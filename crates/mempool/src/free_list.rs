//! Where returned buffers wait: a magazine per thread in front of one shared stack, under one maximum.
//!
//! A thread reaches its own magazine without a lock and without an atomic read-modify-write; these
//! cost 8 to 9 ns apiece on the machines this was measured on, so that a list that locks for each
//! get and for each return cannot come below 22 ns (a sharded spin lock) or 31 ns (a sharded mutex).
//!
//! The maximum is exact although magazines are not counted together: a magazine may only hold as
//! many buffers as it has *seats*, a seat is taken out of the common maximum under the lock, once,
//! and stays with the magazine. Seats are at most half of the maximum, the rest is anybody's.

use std::cell::{Cell, RefCell};

use crate::sync::{Mutex, lock};

/// The buffers that one thread has at hand.
pub(crate) struct Magazine<T> {
    /// The one returned last: reached without a borrow flag, whose four changes per get and return
    /// would wait for one another.
    top: Cell<Option<T>>,
    rest: RefCell<Vec<T>>,
    seats: Cell<usize>,
}

impl<T> Magazine<T> {
    pub(crate) const fn new() -> Self {
        let rest = RefCell::new(Vec::new());
        Magazine { top: Cell::new(None), rest, seats: Cell::new(0) }
    }

    /// Takes all buffers out, for the caller to drop where no borrow is held.
    pub(crate) fn drain(&self) -> Vec<T> {
        let mut all = self.rest.take();
        all.extend(self.top.take());
        all
    }
}

/// All free buffers of a pool but those in the magazines.
pub(crate) struct FreeList<T> {
    shared: Mutex<Shared<T>>,
    max: usize,
    seats_per_magazine: usize,
}

struct Shared<T> {
    buffers: Vec<T>,
    seats: usize,
}

/// Where a buffer was found or put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Magazine,
    Shared,
}

impl<T> FreeList<T> {
    /// At most `max` buffers are kept, at most `seats_per_magazine` of them by one thread.
    pub(crate) fn new(max: usize, seats_per_magazine: usize) -> Self {
        let shared = Mutex::new(Shared { buffers: Vec::new(), seats: 0 });
        FreeList { shared, max, seats_per_magazine }
    }

    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// A buffer from the magazine or else from the shared stack.
    #[inline]
    pub(crate) fn pop(&self, magazine: &Magazine<T>) -> Option<(T, Place)> {
        match magazine.top.take() {
            Some(buffer) => Some((buffer, Place::Magazine)),
            None => self.pop_below(magazine),
        }
    }

    #[cold]
    fn pop_below(&self, magazine: &Magazine<T>) -> Option<(T, Place)> {
        if let Some(buffer) = magazine.rest.borrow_mut().pop() {
            return Some((buffer, Place::Magazine));
        }
        let buffer = lock(&self.shared).buffers.pop()?;
        Some((buffer, Place::Shared))
    }

    /// Keeps a buffer, or gives it back when the maximum is reached.
    #[inline]
    pub(crate) fn push(&self, magazine: &Magazine<T>, buffer: T) -> Result<Place, T> {
        match magazine.top.replace(Some(buffer)) {
            None if magazine.seats.get() > 0 => Ok(Place::Magazine),
            older => self.push_below(magazine, older),
        }
    }

    /// The top is taken by the newest buffer: finds a place for the older one, or, without a seat,
    /// for the newest.
    #[cold]
    fn push_below(&self, magazine: &Magazine<T>, older: Option<T>) -> Result<Place, T> {
        let mut rest = magazine.rest.borrow_mut();
        if rest.len() + 1 < magazine.seats.get() {
            rest.extend(older);
            return Ok(Place::Magazine);
        }
        let mut shared = lock(&self.shared);
        let full = shared.buffers.len() + shared.seats >= self.max;
        if !full && magazine.seats.get() < self.seats_per_magazine && shared.seats < self.max / 2 {
            shared.seats += 1;
            magazine.seats.set(magazine.seats.get() + 1);
            rest.extend(older);
            return Ok(Place::Magazine);
        }
        if full {
            // The newest is the one refused; an older one stays where it was.
            return magazine.top.replace(older).map_or(Ok(Place::Magazine), Err);
        }
        let surplus = older.or_else(|| magazine.top.take());
        shared.buffers.extend(surplus);
        Ok(Place::Shared)
    }

    /// As [`push`](Self::push), but always where every thread finds it.
    pub(crate) fn push_for_all(&self, buffer: T) -> Result<(), T> {
        let mut shared = lock(&self.shared);
        if shared.buffers.len() + shared.seats >= self.max {
            return Err(buffer);
        }
        shared.buffers.push(buffer);
        Ok(())
    }

    /// How many buffers the shared stack holds.
    pub(crate) fn shared_len(&self) -> usize {
        lock(&self.shared).buffers.len()
    }

    /// Takes all buffers out of the shared stack, for the caller to drop where no lock is held.
    pub(crate) fn drain_shared(&self) -> Vec<T> {
        std::mem::take(&mut lock(&self.shared).buffers)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn keeps_exactly_the_maximum_whatever_the_split() {
        for max in 0..10 {
            for seats in 0..4 {
                let list = FreeList::new(max, seats);
                let magazines = [Magazine::new(), Magazine::new()];
                let kept = (0..20).filter(|&i| list.push(&magazines[0], i).is_ok()).count();
                assert_eq!(kept, max, "max {max}, seats {seats}");
                assert!(list.push(&magazines[1], 99).is_err(), "max {max}, seats {seats}");
                let back = std::iter::from_fn(|| list.pop(&magazines[0]));
                let mut back: Vec<_> = back.map(|(buffer, _)| buffer).collect();
                assert_eq!(back.len(), max);
                back.sort_unstable();
                back.dedup();
                assert_eq!(back.len(), max, "a buffer came back twice");
            }
        }
    }

    #[test]
    fn what_one_thread_returns_above_its_seats_another_finds() {
        let list = FreeList::new(8, 1);
        let (a, b) = (Magazine::new(), Magazine::new());
        assert_eq!(list.push(&a, 1), Ok(Place::Magazine));
        assert_eq!(list.push(&a, 2), Ok(Place::Shared));
        assert_eq!(list.pop(&b), Some((1, Place::Shared)));
        assert_eq!(list.pop(&b), None, "the other one has its seat in `a`");
        assert_eq!(list.pop(&a), Some((2, Place::Magazine)));
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// Two threads take and return in every interleaving: nothing is lost, nothing doubled, and the
    /// maximum holds.
    #[test]
    fn nothing_lost_nothing_doubled_never_above_the_maximum() {
        loom::model(|| {
            let list = Arc::new(FreeList::new(2, 1));
            let work = |list: Arc<FreeList<u32>>, mine: [u32; 2]| {
                let magazine = Magazine::new();
                let mut refused: Vec<u32> =
                    mine.into_iter().filter_map(|b| list.push(&magazine, b).err()).collect();
                if let Some((buffer, _)) = list.pop(&magazine)
                    && let Err(buffer) = list.push(&magazine, buffer)
                {
                    refused.push(buffer);
                }
                (refused, magazine.drain())
            };
            let other = {
                let list = Arc::clone(&list);
                thread::spawn(move || work(list, [1, 2]))
            };
            let (mut dropped, mut held) = work(Arc::clone(&list), [3, 4]);
            let (more_dropped, more_held) = other.join().unwrap();
            dropped.extend(more_dropped);
            held.extend(more_held);
            held.extend(list.drain_shared());
            assert!(held.len() <= 2, "kept {held:?} above the maximum of 2");
            let mut all = [held, dropped].concat();
            all.sort_unstable();
            assert_eq!(all, [1, 2, 3, 4]);
        });
    }
}
