//! From trajectories to patterns: k-means over what was asked, then a look at how it went.

use std::time::Duration;

use edgekit_kernels_simd::{Kernels, Rows};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::pattern::unit;
use crate::{Error, ErrorKind, Pattern, Trajectory};

/// How trajectories become patterns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExtractConfig {
    /// How many clusters to look for at most; 0 stands for √(n / 2), rounded up.
    pub clusters: usize,
    /// Rounds of k-means at most.
    pub rounds: usize,
    /// Clusters of fewer trajectories become no pattern.
    pub min_members: usize,
    /// Nor do those whose quality is lower: the share that succeeded × the mean similarity of the
    /// members to their centroid.
    pub min_quality: f32,
    /// Seeds the choice of first centroids.
    pub seed: u64,
}

impl Default for ExtractConfig {
    /// √(n / 2) clusters, 50 rounds, 3 members, quality 0.3.
    fn default() -> Self {
        ExtractConfig { clusters: 0, rounds: 50, min_members: 3, min_quality: 0.3, seed: 0 }
    }
}

impl ExtractConfig {
    pub(crate) fn validate(&self) -> Result<(), Error> {
        if self.rounds > 0 && self.min_members > 0 && (0.0..=1.0).contains(&self.min_quality) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Config,
            format!(
                "{} rounds, {} members, quality {}: rounds and members must be positive, the \
                 quality within 0 to 1",
                self.rounds, self.min_members, self.min_quality
            ),
        ))
    }
}

/// Clusters trajectories by direction and makes a pattern of every cluster that is large and good
/// enough. O(rounds · n · clusters · dim). Same input, same patterns, on one instruction set.
pub(crate) fn extract(
    trajectories: &[Trajectory],
    dim: usize,
    config: &ExtractConfig,
) -> Result<Vec<Pattern>, Error> {
    let n = trajectories.len();
    if n < config.min_members {
        return Ok(Vec::new());
    }
    let mut points = Vec::with_capacity(n * dim);
    for trajectory in trajectories {
        points.extend(unit(&trajectory.vector)?);
    }
    let clusters = match config.clusters {
        0 => (n as f64 / 2.0).sqrt().ceil() as usize,
        given => given,
    };
    let means = KMeans::new(&points, dim).run(clusters.min(n), config.rounds, config.seed);
    let clusters = means.centroids.len() / dim;
    let mut patterns = Vec::new();
    for cluster in 0..clusters {
        let of = |at: &usize| means.nearest[*at] == cluster;
        let members: Vec<usize> = (0..n).filter(of).collect();
        let centroid = &means.centroids[cluster * dim..][..dim];
        // Opposite directions can cancel out: no direction, no pattern.
        let Ok(direction) = unit(centroid) else { continue };
        if members.len() < config.min_members {
            continue;
        }
        let kernels = Kernels::get();
        let similarity = |at: &usize| kernels.dot(&direction, &points[at * dim..][..dim]);
        let cohesion = members.iter().map(similarity).sum::<f32>() / members.len() as f32;
        let pattern = describe(&members, trajectories, centroid, cohesion.clamp(0.0, 1.0));
        if pattern.confidence >= config.min_quality {
            patterns.push(pattern);
        }
    }
    Ok(patterns)
}

/// What a cluster's trajectories have in common. Its confidence is its quality.
fn describe(
    members: &[usize],
    trajectories: &[Trajectory],
    centroid: &[f32],
    cohesion: f32,
) -> Pattern {
    let all = || members.iter().map(|&at| &trajectories[at]);
    let count = members.len() as f64;
    let success_rate = all().filter(|t| t.succeeded).count() as f64 / count;
    let executors = all().map(|t| t.executor.0 as usize + 1).max().unwrap_or(0);
    let mut allocation = vec![0.0; executors];
    all().for_each(|t| allocation[t.executor.0 as usize] += 1.0 / count as f32);
    allocation.iter_mut().for_each(|part| *part = part.min(1.0));
    let seconds = all().map(|t| t.latency.as_secs_f64()).sum::<f64>() / count;
    let newest = all().map(|t| t.at).max().unwrap_or_default();
    Pattern {
        centroid: centroid.into(),
        allocation,
        energy: (all().map(|t| f64::from(t.spent)).sum::<f64>() / count) as f32,
        confidence: success_rate as f32 * cohesion,
        samples: members.len() as u64,
        mean_latency: Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
        success_rate: success_rate as f32,
        created: newest,
        last_used: newest,
    }
}

