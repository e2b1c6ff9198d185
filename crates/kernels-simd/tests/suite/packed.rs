//! Packed codes against a plain unpacking loop.

use edgekit_kernels_simd::Kernels;

use super::inputs::{Placed, Values, lengths};

/// The inner product of a query and codes of `bits` bits.
pub(crate) fn dot(query: &[i8], row: &[u8], bits: usize) -> i32 {
    let mut sum = 0;
    for (dimension, &value) in query.iter().enumerate() {
        let (part, byte) = (dimension / row.len(), dimension % row.len());
        let code = row[byte] >> (bits * part) & ((1 << bits) - 1) as u8;
        sum += i32::from(value) * i32::from(code);
    }
    sum
}

fn check(bits: usize, kernel: fn(&Kernels, &[i8], &[u8]) -> i32) {
    let mut values = Values::new(6);
    for bytes in lengths() {
        let mut query: Vec<i8> = values.of(8 / bits * bytes);
        let mut row: Vec<u8> = values.of(bytes);
        if bytes % 3 == 0 {
            // The extremes, which a saturating instruction must not clip.
            query.fill(-128);
            row.fill(255);
        }
        for offset in 0..=15 {
            let (query, row) = (Placed::new(&query, offset), Placed::new(&row, 15 - offset));
            let want = dot(query.get(), row.get(), bits);
            for kernels in Kernels::available() {
                let got = kernel(kernels, query.get(), row.get());
                assert_eq!(got, want, "{}: {bytes} bytes", kernels.isa());
            }
        }
    }
}

pub(crate) fn dot_i8_u4_is_exact() {
    check(4, Kernels::dot_i8_u4);
}

pub(crate) fn dot_i8_u2_is_exact() {
    check(2, Kernels::dot_i8_u2);
}
