//! Finds the row of a small matrix that is nearest to a query, on every table of this machine.
//!
//! `cargo run -p edgekit-kernels-simd --example nearest`

use edgekit_kernels_simd::{Kernels, Rows};

fn main() {
    const DIM: usize = 48;
    let matrix: Vec<f32> = (0..100 * DIM).map(|i| (i as f32 * 0.37).sin()).collect();
    let query: Vec<f32> = matrix[42 * DIM..43 * DIM].iter().map(|x| x + 0.01).collect();

    for kernels in Kernels::available() {
        let mut distances = [0.0; 100];
        kernels.l2_squared_many(&query, Rows::new(&matrix, DIM, DIM), &mut distances);
        let (row, distance) =
            distances.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).expect("100 rows");
        println!("{:8} row {row} at distance {distance:.6}", kernels.isa());
    }
}
