//! Where results go: a cursor over a slice that is written, and read first where that is wanted.
#![allow(unsafe_code, reason = "a bumped pointer, kept inside the slice it came from")]

use core::marker::PhantomData;

use super::Simd;

/// A place in a slice of results.
pub(crate) struct Sink<'a, S: Simd> {
    s: S,
    at: *mut f32,
    left: usize,
    slice: PhantomData<&'a mut [f32]>,
}

impl<'a, S: Simd> Sink<'a, S> {
    /// At the start of `slice`.
    #[inline(always)]
    pub(crate) fn new(s: S, slice: &'a mut [f32]) -> Self {
        Sink { s, at: slice.as_mut_ptr(), left: slice.len(), slice: PhantomData }
    }

    /// What is there now: a register, or what is left if that is less, the missing lanes zero.
    #[inline(always)]
    pub(crate) fn peek(&self) -> S::F32 {
        // SAFETY: as many elements are left as the branch reads.
        unsafe {
            if self.left >= S::LANES {
                self.s.load(self.at)
            } else {
                self.s.load_partial(self.at, self.left)
            }
        }
    }

    /// Writes a register, or as much of it as there is room for, and steps over it.
    #[inline(always)]
    pub(crate) fn put(&mut self, vector: S::F32) {
        // SAFETY: as many elements are left as the branch writes, and nobody else has them.
        unsafe {
            if self.left >= S::LANES {
                self.s.store(self.at, vector);
                self.at = self.at.add(S::LANES);
                self.left -= S::LANES;
            } else {
                self.s.store_partial(self.at, vector, self.left);
                self.left = 0;
            }
        }
    }
}
