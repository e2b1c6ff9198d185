//! The kernels, each written once as safe code that is generic over a token.

pub(crate) mod activations;
pub(crate) mod binary;
pub(crate) mod brain;
pub(crate) mod bytes;
pub(crate) mod distance;
pub(crate) mod elements;
pub(crate) mod gemm;
pub(crate) mod gemm_bytes;
#[cfg(target_arch = "x86_64")]
pub(crate) mod gemm_tiles;
pub(crate) mod images;
pub(crate) mod images_resize;
pub(crate) mod many;
pub(crate) mod packed;
pub(crate) mod quantize;
pub(crate) mod reduce;
pub(crate) mod sorted;

/// One instruction wherever there is one; `core` does not offer it without `std`.
#[inline(always)]
pub(crate) fn sqrt(x: f32) -> f32 {
    #[cfg(feature = "std")]
    return x.sqrt();
    #[cfg(not(feature = "std"))]
    return libm::sqrtf(x);
}

/// `dot / (norm_a · norm_b)` within [-1, 1], 0 if a norm is 0. The product of two square roots of
/// `f32`s does not overflow.
#[inline(always)]
fn similarity(dot: f32, norm_a: f32, norm_b: f32) -> f32 {
    let norms = norm_a * norm_b;
    if norms == 0.0 { 0.0 } else { (dot / norms).clamp(-1.0, 1.0) }
}
