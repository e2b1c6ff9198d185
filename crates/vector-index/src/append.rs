//! An array of fixed capacity that one owner extends while any number of others read it.
#![allow(unsafe_code, reason = "what is written and what is read are parts of one allocation")]

use std::ops::Deref;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use bytemuck::Pod;

use crate::room::Space;
use crate::sync::{Arc, AtomicUsize};

/// The one who appends: there is one for each array, and it is not cloned.
pub(crate) struct Appender<T>(Arc<Array<T>>);

/// One who reads what has been appended so far.
pub(crate) struct Appended<T>(Arc<Array<T>>);

/// `len` values that are never written again once there is a reader, and behind them room that only the
/// appender touches. A reader learns of `len` by an acquire load that sees the release store behind the
/// writes.
struct Array<T> {
    len: AtomicUsize,
    room: Space<T>,
    /// Lets loom see who touches which value.
    #[cfg(loom)]
    touched: Vec<loom::cell::UnsafeCell<()>>,
}

// SAFETY: values are plain (`Pod`). Those before `len` are only read while there are readers, and those
// behind it are touched by the appender alone, of which there is one, through `&mut`.
unsafe impl<T: Send + Sync> Send for Array<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Array<T> {}

impl<T: Pod> Array<T> {
    fn values(&self) -> &[T] {
        let len = self.len.load(Acquire);
        #[cfg(loom)]
        self.touched[..len].iter().for_each(|cell| cell.with(|_| ()));
        // SAFETY: `append` wrote the first `len` values before it stored that length, and nobody writes
        // to them any more: `values_mut` wants everybody else gone. The room lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.room.start().as_ptr(), len) }
    }
}

impl<T: Pod> Appender<T> {
    /// An empty array in that room.
    pub(crate) fn new(room: Space<T>) -> Self {
        Appender(Arc::new(Array {
            len: AtomicUsize::new(0),
            #[cfg(loom)]
            touched: (0..room.len()).map(|_| loom::cell::UnsafeCell::new(())).collect(),
            room,
        }))
    }

    /// Bytes of memory in use.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.0.room.memory_bytes(self.len())
    }

    /// The values for any change.
    ///
    /// # Panics
    ///
    /// If there is a reader.
    pub(crate) fn values_mut(&mut self) -> &mut [T] {
        let array =
            Arc::get_mut(&mut self.0).expect("values that others read are not written over");
        let len = array.len.load(Relaxed);
        #[cfg(loom)]
        array.touched[..len].iter().for_each(|cell| cell.with_mut(|_| ()));
        // SAFETY: `append` wrote the first `len` values, and nobody else knows of them.
        unsafe { std::slice::from_raw_parts_mut(array.room.start().as_ptr(), len) }
    }

    /// Adds `count` values, which `write` gets as zeros, and shows them to readers together.
    ///
    /// # Panics
    ///
    /// If there is no room for them.
    pub(crate) fn append(&mut self, count: usize, write: impl FnOnce(&mut [T])) {
        let array = &*self.0;
        let len = array.len.load(Relaxed);
        let room = array.room.len() - len;
        assert!(count <= room, "{count} values do not fit the {room} places left");
        #[cfg(loom)]
        array.touched[len..len + count].iter().for_each(|cell| cell.with_mut(|_| ()));
        // SAFETY: the places from `len` to `len + count` are within the room (asserted), no reader
        // looks behind `len`, and `&mut self` is the only appender, so that they are ours alone. The
        // room is zeroed, and zeros are values of a `Pod` type.
        let values =
            unsafe { std::slice::from_raw_parts_mut(array.room.start().as_ptr().add(len), count) };
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
    use crate::room::Room;

    fn appender<T: Pod>(capacity: usize) -> Appender<T> {
        Appender::new(Room::fixed(0).take(capacity))
    }

    #[test]
    fn readers_see_whole_rows_while_it_grows() {
        let mut appender = appender::<u64>(3_000);
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
        let mut appender = appender::<f32>(2);
        appender.append(1, |values| values[0] = 7.0);
        let reader = appender.reader();
        drop(appender);
        assert_eq!(*reader, [7.0]);
    }

    #[test]
    #[should_panic(expected = "do not fit")]
    fn there_is_no_room_beyond_the_capacity() {
        appender::<u8>(3).append(4, |_| ());
    }

    #[test]
    fn what_nobody_reads_can_be_changed() {
        let mut appender = appender::<u32>(2);
        appender.append(1, |values| values[0] = 7);
        appender.values_mut()[0] = 8;
        assert_eq!(*appender.reader(), [8]);
    }

    #[test]
    #[should_panic(expected = "are not written over")]
    fn what_others_read_cannot_be_changed() {
        let mut appender = appender::<u32>(2);
        let _reader = appender.reader();
        appender.values_mut();
    }
}
