//! Arenas: many small allocations that all end at once.
//!
//! # Which one
//!
//! | you allocate | take | because |
//! |---|---|---|
//! | many values of one type, with destructors or references among them | [`TypedArena`] | they are dropped when the arena is |
//! | slices and strings of plain data, of many types, round after round | [`ByteArena`] | one bump of a pointer each, and a reset that keeps the memory |
//! | buffers that end one by one | [`BufferPool`](crate::BufferPool) | an arena gives nothing back before its end |
//!
//! Both hand out initialised memory only, at addresses (not offsets) that are aligned for the type.
//! A reset needs the arena by `&mut`, so the compiler refuses it while anything allocated is in use.

use std::fmt;

use bumpalo::Bump;
use bytemuck::Zeroable;

use crate::{Error, ErrorKind};

/// Values of one type, allocated together and dropped together; a shell around `typed-arena`.
///
/// `alloc` is O(1) amortised: memory comes in chunks that double.
pub struct TypedArena<T> {
    arena: typed_arena::Arena<T>,
    capacity: usize,
}

impl<T> TypedArena<T> {
    /// An arena whose first chunk holds `capacity` values.
    pub fn with_capacity(capacity: usize) -> Self {
        TypedArena { arena: typed_arena::Arena::with_capacity(capacity), capacity }
    }

    /// Moves a value in and lends it for as long as the arena lives.
    #[inline]
    pub fn alloc(&self, value: T) -> &mut T {
        self.arena.alloc(value)
    }

    /// Moves values in, one after the other, and lends them as one slice.
    pub fn alloc_extend(&self, values: impl IntoIterator<Item = T>) -> &mut [T] {
        self.arena.alloc_extend(values)
    }

    /// How many values are in the arena.
    pub fn len(&self) -> usize {
        self.arena.len()
    }

    /// Whether nothing has been allocated.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the values in the arena.
    pub fn used_bytes(&self) -> usize {
        self.len() * size_of::<T>()
    }

    /// Drops all values and keeps room for as many: the next round of no more values than the
    /// largest one so far lives in one chunk. (`typed-arena` cannot empty a chunk, so this frees the
    /// old ones and allocates that one: one allocation a round, none per value.)
    pub fn reset(&mut self) {
        self.capacity = self.capacity.max(self.len());
        self.arena = typed_arena::Arena::with_capacity(self.capacity);
    }
}

impl<T> fmt::Debug for TypedArena<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedArena").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Plain data of any type, bump-allocated; a shell around `bumpalo`.
///
/// ```
/// use edgekit_mempool::ByteArena;
/// let mut arena = ByteArena::new();
/// for _frame in 0..3 {
///     let scores = arena.alloc_zeroed::<f32>(1000)?;
///     scores[0] = 1.0;
///     let label = arena.alloc_str("cat")?;
///     assert_eq!((scores.len(), label), (1000, "cat"));
///     arena.reset(); // the next frame allocates nothing from the system
/// }
/// # Ok::<(), edgekit_mempool::Error>(())
/// ```
#[derive(Default)]
pub struct ByteArena {
    bump: Bump,
    high_water: usize,
    limit: Option<usize>,
}

impl ByteArena {
    /// An arena without memory yet.
    pub fn new() -> Self {
        ByteArena::default()
    }

    /// An arena that takes at most `bytes` from the system. Memory comes in chunks that double, so
    /// that it may be refused a little before that.
    pub fn with_limit(bytes: usize) -> Self {
        let arena = ByteArena { limit: Some(bytes), ..ByteArena::default() };
        arena.bump.set_allocation_limit(Some(bytes));
        arena
    }

    /// Moves one plain value in.
    ///
    /// # Errors
    /// As [`alloc_zeroed`](Self::alloc_zeroed).
    #[inline]
    pub fn alloc<T: Copy>(&self, value: T) -> Result<&mut T, Error> {
        self.bump.try_alloc(value).map_err(|_| self.full::<T>(1))
    }

    /// `len` zeros, aligned for `T`.
    ///
    /// # Errors
    /// [`ErrorKind::Full`] above the limit, or when the system has no more.
    pub fn alloc_zeroed<T: Zeroable + Copy>(&self, len: usize) -> Result<&mut [T], Error> {
        self.bump.try_alloc_slice_fill_copy(len, T::zeroed()).map_err(|_| self.full::<T>(len))
    }

    /// `len` zero bytes at an address that is a multiple of 64: a cache line, and the widest vector
    /// register there is.
    ///
    /// # Errors
    /// As [`alloc_zeroed`](Self::alloc_zeroed).
    pub fn alloc_aligned(&self, len: usize) -> Result<&mut [u8], Error> {
        #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C, align(64))]
        struct Line([u8; 64]);
        let lines = self.alloc_zeroed::<Line>(len.div_ceil(64))?;
        Ok(&mut bytemuck::cast_slice_mut(lines)[..len])
    }

    /// A copy of `values`.
    ///
    /// # Errors
    /// As [`alloc_zeroed`](Self::alloc_zeroed).
    pub fn alloc_copy<T: Copy>(&self, values: &[T]) -> Result<&mut [T], Error> {
        self.bump.try_alloc_slice_copy(values).map_err(|_| self.full::<T>(values.len()))
    }

