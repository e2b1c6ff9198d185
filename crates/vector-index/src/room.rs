//! Room for arrays that others read while they grow: they may not move.
//!
//! Once an index is large enough, its arrays lie in one range of addresses that has room for more than
//! any device holds, and the system provides a page of it when the page is first written to. So the
//! processor's page table is the table of chunks: an array grows without moving, and stays flat for
//! whoever reads it. Where no such range can be had, arrays get a fixed room on the heap.
#![allow(unsafe_code, reason = "arrays of several types lie in one range of addresses")]

use std::cell::Cell;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

use aligned_vec::{AVec, ConstAlign};
use memmap2::{MmapOptions, MmapRaw};

use crate::pool::MAX_IDS;

/// The largest range that is asked for: beyond the memory of any device, and small beside the 2³⁸ bytes
/// that even a narrow address space has.
const RANGE: u64 = 1 << 36;

/// Below it an index is copied into a larger room when it is full, which takes less than a millisecond;
/// many small indexes then take neither addresses nor part-filled pages.
const SMALL: u64 = 1 << 20;

/// Whether the system gives addresses without memory behind them. Elsewhere a map is charged for in full,
/// or there are none to spare.
const RESERVES: bool = cfg!(all(unix, target_pointer_width = "64", not(miri), not(loom)));

/// Where a cache line and a row begin.
const LINE: usize = 64;

/// How many slots there is room for, and where.
pub(crate) struct Room {
    slots: usize,
    range: Option<Range>,
}

/// A range of addresses of which parts are given away from the front.
struct Range {
    map: Arc<MmapRaw>,
    taken: Cell<usize>,
}

impl Room {
    /// Room on the heap.
    pub(crate) fn fixed(slots: usize) -> Self {
        Room { slots, range: None }
    }

    /// Room for at least `least` slots, and for far more if it can be had without memory for them:
    /// `bytes` says how many all arrays together need at most for so many slots.
    pub(crate) fn growing(least: usize, bytes: impl Fn(usize) -> u64) -> Self {
        if !RESERVES || bytes(least) < SMALL {
            return Room::fixed(least);
        }
        let mut slots = MAX_IDS;
        while slots > least && bytes(slots) > RANGE {
            slots /= 2;
        }
        let slots = slots.max(least);
        match reserve(bytes(slots)) {
            Some(map) => {
                let range = Range { map: Arc::new(map), taken: Cell::new(0) };
                Room { slots, range: Some(range) }
            }
            None => Room::fixed(least),
        }
    }

    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    /// Zeroed memory for `len` values of a type that takes no more than a cache line.
    ///
    /// # Panics
    ///
    /// If more is taken than was said to be needed.
    pub(crate) fn take<T>(&self, len: usize) -> Space<T> {
        const { assert!(LINE.is_multiple_of(align_of::<T>())) }
        let bytes = len * size_of::<T>();
        let Some(Range { map, taken }) = &self.range else {
            let mut heap = AVec::with_capacity(LINE, bytes);
            heap.resize(bytes, 0);
            let start = NonNull::new(heap.as_mut_ptr()).expect("even an empty array is somewhere");
            return Space { start: start.cast(), len, heap: Some(heap), _map: None };
        };
        let at = taken.get();
        taken.set(at + bytes.next_multiple_of(LINE));
        assert!(taken.get() <= map.len(), "{} of {} bytes are taken", taken.get(), map.len());
        // SAFETY: the place lies within the map, as was just asserted.
        let start = unsafe { NonNull::new_unchecked(map.as_mut_ptr().add(at)) };
        Space { start: start.cast(), len, heap: None, _map: Some(Arc::clone(map)) }
    }

    /// Bytes that [`take`](Self::take) uses for `len` values of `size` bytes.
    pub(crate) fn bytes(len: usize, size: usize) -> u64 {
        (len as u64 * size as u64).next_multiple_of(LINE as u64)
    }
}

/// Addresses without memory behind them yet, unless the system refuses so many.
fn reserve(bytes: u64) -> Option<MmapRaw> {
    let len = usize::try_from(bytes).ok()?;
    Some(MmapOptions::new().len(len).no_reserve_swap().map_anon().ok()?.into())
}

/// Memory for `len` values that was zeroed when it was taken, starts at a cache line, does not move,
/// and is this owner's alone. Whoever shares it says why that is sound.
pub(crate) struct Space<T> {
    start: NonNull<T>,
    len: usize,
    /// One of the two keeps it there; it is not touched itself.
    heap: Option<AVec<u8, ConstAlign<LINE>>>,
    _map: Option<Arc<MmapRaw>>,
}

