//! Sets of features packed one bit an element: the nearest fingerprint, and how alike two sets are.

use edgekit_kernels_simd::{Kernels, Rows};

fn main() {
    const BYTES: usize = 64; // 512 features
    let kernels = Kernels::get();
    let stored: Vec<u8> = (0..1000 * BYTES as u32)
        .map(|i| ((i ^ i >> 6).wrapping_mul(0x9E37_79B9) >> 24) as u8)
        .collect();
    let rows = Rows::new(&stored, BYTES, BYTES);
    let mut query = rows.get(421).unwrap().to_vec();
    query[5] ^= 0b1010; // two features more or less

    let mut distances = vec![0; rows.len()];
    kernels.hamming_many(&query, rows, &mut distances);
    let nearest = (0..rows.len()).min_by_key(|&i| distances[i]).unwrap();
    let alike = kernels.jaccard(&query, rows.get(nearest).unwrap());
    println!("set {nearest}: {} bits differ, {:.1} % shared", distances[nearest], 100.0 * alike);

    // Eight queries at once: a row is read once for four of them.
    let mut table = vec![0; 8 * rows.len()];
    kernels.hamming_tile(Rows::new(&stored[..8 * BYTES], BYTES, BYTES), rows, &mut table);
    println!("each finds itself: {}", (0..8).all(|q| table[q * rows.len() + q] == 0));
}
