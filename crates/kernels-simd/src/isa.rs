//! Which instruction sets there are, and which of them this CPU has.

use core::fmt;
use core::str::FromStr;

use crate::error::Error;

/// An instruction set that kernels are compiled for.
///
/// Its name, as [`Display`](fmt::Display) writes it and [`FromStr`] and `EDGEKIT_ISA` read it, is
/// given with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Isa {
    /// `scalar`: no vectors; on every CPU.
    Scalar,
    /// `sse42`: x86-64 with SSE4.2 and POPCNT, 4 lanes of `f32`.
    Sse42,
    /// `avx2`: x86-64 with AVX2, FMA, F16C, BMI1, BMI2, LZCNT and POPCNT, 8 lanes.
    Avx2,
    /// `avx512`: [`Isa::Avx2`] with AVX-512 F, BW, VL and DQ, 16 lanes.
    Avx512,
    /// `avx512vnni`: [`Isa::Avx512`] with AVX-512 VNNI, which multiplies bytes.
    Avx512Vnni,
    /// `avx512vpopcntdq`: [`Isa::Avx512Vnni`] with AVX-512 VPOPCNTDQ, which counts ones.
    Avx512Vpopcntdq,
    /// `avx512amx`: [`Isa::Avx512Vpopcntdq`] with AMX-TILE and AMX-INT8, which multiply tiles of bytes;
    /// only on Linux and with the feature `std`, since the system is asked for permission to use
    /// them. [`Kernels::available`](crate::Kernels::available), [`Kernels::for_isa`](crate::Kernels::for_isa)
    /// of this set, and [`Kernels::get`](crate::Kernels::get) and
    /// [`Kernels::try_get`](crate::Kernels::try_get) unless `EDGEKIT_ISA` names another ask; an
    /// [`Error`]'s text does not, and leaves this set out.
    Avx512Amx,
    /// `neon`: arm64, 4 lanes.
    Neon,
    /// `neon-dotprod`: [`Isa::Neon`] with the extension `dotprod`, which multiplies bytes.
    NeonDotprod,
    /// `simd128`: WebAssembly built with `simd128`, 4 lanes.
    Simd128,
}

impl Isa {
    /// All of them, whether this CPU has them or not; a later one of a CPU is the better.
    pub const ALL: &'static [Isa] = &[
        Isa::Scalar,
        Isa::Sse42,
        Isa::Avx2,
        Isa::Avx512,
        Isa::Avx512Vnni,
        Isa::Avx512Vpopcntdq,
        Isa::Avx512Amx,
        Isa::Neon,
        Isa::NeonDotprod,
        Isa::Simd128,
    ];

    /// The name that `EDGEKIT_ISA` knows it by.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Sse42 => "sse42",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Avx512Vnni => "avx512vnni",
            Isa::Avx512Vpopcntdq => "avx512vpopcntdq",
            Isa::Avx512Amx => "avx512amx",
            Isa::Neon => "neon",
            Isa::NeonDotprod => "neon-dotprod",
            Isa::Simd128 => "simd128",
        }
    }

    /// Whether this CPU, and its operating system, have all that the set needs.
    ///
    /// Without the feature `std` only what the program was compiled for counts.
    pub(crate) fn is_available(self) -> bool {
        // Detection asks the CPU once and caches; it knows whether the system saves the registers.
        #[cfg(all(target_arch = "x86_64", feature = "std"))]
        macro_rules! has {
            ($($feature:tt)*) => { $(std::arch::is_x86_feature_detected!($feature))&&* };
        }
        #[cfg(all(target_arch = "aarch64", target_endian = "little", feature = "std"))]
        macro_rules! has {
            ($($feature:tt)*) => { $(std::arch::is_aarch64_feature_detected!($feature))&&* };
        }
        #[cfg(all(
            any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little")),
            not(feature = "std")
        ))]
        macro_rules! has {
            ($($feature:tt)*) => { cfg!(all($(target_feature = $feature),*)) };
        }
        match self {
            Isa::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Sse42 => has!("sse4.2" "popcnt"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => has!("avx2" "fma" "f16c" "bmi1" "bmi2" "lzcnt" "popcnt"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                Isa::Avx2.is_available() && has!("avx512f" "avx512bw" "avx512vl" "avx512dq")
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => Isa::Avx512.is_available() && has!("avx512vnni"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vpopcntdq => Isa::Avx512Vnni.is_available() && has!("avx512vpopcntdq"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Amx => {
                Isa::Avx512Vpopcntdq.is_available() && crate::simd::avx512::amx::is_permitted()
            }
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Isa::Neon => has!("neon"),
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Isa::NeonDotprod => has!("neon" "dotprod"),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Isa::Simd128 => true,
            _ => false,
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Isa {
    type Err = Error;

    /// Reads a name as [`Isa::name`] writes it.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownIsa`](crate::ErrorKind::UnknownIsa) for any other text.
    fn from_str(name: &str) -> Result<Self, Error> {
        Isa::ALL
            .iter()
            .copied()
            .find(|isa| isa.name() == name)
            .ok_or_else(|| Error::unknown_isa(name))
    }
}
