//! Graphs that the crate `instant-distance` built, searched as an [`Index`].

use std::fmt;

use edgekit_kernels_simd::Kernels;
use hashbrown::HashTable;
use instant_distance::{HnswMap, Point};

use crate::hash::mix64;
use crate::index::check_radius;
use crate::pool::{self, pack};
use crate::{Error, ErrorKind, Filter, Index, Metric, Neighbor, Scratch, SearchParams};

/// An index over an [`instant_distance::HnswMap`] as it is, built or deserialised by that crate: for
/// those who have its data, and do not want to build a graph again to use it here.
///
/// The map's values are the ids. Its point type gives its vector by `AsRef` and is made of a query by
/// `From`; `Point::distance` must rank as the [`Metric`] does. Distances in results are the metric's.
///
/// What that crate cannot do shows: it is read-only, and how many candidates a search keeps
/// (`ef_search`) was fixed when the graph was built, so [`SearchParams::ef`] is ignored. Where its
/// walk yields too few, for `k` above `ef_search`, for filters, and for radius searches always,
/// every vector is scored. [`HnswIndex`](crate::HnswIndex) has none of these limits.
pub struct InstantIndex<P> {
    map: HnswMap<P, u64>,
    metric: Metric,
    dim: usize,
    /// Place of each id in `map.values`, hashed by the id.
    places: HashTable<u32>,
}

impl<P> InstantIndex<P>
where
    P: Point + AsRef<[f32]> + for<'q> From<&'q [f32]> + Send,
{
    /// Takes a map over.
    ///
    /// # Errors
    ///
    /// [`Dimension`](ErrorKind::Dimension) unless all points have `dim` values,
    /// [`NotFinite`](ErrorKind::NotFinite) for values that cannot be ranked,
    /// [`DuplicateId`](ErrorKind::DuplicateId) if a value comes twice,
    /// [`Config`](ErrorKind::Config) unless `dim` is 1 to 1,048,576,
    /// [`Format`](ErrorKind::Format) unless there are as many values as points.
    pub fn new(map: HnswMap<P, u64>, dim: usize, metric: Metric) -> Result<Self, Error> {
        crate::vectors::check_dim(dim)?;
        let ids = &map.values;
        let points = map.iter().count();
        if points != ids.len() {
            let what = format!("the map has {points} points and {} values", ids.len());
            return Err(Error::new(ErrorKind::Format, what));
        }
        let mut buffer = vec![0.0; dim];
        let mut places = HashTable::with_capacity(points);
        for (((_, point), &id), place) in map.iter().zip(ids).zip(0_u32..) {
            if point.as_ref().len() != dim {
                return Err(Error::dimension(dim, point.as_ref().len()));
            }
            metric.prepare(point.as_ref(), &mut buffer)?;
            let same = |&other: &u32| ids[other as usize] == id;
            if places.find(mix64(id), same).is_some() {
                let what = format!("id {id} is the value of two points");
                return Err(Error::new(ErrorKind::DuplicateId, what));
            }
            places.insert_unique(mix64(id), place, |&place| mix64(ids[place as usize]));
        }
        Ok(InstantIndex { map, metric, dim, places })
    }

    fn place(&self, id: u64) -> Option<u32> {
        let same = |&place: &u32| self.map.values[place as usize] == id;
        self.places.find(mix64(id), same).copied()
    }

    fn check(&self, query: &[f32]) -> Result<(), Error> {
        if query.len() != self.dim {
            return Err(Error::dimension(self.dim, query.len()));
        }
        self.metric.prepare(query, &mut vec![0.0; self.dim]).map(|_| ())
    }

    /// Leaves all that pass in the results, nearest first.
    fn scan(&self, query: &[f32], passes: impl Fn(u64, f32) -> bool, scratch: &mut Scratch) {
        let Scratch { keys, results, .. } = scratch;
        keys.clear();
        for ((_, point), place) in self.map.iter().zip(0_u32..) {
            let distance = distance(self.metric, query, point.as_ref());
            if passes(self.map.values[place as usize], distance) {
                keys.push(pack(distance, place));
            }
        }
        keys.sort_unstable();
        results.clear();
        results.extend(keys.iter().map(|&key| Neighbor {
            id: self.map.values[pool::id(key) as usize],
            distance: pool::distance(key),
        }));
    }
}

