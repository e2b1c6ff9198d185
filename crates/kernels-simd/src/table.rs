//! The table of kernels: one list makes the safe methods, and per instruction set the wrappers that
//! carry its features and a static table of them.
#![allow(unsafe_code, reason = "calls feature functions through the table that proves them")]

use crate::error::Error;
use crate::isa::Isa;
use crate::kernels::{bytes, distance, many, reduce};
use crate::rows::Rows;

/// The kernels: name, signature, what the caller must have got right, and the generic function.
///
/// `$then` gets the whole list after its own arguments.
macro_rules! with_kernels {
    ($then:ident $(, $arg:tt)*) => {
        $then! {
            $($arg,)*
            /// The inner product `Σ aᵢ bᵢ`.
            ///
            /// Error at most `n · ε · Σ |aᵢ bᵢ|`. 0 for empty slices; NaN and infinities spread as
            /// in the sum.
            ///
            /// # Panics
            /// If the lengths differ.
            fn dot(a: &[f32], b: &[f32]) -> f32 {
                check { same_len(a.len(), b.len()) } run distance::dot
            }
            /// The squared Euclidean distance `Σ (aᵢ - bᵢ)²`.
            ///
            /// Error at most `(n + 2) · ε` of the result. 0 for empty slices.
            ///
            /// # Panics
            /// If the lengths differ.
            fn l2_squared(a: &[f32], b: &[f32]) -> f32 {
                check { same_len(a.len(), b.len()) } run distance::l2_squared
            }
            /// The cosine similarity `Σ aᵢ bᵢ / (‖a‖ · ‖b‖)`, in one pass, clamped to [-1, 1].
            ///
            /// 0 if a norm is 0, which includes vectors so small that their squares vanish
            /// (norms below about 1e-22). Norms above 1.8e19 overflow: scale such vectors first.
            ///
            /// # Panics
            /// If the lengths differ.
            fn cosine(a: &[f32], b: &[f32]) -> f32 {
                check { same_len(a.len(), b.len()) } run distance::cosine
            }
            /// The cosine similarity of vectors whose norms are known already; pass 1 for vectors
            /// of unit length. Clamped to [-1, 1]; 0 if the product of the norms is 0.
            ///
            /// # Panics
            /// If the lengths differ.
            fn cosine_with_norms(a: &[f32], b: &[f32], norm_a: f32, norm_b: f32) -> f32 {
                check { same_len(a.len(), b.len()) } run distance::cosine_with_norms
            }
            /// The Euclidean norm `√ Σ aᵢ²`.
            fn norm(a: &[f32]) -> f32 {
                check {} run distance::norm
            }
            /// The inner product of signed bytes, the same on every instruction set.
            ///
            /// Exact for up to 131,071 elements whatever their values; beyond that it may wrap
            /// around like [`i32::wrapping_add`].
            ///
            /// # Panics
            /// If the lengths differ.
            fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
                check { same_len(a.len(), b.len()) } run bytes::dot_i8
            }
            /// The squared Euclidean distance of signed bytes, the same on every instruction set.
            ///
            /// Exact for up to 33,025 elements whatever their values; beyond that it may wrap
            /// around like [`i32::wrapping_add`].
            ///
            /// # Panics
            /// If the lengths differ.
            fn l2_squared_i8(a: &[i8], b: &[i8]) -> i32 {
                check { same_len(a.len(), b.len()) } run bytes::l2_squared_i8
            }
            /// The sum, with an error of at most `n · ε · Σ |aᵢ|`. 0 for an empty slice.
            fn sum(a: &[f32]) -> f32 {
                check {} run reduce::sum
            }
            /// The least and the greatest value, NaNs passed over; `None` if there is no other.
            ///
            /// Which sign a zero has is not defined where both signs occur.
            fn min_max(a: &[f32]) -> Option<(f32, f32)> {
                check {} run reduce::min_max
            }
            /// The mean and the population variance `Σ (aᵢ - mean)² / n`; `None` for an empty
            /// slice.
            ///
            /// Two passes, so that a mean far from zero cancels nothing. A NaN or an infinity makes
            /// both NaN or the mean infinite, as does a sum that overflows.
            fn mean_variance(a: &[f32]) -> Option<(f32, f32)> {
                check {} run reduce::mean_variance
            }
            /// `out[i]` becomes the inner product of `query` and row `i`.
            ///
            /// # Panics
            /// If `query` has not the rows' dimension, or `out` not their number.
            fn dot_many(query: &[f32], rows: Rows<'_, f32>, out: &mut [f32]) {
                check { many_shape(query.len(), rows, out.len()) } run many::dot_many
            }
            /// `out[i]` becomes the squared Euclidean distance of `query` and row `i`.
            ///
            /// # Panics
            /// If `query` has not the rows' dimension, or `out` not their number.
            fn l2_squared_many(query: &[f32], rows: Rows<'_, f32>, out: &mut [f32]) {
                check { many_shape(query.len(), rows, out.len()) } run many::l2_squared_many
            }
            /// `out[i]` becomes the inner product of `query` and row `ids[i]`.
            ///
            /// Four rows are read at a time while the next four are fetched from memory.
            ///
            /// # Panics
            /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is
            /// not below the number of rows.
            fn dot_gather(query: &[f32], rows: Rows<'_, f32>, ids: &[u32], out: &mut [f32]) {
                check { gather_shape(query.len(), rows, ids, out.len()) } run many::dot_gather
            }
            /// `out[i]` becomes the squared Euclidean distance of `query` and row `ids[i]`.
            ///
            /// Four rows are read at a time while the next four are fetched from memory.
            ///
            /// # Panics
            /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is
            /// not below the number of rows.
            fn l2_squared_gather(query: &[f32], rows: Rows<'_, f32>, ids: &[u32], out: &mut [f32]) {
                check { gather_shape(query.len(), rows, ids, out.len()) }
                run many::l2_squared_gather
            }
        }
    };
}

