//! Patterns and the index over them, changed together and so always of one mind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aligned_vec::{AVec, ConstAlign};
use edgekit_kernels_simd::{Kernels, Rows};
use edgekit_vector_index::Scratch;
use rustc_hash::FxHashMap;

use crate::config::BankConfig;
use crate::graph::Graph;
use crate::pattern::unit;
use crate::{Error, Pattern};

/// How often and when a pattern was returned. Shared by all copies of it, and written by readers.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    count: AtomicU64,
    /// Nanoseconds.
    last: AtomicU64,
}

impl Usage {
    pub(crate) fn new(count: u64, last: Duration) -> Self {
        let usage = Usage::default();
        usage.count.store(count, Ordering::Relaxed);
        usage.last.store(nanos(last), Ordering::Relaxed);
        usage
    }

    pub(crate) fn note(&self, now: Duration) {
        self.count.fetch_add(1, Ordering::Relaxed);
        // Mostly the time is known already, and reading it leaves the line with the other readers.
        let now = nanos(now);
        if self.last.load(Ordering::Relaxed) < now {
            self.last.fetch_max(now, Ordering::Relaxed);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(crate) fn last(&self) -> Duration {
        Duration::from_nanos(self.last.load(Ordering::Relaxed))
    }
}

fn nanos(at: Duration) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(u64::MAX)
}

/// One stored pattern.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) pattern: Pattern,
    pub(crate) usage: Arc<Usage>,
}

impl Entry {
    /// The pattern as it is now, its last use included.
    pub(crate) fn current(&self) -> Pattern {
        let last_used = self.pattern.last_used.max(self.usage.last());
        Pattern { last_used, ..self.pattern.clone() }
    }
}

/// What can be done to a shelf. Everything that writes is a list of these, worked out once and
/// applied to every copy.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Stores an entry, in place of the one with its id if there is one.
    Put(Entry),
    /// Removes the entry with that id.
    Remove(u64),
    /// Multiplies every confidence.
    Decay(f32),
}

/// One copy of everything that a look-up reads.
#[derive(Debug)]
pub(crate) struct Shelf {
    config: BankConfig,
    kernels: KernelTable,
    entries: Vec<Entry>,
    slots: FxHashMap<u64, u32>,
    /// The entries' directions, row after row, while there are few enough to scan them all. Rows
    /// begin at cache lines: a vector load that straddles two costs twice.
    rows: AVec<f32, ConstAlign<64>>,
    stride: usize,
    /// Their confidences, apart for the scan's sake.
    confidences: Vec<f32>,
    graph: Option<Graph>,
}

/// A table of kernels that can be printed.
#[derive(Clone, Copy)]
struct KernelTable(&'static Kernels);

impl std::fmt::Debug for KernelTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.isa().fmt(f)
    }
}

/// A pattern that a look-up found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Which one.
    pub id: u64,
    /// The cosine of its direction and the query's, above 0.
    pub similarity: f32,
    /// Similarity × confidence: what look-ups rank by.
    pub score: f32,
}

/// The working memory of look-ups: make one per thread and use it again and again.
#[derive(Debug, Default)]
pub struct LookupScratch {
    pub(crate) query: Vec<f32>,
    pub(crate) matches: Vec<Match>,
    scores: Vec<f32>,
    best: Vec<f32>,
    index: Scratch,
}

impl Shelf {
    pub(crate) fn new(config: BankConfig) -> Self {
        Shelf {
            config,
            kernels: KernelTable(Kernels::get()),
            entries: Vec::new(),
            slots: FxHashMap::default(),
            rows: AVec::new(64),
            stride: config.dim.next_multiple_of(16),
            confidences: Vec::new(),
            graph: None,
        }
    }

