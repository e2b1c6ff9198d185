//! Finds the nearest of many rows by 4-bit codes, then ranks the best again by `f16` rows.

use edgekit_kernels_simd::{Kernels, Rows};
use half::f16;

const DIM: usize = 64;
const ROWS: usize = 1000;

fn main() {
    let kernels = Kernels::get();
    let vectors: Vec<f32> = (0..ROWS * DIM).map(|i| (i as f32 * 0.731).sin()).collect();
    let query = &vectors[123 * DIM..124 * DIM];

    // Codes 0 to 15 for [-1, 1]: byte j holds dimension j and dimension j + 32.
    let code = |x: f32| ((x + 1.0) * 7.5).round() as u8;
    let codes: Vec<u8> = vectors
        .chunks(DIM)
        .flat_map(|row| (0..DIM / 2).map(move |j| code(row[j]) | code(row[j + DIM / 2]) << 4))
        .collect();
    let short: Vec<i8> = query.iter().map(|x| (x * 127.0).round() as i8).collect();

    let mut scores = vec![0; ROWS];
    kernels.dot_i8_u4_many(&short, Rows::new(&codes, DIM / 2, DIM / 2), &mut scores);
    let scores: Vec<f32> = scores.iter().map(|&score| score as f32).collect();
    let mut candidates = [(0.0, 0); 20];
    kernels.top_k(&scores, &mut candidates);

    let halves: Vec<f16> = vectors.iter().map(|&x| f16::from_f32(x)).collect();
    let ids = candidates.map(|(_, id)| id);
    let mut exact = [0.0; 20];
    kernels.dot_f32_f16_gather(query, Rows::new(&halves, DIM, DIM), &ids, &mut exact);
    let best = kernels.argmax(&exact).expect("twenty candidates");
    println!("row {} with {:.4}, by {}", ids[best], exact[best], kernels.isa());
}
