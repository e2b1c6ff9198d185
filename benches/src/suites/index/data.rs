//! What the index is measured on: embeddings of text, or synthetic shapes, with the true answers.

use std::fs::File;
use std::path::{Path, PathBuf};

use edgekit_vector_index::{FlatIndex, Index, Metric, Scratch, SearchParams, read_fvecs};

use super::K;

/// The synthetic shapes.
pub(super) const SHAPES: [&str; 3] = ["uniform", "gaussian", "clustered"];

/// Vectors, queries and the true neighbours of each query.
pub(super) struct Dataset {
    /// Where it is from, for the reader of the figures.
    pub(super) source: String,
    pub(super) metric: Metric,
    pub(super) dim: usize,
    base: Vec<f32>,
    pub(super) queries: Vec<Vec<f32>>,
    /// Ids of the `K` nearest.
    truth: Vec<Vec<u64>>,
    /// The `.fvecs` files of base and queries, if that is where it is from; the base's first
    /// [`len`](Self::len) are meant.
    pub(super) files: Option<(PathBuf, PathBuf)>,
}

impl Dataset {
    fn new(
        source: String,
        metric: Metric,
        dim: usize,
        base: Vec<f32>,
        queries: Vec<Vec<f32>>,
    ) -> Self {
        let mut exact = FlatIndex::new(dim, metric).expect("the dimension is valid");
        for (id, vector) in base.chunks_exact(dim).enumerate() {
            exact.insert(id as u64, vector).expect("the data is finite");
        }
        let (mut scratch, params) = (Scratch::new(), SearchParams::default());
        let mut nearest = |query: &Vec<f32>| {
            let found = exact.search(query, K, &params, &mut scratch).expect("the query is finite");
            found.iter().map(|neighbor| neighbor.id).collect()
        };
        let truth = queries.iter().map(&mut nearest).collect();
        Dataset { source, metric, dim, base, queries, truth, files: None }
    }

    /// 10,000 embeddings of Debian package descriptions: 384 values by inner product, or 128 by
    /// squared Euclidean distance. Without the full set, the 2,000 that the project carries (and
    /// their first 128 values).
    pub(super) fn debian(dim: usize) -> Self {
        let metric = if dim == 384 { Metric::InnerProduct } else { Metric::L2Squared };
        let name = if dim == 384 { "debian10k" } else { "debian10k128" };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let places = std::env::var_os("EDGEKIT_DATA").map(PathBuf::from);
        for place in places.into_iter().chain([root.join("../shared/data")]) {
            let read = |part: &str| {
                let file = File::open(place.join(format!("{name}_{part}.fvecs"))).ok()?;
                read_fvecs(file).ok()
            };
            if let (Some(base), Some(queries)) = (read("base"), read("query")) {
                let queries = queries.rows().map(<[f32]>::to_vec).collect();
                let mut data = Dataset::new(name.into(), metric, dim, base.values, queries);
                let file = |part: &str| place.join(format!("{name}_{part}.fvecs"));
                data.files = Some((file("base"), file("query")));
                return data;
            }
        }
        let file = std::fs::read(root.join("data/debian2k/vectors.safetensors"))
            .expect("the project carries data/debian2k");
        let file = safetensors::SafeTensors::deserialize(&file).expect("a safetensors file");
        let rows = |name: &str| -> Vec<Vec<f32>> {
            let tensor = file.tensor(name).expect("base and query");
            let (values, _) = tensor.data().as_chunks::<2>();
            let values: Vec<f32> =
                values.iter().map(|&bytes| half::f16::from_le_bytes(bytes).to_f32()).collect();
            values.chunks_exact(384).map(|row| row[..dim].to_vec()).collect()
        };
        let source = "the sample data/debian2k (set EDGEKIT_DATA for the full set)".into();
        Dataset::new(source, metric, dim, rows("base").concat(), rows("query"))
    }

