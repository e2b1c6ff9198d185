//! An index that is searched while it changes.
//!
//! The writer has an [`HnswIndex`] of its own behind a mutex and changes it as anybody would. What
//! readers see is a [`View`]: the same rows, to which is only appended, and a copy of the links in
//! atomics, into which the writer copies each row of links that it changed, and then shows or hides
//! the vector with one bit. Arrays do not move while they grow. When a view is full, or too much of it
//! was removed, the writer copies what is there into another and swaps a pointer; readers finish in the
//! old one.

mod view;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, MutexGuard};

use arc_swap::ArcSwap;

use crate::hnsw::Search;
use crate::index::check_whole;
use crate::room::Room;
use crate::{Error, Filter, HnswConfig, HnswIndex, Index, Metric, Neighbor, Scratch, SearchParams};
use view::{View, ViewLinks};

/// An [`HnswIndex`] that any number of threads search while others insert and remove: everything
/// takes `&self`.
///
/// - **Searches take no lock** and never wait for a change. A search sees each vector either wholly or
///   not at all, and those whose insertion returned before it began; never one whose removal did.
/// - **Changes** are done one at a time; each costs what it costs in an `HnswIndex`, plus copying the
///   rows of links that it touched.
/// - While a search and a change overlap, a walk may miss a vector whose links are just being
///   rewritten, which costs recall as a narrower beam would, and a search that overlaps an
///   [`upsert`](Self::upsert), or a removal and an insertion of one id, may return one result fewer. A
///   scan misses nothing.
/// - **Room.** From a megabyte on, the index grows where it is: its arrays lie in a range of up to 64 GB
///   of addresses, which is no memory until it is written to, so that no insertion copies what is there.
///   Where the system gives no such range, and below a megabyte, a full index is copied with room for
///   half as many vectors again (`O(n)`, as when a `Vec` grows).
/// - **Removed vectors**, and replaced ones, keep their rows, at which readers may be looking. When there
///   is more than one for two others, the change that notices copies what is left: `O(n)` after
///   `n / 2` removals. For as long as an old search runs there are then two copies.
/// - **Links** are kept twice: `8 · m` bytes a vector more than in an `HnswIndex`.
///
/// ```
/// use edgekit_vector_index::{HnswConfig, HnswIndex, Scratch, SearchParams, SharedHnsw};
///
/// let index = SharedHnsw::new(HnswIndex::new(2, HnswConfig::default())?)?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| (0..100).try_for_each(|i| index.insert(i, &[1.0, i as f32])));
///     let mut scratch = Scratch::new();
///     while index.len() < 100 {
///         let found = index.search(&[1.0, 0.0], 1, &SearchParams::default(), &mut scratch);
///         assert!(found.unwrap().iter().all(|near| near.id == 0));
///     }
/// });
/// # Ok::<(), edgekit_vector_index::Error>(())
/// ```
pub struct SharedHnsw {
    config: HnswConfig,
    dim: usize,
    writer: Mutex<HnswIndex>,
    view: ArcSwap<View>,
}

impl SharedHnsw {
    /// Shares an index, which is copied: `O(n)`.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](crate::ErrorKind::ReadOnly) if it is a mapped file, which any number of threads
    /// can search as it is.
    pub fn new(index: HnswIndex) -> Result<Self, Error> {
        index.vectors.check_writable()?;
        let (config, dim) = (index.config, index.dim());
        let (index, view) = roomy(&index);
        Ok(SharedHnsw { config, dim, writer: Mutex::new(index), view: ArcSwap::from_pointee(view) })
    }

    /// The index itself, copied once more into arrays without spare room: `O(n)`.
    pub fn into_inner(self) -> HnswIndex {
        let index = self.writer();
        index.picked(&index.vectors.live().collect::<Vec<_>>(), None)
    }

