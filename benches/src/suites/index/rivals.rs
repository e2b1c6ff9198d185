//! Other crates' graphs over `f32` (usearch's over `f16` too), with M 16 and efConstruction 200 like ours.

use edgekit_kernels_simd::Kernels;
use edgekit_vector_index::Metric;
use hnsw_rs::prelude::{DistDot, DistL2, Distance, Hnsw};
use usearch::ScalarKind;
use vicinity::DistanceMetric;
use vicinity::hnsw::{HNSWIndex, HNSWParams};

use super::contenders::Contender;
use super::data::Dataset;

type Build = fn(&Dataset) -> Box<dyn Contender>;

/// The crates, and how each builds its graph.
pub(super) const RIVALS: [(&str, Build); 4] = [
    ("usearch", |data| Box::new(Usearch::new(data, ScalarKind::F32))),
    ("usearch-f16", |data| Box::new(Usearch::new(data, ScalarKind::F16))),
    ("vicinity", |data| Box::new(Vicinity::new(data))),
    ("hnsw_rs", |data| match data.metric {
        Metric::L2Squared => Box::new(HnswRs::new(data, DistL2)),
        _ => Box::new(HnswRs::new(data, DistDot)),
    }),
];

/// usearch with connectivity 16 and expansion 200, as its Rust crate builds it.
struct Usearch {
    index: usearch::Index,
}

impl Usearch {
    fn new(data: &Dataset, quantization: ScalarKind) -> Self {
        let options = usearch::IndexOptions {
            dimensions: data.dim,
            metric: match data.metric {
                Metric::L2Squared => usearch::MetricKind::L2sq,
                _ => usearch::MetricKind::IP,
            },
            quantization,
            connectivity: 16,
            expansion_add: 200,
            expansion_search: 64,
            multi: false,
        };
        let index = usearch::Index::new(&options).expect("the options are valid");
        index.reserve(data.len()).expect("there is memory");
        for (id, vector) in data.base().enumerate() {
            index.add(id as u64, vector).expect("the vector is new");
        }
        Usearch { index }
    }
}

impl Contender for Usearch {
    fn set_ef(&mut self, ef: usize) {
        self.index.change_expansion_search(ef);
    }

    fn search(&mut self, query: &[f32], k: usize, found: &mut Vec<u64>) {
        let results = self.index.search(query, k).expect("the query is finite");
        found.clear();
        found.extend(results.keys);
    }
}

/// vicinity's graph over `f32` with the same settings, which was faster than its graph over
/// codes of eight bits. For vectors of unit length it has a distance of its own.
struct Vicinity {
    index: HNSWIndex,
    ef: usize,
}

impl Vicinity {
    fn new(data: &Dataset) -> Self {
        let metric = match data.metric {
            Metric::L2Squared => DistanceMetric::L2,
            _ => DistanceMetric::Cosine,
        };
        let settings = HNSWParams {
            m: 16,
            m_max: 32,
            ef_construction: 200,
            metric,
            seed: Some(1),
            ..Default::default()
        };
        let index = HNSWIndex::with_params(data.dim, settings);
        let mut index = index.expect("the settings are valid");
        for (id, vector) in data.base().enumerate() {
            index.add_slice(id as u32, &comparable(data.metric, vector)).expect("it is new");
        }
        index.build().expect("there are vectors");
        Vicinity { index, ef: 0 }
    }
}

impl Contender for Vicinity {
    fn set_ef(&mut self, ef: usize) {
        self.ef = ef;
    }

    fn search(&mut self, query: &[f32], k: usize, found: &mut Vec<u64>) {
        let results = self.index.search(query, k, self.ef).expect("it is built");
        found.clear();
        found.extend(results.iter().map(|&(id, _)| u64::from(id)));
    }
}

/// hnsw_rs with the same settings and its own distances.
struct HnswRs<D: Distance<f32> + Send + Sync> {
    graph: Hnsw<'static, f32, D>,
    metric: Metric,
    ef: usize,
}

impl<D: Distance<f32> + Send + Sync> HnswRs<D> {
    fn new(data: &Dataset, distance: D) -> Self {
        const LAYERS: usize = 16;
        let mut graph = Hnsw::new(16, data.len(), LAYERS, 200, distance);
        for (id, vector) in data.base().enumerate() {
            graph.insert((&comparable(data.metric, vector), id));
        }
        graph.set_searching_mode(true);
        HnswRs { graph, metric: data.metric, ef: 0 }
    }
}

impl<D: Distance<f32> + Send + Sync> Contender for HnswRs<D> {
    fn set_ef(&mut self, ef: usize) {
        self.ef = ef;
    }

    fn search(&mut self, query: &[f32], k: usize, found: &mut Vec<u64>) {
        let results = self.graph.search(&comparable(self.metric, query), k, self.ef);
        found.clear();
        found.extend(results.iter().map(|neighbour| neighbour.d_id as u64));
    }
}

/// The vector at exactly unit length where inner products are compared: the rivals' distances for
/// them panic on, or do not expect, the rounding that half precision leaves in the sample.
fn comparable(metric: Metric, vector: &[f32]) -> Vec<f32> {
    let length = match metric {
        Metric::L2Squared => 1.0,
        _ => Kernels::get().dot(vector, vector).sqrt(),
    };
    vector.iter().map(|x| x / length).collect()
}
