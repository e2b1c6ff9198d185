//! An aligned array that is either owned or lies in a memory-mapped file.

use std::ops::Deref;

use aligned_vec::{AVec, ConstAlign};
use bytemuck::Pod;

use crate::map::Map;

/// Values that start at a multiple of 64 bytes.
pub(crate) enum Slab<T> {
    Owned(AVec<T, ConstAlign<64>>),
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

    /// The array for writing. Indexes refuse writes while they are mapped, so that nothing is
    /// copied here in practice.
    pub(crate) fn owned(&mut self) -> &mut AVec<T, ConstAlign<64>> {
        if let Slab::Mapped { .. } = self {
            *self = Slab::Owned(AVec::from_slice(64, self));
        }
        match self {
            Slab::Owned(values) => values,
            Slab::Mapped { .. } => unreachable!("it was just replaced"),
        }
    }

    pub(crate) fn is_mapped(&self) -> bool {
        matches!(self, Slab::Mapped { .. })
    }

    /// Bytes of heap memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Slab::Owned(values) => values.capacity() * size_of::<T>(),
            Slab::Mapped { .. } => 0,
        }
    }
}

impl<T: Pod> Deref for Slab<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Slab::Owned(values) => values,
            Slab::Mapped { map, start, len } => {
                bytemuck::cast_slice(&map[*start..start + len * size_of::<T>()])
            }
        }
    }
}
