//! The libraries that compete, behind one interface.

use std::cell::RefCell;
use std::rc::Rc;

use edgekit_kernels_simd::Kernels;
use edgekit_vector_index::{HnswIndex, Index, Method, Metric, Scratch, SearchParams};
use serde::Deserialize;

use super::data::Dataset;

/// A library with an index built over the data.
pub(super) trait Contender {
    /// How many candidates the following searches keep.
    fn set_ef(&mut self, ef: usize);

    /// Replaces `found` by the ids of the `k` nearest.
    fn search(&mut self, query: &[f32], k: usize, found: &mut Vec<u64>);
}

/// This project's index.
pub(super) struct Ours {
    index: Rc<HnswIndex>,
    params: SearchParams,
    scratch: Scratch,
}

impl Ours {
    pub(super) fn new(index: Rc<HnswIndex>) -> Self {
        Ours {
            index,
            params: SearchParams { method: Method::Graph, ..SearchParams::default() },
            scratch: Scratch::new(),
        }
    }
}

impl Contender for Ours {
    fn set_ef(&mut self, ef: usize) {
        self.params.ef = ef;
    }

    fn search(&mut self, query: &[f32], k: usize, found: &mut Vec<u64>) {
        let results = self.index.search(query, k, &self.params, &mut self.scratch);
        found.clear();
        found.extend(results.expect("the query is finite").iter().map(|neighbor| neighbor.id));
    }
}

/// instant-distance, which takes `ef` when it builds. Its graph is therefore kept as JSON, in which
/// a point is its id, and made again for each `ef`. It computes distances with our kernels.
pub(super) struct InstantDistance<const D: usize> {
    vectors: Rc<Vectors>,
    graph: serde_json::Value,
    built: Option<instant_distance::Hnsw<Point<D>>>,
    search: instant_distance::Search,
}

#[derive(Default)]
struct Vectors {
    metric: Metric,
    base: Vec<f32>,
}

thread_local! {
    /// The vectors that points are read back from, and how they are compared.
    static POINTS: RefCell<Rc<Vectors>> = RefCell::default();
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(into = "u32", from = "u32")]
#[repr(align(64))]
struct Point<const D: usize> {
    values: [f32; D],
    id: u32,
    inner_product: bool,
}

impl<const D: usize> From<Point<D>> for u32 {
    fn from(point: Point<D>) -> u32 {
        point.id
    }
}

impl<const D: usize> From<u32> for Point<D> {
    fn from(id: u32) -> Self {
        POINTS.with_borrow(|vectors| {
            Point::new(&vectors.base[id as usize * D..][..D], id, vectors.metric)
        })
    }
}

impl<const D: usize> Point<D> {
    fn new(values: &[f32], id: u32, metric: Metric) -> Self {
        let inner_product = metric == Metric::InnerProduct;
        Point { values: values.try_into().expect("D values"), id, inner_product }
    }
}

impl<const D: usize> instant_distance::Point for Point<D> {
    fn distance(&self, other: &Self) -> f32 {
        let kernels = Kernels::get();
        if self.inner_product {
            1.0 - kernels.dot(&self.values, &other.values)
        } else {
            kernels.l2_squared(&self.values, &other.values)
        }
    }
}

impl<const D: usize> InstantDistance<D> {
    pub(super) fn new(data: &Dataset) -> Self {
        let base = data.base().flatten().copied().collect();
        let vectors = Rc::new(Vectors { metric: data.metric, base });
        POINTS.set(vectors.clone());
        let points = (0..data.len() as u32).map(Point::<D>::from).collect();
        let builder = instant_distance::Builder::default().ef_construction(200).seed(1);
        let (graph, _) = builder.build_hnsw(points);
        let graph = serde_json::to_value(&graph).expect("a graph is plain data");
        InstantDistance { vectors, graph, built: None, search: instant_distance::Search::default() }
    }
}

impl<const D: usize> Contender for InstantDistance<D> {
    fn set_ef(&mut self, ef: usize) {
        if self.graph["ef_search"] == ef && self.built.is_some() {
            return;
        }
        POINTS.set(self.vectors.clone());
        self.graph["ef_search"] = ef.into();
        let built = instant_distance::Hnsw::deserialize(&self.graph);
        self.built = Some(built.expect("what it wrote it reads"));
    }

    fn search(&mut self, query: &[f32], k: usize, found: &mut Vec<u64>) {
        let query = Point::new(query, u32::MAX, self.vectors.metric);
        let built = self.built.as_ref().expect("ef was set");
        let results = built.search(&query, &mut self.search);
        found.clear();
        found.extend(results.take(k).map(|item| u64::from(item.point.id)));
    }
}

