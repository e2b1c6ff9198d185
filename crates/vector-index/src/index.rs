//! The interface that every index of this crate has.

use crate::{Error, ErrorKind, Metric, Scratch};

/// A vector that a search found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbor {
    /// The id under which the vector was inserted.
    pub id: u64,
    /// How far it is from the query in the index's [`Metric`]; smaller is nearer.
    pub distance: f32,
}

/// How hard a search looks, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchParams {
    /// How many candidates a graph search keeps: more finds more and takes longer, about in
    /// proportion. A search for `k` results keeps at least `k`; codes with
    /// [`Originals`](crate::Originals) want more, to have some to choose from: 1.2 · k of 8 bits, 2 · k
    /// of 4. Exact indexes ignore it.
    pub ef: usize,
    /// Whether a graph index walks its graph.
    pub method: Method,
}

/// How a graph index finds the nearest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// Scans while there are so few vectors that a scan is not slower than a walk with the same
    /// `ef`, and walks beyond.
    #[default]
    Auto,
    /// Walks the graph.
    Graph,
    /// Scores every vector.
    Scan,
}

impl Default for SearchParams {
    /// `ef` 64, which finds 98.9 % of the ten nearest among 10,000 embeddings of sentences, of 384
    /// values and of 128, with the default settings of a graph.
    fn default() -> Self {
        SearchParams { ef: 64, method: Method::Auto }
    }
}

/// Which ids a search may return.
pub type Filter<'a> = dyn Fn(u64) -> bool + 'a;

/// A set of vectors under ids of the caller's choice that finds those nearest to a query.
///
/// Searching takes `&self`: any number of threads may search at once, each with a [`Scratch`] of
/// its own.
pub trait Index: Send + Sync {
    /// The distance that results are ranked by.
    fn metric(&self) -> Metric;

    /// How many values a vector has.
    fn dim(&self) -> usize;

    /// How many vectors are stored.
    fn len(&self) -> usize;

    /// Whether nothing is stored.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a vector is stored under `id`.
    fn contains(&self, id: u64) -> bool;

    /// A copy of the vector stored under `id`, as exactly as it is stored.
    fn vector(&self, id: u64) -> Option<Vec<f32>>;

    /// Stores `vector` under `id`.
    ///
    /// # Errors
    ///
    /// [`Dimension`](crate::ErrorKind::Dimension) unless it has [`dim`](Index::dim) values,
    /// [`NotFinite`](crate::ErrorKind::NotFinite) for NaN, infinities and values too large for
    /// distances or for the storage, [`Underflow`](crate::ErrorKind::Underflow) if all are too small for
    /// the storage, [`DuplicateId`](crate::ErrorKind::DuplicateId) if `id` is
    /// taken, [`Full`](crate::ErrorKind::Full) beyond 2³¹ vectors,
    /// [`ReadOnly`](crate::ErrorKind::ReadOnly) if the index is a mapped file. The index is
    /// unchanged then.
    fn insert(&mut self, id: u64, vector: &[f32]) -> Result<(), Error>;

    /// Removes the vector stored under `id`; whether there was one. Its room is used again.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](crate::ErrorKind::ReadOnly) if the index is a mapped file.
    fn remove(&mut self, id: u64) -> Result<bool, Error>;

    /// Stores `vector` under `id`, instead of what is there.
    ///
    /// # Errors
    ///
    /// As [`insert`](Index::insert), but for `DuplicateId`. The index is unchanged then.
    fn upsert(&mut self, id: u64, vector: &[f32]) -> Result<(), Error>;

    /// The `k` vectors nearest to `query`, nearest first; all of them if there are fewer than `k`.
    /// The result lives in `scratch` until its next use.
    ///
    /// # Errors
    ///
    /// [`Dimension`](crate::ErrorKind::Dimension) and
    /// [`NotFinite`](crate::ErrorKind::NotFinite) as for [`insert`](Index::insert).
    fn search<'s>(
        &self,
        query: &[f32],
        k: usize,
        params: &SearchParams,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [Neighbor], Error> {
        self.search_filtered(query, k, params, &|_| true, scratch)
    }

