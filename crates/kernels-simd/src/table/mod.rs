//! The table of kernels, in families: a list of each makes its safe methods, and per instruction set
//! the wrappers that carry its features and a table of them.
//!
//! The wrappers are called `table::FAMILY::SET::KERNEL`, which is how the assembly check finds them.
#![allow(unsafe_code, reason = "calls feature functions through the table that proves them")]

use crate::error::Error;
use crate::isa::Isa;
use crate::rows::Rows;

/// Makes a family from its list: per kernel the name, the signature, what the caller must have got
/// right, and the generic function.
///
/// `$Family` is the struct of function pointers, `$field` its place in [`Kernels`].
macro_rules! family {
    ($Family:ident in $field:ident; $($list:tt)*) => {
        family!(methods $Family $field; $($list)*);
        family!(set scalar crate::simd::scalar::Scalar, [inline], $Family; $($list)*);
        #[cfg(target_arch = "x86_64")]
        family!(
            set sse42 crate::simd::sse42::Sse42,
            [target_feature(enable = "sse4.2,popcnt")], $Family; $($list)*
        );
        #[cfg(target_arch = "x86_64")]
        family!(
            set avx2 crate::simd::avx2::Avx2,
            [target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")], $Family; $($list)*
        );
        #[cfg(target_arch = "x86_64")]
        family!(
            set avx512 crate::simd::avx512::Avx512,
            [target_feature(
                enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt"
            )], $Family; $($list)*
        );
        #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
        family!(
            set neon crate::simd::neon::Neon,
            [target_feature(enable = "neon")], $Family; $($list)*
        );
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        family!(
            set simd128 crate::simd::simd128::Simd128,
            [target_feature(enable = "simd128")], $Family; $($list)*
        );
    };
    // Likewise, for a family that gains from the sets which multiply bytes.
    (bytes $Family:ident in $field:ident; $($list:tt)*) => {
        family!($Family in $field; $($list)*);
        #[cfg(target_arch = "x86_64")]
        family!(
            set avx512vnni crate::simd::avx512::vnni::Avx512Vnni::<false>,
            [target_feature(
                enable = "avx512vnni,avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt"
            )], $Family; $($list)*
        );
        #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
        family!(
            set neon_dotprod crate::simd::neon::dotprod::NeonDotprod,
            [target_feature(enable = "neon,dotprod")], $Family; $($list)*
        );
    };
    // Likewise, for a family that gains from the set which counts ones.
    (bits $Family:ident in $field:ident; $($list:tt)*) => {
        family!($Family in $field; $($list)*);
        #[cfg(target_arch = "x86_64")]
        family!(
            set avx512vpopcntdq crate::simd::avx512::vnni::Avx512Vnni::<true>,
            [target_feature(
                enable = "avx512vpopcntdq,avx512vnni,avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt"
            )], $Family; $($list)*
        );
    };
    // The struct and its safe methods.
    (methods $Family:ident $field:ident;
    $($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? {
        check $check:block run $kernel:path
    })*) => {
        pub(super) struct $Family {
            $($name: unsafe fn($($ty),*) $(-> $ret)?,)*
        }

        impl super::Kernels {
            $(
                $(#[$doc])*
                #[inline]
                #[track_caller]
                #[allow(unsafe_code, reason = "calls what the table proves")]
                $vis fn $name(&self, $($arg: $ty),*) $(-> $ret)? {
                    $check;
                    // SAFETY: a table is only handed out where its instruction set was detected.
                    unsafe { (self.$field.$name)($($arg),*) }
                }
            )*
        }
    };
    // One set's wrappers and its table. The attribute enables what the token needs; the compiler
    // refuses to make the token without it.
    (set $module:ident $token:path, [$attribute:meta], $Family:ident;
    $($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? {
        check $check:block run $kernel:path
    })*) => {
        pub(super) mod $module {
            use super::*;

            $(
                #[$attribute]
                fn $name($($arg: $ty),*) $(-> $ret)? {
                    $kernel(<$token>::new(), $($arg),*)
                }
            )*

            pub(in crate::table) const TABLE: $Family = $Family { $($name,)* };
        }
    };
}

/// Makes the methods of distances against rows: the sentence that says what one is, how many values
/// of a query meet one of a row, and the names. Rows in order and rows by id share a kernel; queries
/// that fill no block of four go through it one by one.
macro_rules! in_numbers {
    ($($what:literal, $query:ty, $codes:literal * $row:ty => $out:ty:
        $many:ident, $gather:ident, $rows:ident $(, $tile:ident, $blocks:ident)?;)*) => {
        impl super::Kernels {$(
            #[doc = concat!("`out[i]` becomes ", $what, " of `query` and row `i`.")]
            ///
            /// # Panics
            /// If `query` does not fit the rows' dimension, or `out` has not their number.
            #[inline]
            #[track_caller]
            pub fn $many(&self, query: &[$query], rows: Rows<'_, $row>, out: &mut [$out]) {
                super::many_shape(query.len(), $codes * rows.dim(), rows.len(), out.len());
                self.$rows(query, rows, None, out);
            }

            #[doc = concat!("`out[i]` becomes ", $what, " of `query` and row `ids[i]`.")]
            ///
            /// Four rows are read at a time while the next four are fetched from memory.
            ///
            /// # Panics
            /// If `query` does not fit the rows' dimension, `out` has not the length of `ids`, or an
            /// id is not below the number of rows.
            #[inline]
            #[track_caller]
            pub fn $gather(
                &self,
                query: &[$query],
                rows: Rows<'_, $row>,
                ids: &[u32],
                out: &mut [$out],
            ) {
                let dim = $codes * rows.dim();
                super::gather_shape(query.len(), dim, rows.len(), ids, out.len());
                self.$rows(query, rows, Some(ids), out);
            }

            $(
                #[doc = concat!("`out[q · rows.len() + r]` becomes ", $what, " of query `q` and row `r`.")]
                ///
                /// Four queries go through the rows together: a row is read from memory once for
                /// them.
                ///
                /// # Panics
                /// If the queries do not fit the rows' dimension, or `out` has not room for every
                /// query against every row.
                #[track_caller]
                pub fn $tile(
                    &self,
                    queries: Rows<'_, $query>,
                    rows: Rows<'_, $row>,
                    out: &mut [$out],
                ) {
                    let (dim, count) = ($codes * rows.dim(), queries.len());
                    super::tile_shape(queries.dim(), dim, count, rows.len(), out.len());
                    let single = count % 4;
                    let (blocks, rest) = out.split_at_mut((count - single) * rows.len());
                    self.$blocks(queries, rows, blocks);
                    // Without rows there is nothing to write, and no chunk to be had.
                    let rest = rest.chunks_exact_mut(rows.len().max(1));
                    for (q, out) in (count - single..count).zip(rest) {
                        self.$rows(queries.at(q), rows, None, out);
                    }
                }
            )?
        )*}
    };
}

mod activations;
mod binary;
mod byte_products;
mod bytes;
mod elements;
mod floats;
mod halves;
mod images;
mod mixed;
mod packed;
mod pixels;
mod products;
mod quantize;
mod reduce;
mod sorted;

pub use quantize::Dequantize;

/// Kernels for one instruction set, as methods.
///
/// There is one static table per set; having a reference to one proves that this CPU can run it. A
/// call is one indirect call: hot callers hold the reference instead of asking [`Kernels::get`] each
/// time, and give `*_many`, `*_gather` and `*_tile` more work per call.
pub struct Kernels {
    isa: Isa,
    floats: floats::Floats,
    halves: halves::Halves,
    mixed: mixed::Mixed,
    bytes: bytes::Bytes,
    packed: packed::Packed,
    binary: binary::Binary,
    reduce: reduce::Reduce,
    sorted: sorted::Sorted,
    elements: elements::Elements,
    products: products::Products,
    activations: activations::Activations,
    images: images::Images,
    pixels: pixels::Pixels,
    byte_products: byte_products::ByteProducts,
    quantize: quantize::Quantize,
}

/// A table from the modules of its families; a set that only multiplies bytes better, counts bits
/// better, or has tiles for products of bytes, takes the others from its base.
macro_rules! table {
    ($isa:ident, $base:ident) => {
        table!($isa, $base, $base, $base)
    };
    ($isa:ident, $base:ident, $bytes:ident) => {
        table!($isa, $base, $bytes, $base)
    };
    ($isa:ident, $base:ident, $bytes:ident, $bits:ident) => {
        table!($isa, $base, $bytes, $bits, $bytes)
    };
    ($isa:ident, $base:ident, $bytes:ident, $bits:ident, $tiles:ident) => {
        Kernels {
            isa: Isa::$isa,
            floats: floats::$base::TABLE,
            halves: halves::$base::TABLE,
            mixed: mixed::$base::TABLE,
            bytes: bytes::$bytes::TABLE,
            packed: packed::$bytes::TABLE,
            binary: binary::$bits::TABLE,
            reduce: reduce::$base::TABLE,
            sorted: sorted::$base::TABLE,
            elements: elements::$base::TABLE,
            products: products::$base::TABLE,
            activations: activations::$base::TABLE,
            images: images::$base::TABLE,
            pixels: pixels::$bytes::TABLE,
            byte_products: byte_products::$tiles::TABLE,
            quantize: quantize::$base::TABLE,
        }
    };
}

/// The tables of this build, the better later.
static TABLES: &[Kernels] = &[
    table!(Scalar, scalar),
    #[cfg(target_arch = "x86_64")]
    table!(Sse42, sse42),
    #[cfg(target_arch = "x86_64")]
    table!(Avx2, avx2),
    #[cfg(target_arch = "x86_64")]
    table!(Avx512, avx512),
    #[cfg(target_arch = "x86_64")]
    table!(Avx512Vnni, avx512, avx512vnni),
    #[cfg(target_arch = "x86_64")]
    table!(Avx512Vpopcntdq, avx512, avx512vnni, avx512vpopcntdq),
    #[cfg(target_arch = "x86_64")]
    table!(Avx512Amx, avx512, avx512vnni, avx512vpopcntdq, avx512amx),
    #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
    table!(Neon, neon),
    #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
    table!(NeonDotprod, neon, neon_dotprod),
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    table!(Simd128, simd128),
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
        // Only this one is asked for: there are systems that keep who asked in mind.
        TABLES
            .iter()
            .find(|kernels| kernels.isa == isa)
            .filter(|kernels| kernels.isa.is_available())
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
fn packed_len(query: usize, codes: usize, row: usize) {
    assert!(
        query == codes * row,
        "query of {query} values for a row of {row} bytes with {codes} codes each"
    );
}

#[inline]
#[track_caller]
fn many_shape(query: usize, dim: usize, len: usize, out: usize) {
    assert!(query == dim, "query of dimension {query} for rows of dimension {dim}");
    assert!(out == len, "room for {out} results of {len} rows");
}

#[inline]
#[track_caller]
fn gather_shape(query: usize, dim: usize, len: usize, ids: &[u32], out: usize) {
    assert!(query == dim, "query of dimension {query} for rows of dimension {dim}");
    assert!(out == ids.len(), "room for {out} results of {} ids", ids.len());
    // The maximum is one vector loop; a test of each id against `len` would be a branch each.
    let most = ids.iter().fold(0, |most, &id| if id > most { id } else { most });
    assert!(ids.is_empty() || (most as usize) < len, "id {most} for {len} rows");
}

#[inline]
#[track_caller]
fn tile_shape(query: usize, dim: usize, queries: usize, rows: usize, out: usize) {
    assert!(query == dim, "queries of dimension {query} for rows of dimension {dim}");
    assert!(
        queries.checked_mul(rows) == Some(out),
        "room for {out} results of {queries} queries against {rows} rows"
    );
}

#[inline]
#[track_caller]
fn mask_len(values: usize, words: usize) {
    assert!(words == values.div_ceil(64), "room for {words} words of 64 bits for {values} values");
}

#[inline]
#[track_caller]
fn indices(values: usize) {
    assert!(values as u64 <= 1 << 32, "{values} values, of which not all have an index of 32 bits");
}

#[inline]
#[track_caller]
fn ordered(low: f32, high: f32) {
    assert!(low <= high, "no value is within [{low}, {high}]");
}

#[inline]
#[track_caller]
fn pixels(bytes: usize, channels: usize, pixels: usize) {
    assert!(
        pixels.checked_mul(channels) == Some(bytes),
        "{bytes} bytes for {pixels} pixels of {channels} channels"
    );
}

#[inline]
#[track_caller]
pub(crate) fn positive(std: f32) {
    assert!(std > 0.0, "a standard deviation of {std} is not greater than 0");
}