/// Lloyd's algorithm from k-means++ seeds (Arthur and Vassilvitskii 2007).
struct KMeans<'a> {
    kernels: &'static Kernels,
    points: &'a [f32],
    dim: usize,
    n: usize,
}

#[derive(Clone, Debug, PartialEq)]
struct Means {
    centroids: Vec<f32>,
    /// Of each point, its cluster.
    nearest: Vec<usize>,
}

impl<'a> KMeans<'a> {
    fn new(points: &'a [f32], dim: usize) -> Self {
        KMeans { kernels: Kernels::get(), points, dim, n: points.len() / dim }
    }

    fn run(&self, k: usize, rounds: usize, seed: u64) -> Means {
        let mut centroids = self.seeds(k, seed);
        let mut nearest = vec![usize::MAX; self.n];
        let mut apart = vec![0.0; self.n];
        for _ in 0..rounds {
            let moved = self.assign(&centroids, &mut nearest, &mut apart);
            let k = centroids.len() / self.dim;
            let refilled = self.refill(k, &mut nearest, &mut apart);
            if !moved && !refilled {
                break;
            }
            centroids = self.means(k, &nearest);
        }
        self.assign(&centroids, &mut nearest, &mut apart);
        Means { centroids, nearest }
    }

    /// The first centroid uniformly, each further one with a probability proportional to its squared
    /// distance from the nearest so far. Fewer than `k` if there are fewer different points.
    fn seeds(&self, k: usize, seed: u64) -> Vec<f32> {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut centroids: Vec<f32> = self.point(rng.random_range(0..self.n)).to_vec();
        let mut squared = vec![f32::INFINITY; self.n];
        let mut distances = vec![0.0; self.n];
        for _ in 1..k {
            let newest = &centroids[centroids.len() - self.dim..];
            self.kernels.l2_squared_many(newest, self.rows(), &mut distances);
            for (least, &distance) in squared.iter_mut().zip(&distances) {
                // Below the rounding of two equal unit vectors' distance they are one point.
                *least = least.min(if distance < 1e-10 { 0.0 } else { distance });
            }
            let total: f64 = squared.iter().map(|&d| f64::from(d)).sum();
            if total <= 0.0 {
                break;
            }
            let mut left = rng.random::<f64>() * total;
            let mut chosen = None;
            for (at, &distance) in squared.iter().enumerate() {
                if distance > 0.0 {
                    chosen = Some(at);
                    left -= f64::from(distance);
                    if left < 0.0 {
                        break;
                    }
                }
            }
            let Some(chosen) = chosen else { break };
            centroids.extend_from_slice(self.point(chosen));
        }
        centroids
    }

    /// Gives each point to its nearest centroid, the first of equals; whether one changed.
    fn assign(&self, centroids: &[f32], nearest: &mut [usize], apart: &mut [f32]) -> bool {
        let mut distances = vec![0.0; self.n];
        let before = nearest.to_vec();
        apart.fill(f32::INFINITY);
        for (cluster, centroid) in centroids.chunks_exact(self.dim).enumerate() {
            self.kernels.l2_squared_many(centroid, self.rows(), &mut distances);
            for at in 0..self.n {
                if distances[at] < apart[at] {
                    (apart[at], nearest[at]) = (distances[at], cluster);
                }
            }
        }
        before != nearest
    }

