//! The HNSW graph index: its settings, its type, and how it answers.

mod bulk;
mod check;
mod insert;
mod links;
mod refine;
mod remove;
mod search;
mod sight;
mod tune;
mod walk;

use std::fmt;

use crate::hash::mix64;
use crate::room::Room;
use crate::scratch::Visited;
use crate::vectors::Vectors;
use crate::{
    Error, ErrorKind, Filter, Index, Method, Metric, Neighbor, Scratch, SearchParams, Storage,
};
use insert::Build;
pub(crate) use links::{Links, MAX_LEVEL, NONE};
pub(crate) use search::Search;
pub use tune::{Stats, Tuned};
pub(crate) use walk::Graph;

/// Settings of an [`HnswIndex`], fixed when it is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HnswConfig {
    /// The distance to rank by.
    pub metric: Metric,
    /// Links per vector in the upper layers; twice as many at the bottom (the paper's M). 2 to
    /// 512. More raises memory (`8 · m` bytes a vector) and the recall that is cheap to reach.
    pub m: usize,
    /// Candidates kept while a vector is inserted (the paper's efConstruction), at least 1. More
    /// makes better links and a slower build, about in proportion.
    pub ef_construction: usize,
    /// How much longer a detour may be before a link is kept: a candidate is linked unless some
    /// nearer neighbour is `alpha` times nearer to it than the new vector is (squared distances).
    /// 1 to 4; 1 is the rule of the HNSW paper, above it the links of Vamana, which cost degree
    /// and save hops. 1.1 is measured to be best with many links, and with any number once the
    /// index is [refined](HnswIndex::refine); then 1.15 is as good or better with `m` 24.
    pub alpha: f32,
    /// What is stored of each vector.
    pub storage: Storage,
    /// Decides, with its slot, in how many layers a vector takes part. The same seed and the same
    /// inserts give the same index.
    pub seed: u64,
}

impl Default for HnswConfig {
    fn default() -> Self {
        HnswConfig {
            metric: Metric::default(),
            m: 16,
            ef_construction: 200,
            alpha: 1.2,
            storage: Storage::F32,
            seed: 0,
        }
    }
}

impl HnswConfig {
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let refuse = |what: String| Err(Error::new(ErrorKind::Config, what));
        if !(2..=512).contains(&self.m) {
            return refuse(format!("m is {}; 2 to 512 links are supported, 16 is usual", self.m));
        }
        if self.ef_construction == 0 {
            return refuse("ef_construction is 0; 100 to 400 is usual".into());
        }
        if !(1.0..=4.0).contains(&self.alpha) {
            return refuse(format!("alpha is {}; 1 to 4 is supported, 1.2 is usual", self.alpha));
        }
        Ok(())
    }
}

/// An approximate index: a hierarchical navigable small world graph (Malkov and Yashunin,
/// <https://arxiv.org/abs/1603.09320>).
///
/// Vectors are nodes linked to near and mutually diverse others. A search descends through thinner
/// and thinner samples of the data to a good place to start, then walks the bottom layer with a
/// beam of `ef` candidates. Two things differ from the paper. The diversity rule has Vamana's
/// slack, [`HnswConfig::alpha`]. And every vector has a *parent* whose link to it is never given
/// up, nor is the link back, so the bottom layer contains a spanning tree: no vector becomes
/// unreachable, however many duplicates or outliers there are, and `ef ≥ n` finds everything.
///
/// Under [`Metric::InnerProduct`] candidates are found and ordered by the plain inner product. Which of
/// them are links is decided by Euclidean distance after lifting the shorter of two vectors to the
/// length of the longer by an extra coordinate that is computed, not stored (after Bachrach and others,
/// 2014, who lift all to one length).
///
/// Costs: a search computes some hundreds to thousands of distances, growing with the logarithm of
/// `n` and in proportion to `ef`, and clears two sets of a bit a vector; an insertion the same with
/// `ef_construction` and a little more.
/// Memory is the vectors' `4 · dim` bytes (rounded up to 64) and about `8 · m + 40` beside them,
/// all in a few flat arrays.
///
/// ```
/// use edgekit_vector_index::{HnswConfig, HnswIndex, Index, Scratch, SearchParams};
///
/// let mut index = HnswIndex::new(3, HnswConfig::default())?;
/// for i in 0..100_u64 {
///     let angle = i as f32 / 50.0;
///     index.insert(i, &[angle.cos(), angle.sin(), 0.5])?;
/// }
/// let mut scratch = Scratch::new();
/// let found = index.search(&[1.0, 0.0, 0.5], 3, &SearchParams::default(), &mut scratch)?;
/// assert_eq!(found[0].id, 0);
/// # Ok::<(), edgekit_vector_index::Error>(())
/// ```
pub struct HnswIndex {
    pub(crate) config: HnswConfig,
    pub(crate) vectors: Vectors,
    pub(crate) links: Links,
    /// A node of the highest layer; none while the index is empty.
    pub(crate) entry: Option<u32>,
    build: Box<Build>,
}

