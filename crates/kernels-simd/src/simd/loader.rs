//! How elements of each type become the registers that kernels work on.
#![allow(unsafe_code, reason = "forwards raw loads; the cursor keeps them inside their slices")]

use half::{bf16, f16};

use super::{Simd, SimdBytes};

/// `bf16`, two registers of them, each element in one of them: sums do not care in which.
pub(crate) struct Bf16Pair;

impl<S: Simd> Loader<S> for Bf16Pair {
    type Elem = bf16;
    type Vec = [S::F32; 2];
    const LANES: usize = 2 * S::LANES;

    #[inline(always)]
    unsafe fn load(s: S, from: *const bf16) -> [S::F32; 2] {
        // SAFETY: the caller's promise is the callee's; `half`'s types are transparent.
        unsafe { s.load_bf16_pair(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_partial(s: S, from: *const bf16, count: usize) -> [S::F32; 2] {
        // SAFETY: the caller's promise is the callee's; `half`'s types are transparent.
        unsafe { s.load_bf16_pair_partial(from.cast(), count) }
    }
}

/// How elements become a register.
pub(crate) trait Loader<S: Copy> {
    /// What the slice holds.
    type Elem: Copy;
    /// What the kernel gets.
    type Vec: Copy;
    /// Elements in a register.
    const LANES: usize;

    /// # Safety
    /// `LANES` elements are readable at `from`.
    unsafe fn load(s: S, from: *const Self::Elem) -> Self::Vec;
    /// The first `count` lanes; the others are zero.
    ///
    /// # Safety
    /// `count < LANES`, and `count` elements are readable at `from`.
    unsafe fn load_partial(s: S, from: *const Self::Elem, count: usize) -> Self::Vec;
}

macro_rules! loaders {
    ($($(#[$doc:meta])* $name:ident: $elem:ty => $simd:ident, $vec:ident, $lanes:ident,
        $load:ident, $partial:ident;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl<S: $simd> Loader<S> for $name {
            type Elem = $elem;
            type Vec = S::$vec;
            const LANES: usize = S::$lanes;

            #[inline(always)]
            unsafe fn load(s: S, from: *const $elem) -> S::$vec {
                // SAFETY: the caller's promise is the callee's; `half`'s types are transparent.
                unsafe { s.$load(from.cast()) }
            }

            #[inline(always)]
            unsafe fn load_partial(s: S, from: *const $elem, count: usize) -> S::$vec {
                // SAFETY: the caller's promise is the callee's; `half`'s types are transparent.
                unsafe { s.$partial(from.cast(), count) }
            }
        }
    )*};
}

loaders! {
    /// `f32` as it is.
    F32: f32 => Simd, F32, LANES, load, load_partial;
    /// `f16` as the `f32` of the same value.
    F16: f16 => Simd, F32, LANES, load_f16, load_f16_partial;
    /// `bf16` as the `f32` of the same value.
    Bf16: bf16 => Simd, F32, LANES, load_bf16, load_bf16_partial;
    /// `i8` as the `f32` of the same value.
    I8AsF32: i8 => Simd, F32, LANES, load_i8, load_i8_partial;
    /// `i8` for one multiplying step.
    StepI8: i8 => SimdBytes, Step, STEP, load_step, load_step_partial;
    /// `u8` for one multiplying step.
    StepU8: u8 => SimdBytes, Step, STEP, load_step, load_step_partial;
    /// `i8`, a whole register of them.
    WideI8: i8 => SimdBytes, Wide, WIDE, load_wide, load_wide_partial;
    /// `u8`, a whole register of them.
    WideU8: u8 => SimdBytes, Wide, WIDE, load_wide, load_wide_partial;
}