    /// Runs `read` on the index as the writer has it, between changes: for [`save`](HnswIndex::save),
    /// [`stats`](HnswIndex::stats), [`contains`](Index::contains) and whatever else takes `&self`.
    /// Changes wait for it; searches do not. If `read` panics, so does this, and the index is as it
    /// was.
    ///
    /// # Deadlocks
    ///
    /// If `read` calls `insert`, `remove`, `upsert`, `contains`, `memory_bytes` or `with` of this index,
    /// which wait for it to end.
    pub fn with<T>(&self, read: impl FnOnce(&HnswIndex) -> T) -> T {
        let index = self.writer();
        // Only a panic in a change may leave the index half done, and so poison its lock.
        let answer = catch_unwind(AssertUnwindSafe(|| read(&index)));
        drop(index);
        answer.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// The distance that results are ranked by.
    pub fn metric(&self) -> Metric {
        self.config.metric
    }

    /// How many values a vector has.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many vectors are stored.
    pub fn len(&self) -> usize {
        self.view.load().len()
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a vector is stored under `id`. Waits for a change that is under way: who must not wait
    /// keeps a set of ids beside the index.
    pub fn contains(&self, id: u64) -> bool {
        self.with(|index| index.contains(id))
    }

    /// Bytes of memory, the readers' links included, and spare room unless it is no memory yet.
    pub fn memory_bytes(&self) -> usize {
        let index = self.writer();
        index.memory_bytes() + self.view.load().memory_bytes(&index)
    }

    /// Stores `vector` under `id`; as [`Index::insert`].
    ///
    /// # Errors
    ///
    /// As there. The index is unchanged then.
    pub fn insert(&self, id: u64, vector: &[f32]) -> Result<(), Error> {
        let mut index = self.writer();
        self.make_room(&mut index);
        index.insert(id, vector)?;
        let view = self.view.load();
        let slot = view.take_over(&mut index, None);
        view.show(&index, slot);
        Ok(())
    }

    /// Removes the vector stored under `id`; whether there was one. Searches that begin afterwards
    /// do not find it.
    ///
    /// # Errors
    ///
    /// None today; as [`Index::remove`].
    pub fn remove(&self, id: u64) -> Result<bool, Error> {
        let mut index = self.writer();
        let Some(slot) = index.vectors.slot(id) else { return Ok(false) };
        index.remove(id)?;
        let view = self.view.load();
        view.take_over(&mut index, Some(slot));
        view.hide(&index, slot);
        Ok(true)
    }

    /// Stores `vector` under `id`, instead of what is there: searches see the one or the other.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert), but for `DuplicateId`. The index is unchanged then, unless it holds
    /// all 2³¹ vectors that it can address: [`Full`](crate::ErrorKind::Full) then leaves it without the
    /// vector that was to be replaced, whose row others may still be reading.
    pub fn upsert(&self, id: u64, vector: &[f32]) -> Result<(), Error> {
        let mut index = self.writer();
        self.make_room(&mut index);
        let old = index.vectors.slot(id);
        index.upsert(id, vector)?;
        let view = self.view.load();
        let new = view.take_over(&mut index, old);
        view.replace(&index, old, new);
        Ok(())
    }

    /// The `k` vectors nearest to `query`; as [`Index::search`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn search<'s>(
        &self,
        query: &[f32],
        k: usize,
        params: &SearchParams,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [Neighbor], Error> {
        self.read(scratch, |search, scratch| search.nearest(query, k, params, scratch))
    }

    /// The `k` nearest among those that pass; as [`Index::search_filtered`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn search_filtered<'s>(
        &self,
        query: &[f32],
        k: usize,
        params: &SearchParams,
        filter: &Filter<'_>,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [Neighbor], Error> {
        self.read(scratch, |search, scratch| search.filtered(query, k, params, filter, scratch))
    }

    /// All vectors at most `radius` away; as [`Index::search_range`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn search_range<'s>(
        &self,
        query: &[f32],
        radius: f32,
        params: &SearchParams,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [Neighbor], Error> {
        self.read(scratch, |search, scratch| search.within(query, radius, params, scratch))
    }

    /// [`search`](Self::search) for many queries, one behind the other; as [`Index::search_many`]. Each
    /// sees the index as it is when its turn comes.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn search_many(
        &self,
        queries: &[f32],
        k: usize,
        params: &SearchParams,
        scratch: &mut Scratch,
    ) -> Result<Vec<Vec<Neighbor>>, Error> {
        check_whole(self.dim, queries)?;
        let queries = queries.chunks_exact(self.dim);
        queries.map(|query| self.search(query, k, params, scratch).map(<[_]>::to_vec)).collect()
    }

