//! Knowing an index: what it costs, what it finds, and which `ef` is enough.

use std::time::Duration;

use super::{Graph, HnswIndex};
use crate::store::Store;
use crate::{Error, ErrorKind, Index, Method, Scratch, SearchParams};

/// What an index is made of.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Vectors stored.
    pub vectors: usize,
    /// Slots of removed vectors, to be used again.
    pub free_slots: usize,
    /// Vectors in each layer, from the bottom.
    pub layers: Vec<usize>,
    /// How many vectors have how many bottom links: `degrees[d]` have `d`.
    pub degrees: Vec<usize>,
    /// Vectors that a walk can reach from the entry point: all of them.
    pub reachable: usize,
    /// Heap bytes of the vectors, their originals and ids: the next three, and a bit a vector.
    pub vector_bytes: usize,
    /// Heap bytes of what searches read of the vectors, 0 in a mapped file.
    pub code_bytes: usize,
    /// Heap bytes of the originals, if there are any.
    pub original_bytes: usize,
    /// Heap bytes of ids, their table, and lengths.
    pub id_bytes: usize,
    /// Heap bytes of the links.
    pub link_bytes: usize,
}

impl Stats {
    /// Mean number of bottom links.
    pub fn mean_degree(&self) -> f64 {
        let links: usize = self.degrees.iter().enumerate().map(|(d, n)| d * n).sum();
        links as f64 / self.vectors.max(1) as f64
    }
}

/// What [`HnswIndex::autotune`] settled on.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Tuned {
    /// The cheapest parameters that reached the target; `method` says whether scan or graph won.
    pub params: SearchParams,
    /// The recall they reached on the sample.
    pub recall: f64,
    /// Mean time of a search on the sample.
    pub latency: Duration,
}

impl HnswIndex {
    /// Counts what the index is made of, in one pass over the links.
    pub fn stats(&self) -> Stats {
        let (vectors, links) = (&self.vectors, &self.links);
        let mut layers = vec![0; self.layers()];
        let mut degrees = vec![0; links.width(0) + 1];
        for node in vectors.live() {
            for layer in layers.iter_mut().take(links.level(node) + 1) {
                *layer += 1;
            }
            degrees[links.neighbors(node, 0).count()] += 1;
        }
        Stats {
            vectors: vectors.len(),
            free_slots: vectors.free.len(),
            layers,
            degrees,
            reachable: self.order_of_visit().len(),
            vector_bytes: vectors.memory_bytes(),
            code_bytes: vectors.codes.memory_bytes(),
            original_bytes: vectors.originals.as_ref().map_or(0, Store::memory_bytes),
            id_bytes: vectors.id_bytes(),
            link_bytes: links.memory_bytes(),
        }
    }

    /// The share of the true `k` nearest that searches with `params` find, averaged over `queries`
    /// (one behind the other). What is true is scored with the most exact rows there are, so that
    /// what codes lose counts.
    ///
    /// # Errors
    ///
    /// [`Dimension`](ErrorKind::Dimension) unless `queries` are whole vectors and at least one,
    /// [`Config`](ErrorKind::Config) for `k` 0, and what a search refuses.
    pub fn recall(&self, queries: &[f32], k: usize, params: &SearchParams) -> Result<f64, Error> {
        let truth = self.truth(queries, k)?;
        let mut scratch = Scratch::new();
        self.recall_of(queries, k, &truth, params, &mut scratch)
    }

    /// The cheapest parameters that find at least `target` of the `k` nearest of sample `queries`
    /// (one behind the other), by trying wider and wider beams and a scan. `now` is a clock, for
    /// instance `|| start.elapsed()`.
    ///
    /// A few hundred queries like those to come are a good sample. If nothing reaches the target,
    /// which only codes without originals can cause, the best is returned.
    ///
    /// # Errors
    ///
    /// As [`recall`](Self::recall), and [`Config`](ErrorKind::Config) for a target of NaN.
    pub fn autotune(
        &self,
        queries: &[f32],
        k: usize,
        target: f64,
        mut now: impl FnMut() -> Duration,
    ) -> Result<Tuned, Error> {
        if target.is_nan() {
            return Err(Error::new(ErrorKind::Config, "the target is NaN; 0.95 is usual"));
        }
        let truth = self.truth(queries, k)?;
        let mut scratch = Scratch::new();
        let n = queries.len() / self.dim();
        let mut measure = |params: SearchParams| -> Result<Tuned, Error> {
            let recall = self.recall_of(queries, k, &truth, &params, &mut scratch)?;
            let start = now();
            for query in queries.chunks_exact(self.dim()) {
                self.search(query, k, &params, &mut scratch)?;
            }
            let latency = now().saturating_sub(start) / n as u32;
            Ok(Tuned { params, recall, latency })
        };
        let mut ef = k;
        let scan = measure(SearchParams { ef, method: Method::Scan })?;
        while ef < self.len() {
            let graph = measure(SearchParams { ef, method: Method::Graph })?;
            let enough = graph.recall >= target.min(scan.recall);
            if enough || graph.latency > scan.latency {
                return Ok(if enough && graph.latency <= scan.latency { graph } else { scan });
            }
            ef += ef.div_ceil(4);
        }
        Ok(scan)
    }

    /// Slots of the true `k` nearest of each query.
    fn truth(&self, queries: &[f32], k: usize) -> Result<Vec<Vec<u64>>, Error> {
        let dim = self.dim();
        if queries.is_empty() || !queries.len().is_multiple_of(dim) {
            return Err(Error::dimension(dim, queries.len()));
        }
        if k == 0 {
            return Err(Error::new(ErrorKind::Config, "k is 0; ask for at least one neighbour"));
        }
        let mut scratch = Scratch::new();
        let nearest = |query| {
            self.vectors.prepare_query(query, &mut scratch.query)?;
            self.vectors.scan_exactly(self.vectors.dead(), k, &mut scratch);
            self.vectors.report(k, &mut scratch);
            Ok(scratch.results.iter().map(|found| found.id).collect())
        };
        queries.chunks_exact(dim).map(nearest).collect()
    }

    fn recall_of(
        &self,
        queries: &[f32],
        k: usize,
        truth: &[Vec<u64>],
        params: &SearchParams,
        scratch: &mut Scratch,
    ) -> Result<f64, Error> {
        let (mut found, mut wanted) = (0, 0);
        for (query, truth) in queries.chunks_exact(self.dim()).zip(truth) {
            let results = self.search(query, k, params, scratch)?;
            found += results.iter().filter(|result| truth.contains(&result.id)).count();
            wanted += truth.len();
        }
        Ok(if wanted == 0 { 1.0 } else { found as f64 / wanted as f64 })
    }
}
