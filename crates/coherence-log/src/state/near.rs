//! Every earlier vector with a cosine above a threshold: exact, and mostly without looking at all.
//!
//! Vectors are mapped to sixteen numbers: fifteen coordinates in an orthonormal basis of the
//! directions in which the data spreads most, and the length of what remains. The map never
//! lengthens a distance (the remainders' lengths differ by no more than the remainders do), so a
//! ball around the image holds the image of every true neighbour; a k-d tree finds those, and each
//! is checked with the vectors themselves. Where there are few vectors, or the ball holds too much of
//! them to be worth the tree, all are compared instead, with the vector kernels: first their heads,
//! the first fifteen coordinates and the length of what follows. By Cauchy and Schwarz, the product
//! of two heads is at least that of the vectors, so only where it is large enough are the vectors
//! themselves read, eight or more times as long.
//!
//! What counts is [`cosine`], in `f64` and in a fixed order, so that every machine finds the same
//! pairs. A float kernel's product is off by a known bound at most: above the threshold by more than
//! that it is a proof, within the bound only a proposal.

use aligned_vec::{AVec, ConstAlign};
use edgekit_kernels_simd::{Kernels, Rows};

use super::ball_tree::{BallTree, MAPPED};

/// Below so many vectors they are simply compared.
const SMALL: usize = 512;
/// The tree is left for comparison above this share of vectors within the ball, per mille.
const CROWDED: u64 = 100;
/// Values of a head.
const HEAD: usize = 16;
/// The most vectors that a basis is fitted to.
const SAMPLE: usize = 256;

/// The cosine of `a` and `b`, summed in order in `f64`; 0 if either is zero.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let (mut dot, mut aa, mut bb) = (0f64, 0f64, 0f64);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (f64::from(*x), f64::from(*y));
        dot += x * y;
        aa += x * x;
        bb += y * y;
    }
    let norms = (aa * bb).sqrt();
    if norms > 0.0 { dot / norms } else { 0.0 }
}

/// What is known of a proposed vector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Nearness {
    /// Its [`cosine`] reaches the threshold.
    Certain,
    /// It may; nothing but the [`cosine`] can tell.
    Possible,
}

/// Rows begin at cache lines: a vector load that straddles two costs twice.
type Floats = AVec<f32, ConstAlign<64>>;

/// The vectors of one context and one dimension.
pub(super) struct Near {
    dim: usize,
    similarity: f64,
    kernels: &'static Kernels,
    /// Unit vectors, one after the other; a removed one stays, without owner.
    units: Floats,
    /// Whose vector a row is; `None` once it is removed.
    owners: Vec<Option<u32>>,
    /// The head of each row, one after the other.
    heads: Floats,
    tree: Option<Tree>,
    scores: Vec<f32>,
    /// What of a vector its coordinates do not say.
    remainder: Vec<f32>,
    /// The rows whose heads are near enough.
    ahead: Vec<u32>,
}

struct Tree {
    basis: Vec<f32>,
    points: BallTree,
    /// The number of rows at which the basis is fitted anew.
    until: usize,
    /// Vectors found in balls, and vectors that there were.
    found: u64,
    looked: u64,
}

impl Near {
    pub(super) fn new(dim: usize, similarity: f64) -> Self {
        Near {
            dim,
            similarity,
            kernels: Kernels::get(),
            units: Floats::new(64),
            owners: Vec::new(),
            heads: Floats::new(64),
            tree: None,
            scores: Vec::new(),
            remainder: Vec::new(),
            ahead: Vec::new(),
        }
    }

    /// Calls `propose` with the owner of each vector that may be near `vector`, and of every one
    /// that is, all of them not removed; then adds `vector` as `owner`'s. Returns its row.
    pub(super) fn insert(
        &mut self,
        vector: &[f32],
        owner: u32,
        mut propose: impl FnMut(u32, Nearness),
    ) -> usize {
        let row = self.owners.len();
        let start = self.units.len();
        self.push(vector);
        self.refit(row);
        let unit = &self.units[start..];
        match self.tree.as_mut().filter(|tree| !tree.is_crowded()) {
            Some(tree) => {
                let point = map(&tree.basis, unit, &mut self.remainder);
                // |u − v|² = 2 − 2 cos for unit vectors. In f64, because near 1 the root of a
                // rounding is far more than the rounding.
                let reach = (2.0 - 2.0 * self.similarity).max(0.0).sqrt() as f32 + slack(self.dim);
                let radius = reach * reach;
                let (found, owners) = (&mut tree.found, &self.owners);
                tree.points.within(&point, radius, |near| {
                    *found += 1;
                    if let Some(owner) = owners[near as usize] {
                        propose(owner, Nearness::Possible);
                    }
                });
                tree.looked += row as u64;
                tree.points.insert(point, row as u32);
            }
            None if row > 0 => self.compare(row, propose),
            None => {}
        }
        self.owners.push(Some(owner));
        row
    }