impl HnswIndex {
    /// An empty index of vectors of `dim` values.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for a setting outside its range, unless `dim` is 1 to
    /// 1,048,576 (131,071 with [`Storage::Int8`]), and for a storage whose codes must be
    /// [`trained`](Self::trained).
    pub fn new(dim: usize, config: HnswConfig) -> Result<Self, Error> {
        HnswIndex::trained(dim, config, &[])
    }

    /// An empty index whose [`Storage`] learns its ranges from `sample`: some vectors like those to
    /// come, one behind the other. A few hundred are enough; storage without codes needs none.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), [`Config`](ErrorKind::Config) if codes have no sample of whole
    /// vectors, [`NotFinite`](ErrorKind::NotFinite) if it cannot be stored.
    pub fn trained(dim: usize, config: HnswConfig, sample: &[f32]) -> Result<Self, Error> {
        config.validate()?;
        Ok(HnswIndex {
            config,
            vectors: Vectors::new(config.metric, dim, config.storage, sample)?,
            links: Links::new(config.m),
            entry: None,
            build: Box::new(Build::new()),
        })
    }

    /// The settings the index was made with.
    pub fn config(&self) -> &HnswConfig {
        &self.config
    }

    /// The ids of all vectors, in no particular order.
    pub fn ids(&self) -> impl Iterator<Item = u64> {
        self.vectors.live().map(|slot| self.vectors.id(slot))
    }

    /// How [`search`](Index::search) would find the `k` nearest: what [`Method::Auto`] comes to.
    pub fn method_for(&self, k: usize, params: &SearchParams) -> Method {
        self.searching().method(k, params)
    }

    /// How many layers the graph has: 0 while it is empty, 1 until some vector is drawn upwards.
    pub fn layers(&self) -> usize {
        self.entry.map_or(0, |entry| self.links.level(entry) + 1)
    }

    /// Puts the vectors in the order in which a walk from the entry point, layer by layer of
    /// distance, meets them, so that what is visited together lies together, and forgets the room
    /// of removed ones. Searches find the same; only slots are numbered anew, by which exact ties
    /// are broken. Worth its copy when an index is filled and will be searched for long, and above
    /// all before it is saved to be mapped: fewer pages are touched.
    ///
    /// Costs `O(n)` and, for its time, the memory of a second index.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](ErrorKind::ReadOnly) if the index is a mapped file.
    pub fn optimize(&mut self) -> Result<(), Error> {
        self.vectors.check_writable()?;
        *self = self.picked(&self.order_of_visit(), None);
        Ok(())
    }

    /// All vectors, as a breadth-first walk from the entry meets them.
    pub(crate) fn order_of_visit(&self) -> Vec<u32> {
        let mut visited = Visited::default();
        visited.reset(self.vectors.dead());
        let mut order: Vec<u32> =
            self.entry.filter(|&node| visited.insert(node)).into_iter().collect();
        let mut at = 0;
        while let Some(&node) = order.get(at) {
            at += 1;
            order.extend(self.links.neighbors(node, 0).filter(|&slot| visited.insert(slot)));
        }
        order
    }

