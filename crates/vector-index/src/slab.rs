//! An aligned array: owned, growing while others read it, or in a memory-mapped file.

use std::ops::Deref;

use aligned_vec::{AVec, ConstAlign};
use bytemuck::Pod;

use crate::append::{Appended, Appender};
use crate::map::Map;
use crate::room::Room;

/// Values that start at a multiple of 64 bytes.
pub(crate) enum Slab<T> {
    Owned(AVec<T, ConstAlign<64>>),
    /// Does not move, and may be read through others' `Shown`.
    Growing(Appender<T>),
    Shown(Appended<T>),
    /// `len` values from byte `start` of the map on.
    Mapped {
        map: Map,
        start: usize,
        len: usize,
    },
}

impl<T: Pod> Slab<T> {
    pub(crate) fn new() -> Self {
        Slab::Owned(AVec::new(64))
    }

    /// Values in a mapped file. `None` unless they lie in the map, suitably aligned.
    pub(crate) fn mapped(map: &Map, start: usize, len: usize) -> Option<Self> {
        let bytes = map.get(start..start.checked_add(len.checked_mul(size_of::<T>())?)?)?;
        bytemuck::try_cast_slice::<u8, T>(bytes).ok()?;
        Some(Slab::Mapped { map: map.clone(), start, len })
    }

    /// The array for any change. What is mapped or shared is copied first; indexes refuse changes
    /// or only append while it is, so that nothing is copied here in practice.
    pub(crate) fn owned(&mut self) -> &mut AVec<T, ConstAlign<64>> {
        if !matches!(self, Slab::Owned(_)) {
            *self = Slab::Owned(AVec::from_slice(64, self));
        }
        match self {
            Slab::Owned(values) => values,
            _ => unreachable!("it was just replaced"),
        }
    }

    /// The values for any change that keeps their number. A growing array must not be shown to
    /// anybody.
    pub(crate) fn values_mut(&mut self) -> &mut [T] {
        match self {
            Slab::Growing(values) => values.values_mut(),
            _ => self.owned(),
        }
    }

    /// Writes row `at` of rows of `stride` values, which is at most one behind the last, and in a
    /// growing array exactly that.
    pub(crate) fn set_row(&mut self, at: usize, stride: usize, write: impl FnOnce(&mut [T])) {
        let start = at * stride;
        if let Slab::Growing(values) = self {
            assert_eq!(start, values.len(), "rows that others read are not written over");
            return values.append(stride, write);
        }
        let values = self.owned();
        if values.len() == start {
            values.resize(start + stride, T::zeroed());
        }
        write(&mut values[start..start + stride]);
    }

    /// An empty array that grows in its part of a room.
    pub(crate) fn growing(room: &Room, len: usize) -> Self {
        Slab::Growing(Appender::new(room.take(len)))
    }

    /// The rows of `order`, of `width` values each: in an array without spare room, or in a growing
    /// one.
    pub(crate) fn picked(&self, width: usize, order: &[u32], room: Option<&Room>) -> Self {
        let mut picked = match room {
            Some(room) => Slab::growing(room, room.slots() * width),
            None => Slab::Owned(AVec::with_capacity(64, order.len() * width)),
        };
        for (at, &row) in order.iter().enumerate() {
            let start = row as usize * width;
            let values = &self[start..start + width];
            picked.set_row(at, width, |row| row.copy_from_slice(values));
        }
        picked
    }

    /// Another view of a growing array, which sees it grow.
    pub(crate) fn reader(&self) -> Self {
        match self {
            Slab::Growing(values) => Slab::Shown(values.reader()),
            _ => Slab::Owned(AVec::from_slice(64, self)),
        }
    }

    pub(crate) fn is_growing(&self) -> bool {
        matches!(self, Slab::Growing(_))
    }

    pub(crate) fn is_mapped(&self) -> bool {
        matches!(self, Slab::Mapped { .. })
    }

    /// Bytes of heap memory; what a reader sees is counted where it grows.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Slab::Owned(values) => values.capacity() * size_of::<T>(),
            Slab::Growing(values) => values.memory_bytes(),
            Slab::Shown(_) | Slab::Mapped { .. } => 0,
        }
    }
}

impl<T: Pod> Deref for Slab<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Slab::Owned(values) => values,
            Slab::Growing(values) => values,
            Slab::Shown(values) => values,
            Slab::Mapped { map, start, len } => {
                bytemuck::cast_slice(&map[*start..start + len * size_of::<T>()])
            }
        }
    }
}