    /// [`search`](Index::search) among the ids that `filter` lets pass: `k` of them whenever `k`
    /// pass. A bitmap is a filter too: `&|id| bitmap.contains(id)`.
    ///
    /// # Errors
    ///
    /// As [`search`](Index::search).
    fn search_filtered<'s>(
        &self,
        query: &[f32],
        k: usize,
        params: &SearchParams,
        filter: &Filter<'_>,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [Neighbor], Error>;

    /// All vectors at most `radius` away from `query`, nearest first. An exact index finds all; a
    /// graph index widens its beam until it holds more than that, and may miss some. There is no filter:
    /// drop from the result what should not be in it. Nothing is within a negative radius but under
    /// [`Metric::InnerProduct`], all within an infinite one.
    ///
    /// # Errors
    ///
    /// As [`search`](Index::search), and [`NotFinite`](crate::ErrorKind::NotFinite) for a radius of NaN.
    fn search_range<'s>(
        &self,
        query: &[f32],
        radius: f32,
        params: &SearchParams,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [Neighbor], Error>;

    /// [`search`](Index::search) for many queries, `queries[i·dim .. (i+1)·dim]` each, on this thread:
    /// one list of results per query, in their order, equal to what `search` returns.
    ///
    /// A [`FlatIndex`](crate::FlatIndex) of `F32`, `Int8` or `Int4` [`Storage`](crate::Storage)
    /// scores blocks of queries together once it holds a thousand vectors and is asked 16 queries
    /// (`F32`: 8), two to eight times as fast as one by one; that takes `O(dim)` bytes for each query
    /// of a block and each of some five hundred rows, and a quarter of a megabyte.
    ///
    /// # Errors
    ///
    /// [`Dimension`](crate::ErrorKind::Dimension) unless `queries` holds a whole number of vectors,
    /// and those of [`search`](Index::search).
    fn search_many(
        &self,
        queries: &[f32],
        k: usize,
        params: &SearchParams,
        scratch: &mut Scratch,
    ) -> Result<Vec<Vec<Neighbor>>, Error> {
        one_by_one(self, queries, k, params, scratch)
    }

    /// Makes room for `additional` more vectors at once, instead of by doubling as they come.
    fn reserve(&mut self, additional: usize);

    /// Gives back memory that was reserved and is not used.
    fn shrink_to_fit(&mut self);

    /// Bytes of heap memory that the index holds, ids and spare capacity included.
    fn memory_bytes(&self) -> usize;
}

pub(crate) fn one_by_one<I: Index + ?Sized>(
    index: &I,
    queries: &[f32],
    k: usize,
    params: &SearchParams,
    scratch: &mut Scratch,
) -> Result<Vec<Vec<Neighbor>>, Error> {
    check_whole(index.dim(), queries)?;
    queries
        .chunks_exact(index.dim())
        .map(|query| index.search(query, k, params, scratch).map(<[Neighbor]>::to_vec))
        .collect()
}

/// Refuses a radius that nothing can be compared with.
pub(crate) fn check_radius(radius: f32) -> Result<(), Error> {
    if radius.is_nan() {
        return Err(Error::new(ErrorKind::NotFinite, "the radius is NaN; nothing is within it"));
    }
    Ok(())
}

pub(crate) fn check_whole(dim: usize, queries: &[f32]) -> Result<(), Error> {
    match queries.len() % dim {
        0 => Ok(()),
        rest => Err(Error::dimension(dim, rest)),
    }
}

/// [`Index::search_many`] on rayon's threads.
///
/// # Errors
///
/// As [`search_many`](Index::search_many); if several queries fail, the error of any of them.
#[cfg(feature = "rayon")]
pub fn search_batch<I: Index + ?Sized>(
    index: &I,
    queries: &[f32],
    k: usize,
    params: &SearchParams,
) -> Result<Vec<Vec<Neighbor>>, Error> {
    use rayon::prelude::*;

    use crate::batch::QUERIES;

    let dim = index.dim();
    check_whole(dim, queries)?;
    // Blocks that can be shared out evenly, unless that leaves nothing to do together.
    let share = (queries.len() / dim).div_ceil(4 * rayon::current_num_threads());
    let lists: Result<Vec<_>, Error> = queries
        .par_chunks(share.clamp(1, QUERIES) * dim)
        .map_init(Scratch::new, |scratch, block| index.search_many(block, k, params, scratch))
        .collect();
    Ok(lists?.into_iter().flatten().collect())
}
