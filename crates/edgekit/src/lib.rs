#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

#[cfg(feature = "kernels-simd")]
#[doc(inline)]
pub use edgekit_kernels_simd as kernels_simd;
#[cfg(feature = "vector-index")]
#[doc(inline)]
pub use edgekit_vector_index as vector_index;