    /// A shelf of these entries, whose graph was saved.
    pub(crate) fn restore(
        config: BankConfig,
        entries: Vec<Entry>,
        scale: f32,
        graph: Vec<u8>,
    ) -> Result<Self, Error> {
        let mut shelf = Shelf::new(config);
        shelf.graph = Some(Graph::restore(&config, &entries, scale, graph)?);
        shelf.slots = entries.iter().zip(0..).map(|(entry, slot)| (entry.id, slot)).collect();
        shelf.confidences = entries.iter().map(|entry| entry.pattern.confidence).collect();
        shelf.entries = entries;
        shelf.tidy()?;
        Ok(shelf)
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn graph(&self) -> Option<&Graph> {
        self.graph.as_ref()
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Entry> {
        self.slots.get(&id).map(|&slot| &self.entries[slot as usize])
    }

    pub(crate) fn bytes(&self) -> usize {
        let entry = size_of::<Entry>() + size_of::<Usage>() + 2 * size_of::<usize>();
        self.entries.capacity() * entry
            + self.entries.len() * self.config.dim * 4
            + (self.rows.capacity() + self.confidences.capacity()) * 4
            + self.slots.capacity() * 17
            + self.graph.as_ref().map_or(0, Graph::bytes)
    }

    pub(crate) fn apply(&mut self, changes: &[Change]) -> Result<(), Error> {
        for change in changes {
            match change {
                Change::Put(entry) => self.put(entry)?,
                Change::Remove(id) => self.remove(*id)?,
                Change::Decay(factor) => self.decay(*factor),
            }
        }
        self.tidy()
    }

    /// Finds the `k` best by similarity × confidence for the unit vector in `scratch.query` and
    /// leaves them, best first and lower ids first among equals, in `scratch.matches`.
    pub(crate) fn lookup(&self, k: usize, scratch: &mut LookupScratch) -> Result<(), Error> {
        let LookupScratch { query, matches, scores, best, index } = scratch;
        matches.clear();
        match &self.graph {
            _ if k == 0 || self.entries.is_empty() => Ok(()),
            None => {
                scores.resize(self.entries.len(), 0.0);
                self.kernels.0.dot_many(query, self.rows(0, self.entries.len()), scores);
                self.select(scores, k, best, matches);
                Ok(())
            }
            Some(graph) => self.search(graph, query, k, index, matches),
        }
    }

    /// [`Shelf::lookup`] for many unit vectors at once; a scan then reads each row once for all of
    /// them.
    pub(crate) fn lookup_batch(
        &self,
        queries: &[f32],
        k: usize,
        scratch: &mut LookupScratch,
    ) -> Result<Vec<Vec<Match>>, Error> {
        let dim = self.config.dim;
        let (n, count) = (self.entries.len(), queries.len() / dim);
        let mut all = Vec::with_capacity(count);
        if self.graph.is_some() || n == 0 || k == 0 {
            for query in queries.chunks_exact(dim) {
                scratch.query.clear();
                scratch.query.extend_from_slice(query);
                self.lookup(k, scratch)?;
                all.push(scratch.matches.clone());
            }
            return Ok(all);
        }
        scratch.scores.resize(count * n, 0.0);
        let rows = Rows::new(queries, dim, dim);
        self.kernels.0.dot_tile(rows, self.rows(0, n), &mut scratch.scores);
        for scores in scratch.scores.chunks_exact(n) {
            scratch.matches.clear();
            self.select(scores, k, &mut scratch.best, &mut scratch.matches);
            all.push(scratch.matches.clone());
        }
        Ok(all)
    }

    /// `len` directions from slot `first` on.
    fn rows(&self, first: usize, len: usize) -> Rows<'_, f32> {
        let rows = &self.rows[first * self.stride..(first + len) * self.stride];
        Rows::new(rows, self.config.dim, self.stride)
    }

    /// The `k` best of a scan. The `k`-th largest of the blocks' best scores is no more than the
    /// `k`-th best score of all, so only blocks that reach it are looked at one by one.
    fn select(
        &self,
        similarities: &[f32],
        k: usize,
        best: &mut Vec<f32>,
        matches: &mut Vec<Match>,
    ) {
        const BLOCK: usize = 32;
        let blocks = || similarities.chunks(BLOCK).zip(self.confidences.chunks(BLOCK));
        best.clear();
        best.extend(blocks().map(|(s, c)| best_score(s, c)));
        let mut bound = f32::MIN_POSITIVE;
        let count = best.len();
        if count >= k {
            // On a copy behind them, because selecting mixes them up.
            best.extend_from_within(..);
            let copy = &mut best[count..];
            bound = bound.max(*copy.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a)).1);
        }
        for (block, (similarities, confidences)) in blocks().enumerate() {
            if best[block] < bound {
                continue;
            }
            for (at, (&similarity, &confidence)) in similarities.iter().zip(confidences).enumerate()
            {
                let score = similarity * confidence;
                if score >= bound {
                    let id = self.entries[block * BLOCK + at].id;
                    offer(matches, Match { id, similarity, score }, k);
                    if matches.len() == k {
                        bound = bound.max(matches[k - 1].score);
                    }
                }
            }
        }
    }

    /// Asks the graph for more and more until nothing unseen can be among the best: it ranks by an
    /// upper bound of the score, so once the bound of the last one seen is no more than the score of
    /// the `k`-th best, all others are out.
    fn search(
        &self,
        graph: &Graph,
        query: &[f32],
        k: usize,
        index: &mut Scratch,
        matches: &mut Vec<Match>,
    ) -> Result<(), Error> {
        let mut fetch = k + k / 2 + 8;
        loop {
            let fetched = graph.search(query, fetch, self.config.ef, index)?;
            let exhausted = fetched.len() < fetch;
            let mut last_bound = 0.0;
            matches.clear();
            for neighbor in fetched {
                last_bound = graph.bound(neighbor);
                let Some((slot, similarity)) = graph.resolve(neighbor) else { continue };
                let entry = &self.entries[slot as usize];
                let score = similarity * entry.pattern.confidence;
                if score > 0.0 {
                    offer(matches, Match { id: entry.id, similarity, score }, k);
                }
            }
            let complete = matches.len() == k && matches[k - 1].score >= last_bound;
            if exhausted || complete || last_bound <= 0.0 {
                return Ok(());
            }
            fetch *= 2;
        }
    }

    fn put(&mut self, entry: &Entry) -> Result<(), Error> {
        let direction = unit(&entry.pattern.centroid)?;
        let confidence = entry.pattern.confidence;
        let slot = match self.slots.get(&entry.id) {
            Some(&slot) => {
                let old = std::mem::replace(&mut self.entries[slot as usize], entry.clone());
                self.confidences[slot as usize] = confidence;
                if let Some(graph) = &mut self.graph {
                    let moved = old.pattern.centroid != entry.pattern.centroid;
                    return graph.update(slot, &direction, confidence, moved);
                }
                slot
            }
            None => {
                let slot = self.entries.len() as u32;
                self.entries.push(entry.clone());
                self.slots.insert(entry.id, slot);
                self.confidences.push(confidence);
                if let Some(graph) = &mut self.graph {
                    return graph.insert(entry.id, &direction, confidence);
                }
                self.rows.resize(self.entries.len() * self.stride, 0.0);
                slot
            }
        };
        let start = slot as usize * self.stride;
        self.rows[start..start + self.config.dim].copy_from_slice(&direction);
        Ok(())
    }

    /// Removes an entry; the last one takes its slot.
    fn remove(&mut self, id: u64) -> Result<(), Error> {
        let Some(slot) = self.slots.remove(&id) else { return Ok(()) };
        let at = slot as usize;
        let last = self.entries.len() - 1;
        self.entries.swap_remove(at);
        self.confidences.swap_remove(at);
        if let Some(moved) = self.entries.get(at) {
            self.slots.insert(moved.id, slot);
        }
        match &mut self.graph {
            Some(graph) => graph.swap_remove(slot)?,
            None => {
                let stride = self.stride;
                self.rows.copy_within(last * stride..(last + 1) * stride, at * stride);
                self.rows.truncate(last * stride);
            }
        }
        Ok(())
    }

    fn decay(&mut self, factor: f32) {
        for (entry, confidence) in self.entries.iter_mut().zip(&mut self.confidences) {
            *confidence *= factor;
            entry.pattern.confidence = *confidence;
        }
        if let Some(graph) = &mut self.graph {
            graph.decay(factor);
        }
    }

    /// Starts a graph when scanning has become too slow, and a new one when its levels have faded.
    fn tidy(&mut self) -> Result<(), Error> {
        let n = self.entries.len();
        let wanted = match &self.graph {
            None => n > self.config.scan_limit,
            Some(graph) => graph.is_worn(),
        };
        // Half as many before it is given up again, so that it is not made anew at each crossing.
        let needed = n > self.config.scan_limit / 2;
        if self.graph.is_some() && !needed {
            self.graph = None;
            self.rows.resize(n * self.stride, 0.0);
            for (row, entry) in self.rows.chunks_exact_mut(self.stride).zip(&self.entries) {
                row[..self.config.dim].copy_from_slice(&unit(&entry.pattern.centroid)?);
            }
        } else if wanted {
            let mut graph = Graph::new(&self.config)?;
            graph.reserve(n);
            for entry in &self.entries {
                let direction = unit(&entry.pattern.centroid)?;
                graph.insert(entry.id, &direction, entry.pattern.confidence)?;
            }
            self.graph = Some(graph);
            self.rows = AVec::new(64);
        }
        Ok(())
    }

    /// Whether patterns and index agree in every respect; for the tests.
    #[cfg(test)]
    pub(crate) fn is_consistent(&self) -> bool {
        let n = self.entries.len();
        let slots = self.slots.len() == n
            && self.entries.iter().enumerate().all(|(slot, entry)| {
                self.slots.get(&entry.id) == Some(&(slot as u32))
                    && self.confidences[slot] == entry.pattern.confidence
            });
        let searched = match &self.graph {
            None => {
                self.rows.len() == n * self.stride
                    && self.entries.iter().enumerate().all(|(slot, entry)| {
                        let row = &self.rows[slot * self.stride..][..self.config.dim];
                        unit(&entry.pattern.centroid).is_ok_and(|unit| unit == row)
                    })
            }
            Some(graph) => graph.is_consistent(&self.confidences),
        };
        slots && searched
    }
}

/// The largest product of a pair; 0 if all are less. In eight lanes, so that the compiler may use
/// vectors: it must not reorder comparisons of floats by itself.
#[inline]
fn best_score(similarities: &[f32], confidences: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let (eights, rest) = similarities.as_chunks::<8>();
    let (other_eights, other_rest) = confidences.as_chunks::<8>();
    for (similarities, confidences) in eights.iter().zip(other_eights) {
        for lane in 0..8 {
            let score = similarities[lane] * confidences[lane];
            lanes[lane] = if score > lanes[lane] { score } else { lanes[lane] };
        }
    }
    let rest = rest.iter().zip(other_rest).map(|(s, c)| s * c);
    rest.chain(lanes).fold(0.0, f32::max)
}

/// Keeps the `k` best matches in order.
fn offer(matches: &mut Vec<Match>, new: Match, k: usize) {
    let better = |m: &Match| m.score > new.score || (m.score == new.score && m.id < new.id);
    let at = matches.partition_point(better);
    if at < k {
        matches.truncate(k - 1);
        matches.insert(at, new);
    }
}
