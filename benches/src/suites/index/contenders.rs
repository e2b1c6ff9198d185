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