    /// A copy of `text`.
    ///
    /// # Errors
    /// As [`alloc_zeroed`](Self::alloc_zeroed).
    pub fn alloc_str(&self, text: &str) -> Result<&str, Error> {
        self.bump.try_alloc_str(text).map(|s| &*s).map_err(|_| self.full::<u8>(text.len()))
    }

    /// Bytes allocated since the last reset, with what alignment has cost.
    pub fn used_bytes(&self) -> usize {
        self.bump.allocated_bytes() - self.bump.chunk_capacity()
    }

    /// Bytes held from the system.
    pub fn capacity_bytes(&self) -> usize {
        self.bump.allocated_bytes()
    }

    /// Forgets all that was allocated and keeps the memory: a round that needs no more than the
    /// largest one so far takes nothing from the system.
    pub fn reset(&mut self) {
        self.high_water = self.high_water.max(self.bump.allocated_bytes());
        self.bump.reset();
        if self.bump.allocated_bytes() < self.high_water {
            // Several chunks, of which only the last survives bumpalo's reset. One as large as all of
            // them takes its place. Not above the limit, to which its size may be rounded up:
            // bumpalo takes an arena that is above its limit for one without.
            if let Ok(bump) = Bump::try_with_capacity(self.high_water)
                && self.limit.is_none_or(|limit| bump.allocated_bytes() <= limit)
            {
                bump.set_allocation_limit(self.limit);
                self.bump = bump;
            }
        }
    }

    fn full<T>(&self, len: usize) -> Error {
        let limit = match self.limit {
            Some(bytes) => format!("its limit is {bytes} bytes"),
            None => "the system has no more".to_owned(),
        };
        let what = format!(
            "no room for {len} elements of {} bytes: the arena holds {} bytes and {limit}; \
             reset it, or raise the limit",
            size_of::<T>(),
            self.capacity_bytes()
        );
        Error::new(ErrorKind::Full, what)
    }
}

impl fmt::Debug for ByteArena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteArena")
            .field("used_bytes", &self.used_bytes())
            .field("capacity_bytes", &self.capacity_bytes())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn typed_values_are_dropped_once_and_room_is_kept() {
        let witness = Rc::new(());
        let mut arena = TypedArena::with_capacity(2);
        for _ in 0..100 {
            arena.alloc(Rc::clone(&witness));
        }
        assert_eq!(arena.alloc_extend(vec![Rc::clone(&witness); 7]).len(), 7);
        assert_eq!(Rc::strong_count(&witness), 108);
        assert_eq!((arena.len(), arena.used_bytes()), (107, 107 * size_of::<Rc<()>>()));
        arena.reset();
        assert_eq!((Rc::strong_count(&witness), arena.len(), arena.capacity), (1, 0, 107));
    }

    #[test]
    fn addresses_are_aligned_whatever_came_before() {
        let arena = ByteArena::new();
        for n in 1..200 {
            let odd = arena.alloc_copy(&vec![1_u8; n]).unwrap();
            assert!(odd.iter().all(|&b| b == 1));
            let lines = arena.alloc_aligned(n).unwrap();
            assert_eq!((lines.as_ptr() as usize % 64, lines.len()), (0, n));
            assert!(lines.iter().all(|&b| b == 0), "only initialised memory, and that is zero");
            let wide = arena.alloc_zeroed::<u64>(n).unwrap();
            assert_eq!(wide.as_ptr() as usize % align_of::<u64>(), 0);
            assert!(wide.iter().all(|&x| x == 0));
            let one = arena.alloc(n as u128).unwrap();
            assert_eq!((*one, one as *const u128 as usize % align_of::<u128>()), (n as u128, 0));
        }
    }

    #[test]
    fn memory_is_zero_again_after_a_reset() {
        let mut arena = ByteArena::new();
        arena.alloc_aligned(4096).unwrap().fill(0xAA);
        arena.reset();
        assert!(arena.alloc_aligned(4096).unwrap().iter().all(|&b| b == 0));
    }

    #[test]
    fn a_reset_keeps_the_capacity_of_all_chunks() {
        let mut arena = ByteArena::new();
        for _ in 0..50 {
            arena.alloc_zeroed::<u8>(1000).unwrap();
        }
        assert!(arena.used_bytes() >= 50_000);
        let before = arena.capacity_bytes();
        arena.reset();
        assert_eq!(arena.used_bytes(), 0);
        let after = arena.capacity_bytes();
        assert!(after >= before, "{after} bytes after a reset, {before} before");
        for _ in 0..50 {
            arena.alloc_zeroed::<u8>(1000).unwrap();
        }
        assert_eq!(arena.capacity_bytes(), after, "the second round took nothing more");
    }

    #[test]
    fn the_limit_is_an_error_and_survives_a_reset() {
        let mut arena = ByteArena::with_limit(10_000);
        for _ in 0..3 {
            for too_many in [5_000, usize::MAX / 8, usize::MAX] {
                let refused = arena.alloc_zeroed::<u64>(too_many).map(|s| s.len());
                assert_eq!(refused.unwrap_err().kind(), ErrorKind::Full);
            }
            while arena.alloc_zeroed::<u64>(10).is_ok() {}
            assert!(arena.capacity_bytes() <= 10_000);
            arena.reset();
        }
    }
}
