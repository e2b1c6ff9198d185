//! A cursor that steps over several slices at once, a register at a time.
//!
//! Kernels read memory through nothing else. Index loops keep their bounds checks and `zip` over
//! blocks costs up to 20 % on two slices; bumped pointers behind a safe face cost neither.
#![allow(unsafe_code, reason = "bumped pointers, kept inside the slices they came from")]

use core::marker::PhantomData;
use core::mem::MaybeUninit;

use super::Loader;

/// What one step reads: a register of each slice.
pub(crate) type Step<S, A, B, const P: usize, const Q: usize> =
    ([<A as Loader<S>>::Vec; P], [<B as Loader<S>>::Vec; Q]);

/// A place in `P` slices of `A` and `Q` slices of `B`, all of one length.
pub(crate) struct Cursor<'a, S: Copy, A: Loader<S>, B: Loader<S>, const P: usize, const Q: usize> {
    s: S,
    a: [*const A::Elem; P],
    b: [*const B::Elem; Q],
    left: usize,
    of_a: PhantomData<&'a [A::Elem]>,
    of_b: PhantomData<&'a [B::Elem]>,
}

impl<'a, S: Copy, A: Loader<S>, B: Loader<S>, const P: usize, const Q: usize>
    Cursor<'a, S, A, B, P, Q>
{
    /// At the start of all slices; stops at the end of the shortest.
    #[inline(always)]
    pub(crate) fn new(s: S, a: [&'a [A::Elem]; P], b: [&'a [B::Elem]; Q]) -> Self {
        const { assert!(P + Q > 0 && A::LANES == B::LANES) };
        let mut left = usize::MAX;
        let mut at_a = [core::ptr::null(); P];
        let mut at_b = [core::ptr::null(); Q];
        for i in 0..P {
            at_a[i] = a[i].as_ptr();
            left = if a[i].len() < left { a[i].len() } else { left };
        }
        for i in 0..Q {
            at_b[i] = b[i].as_ptr();
            left = if b[i].len() < left { b[i].len() } else { left };
        }
        Cursor { s, a: at_a, b: at_b, left, of_a: PhantomData, of_b: PhantomData }
    }

    /// Reads `N` registers of each slice and steps over them, if so much is left.
    #[inline(always)]
    pub(crate) fn take<const N: usize>(&mut self) -> Option<[Step<S, A, B, P, Q>; N]> {
        const { assert!(N > 0) };
        if self.left < N * A::LANES {
            return None;
        }
        // SAFETY: the first register is inside all slices, as N >= 1 of them are.
        let mut steps = [unsafe { self.read(0) }; N];
        for (i, step) in steps.iter_mut().enumerate().skip(1) {
            // SAFETY: i < N registers are inside all slices.
            *step = unsafe { self.read(i * A::LANES) };
        }
        for at in &mut self.a {
            *at = at.wrapping_add(N * A::LANES);
        }
        for at in &mut self.b {
            *at = at.wrapping_add(N * A::LANES);
        }
        self.left -= N * A::LANES;
        Some(steps)
    }

    /// Reads what of the first slice is in front of a cache line, the missing lanes zero, and steps
    /// over it in all of them: where a register is as wide as a line, each load would else touch two
    /// lines. Nothing where registers are narrower, or too little follows to make up for it.
    ///
    /// For exact sums only: what is summed with what depends on where a slice begins.
    #[inline(always)]
    pub(crate) fn head(&mut self) -> Option<Step<S, A, B, P, Q>> {
        const LINE: usize = 64;
        if A::LANES * size_of::<A::Elem>() != LINE || self.left < 8 * A::LANES {
            return None;
        }
        let count = self.a[0].align_offset(LINE);
        if count == 0 || count >= A::LANES {
            return None;
        }
        // SAFETY: `count < LANES` elements are left in every slice, as eight registers of them are.
        let step = unsafe { self.read_partial(count) };
        for at in &mut self.a {
            *at = at.wrapping_add(count);
        }
        for at in &mut self.b {
            *at = at.wrapping_add(count);
        }
        self.left -= count;
        Some(step)
    }

    /// Reads what is left when it is less than a register, the missing lanes zero, and steps over
    /// it; also says how many lanes are real.
    #[inline(always)]
    pub(crate) fn tail(&mut self) -> Option<(Step<S, A, B, P, Q>, usize)> {
        if self.left == 0 || self.left >= A::LANES {
            return None;
        }
        let count = self.left;
        self.left = 0;
        // SAFETY: `count < LANES` elements are left in every slice.
        Some((unsafe { self.read_partial(count) }, count))
    }

    /// # Safety
    /// `count < LANES`, and `count` elements are left in every slice.
    #[inline(always)]
    unsafe fn read_partial(&self, count: usize) -> Step<S, A, B, P, Q> {
        let mut a = [const { MaybeUninit::uninit() }; P];
        let mut b = [const { MaybeUninit::uninit() }; Q];
        for (vector, from) in a.iter_mut().zip(self.a) {
            // SAFETY: the caller promises `count` elements.
            vector.write(unsafe { A::load_partial(self.s, from, count) });
        }
        for (vector, from) in b.iter_mut().zip(self.b) {
            // SAFETY: the caller promises `count` elements.
            vector.write(unsafe { B::load_partial(self.s, from, count) });
        }
        // SAFETY: every element of both was written by the loops above.
        unsafe { (assume_init(a), assume_init(b)) }
    }

    /// # Safety
    /// `offset + LANES` elements are left in every slice.
    #[inline(always)]
    unsafe fn read(&self, offset: usize) -> Step<S, A, B, P, Q> {
        let mut a = [const { MaybeUninit::uninit() }; P];
        let mut b = [const { MaybeUninit::uninit() }; Q];
        for (vector, from) in a.iter_mut().zip(self.a) {
            // SAFETY: the caller promises LANES elements behind `offset`.
            vector.write(unsafe { A::load(self.s, from.add(offset)) });
        }
        for (vector, from) in b.iter_mut().zip(self.b) {
            // SAFETY: the caller promises LANES elements behind `offset`.
            vector.write(unsafe { B::load(self.s, from.add(offset)) });
        }
        // SAFETY: every element of both was written by the loops above.
        unsafe { (assume_init(a), assume_init(b)) }
    }
}

/// # Safety
/// Every element is initialised.
#[inline(always)]
unsafe fn assume_init<T: Copy, const N: usize>(array: [MaybeUninit<T>; N]) -> [T; N] {
    // SAFETY: MaybeUninit<T> has the layout of T and the caller initialised all of them.
    unsafe { core::mem::transmute_copy(&array) }
}