    /// 10,000 vectors of 128 values and 200 queries of one shape; sorted by their first value if
    /// asked for, so that they come region by region.
    pub(super) fn synthetic(shape: &str, sorted: bool) -> Self {
        Dataset::shaped(shape, 10_000, sorted)
    }

    /// 100,000 vectors around 100 centres, and 200 queries.
    pub(super) fn large() -> Self {
        Dataset::shaped("clustered", 100_000, false)
    }

    fn shaped(shape: &str, n: usize, sorted: bool) -> Self {
        const DIM: usize = 128;
        let mut random = Random(1);
        let mut centres: Vec<Vec<f32>> = Vec::new();
        if shape == "clustered" {
            let row = |random: &mut Random| (0..DIM).map(|_| 3.0 * random.gaussian()).collect();
            centres.extend((0..100).map(|_| row(&mut random)));
        }
        let mut rows: Vec<Vec<f32>> = (0..n + 200)
            .map(|i| match shape {
                "uniform" => (0..DIM).map(|_| random.uniform()).collect(),
                "gaussian" => (0..DIM).map(|_| random.gaussian()).collect(),
                _ => centres[i % centres.len()].iter().map(|c| c + random.gaussian()).collect(),
            })
            .collect();
        let queries = rows.split_off(n);
        if sorted {
            rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
        }
        Dataset::new(shape.into(), Metric::L2Squared, DIM, rows.concat(), queries)
    }

    /// The first `n` vectors, with the neighbours among them.
    pub(super) fn first(&self, n: usize) -> Self {
        let base = self.base.chunks_exact(self.dim).take(n).flatten().copied().collect();
        let source = format!("the first {n} of {}", self.source);
        let data = Dataset::new(source, self.metric, self.dim, base, self.queries.clone());
        Dataset { files: self.files.clone(), ..data }
    }

    pub(super) fn len(&self) -> usize {
        self.base.len() / self.dim
    }

    /// The stored vectors; the id of each is its position.
    pub(super) fn base(&self) -> std::slice::ChunksExact<'_, f32> {
        self.base.chunks_exact(self.dim)
    }

    /// Mean share of the true neighbours among those that `search` puts into its second argument.
    pub(super) fn recall(&self, mut search: impl FnMut(&[f32], &mut Vec<u64>)) -> f64 {
        let mut found = Vec::new();
        let mut hits = 0;
        for (query, truth) in self.queries.iter().zip(&self.truth) {
            search(query, &mut found);
            hits += found.iter().filter(|id| truth.contains(id)).count();
        }
        hits as f64 / (K * self.queries.len()) as f64
    }

    /// Checks some of the true neighbours against sums in f64.
    pub(super) fn truth_is_right(&self) -> Result<(), String> {
        for (i, (query, truth)) in self.queries.iter().zip(&self.truth).enumerate().step_by(20) {
            let distance = |vector: &[f32]| -> f64 {
                let pairs = vector.iter().zip(query).map(|(&x, &y)| (f64::from(x), f64::from(y)));
                match self.metric {
                    Metric::L2Squared => pairs.map(|(x, y)| (x - y) * (x - y)).sum(),
                    _ => pairs.map(|(x, y)| -x * y).sum(),
                }
            };
            let mut all: Vec<f64> = self.base().map(distance).collect();
            let worst = truth.iter().map(|&id| all[id as usize]).fold(f64::MIN, f64::max);
            all.sort_by(f64::total_cmp);
            if (worst - all[K - 1]).abs() > 1e-5 * worst.abs() {
                return Err(format!(
                    "query {i}: neighbour {K} at {} is listed at {worst}",
                    all[K - 1]
                ));
            }
        }
        Ok(())
    }
}

/// A small generator, so that the synthetic data never changes.
pub(super) struct Random(pub(super) u64);

impl Random {
    /// Evenly distributed in [0, 1).
    pub(super) fn uniform(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }

    /// Standard normal, by Box and Muller.
    pub(super) fn gaussian(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f32::consts::TAU * self.uniform()).cos()
    }
}