impl<T> Space<T> {
    pub(crate) fn start(&self) -> NonNull<T> {
        self.start
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of memory behind it when the first `used` values were written to.
    pub(crate) fn memory_bytes(&self, used: usize) -> usize {
        self.heap.as_ref().map_or(used * size_of::<T>(), |bytes| bytes.len())
    }
}

/// Atomics, all zero at first.
#[cfg(not(loom))]
pub(crate) struct Atomics<A>(Space<A>);

// SAFETY: atomics may be shared, and the memory that they lie in may be dropped by any thread.
#[cfg(not(loom))]
unsafe impl<A: Zeroed> Send for Atomics<A> {}
// SAFETY: as above.
#[cfg(not(loom))]
unsafe impl<A: Zeroed> Sync for Atomics<A> {}

#[cfg(not(loom))]
impl<A: Zeroed> Atomics<A> {
    pub(crate) fn take(room: &Room, len: usize) -> Self {
        Atomics(room.take(len))
    }

    /// As [`Space::memory_bytes`].
    pub(crate) fn memory_bytes(&self, used: usize) -> usize {
        self.0.memory_bytes(used)
    }
}

#[cfg(not(loom))]
impl<A: Zeroed> Deref for Atomics<A> {
    type Target = [A];

    fn deref(&self) -> &[A] {
        // SAFETY: the space holds `len` values, zeros are values of an atomic integer, and it belongs
        // to `self` alone, which never gives out `&mut`.
        unsafe { std::slice::from_raw_parts(self.0.start().as_ptr(), self.0.len()) }
    }
}

/// An atomic integer.
#[cfg(not(loom))]
pub(crate) trait Zeroed {}
#[cfg(not(loom))]
impl Zeroed for std::sync::atomic::AtomicU8 {}
#[cfg(not(loom))]
impl Zeroed for std::sync::atomic::AtomicU32 {}
#[cfg(not(loom))]
impl Zeroed for std::sync::atomic::AtomicU64 {}

/// The same for loom, whose atomics are more than their value.
#[cfg(loom)]
pub(crate) struct Atomics<A>(Box<[A]>);

#[cfg(loom)]
impl<A: Default> Atomics<A> {
    pub(crate) fn take(_room: &Room, len: usize) -> Self {
        Atomics((0..len).map(|_| A::default()).collect())
    }

    pub(crate) fn memory_bytes(&self, _used: usize) -> usize {
        self.0.len() * size_of::<A>()
    }
}

#[cfg(loom)]
impl<A> Deref for Atomics<A> {
    type Target = [A];

    fn deref(&self) -> &[A] {
        &self.0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn arrays_of_a_room_are_zeroed_apart_and_aligned() {
        let bytes = |slots| 2 * Room::bytes(slots, 3) + Room::bytes(slots, 8);
        // The second where the system gives a range, the first everywhere.
        for room in [Room::fixed(1_000), Room::growing(500_000, bytes)] {
            let n = room.slots();
            let (a, b) = (room.take::<[u8; 3]>(n), room.take::<[u8; 3]>(n));
            let words = Atomics::<std::sync::atomic::AtomicU64>::take(&room, n);
            let (end, start) = (a.start().addr().get() + 3 * n, b.start().addr().get());
            assert!(end <= start || start + 3 * n <= end - 3 * n, "one in the other");
            assert!(start.is_multiple_of(LINE) && words.as_ptr().addr().is_multiple_of(LINE));
            for at in [0, n / 2, n - 1] {
                assert_eq!(words[at].swap(7, std::sync::atomic::Ordering::Relaxed), 0);
            }
            let used = words.memory_bytes(10);
            assert_eq!(used, if room.range.is_some() { 80 } else { 8 * n });
        }
    }

    #[test]
    fn a_small_room_is_no_larger_than_asked_for() {
        let room = Room::growing(100, |slots| Room::bytes(slots, 8));
        assert!(room.range.is_none() && room.slots() == 100);
    }

    #[test]
    fn a_range_has_room_for_all_ids_or_as_many_as_fit() {
        let narrow = Room::growing(1 << 20, |slots| Room::bytes(slots, 8));
        let wide = Room::growing(1 << 20, |slots| Room::bytes(slots, 4_096));
        if narrow.range.is_some() && wide.range.is_some() {
            assert_eq!((narrow.slots(), wide.slots()), (MAX_IDS, 1 << 24));
        }
        // More than a range holds: not refused here, but where it is written to.
        let vast = Room::growing(1 << 25, |slots| Room::bytes(slots, 4_096));
        assert_eq!(vast.slots(), 1 << 25);
    }

    #[test]
    fn no_more_can_be_taken_than_was_said() {
        let room = Room::growing(1 << 20, |slots| Room::bytes(slots, 8));
        if room.range.is_some() {
            let take = || room.take::<u64>(room.slots() + 1);
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(take)).is_err());
        }
    }
}
