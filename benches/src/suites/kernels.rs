//! kernels-simd against plain loops, its rivals, and what the machine can do at most.

mod distance;
mod elements;
mod images;
mod naive;
mod peak;
#[cfg(feature = "peers")]
mod peers;
#[cfg(feature = "peers")]
mod product_peers;
mod products;
#[cfg(feature = "peers")]
mod python;
mod quantized;

use crate::Suite;

/// Declares what this room measures.
pub fn declare(suite: &mut Suite) {
    peak::declare(suite);
    distance::declare(suite);
    quantized::declare(suite);
    elements::declare(suite);
    images::declare(suite);
    products::declare(suite);
    #[cfg(feature = "peers")]
    peers::declare(suite);
    #[cfg(feature = "peers")]
    product_peers::declare(suite);
}

/// Evenly distributed values in [-1, 1) on a 64-byte boundary, always the same for a seed.
fn values(n: usize, seed: u64) -> aligned_vec::AVec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    aligned_vec::AVec::from_iter(64, std::iter::repeat_with(next).take(n))
}

/// Evenly distributed bytes on a 64-byte boundary.
fn bytes(n: usize, seed: u64) -> aligned_vec::AVec<i8> {
    aligned_vec::AVec::from_iter(64, values(n, seed).iter().map(|x| (x * 127.0) as i8))
}

/// The same bits without a sign.
fn unsigned(n: usize, seed: u64) -> aligned_vec::AVec<u8> {
    aligned_vec::AVec::from_iter(64, bytes(n, seed).iter().map(|&x| x as u8))
}