/// Makes the struct and its safe methods.
macro_rules! define_table {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)? {
        check $check:block run $kernel:path
    })*) => {
        /// Kernels for one instruction set, as methods.
        ///
        /// There is one static table per set; having a reference to one proves that this CPU can
        /// run it. A call is one indirect call: hot callers hold the reference instead of asking
        /// [`Kernels::get`] each time, and give `*_many` and `*_gather` more work per call.
        pub struct Kernels {
            isa: Isa,
            $($name: unsafe fn($($ty),*) $(-> $ret)?,)*
        }

        impl Kernels {
            $(
                $(#[$doc])*
                #[inline]
                #[track_caller]
                pub fn $name(&self, $($arg: $ty),*) $(-> $ret)? {
                    $check;
                    // SAFETY: a table is only handed out where its instruction set was detected.
                    unsafe { (self.$name)($($arg),*) }
                }
            )*
        }
    };
}
with_kernels!(define_table);

/// Makes one instruction set's wrappers and its table. `$attribute` enables what the token needs;
/// the compiler refuses to make the token without it.
macro_rules! define_isa {
    ([$isa:ident $module:ident $token:path, $attribute:meta],
    $($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)? {
        check $check:block run $kernel:path
    })*) => {
        mod $module {
            use super::*;

            $(
                #[$attribute]
                fn $name($($arg: $ty),*) $(-> $ret)? {
                    $kernel(<$token>::new(), $($arg),*)
                }
            )*

            pub(super) const TABLE: Kernels = Kernels { isa: Isa::$isa, $($name,)* };
        }
    };
}