    /// Gives every empty cluster the point that is farthest from its centroid; whether one was empty
    /// and could be filled.
    fn refill(&self, k: usize, nearest: &mut [usize], apart: &mut [f32]) -> bool {
        let mut sizes = vec![0usize; k];
        nearest.iter().for_each(|&cluster| sizes[cluster] += 1);
        let mut filled = false;
        for cluster in 0..k {
            if sizes[cluster] > 0 {
                continue;
            }
            let lonely = (0..self.n)
                .filter(|&at| apart[at] > 1e-10 && sizes[nearest[at]] > 1)
                .max_by(|&a, &b| apart[a].total_cmp(&apart[b]).then(b.cmp(&a)));
            if let Some(at) = lonely {
                sizes[nearest[at]] -= 1;
                sizes[cluster] = 1;
                (nearest[at], apart[at], filled) = (cluster, 0.0, true);
            }
        }
        filled
    }

    /// The mean of each cluster, in f64; a cluster that stayed empty is left out.
    fn means(&self, k: usize, nearest: &[usize]) -> Vec<f32> {
        let mut sums = vec![0.0f64; k * self.dim];
        let mut sizes = vec![0usize; k];
        for (at, &cluster) in nearest.iter().enumerate() {
            sizes[cluster] += 1;
            let sum = &mut sums[cluster * self.dim..][..self.dim];
            sum.iter_mut().zip(self.point(at)).for_each(|(s, &x)| *s += f64::from(x));
        }
        let mut centroids = Vec::with_capacity(k * self.dim);
        for (sum, &size) in sums.chunks_exact(self.dim).zip(&sizes).filter(|(_, size)| **size > 0) {
            centroids.extend(sum.iter().map(|s| (s / size as f64) as f32));
        }
        centroids
    }

    fn point(&self, at: usize) -> &[f32] {
        &self.points[at * self.dim..][..self.dim]
    }

    fn rows(&self) -> Rows<'_, f32> {
        Rows::new(self.points, self.dim, self.dim)
    }
}

#[cfg(test)]
mod tests {
    use super::KMeans;

    #[test]
    fn seeds_are_drawn_in_proportion_to_squared_distances() {
        // From 0 the others lie 1 and 3 away: the far one should be drawn 9 times in 10.
        let points = [0.0, 1.0, 3.0];
        let (mut far, mut from_zero) = (0, 0);
        for seed in 0..6000 {
            let seeds = KMeans::new(&points, 1).seeds(2, seed);
            if seeds[0] == 0.0 {
                from_zero += 1;
                far += usize::from(seeds[1] == 3.0);
            }
        }
        let share = far as f64 / f64::from(from_zero);
        assert!((share - 0.9).abs() < 0.03, "{share}: always the farthest would be 1");
    }

    #[test]
    fn duplicates_make_fewer_clusters_and_no_zero_vectors() {
        let points = [5.0f32; 12];
        let means = KMeans::new(&points, 2).run(4, 10, 1);
        assert_eq!(means.centroids, [5.0, 5.0]);
        assert_eq!(means.nearest, [0; 6]);
    }

    #[test]
    fn as_many_clusters_come_out_as_there_are_seeds() {
        // Few points, with which a cluster does run empty on the way, if only at seed 4740.
        let mut draw = 1u64;
        let mut coordinate = || {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (draw >> 60) as f32
        };
        for seed in 0..8000 {
            let points: Vec<f32> = (0..24).map(|_| coordinate()).collect();
            let means = KMeans::new(&points, 2);
            let (seeds, done) = (means.seeds(6, seed), means.run(6, 50, seed));
            assert_eq!(done.centroids.len(), seeds.len(), "{points:?}");
        }
    }

    #[test]
    fn an_empty_cluster_gets_the_farthest_point() {
        let points = [0.0, 0.1, 0.2, 9.0, 9.1];
        let means = KMeans::new(&points, 1);
        let mut nearest = vec![0; 5];
        let mut apart: Vec<f32> = points.iter().map(|p| p * p).collect();
        assert!(means.refill(2, &mut nearest, &mut apart));
        assert_eq!(nearest, [0, 0, 0, 0, 1]);
        let done = means.run(2, 10, 3);
        let mut centroids = done.centroids.clone();
        centroids.sort_unstable_by(f32::total_cmp);
        assert!((centroids[0] - 0.1).abs() < 1e-6 && (centroids[1] - 9.05).abs() < 1e-6);
    }
}