/// The other crates, and how each builds its graph.
#[cfg(feature = "peers")]
pub(super) const RIVALS: [(&str, fn(&Dataset) -> Box<dyn Contender>); 4] = [
    ("usearch", |data| Box::new(Usearch::new(data))),
    ("vicinity", |data| Box::new(Vicinity::plain(data))),
    ("vicinity-sq8", |data| Box::new(Vicinity::codes(data))),
    ("hnsw_rs", |data| match data.metric {
        Metric::L2Squared => Box::new(HnswRs::new(data, hnsw_rs::prelude::DistL2)),
        _ => Box::new(HnswRs::new(data, hnsw_rs::prelude::DistDot)),
    }),
];

/// usearch with f32 storage, connectivity 16 and expansion 200, as its Rust crate builds it.
#[cfg(feature = "peers")]
pub(super) struct Usearch {
    index: usearch::Index,
}

#[cfg(feature = "peers")]
impl Usearch {
    pub(super) fn new(data: &Dataset) -> Self {
        let options = usearch::IndexOptions {
            dimensions: data.dim,
            metric: match data.metric {
                Metric::L2Squared => usearch::MetricKind::L2sq,
                _ => usearch::MetricKind::IP,
            },
            quantization: usearch::ScalarKind::F32,
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

#[cfg(feature = "peers")]
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

/// vicinity's graph over `f32`, or walked by its codes of eight bits, with the same settings. For
/// vectors of unit length it has a distance of its own.
#[cfg(feature = "peers")]
pub(super) enum Vicinity {
    Plain { index: vicinity::hnsw::HNSWIndex, ef: usize },
    Codes { index: vicinity::hnsw::HNSWSq8Index, ef: usize },
}

#[cfg(feature = "peers")]
impl Vicinity {
    fn settings(data: &Dataset) -> vicinity::hnsw::HNSWParams {
        let metric = match data.metric {
            Metric::L2Squared => vicinity::DistanceMetric::L2,
            _ => vicinity::DistanceMetric::Cosine,
        };
        vicinity::hnsw::HNSWParams { metric, seed: Some(1), ..Default::default() }
    }

    pub(super) fn plain(data: &Dataset) -> Self {
        let index = vicinity::hnsw::HNSWIndex::with_params(data.dim, Self::settings(data));
        let mut index = index.expect("the settings are valid");
        for (id, vector) in data.base().enumerate() {
            index.add_slice(id as u32, &comparable(data.metric, vector)).expect("it is new");
        }
        index.build().expect("there are vectors");
        Vicinity::Plain { index, ef: 0 }
    }

    pub(super) fn codes(data: &Dataset) -> Self {
        let index = vicinity::hnsw::HNSWSq8Index::with_params(data.dim, Self::settings(data));
        let mut index = index.expect("the settings are valid");
        for (id, vector) in data.base().enumerate() {
            index.add_slice(id as u32, &comparable(data.metric, vector)).expect("it is new");
        }
        index.build().expect("there are vectors");
        Vicinity::Codes { index, ef: 0 }
    }
}

#[cfg(feature = "peers")]
impl Contender for Vicinity {
    fn set_ef(&mut self, width: usize) {
        let (Vicinity::Plain { ef, .. } | Vicinity::Codes { ef, .. }) = self;
        *ef = width;
    }

    fn search(&mut self, query: &[f32], k: usize, found: &mut Vec<u64>) {
        let results = match self {
            Vicinity::Plain { index, ef } => index.search(query, k, *ef),
            Vicinity::Codes { index, ef } => index.search_reranked(query, k, *ef, 2 * k),
        };
        found.clear();
        found.extend(results.expect("it is built").iter().map(|&(id, _)| u64::from(id)));
    }
}

/// hnsw_rs with the same settings and its own distances.
#[cfg(feature = "peers")]
pub(super) struct HnswRs<D: hnsw_rs::prelude::Distance<f32> + Send + Sync> {
    graph: hnsw_rs::prelude::Hnsw<'static, f32, D>,
    metric: Metric,
    ef: usize,
}

#[cfg(feature = "peers")]
impl<D: hnsw_rs::prelude::Distance<f32> + Send + Sync> HnswRs<D> {
    pub(super) fn new(data: &Dataset, distance: D) -> Self {
        const LAYERS: usize = 16;
        let mut graph = hnsw_rs::prelude::Hnsw::new(16, data.len(), LAYERS, 200, distance);
        for (id, vector) in data.base().enumerate() {
            graph.insert((&comparable(data.metric, vector), id));
        }
        graph.set_searching_mode(true);
        HnswRs { graph, metric: data.metric, ef: 0 }
    }
}

#[cfg(feature = "peers")]
impl<D: hnsw_rs::prelude::Distance<f32> + Send + Sync> Contender for HnswRs<D> {
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
#[cfg(feature = "peers")]
fn comparable(metric: Metric, vector: &[f32]) -> Vec<f32> {
    let length = match metric {
        Metric::L2Squared => 1.0,
        _ => Kernels::get().dot(vector, vector).sqrt(),
    };
    vector.iter().map(|x| x / length).collect()
}