    /// Compares the last row with all `row` rows before it.
    fn compare(&mut self, row: usize, mut propose: impl FnMut(u32, Nearness)) {
        let slack = slack(self.dim);
        let (least, certain) = (self.similarity as f32 - slack, self.similarity as f32 + slack);
        let (heads, head) = self.heads.split_at(row * HEAD);
        self.scores.resize(row, 0.0);
        self.kernels.dot_many(head, Rows::new(heads, HEAD, HEAD), &mut self.scores);
        let near = self.scores.iter().zip(0..).filter(|(score, _)| **score >= least);
        self.ahead.clear();
        self.ahead.extend(near.map(|(_, row)| row));
        let (rows, unit) = self.units.split_at(row * self.dim);
        self.scores.resize(self.ahead.len(), 0.0);
        let rows = Rows::new(rows, self.dim, self.dim);
        self.kernels.dot_gather(unit, rows, &self.ahead, &mut self.scores);
        for (score, row) in self.scores.iter().zip(&self.ahead) {
            if *score >= least
                && let Some(owner) = self.owners[*row as usize]
            {
                let nearness =
                    if *score >= certain { Nearness::Certain } else { Nearness::Possible };
                propose(owner, nearness);
            }
        }
    }

    /// Appends `vector` at length one, and its head. A zero vector is near nothing; a row of zeros
    /// is just that.
    fn push(&mut self, vector: &[f32]) {
        let (first, rest) = vector.split_at(vector.len().min(HEAD - 1));
        // The length of what follows is summed from just that: as a difference of lengths it could
        // come out too short.
        let tail = self.kernels.norm(rest);
        let norm = first.iter().fold(tail * tail, |sum, x| sum + x * x).sqrt();
        let start = self.units.len();
        if (1e-15..1e15).contains(&norm) {
            let scale = 1.0 / norm;
            extend(&mut self.units, vector.iter().map(|x| x * scale));
            extend(&mut self.heads, self.units[start..].iter().take(HEAD - 1).copied());
            self.heads.resize(self.heads.len() + HEAD - 1 - first.len(), 0.0);
            self.heads.push(tail * scale);
            return;
        }
        // Squares beyond what f32 holds, or so small that it holds few of their digits: in f64.
        let norm = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        extend(&mut self.units, vector.iter().map(|x| (f64::from(*x) * scale) as f32));
        let unit = &self.units[start..];
        extend(&mut self.heads, unit.iter().take(HEAD - 1).copied());
        self.heads.resize(self.heads.len() + HEAD - 1 - first.len(), 0.0);
        self.heads.push(self.kernels.norm(&unit[first.len()..]));
    }

    /// Takes the vector of a row out.
    pub(super) fn remove(&mut self, row: usize) {
        self.owners[row] = None;
    }

    /// Fits a basis when the rows have become four times as many, and puts all of them into a new
    /// tree.
    fn refit(&mut self, rows: usize) {
        if rows < SMALL || self.tree.as_ref().is_some_and(|tree| rows < tree.until) {
            return;
        }
        let basis = fit(&self.units[..rows * self.dim], self.dim);
        let mut points = BallTree::new();
        for (row, unit) in self.units[..rows * self.dim].chunks_exact(self.dim).enumerate() {
            if self.owners[row].is_some() {
                points.insert(map(&basis, unit, &mut self.remainder), row as u32);
            }
        }
        self.tree = Some(Tree { basis, points, until: rows * 4, found: 0, looked: 0 });
    }
}

impl Tree {
    fn is_crowded(&self) -> bool {
        self.looked > 20_000 && self.found * 1000 > self.looked * CROWDED
    }
}

/// Appends `values`, of which there must be as many as they say.
fn extend(floats: &mut Floats, values: impl ExactSizeIterator<Item = f32>) {
    let start = floats.len();
    floats.resize(start + values.len(), 0.0);
    floats[start..].iter_mut().zip(values).for_each(|(slot, value)| *slot = value);
}

/// More than the rounding of a dot product of unit vectors can be, and of the distance of two images:
/// with `dim` × ε at most in each of the coordinates, the images are 6 `dim` × ε / 2 off at most each.
fn slack(dim: usize) -> f32 {
    1e-5 + 8.0 * dim as f32 * f32::EPSILON
}

