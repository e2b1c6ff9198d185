//! Vectors, patterns and trajectories that the tests share.

use std::time::Duration;

use edgekit_reasoning_bank::{Bank, BankConfig, ExecutorId, Pattern, Trajectory};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Seconds since the tests' epoch.
pub(crate) const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn bank(dim: usize) -> Bank {
    Bank::new(BankConfig { dim, ..BankConfig::default() }).unwrap()
}

/// Directions around a few centres, as embeddings of tasks are.
pub(crate) fn clustered(count: usize, dim: usize, centres: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut centre_rng = Pcg64Mcg::seed_from_u64(99);
    let random = |rng: &mut Pcg64Mcg| -> Vec<f32> {
        (0..dim).map(|_| (0..4).map(|_| rng.random::<f32>() - 0.5).sum()).collect()
    };
    let centres: Vec<Vec<f32>> = (0..centres).map(|_| random(&mut centre_rng)).collect();
    (0..count)
        .map(|_| {
            let centre = &centres[rng.random_range(0..centres.len())];
            let noise = random(&mut rng);
            centre.iter().zip(noise).map(|(c, n)| c + 0.7 * n).collect()
        })
        .collect()
}

pub(crate) fn pattern(centroid: &[f32], confidence: f32) -> Pattern {
    Pattern::new(centroid, confidence, at(0))
}

pub(crate) fn task(vector: &[f32], executor: ExecutorId, succeeded: bool) -> Trajectory {
    Trajectory {
        vector: vector.to_vec(),
        latency: Duration::from_millis(20),
        spent: 2.0,
        earned: 3.0,
        succeeded,
        executor,
        at: at(5),
    }
}