    fn read<'s>(
        &self,
        scratch: &'s mut Scratch,
        answer: impl FnOnce(&Search<'_, ViewLinks>, &mut Scratch) -> Result<(), Error>,
    ) -> Result<&'s [Neighbor], Error> {
        let view = self.view.load();
        // Out of the scratch while it is read beside it.
        let mut dead = std::mem::take(&mut scratch.dead);
        let moment = view.snapshot(&mut dead);
        let answered = answer(&view.searching(&self.config, &moment, &dead), scratch);
        scratch.dead = dead;
        answered?;
        view.settle(&moment, scratch);
        Ok(&scratch.results)
    }

    /// Replaces the view by one without the removed vectors, if they take too much of it or the next
    /// vector may not fit it.
    fn make_room(&self, index: &mut HnswIndex) {
        let wasted = index.vectors.free.len() > spare(index.len());
        if wasted || !self.view.load().has_room(index) {
            let (other, view) = roomy(index);
            *index = other;
            self.view.store(view.into());
        }
    }

    fn writer(&self) -> MutexGuard<'_, HnswIndex> {
        self.writer.lock().expect("no change panicked before")
    }
}

/// How many removed vectors so many others put up with, and for how many more they get room at least.
fn spare(len: usize) -> usize {
    len / 2 + 64
}

/// A copy of the index without its removed vectors, in arrays that have room for more and that a view
/// shows.
fn roomy(index: &HnswIndex) -> (HnswIndex, View) {
    let live: Vec<u32> = index.vectors.live().collect();
    let least = (live.len() + spare(live.len())).min(crate::pool::MAX_IDS);
    let bytes = |slots| {
        let (rows, links) = (index.vectors.room_bytes(slots), index.links.room_bytes(slots));
        rows + links + View::room_bytes(index, slots)
    };
    let room = Room::growing(least, bytes);
    let mut copy = index.picked(&live, Some(&room));
    let view = View::new(&copy, &room);
    copy.links.written = Some(Vec::new());
    (copy, view)
}

impl fmt::Debug for SharedHnsw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedHnsw")
            .field("config", &self.config)
            .field("dim", &self.dim)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Storage;

    #[test]
    fn what_readers_see_moves_only_to_drop_the_removed() {
        const DIM: usize = 600;
        let config = HnswConfig { m: 2, ef_construction: 2, ..HnswConfig::default() };
        for storage in [Storage::F32, Storage::Int8(crate::Originals::F16)] {
            let config = HnswConfig { storage, ..config };
            let vector = |id: u64| {
                let mut values = [1.0; DIM];
                values[id as usize % DIM] = 2.0;
                values
            };
            let mut index = HnswIndex::trained(DIM, config, &vector(0)).unwrap();
            (0..700).for_each(|id| index.insert(id, &vector(id)).unwrap());
            let shared = SharedHnsw::new(index).unwrap();
            let seen = || Arc::as_ptr(&shared.view.load_full());
            let (view, bytes) = (seen(), shared.memory_bytes());
            (700..2_800).for_each(|id| shared.insert(id, &vector(id)).unwrap());
            let room = shared.view.load().has_room_for(1 << 20);
            assert_eq!(seen() == view, room, "copied though there is room, or never");
            let grown = shared.memory_bytes() as f64 / bytes as f64;
            assert!(!room || (3.8..4.2).contains(&grown), "{grown} times the memory");
            (0..2_700).for_each(|id| assert!(shared.remove(id).unwrap()));
            shared.insert(0, &vector(0)).unwrap();
            assert!(seen() != view && shared.memory_bytes() < bytes / 2);
            shared.with(HnswIndex::validate).unwrap();
        }
    }
}