impl<P> Index for InstantIndex<P>
where
    P: Point + AsRef<[f32]> + for<'q> From<&'q [f32]> + Send,
{
    fn metric(&self) -> Metric {
        self.metric
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn len(&self) -> usize {
        self.map.values.len()
    }

    fn contains(&self, id: u64) -> bool {
        self.place(id).is_some()
    }

    /// `O(n)`: the map tells its points only in order.
    fn vector(&self, id: u64) -> Option<Vec<f32>> {
        let point = self.map.iter().nth(self.place(id)? as usize)?.1;
        Some(point.as_ref().to_vec())
    }

    fn insert(&mut self, _: u64, _: &[f32]) -> Result<(), Error> {
        Err(fixed())
    }

    fn remove(&mut self, _: u64) -> Result<bool, Error> {
        Err(fixed())
    }

    fn upsert(&mut self, _: u64, _: &[f32]) -> Result<(), Error> {
        Err(fixed())
    }

    fn search_filtered<'s>(
        &self,
        query: &[f32],
        k: usize,
        _: &SearchParams,
        filter: &Filter<'_>,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [Neighbor], Error> {
        self.check(query)?;
        let Scratch { instant, results, .. } = scratch;
        let found = self.map.search(&P::from(query), instant).filter(|item| filter(*item.value));
        let neighbor = |item: instant_distance::MapItem<'_, P, u64>| Neighbor {
            id: *item.value,
            distance: distance(self.metric, query, item.point.as_ref()),
        };
        results.clear();
        results.extend(found.take(k).map(neighbor));
        if results.len() < k.min(self.len()) {
            self.scan(query, |id, _| filter(id), scratch);
            scratch.results.truncate(k);
        }
        Ok(&scratch.results)
    }

    fn search_range<'s>(
        &self,
        query: &[f32],
        radius: f32,
        _: &SearchParams,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [Neighbor], Error> {
        check_radius(radius)?;
        self.check(query)?;
        self.scan(query, |_, distance| distance <= radius, scratch);
        Ok(&scratch.results)
    }

    /// There is nothing to make room for.
    fn reserve(&mut self, _: usize) {}

    /// There is nothing to give back.
    fn shrink_to_fit(&mut self) {}

    /// Counts points, ids and bottom links; upper layers, and what points own, cannot be seen.
    fn memory_bytes(&self) -> usize {
        const BOTTOM_LINKS: usize = 64;
        let point = size_of::<P>() + size_of::<u64>() + BOTTOM_LINKS * size_of::<u32>();
        self.len() * point + self.places.allocation_size()
    }
}

impl<P> fmt::Debug for InstantIndex<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstantIndex")
            .field("metric", &self.metric)
            .field("dim", &self.dim)
            .field("len", &self.map.values.len())
            .finish_non_exhaustive()
    }
}

fn fixed() -> Error {
    let what = "a graph of instant-distance is built once; insert its vectors into an HnswIndex";
    Error::new(ErrorKind::ReadOnly, what)
}

fn distance(metric: Metric, a: &[f32], b: &[f32]) -> f32 {
    let kernels = Kernels::get();
    match metric {
        Metric::L2Squared => kernels.l2_squared(a, b),
        Metric::InnerProduct => -kernels.dot(a, b),
        Metric::Cosine => {
            let length =
                |v: &[f32]| v.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
            let lengths = length(a) * length(b);
            let dot: f64 = a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
            if lengths > 0.0 { (1.0 - dot / lengths) as f32 } else { 1.0 }
        }
    }
}