with_kernels!(define_isa, [Scalar scalar crate::simd::scalar::Scalar, inline]);
#[cfg(target_arch = "x86_64")]
with_kernels!(
    define_isa,
    [Sse42 sse42 crate::simd::sse42::Sse42, target_feature(enable = "sse4.2,popcnt")]
);
#[cfg(target_arch = "x86_64")]
with_kernels!(
    define_isa,
    [Avx2 avx2 crate::simd::avx2::Avx2,
        target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
);
#[cfg(target_arch = "x86_64")]
with_kernels!(
    define_isa,
    [Avx512 avx512 crate::simd::avx512::Avx512,
        target_feature(
            enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt"
        )]
);
#[cfg(target_arch = "aarch64")]
with_kernels!(
    define_isa,
    [Neon neon crate::simd::neon::Neon, target_feature(enable = "neon")]
);
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
with_kernels!(
    define_isa,
    [Simd128 simd128 crate::simd::simd128::Simd128, target_feature(enable = "simd128")]
);

/// The tables of this build, the better later.
static TABLES: &[Kernels] = &[
    scalar::TABLE,
    #[cfg(target_arch = "x86_64")]
    sse42::TABLE,
    #[cfg(target_arch = "x86_64")]
    avx2::TABLE,
    #[cfg(target_arch = "x86_64")]
    avx512::TABLE,
    #[cfg(target_arch = "aarch64")]
    neon::TABLE,
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    simd128::TABLE,
];

impl Kernels {
    /// The best table for this CPU, chosen once per process; the environment variable
    /// `EDGEKIT_ISA` with the name of an [`Isa`] chooses another.
    ///
    /// # Panics
    /// If `EDGEKIT_ISA` names a set that is unknown or not available here: measuring or testing
    /// something else than was asked for is worse. [`Kernels::try_get`] returns that as an error.
    #[inline]
    pub fn get() -> &'static Kernels {
        match Kernels::try_get() {
            Ok(kernels) => kernels,
            Err(error) => panic!("{error}"),
        }
    }

    /// Like [`Kernels::get`], but a wrong `EDGEKIT_ISA` is an error.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownIsa`](crate::ErrorKind::UnknownIsa) and
    /// [`ErrorKind::UnavailableIsa`](crate::ErrorKind::UnavailableIsa) for what `EDGEKIT_ISA` asks.
    #[cfg(feature = "std")]
    pub fn try_get() -> Result<&'static Kernels, Error> {
        use std::sync::OnceLock;
        static CHOSEN: OnceLock<Result<&'static Kernels, Error>> = OnceLock::new();
        let chosen = CHOSEN.get_or_init(|| match std::env::var_os("EDGEKIT_ISA") {
            None => Ok(Kernels::best()),
            Some(name) => {
                let isa: Isa = name.to_string_lossy().parse()?;
                Kernels::for_isa(isa).ok_or_else(|| Error::unavailable_isa(isa))
            }
        });
        chosen.clone()
    }

    /// Like [`Kernels::get`]; without the feature `std` there is no environment to be wrong.
    ///
    /// # Errors
    /// None.
    #[cfg(not(feature = "std"))]
    pub fn try_get() -> Result<&'static Kernels, Error> {
        Ok(Kernels::best())
    }

    /// The table for `isa`, or `None` if this CPU or this build has it not.
    pub fn for_isa(isa: Isa) -> Option<&'static Kernels> {
        Kernels::available().find(|kernels| kernels.isa == isa)
    }

    /// All tables that this CPU can run, the better later; the first is [`Isa::Scalar`].
    pub fn available() -> impl DoubleEndedIterator<Item = &'static Kernels> {
        TABLES.iter().filter(|kernels| kernels.isa.is_available())
    }

    /// The instruction set of this table.
    #[inline]
    pub fn isa(&self) -> Isa {
        self.isa
    }

    fn best() -> &'static Kernels {
        Kernels::available().next_back().unwrap_or(&TABLES[0])
    }
}

impl core::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Kernels").field("isa", &self.isa).finish_non_exhaustive()
    }
}

#[inline]
#[track_caller]
fn same_len(a: usize, b: usize) {
    assert!(a == b, "vectors of different lengths: {a} and {b}");
}

#[inline]
#[track_caller]
fn many_shape<T>(query: usize, rows: Rows<'_, T>, out: usize) {
    let (dim, len) = (rows.dim(), rows.len());
    assert!(query == dim, "query of dimension {query} for rows of dimension {dim}");
    assert!(out == len, "room for {out} results of {len} rows");
}

#[inline]
#[track_caller]
fn gather_shape<T>(query: usize, rows: Rows<'_, T>, ids: &[u32], out: usize) {
    let (dim, len) = (rows.dim(), rows.len());
    assert!(query == dim, "query of dimension {query} for rows of dimension {dim}");
    assert!(out == ids.len(), "room for {out} results of {} ids", ids.len());
    // The maximum is one vector loop; a test of each id against `len` would be a branch each.
    let most = ids.iter().fold(0, |most, &id| if id > most { id } else { most });
    assert!(ids.is_empty() || (most as usize) < len, "id {most} for {len} rows");
}
