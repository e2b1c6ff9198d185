//! An array of fixed capacity that one owner extends while any number of others read it.
#![allow(unsafe_code, reason = "what is written and what is read are parts of one allocation")]

use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use aligned_vec::{AVec, ConstAlign};
use bytemuck::Pod;

use crate::sync::{Arc, AtomicUsize};

/// The one who appends: there is one for each array, and it is not cloned.
pub(crate) struct Appender<T>(Arc<Array<T>>);

/// One who reads what has been appended so far.
pub(crate) struct Appended<T>(Arc<Array<T>>);

/// `len` values that are never written again, and behind them room that only the appender touches.
struct Array<T> {
    start: NonNull<T>,
    len: AtomicUsize,
    /// Owns the room; its own length stays 0, and it is not touched otherwise.
    room: AVec<T, ConstAlign<64>>,
    /// Lets loom see who touches which value.
    #[cfg(loom)]
    touched: Vec<loom::cell::UnsafeCell<()>>,
}

// SAFETY: values are plain (`Pod`). Those before `len` are only read, and those behind it are touched
// by the appender alone, of which there is one, through `&mut`; a reader learns of `len` by an acquire
// load that sees the release store behind the writes.
unsafe impl<T: Send + Sync> Send for Array<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Array<T> {}

impl<T: Pod> Array<T> {
    fn values(&self) -> &[T] {
        let len = self.len.load(Acquire);
        #[cfg(loom)]
        self.touched[..len].iter().for_each(|cell| cell.with(|_| ()));
        // SAFETY: `len` values from `start` on are initialised, since `append` wrote them before it
        // stored that length, and nobody writes to them any more; the room lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), len) }
    }
}

impl<T: Pod> Appender<T> {
    /// An empty array with room for `capacity` values.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let mut room = AVec::with_capacity(64, capacity);
        let start = NonNull::new(room.as_mut_ptr()).unwrap_or(NonNull::dangling());
        Appender(Arc::new(Array {
            start,
            len: AtomicUsize::new(0),
            room,
            #[cfg(loom)]
            touched: (0..capacity).map(|_| loom::cell::UnsafeCell::new(())).collect(),
        }))
    }

    pub(crate) fn capacity(&self) -> usize {
        self.0.room.capacity()
    }

    /// Adds `count` values, which `write` gets as zeros, and shows them to readers together.
    ///
    /// # Panics
    ///
    /// If there is no room for them.
    pub(crate) fn append(&mut self, count: usize, write: impl FnOnce(&mut [T])) {
        let array = &*self.0;
        let len = array.len.load(Relaxed);
        let room = array.room.capacity() - len;
        assert!(count <= room, "{count} values do not fit the {room} places left");
        #[cfg(loom)]
        array.touched[len..len + count].iter().for_each(|cell| cell.with_mut(|_| ()));
        // SAFETY: the places from `len` to `len + count` are within the room (asserted), no reader
        // looks behind `len`, and `&mut self` is the only appender, so that they are ours alone.
        // Zeros are values of a `Pod` type.
        let values = unsafe {
            let at = array.start.as_ptr().add(len);
            at.write_bytes(0, count);
            std::slice::from_raw_parts_mut(at, count)
        };
        write(values);
        array.len.store(len + count, Release);
    }

    pub(crate) fn reader(&self) -> Appended<T> {
        Appended(Arc::clone(&self.0))
    }
}

impl<T: Pod> Deref for Appender<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.values()
    }
}

impl<T: Pod> Deref for Appended<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.values()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn readers_see_whole_rows_while_it_grows() {
        let mut appender = Appender::<u64>::with_capacity(3_000);
        assert_eq!(appender.reader().len(), 0);
        let (reader, other) = (appender.reader(), appender.reader());
        std::thread::scope(|scope| {
            let check = |reader: &Appended<u64>| {
                let mut last = 0;
                while last < 3_000 {
                    let values = &**reader;
                    assert!(values.len() >= last && values.len().is_multiple_of(3));
                    last = values.len();
                    assert!(values.iter().enumerate().all(|(i, &value)| value == i as u64 / 3 + 1));
                }
            };
            scope.spawn(move || check(&reader));
            scope.spawn(move || check(&other));
            for row in 1..=1_000 {
                appender.append(3, |values| values.fill(row));
            }
        });
        assert!(appender.as_ptr().addr().is_multiple_of(64));
    }

    #[test]
    fn what_was_shown_outlives_the_appender() {
        let mut appender = Appender::<f32>::with_capacity(2);
        appender.append(1, |values| values[0] = 7.0);
        let reader = appender.reader();
        drop(appender);
        assert_eq!(*reader, [7.0]);
    }

    #[test]
    #[should_panic(expected = "do not fit")]
    fn there_is_no_room_beyond_the_capacity() {
        let mut appender = Appender::<u8>::with_capacity(0);
        appender.append(appender.capacity() + 1, |_| ());
    }
}