    /// The index of the vectors of `order` alone, in that order; see
    /// [`Stored::picked`](crate::stored::Stored::picked). All vectors must be among them.
    pub(crate) fn picked(&self, order: &[u32], room: Option<&Room>) -> Self {
        let new = |entry| order.iter().position(|&old| old == entry).map(|at| at as u32);
        HnswIndex::from_parts(
            self.config,
            self.vectors.picked(order, room),
            self.links.picked(order, room),
            self.entry.and_then(new),
        )
    }

    fn searching(&self) -> Search<'_, Links> {
        Search {
            config: &self.config,
            stored: &self.vectors,
            dead: self.vectors.dead(),
            len: self.vectors.len(),
            graph: &self.links,
            entry: self.entry,
        }
    }

    /// Stores a vector that is not linked yet.
    fn push(&mut self, id: u64, vector: &[f32]) -> Result<u32, Error> {
        let node = self.vectors.push(id, vector)?;
        if node as usize == self.links.len() {
            self.links.push(self.draw_level(node));
        }
        Ok(node)
    }

    /// The highest layer of a vector: level `l` with probability `m⁻ˡ`, as in the paper, drawn by
    /// a hash of the slot. A slot that is used again keeps the level for which it has links.
    fn draw_level(&self, slot: u32) -> usize {
        let m = self.config.m as u64;
        let mut draw = mix64(self.config.seed ^ mix64(slot.into()));
        let mut level = 0;
        while draw < u64::MAX / m && level < links::MAX_LEVEL {
            draw = draw.wrapping_mul(m);
            level += 1;
        }
        level
    }
}

impl Index for HnswIndex {
    fn metric(&self) -> Metric {
        self.config.metric
    }

    fn dim(&self) -> usize {
        self.vectors.dim
    }

    fn len(&self) -> usize {
        self.vectors.len()
    }

    fn contains(&self, id: u64) -> bool {
        self.vectors.slot(id).is_some()
    }

    fn vector(&self, id: u64) -> Option<Vec<f32>> {
        self.vectors.slot(id).map(|slot| self.vectors.original(slot))
    }

    fn insert(&mut self, id: u64, vector: &[f32]) -> Result<(), Error> {
        let node = self.push(id, vector)?;
        self.link(node, None, None);
        Ok(())
    }

    fn remove(&mut self, id: u64) -> Result<bool, Error> {
        self.vectors.check_writable()?;
        let slot = self.vectors.slot(id);
        if let Some(slot) = slot {
            self.unlink(slot);
        }
        Ok(slot.is_some())
    }

    fn upsert(&mut self, id: u64, vector: &[f32]) -> Result<(), Error> {
        self.vectors.check(vector)?;
        self.remove(id)?;
        self.insert(id, vector)
    }

    fn search<'s>(
        &self,
        query: &[f32],
        k: usize,
        params: &SearchParams,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [Neighbor], Error> {
        self.searching().nearest(query, k, params, scratch)?;
        Ok(&scratch.results)
    }

    fn search_filtered<'s>(
        &self,
        query: &[f32],
        k: usize,
        params: &SearchParams,
        filter: &Filter<'_>,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [Neighbor], Error> {
        self.searching().filtered(query, k, params, filter, scratch)?;
        Ok(&scratch.results)
    }

    fn search_range<'s>(
        &self,
        query: &[f32],
        radius: f32,
        params: &SearchParams,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [Neighbor], Error> {
        self.searching().within(query, radius, params, scratch)?;
        Ok(&scratch.results)
    }

    fn reserve(&mut self, additional: usize) {
        self.vectors.reserve(additional);
        self.links.reserve(additional);
    }

    fn shrink_to_fit(&mut self) {
        self.vectors.shrink_to_fit();
        self.links.shrink_to_fit();
    }

    fn memory_bytes(&self) -> usize {
        self.vectors.memory_bytes() + self.links.memory_bytes()
    }
}

impl fmt::Debug for HnswIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HnswIndex")
            .field("config", &self.config)
            .field("dim", &self.dim())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
