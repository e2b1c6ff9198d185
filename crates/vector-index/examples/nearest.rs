//! Builds both indexes over the same clustered vectors and shows what the approximate one trades.

use std::time::Instant;

use edgekit_vector_index::{
    Error, FlatIndex, HnswConfig, HnswIndex, Index, Method, Metric, Scratch, SearchParams,
};

const DIM: usize = 64;
const VECTORS: u64 = 5_000;

fn main() -> Result<(), Error> {
    let metric = Metric::L2Squared;
    let mut exact = FlatIndex::new(DIM, metric)?;
    let mut graph = HnswIndex::new(DIM, HnswConfig { metric, ..HnswConfig::default() })?;
    for id in 0..VECTORS {
        exact.insert(id, &vector(id))?;
        graph.insert(id, &vector(id))?;
    }
    println!("{VECTORS} vectors of {DIM} values in {} layers", graph.layers());

    let mut scratch = Scratch::new();
    let queries: Vec<_> = (VECTORS..VECTORS + 200).map(vector).collect();
    let params = SearchParams::default();
    let start = Instant::now();
    let mut truth = Vec::new();
    for query in &queries {
        truth.push(exact.search(query, 10, &params, &mut scratch)?.to_vec());
    }
    println!("exact:  {:?} a query", start.elapsed() / 200);

    for ef in [10, 20, 40, 80] {
        let mut found = 0;
        let start = Instant::now();
        for (query, truth) in queries.iter().zip(&truth) {
            let results = graph.search(
                query,
                10,
                &SearchParams { ef, method: Method::Graph },
                &mut scratch,
            )?;
            found += results.iter().filter(|n| truth.iter().any(|t| t.id == n.id)).count();
        }
        let recall = found as f64 / (200.0 * 10.0);
        println!("ef {ef:3}: {:?} a query, recall@10 {recall:.3}", start.elapsed() / 200);
    }
    Ok(())
}

/// A vector near one of 50 centres, the same for the same `id`.
fn vector(id: u64) -> Vec<f32> {
    let noise = |seed: u64, i: usize| {
        let x = (seed * 1_000_003 + i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let x = (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (x >> 40) as f32 / (1 << 24) as f32
    };
    (0..DIM).map(|i| noise(id % 50 + 1_000_000, i) * 3.0 + noise(id, i)).collect()
}