/// The image of a unit vector: its coordinates in the basis and the length of the remainder. That is
/// summed from the remainder itself: as a difference of squares it would be off by the root of their
/// rounding, a hundred times as much.
fn map(basis: &[f32], unit: &[f32], remainder: &mut Vec<f32>) -> [f32; MAPPED] {
    let (mut point, dim) = ([0f32; MAPPED], unit.len());
    let kernels = Kernels::get();
    kernels.dot_many(unit, Rows::new(basis, dim, dim), &mut point[..basis.len() / dim]);
    remainder.clear();
    remainder.extend_from_slice(unit);
    for (x, direction) in point.iter().zip(basis.chunks_exact(dim)) {
        kernels.axpy(-x, direction, remainder);
    }
    point[MAPPED - 1] = kernels.norm(remainder);
    point
}

/// Up to fifteen orthonormal directions in which the rows spread most: a few rounds of subspace
/// iteration over an even sample. Any orthonormal basis gives exact answers; a good one quick ones.
fn fit(rows: &[f32], dim: usize) -> Vec<f32> {
    let count = rows.len() / dim;
    let step = count.div_ceil(SAMPLE);
    let sample: Vec<&[f32]> = rows.chunks_exact(dim).step_by(step).collect();
    let mut mean = vec![0f64; dim];
    for row in &sample {
        for (m, x) in mean.iter_mut().zip(*row) {
            *m += f64::from(*x) / sample.len() as f64;
        }
    }
    let width = (MAPPED - 1).min(dim);
    // Begins with rows far apart in the sample, which point anywhere.
    let mut basis: Vec<Vec<f64>> = (0..width)
        .map(|i| sample[i * (sample.len() - 1) / width].iter().map(|x| f64::from(*x)).collect())
        .collect();
    for _ in 0..2 {
        orthonormalise(&mut basis);
        let mut next = vec![vec![0f64; dim]; width];
        for row in &sample {
            let centred: Vec<f64> = row.iter().zip(&mean).map(|(x, m)| f64::from(*x) - m).collect();
            for (direction, sum) in basis.iter().zip(&mut next) {
                let along: f64 = direction.iter().zip(&centred).map(|(d, x)| d * x).sum();
                for (s, x) in sum.iter_mut().zip(&centred) {
                    *s += along * x;
                }
            }
        }
        basis = next;
    }
    orthonormalise(&mut basis);
    basis.into_iter().flatten().map(|x| x as f32).collect()
}

/// Gram–Schmidt, twice over for accuracy; a direction that adds nothing becomes zero, which keeps
/// the map contractive.
fn orthonormalise(basis: &mut [Vec<f64>]) {
    for _ in 0..2 {
        for i in 0..basis.len() {
            let (before, rest) = basis.split_at_mut(i);
            let direction = &mut rest[0];
            let scale = direction.iter().map(|x| x * x).sum::<f64>().sqrt();
            for other in before {
                let along: f64 = other.iter().zip(direction.iter()).map(|(a, b)| a * b).sum();
                direction.iter_mut().zip(other.iter()).for_each(|(x, y)| *x -= along * y);
            }
            let norm = direction.iter().map(|x| x * x).sum::<f64>().sqrt();
            let keep = if norm > 1e-9 * scale && norm > 0.0 { 1.0 / norm } else { 0.0 };
            direction.iter_mut().for_each(|x| *x *= keep);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors with all their length in the head, none of it, and some; and as many dimensions as
    /// fill a head, and fewer, and more.
    #[test]
    fn heads_pass_every_pair_that_is_near() {
        for dim in [1, 2, 14, 15, 16, 17, 40] {
            for similarity in [0.05, 0.5, 0.9, 0.999] {
                let mut near = Near::new(dim, similarity);
                let mut x = 1u32;
                let mut next = || {
                    x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (x >> 20) as f32 / 2048.0 - 1.0
                };
                let mut vectors: Vec<Vec<f32>> = Vec::new();
                for number in 0..200usize {
                    let from = [0, 0, HEAD - 1, dim / 2][number % 4].min(dim - 1);
                    let to = [dim, HEAD - 1, dim, dim][number % 4].clamp(from + 1, dim);
                    // Every third is a neighbour of an earlier one.
                    let vector: Vec<f32> = match number % 3 {
                        2 => vectors[number / 2].iter().map(|x| x + 0.1 * next()).collect(),
                        _ => (0..dim)
                            .map(|i| next() * f32::from(u8::from(from <= i && i < to)))
                            .collect(),
                    };
                    let mut proposed = vec![];
                    near.insert(&vector, number as u32, |owner, _| proposed.push(owner));
                    for (earlier, other) in vectors.iter().enumerate() {
                        let missed = cosine(other, &vector) >= similarity
                            && !proposed.contains(&(earlier as u32));
                        assert!(!missed, "{earlier} of {number}, {dim}, {similarity}");
                    }
                    vectors.push(vector);
                }
            }
        }
    }
}
