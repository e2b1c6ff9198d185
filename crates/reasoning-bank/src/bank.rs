//! The bank: what users hold. Look-ups on any number of threads, one writer at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::config::{BankConfig, BankStats, Imported, Keep, Readers, Stored};
use crate::consolidate::consolidate;
use crate::extract::{ExtractConfig, extract};
use crate::pattern::{mix_durations, unit_into, wrong_dimension};
use crate::shelf::{Change, Entry, LookupScratch, Match, Shelf, Usage};
use crate::trajectory::{ExecutorId, Executors, Trajectory, TrajectoryRing};
use crate::{Error, ErrorKind, Pattern};

/// Patterns under ids that are never used again, found by similarity × confidence.
///
/// Everything takes `&self`. Look-ups on many threads disturb neither each other nor, with
/// [`Readers::NeverWait`], wait for a writer; writers take turns.
///
/// Times are durations since any epoch of the caller's.
#[derive(Debug)]
pub struct Bank {
    pub(crate) config: BankConfig,
    /// One copy, or two of which `live` is read.
    sides: Vec<RwLock<Shelf>>,
    live: AtomicUsize,
    writer: Mutex<Writer>,
}

/// What only writers see.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pub(crate) next_id: u64,
    pub(crate) executors: Executors,
    ring: TrajectoryRing,
    scratch: LookupScratch,
}

impl Bank {
    /// An empty bank.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a dimension, a ring or an ef of 0, a similarity outside 0 to 1, or
    /// what [`HnswIndex`](edgekit_vector_index::HnswIndex) refuses.
    pub fn new(config: BankConfig) -> Result<Self, Error> {
        // The graph is made when it is needed; its settings are judged now.
        crate::graph::Graph::new(&config)?;
        if config.ef == 0 || !(0.0..=1.0).contains(&config.teach_similarity) {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "ef {} and teach_similarity {}: ef must be positive, the similarity within 0 \
                     to 1",
                    config.ef, config.teach_similarity
                ),
            ));
        }
        let copies = match config.readers {
            Readers::Wait => 1,
            Readers::NeverWait => 2,
        };
        let ring = TrajectoryRing::new(config.ring)?;
        Ok(Bank {
            config,
            sides: (0..copies).map(|_| RwLock::new(Shelf::new(config))).collect(),
            live: AtomicUsize::new(0),
            writer: Mutex::new(Writer { ring, ..Writer::default() }),
        })
    }

    /// The settings.
    pub fn config(&self) -> &BankConfig {
        &self.config
    }

    /// How many patterns are stored.
    pub fn len(&self) -> usize {
        self.read(|shelf| shelf.entries().len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Stores a pattern and returns its id. Scanned banks: a copy; larger ones: an insertion into
    /// the graph, about as long as a few look-ups.
    ///
    /// # Errors
    /// [`ErrorKind::Dimension`] and [`ErrorKind::Value`] for a pattern whose centroid has another
    /// dimension or no direction, or whose numbers are out of range; [`ErrorKind::Full`] if the
    /// index can hold no more.
    pub fn store(&self, pattern: Pattern) -> Result<u64, Error> {
        pattern.validate(self.config.dim)?;
        let mut writer = self.writer();
        let change = writer.new_entry(pattern);
        let id = writer.next_id - 1;
        self.write(&[change])?;
        Ok(id)
    }

    /// Stores many patterns at once: one change of places for all of them.
    ///
    /// # Errors
    /// As [`Bank::store`]; then none is stored.
    pub fn store_batch(&self, patterns: Vec<Pattern>) -> Result<Vec<u64>, Error> {
        patterns.iter().try_for_each(|p| p.validate(self.config.dim))?;
        let mut writer = self.writer();
        let first = writer.next_id;
        let changes: Vec<Change> = patterns.into_iter().map(|p| writer.new_entry(p)).collect();
        self.write(&changes)?;
        Ok((first..writer.next_id).collect())
    }

    /// The pattern with that id.
    pub fn get(&self, id: u64) -> Option<Stored> {
        self.read(|shelf| shelf.get(id).map(stored))
    }

    /// All patterns by id. A copy: for inspection, not for the hot path.
    pub fn patterns(&self) -> Vec<Stored> {
        self.read(by_id)
    }

    /// Removes a pattern; whether there was one.
    ///
    /// # Errors
    /// None but those of making the index anew.
    pub fn remove(&self, id: u64) -> Result<bool, Error> {
        let _writer = self.writer();
        let known = self.read(|shelf| shelf.get(id).is_some());
        self.write(&[Change::Remove(id)])?;
        Ok(known)
    }

    /// The `k` patterns with the largest similarity × confidence, best first, lower ids first among
    /// equals; what points away from the query (similarity 0 or below) is never returned. Counts
    /// the returned ones as used at `now`. Takes no exclusive lock and allocates nothing once the
    /// scratch has grown.
    ///
    /// Exact up to [`BankConfig::scan_limit`] patterns. Beyond, the graph is asked for more until
    /// none that it has not shown could be among the best; what it overlooks is then all that can
    /// be missing.
    ///
    /// # Errors
    /// [`ErrorKind::Dimension`] and [`ErrorKind::Value`] for a query of another dimension or without
    /// direction.
    pub fn lookup<'s>(
        &self,
        query: &[f32],
        k: usize,
        now: Duration,
        scratch: &'s mut LookupScratch,
    ) -> Result<&'s [Match], Error> {
        self.aim(query, scratch)?;
        self.read(|shelf| {
            shelf.lookup(k, scratch)?;
            note(shelf, &scratch.matches, now);
            Ok::<_, Error>(())
        })?;
        Ok(&scratch.matches)
    }

    /// [`Bank::lookup`] for many queries, row after row: a list for each. All of them see the same
    /// state of the bank. With a scanned bank each pattern is fetched once for four queries; with the
    /// feature `rayon` all cores share the work.
    ///
    /// # Errors
    /// As [`Bank::lookup`]; nothing is counted then.
    pub fn lookup_batch(
        &self,
        queries: &[f32],
        k: usize,
        now: Duration,
        scratch: &mut LookupScratch,
    ) -> Result<Vec<Vec<Match>>, Error> {
        let dim = self.config.dim;
        if !queries.len().is_multiple_of(dim) {
            return Err(wrong_dimension(queries.len() % dim, dim));
        }
        let mut units = Vec::with_capacity(queries.len());
        for query in queries.chunks_exact(dim) {
            unit_into(query, &mut scratch.query)?;
            units.extend_from_slice(&scratch.query);
        }
        self.read(|shelf| {
            let all = batch(shelf, &units, k, dim, scratch)?;
            all.iter().for_each(|matches| note(shelf, matches, now));
            Ok(all)
        })
    }

    /// Keeps a trajectory for [`Bank::extract`] and teaches the most similar pattern what came of
    /// it: means move by 1 / samples, confidence moves towards 1 or 0 by 1 / (samples + 1), but at
    /// least by a hundredth. Returns the pattern taught, if one was similar enough.
    ///
    /// # Errors
    /// [`ErrorKind::Dimension`], [`ErrorKind::Value`] and [`ErrorKind::Unknown`] for a vector of
    /// another dimension or without direction, numbers that are not finite, or an executor that was
    /// never interned. Nothing is kept then.
    pub fn record(&self, trajectory: Trajectory) -> Result<Option<u64>, Error> {
        let taught = self.record_batch(vec![trajectory])?;
        Ok(taught.into_iter().next().flatten())
    }

    /// [`Bank::record`] for many: all are matched against the bank as it was before.
    ///
    /// # Errors
    /// As [`Bank::record`]; then none is kept.
    pub fn record_batch(&self, trajectories: Vec<Trajectory>) -> Result<Vec<Option<u64>>, Error> {
        let mut writer = self.writer();
        for trajectory in &trajectories {
            self.aim(&trajectory.vector, &mut writer.scratch)?;
            trajectory.validate()?;
            if writer.executors.name(trajectory.executor).is_none() {
                return Err(Error::new(
                    ErrorKind::Unknown,
                    format!("{:?} was never interned; see Bank::executor", trajectory.executor),
                ));
            }
        }
        let mut taught: FxHashMap<u64, Entry> = FxHashMap::default();
        let mut ids = Vec::with_capacity(trajectories.len());
        for trajectory in trajectories {
            let id = self.nearest(&trajectory.vector, &mut writer.scratch)?;
            if let Some(id) = id {
                let entry = match taught.remove(&id) {
                    Some(entry) => Some(entry),
                    None => self.read(|shelf| shelf.get(id).cloned()),
                };
                if let Some(mut entry) = entry {
                    teach(&mut entry.pattern, &trajectory);
                    taught.insert(id, entry);
                }
            }
            ids.push(id);
            writer.ring.push(trajectory)?;
        }
        let mut changes: Vec<Entry> = taught.into_values().collect();
        changes.sort_unstable_by_key(|e| e.id);
        self.write(&changes.into_iter().map(Change::Put).collect::<Vec<_>>())?;
        Ok(ids)
    }

    /// Makes patterns of the trajectories that wait (see [`ExtractConfig`]), stores them and returns
    /// their ids. The trajectories are gone then.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for settings out of range; nothing is taken then.
    pub fn extract(&self, config: &ExtractConfig) -> Result<Vec<u64>, Error> {
        config.validate()?;
        let patterns = {
            let mut writer = self.writer();
            let trajectories = writer.ring.drain();
            extract(&trajectories, self.config.dim, config)?
        };
        self.store_batch(patterns)
    }

    /// Removes every pattern that does not meet all of `keep`; returns their ids. O(n).
    ///
    /// # Errors
    /// None but those of making the index anew.
    pub fn prune(&self, keep: &Keep, now: Duration) -> Result<Vec<u64>, Error> {
        let _writer = self.writer();
        let stays = |entry: &Entry| {
            let idle = now.saturating_sub(entry.current().last_used);
            entry.usage.count() >= keep.min_usage
                && entry.pattern.confidence >= keep.min_confidence
                && idle <= keep.max_idle
        };
        let mut gone: Vec<u64> =
            self.read(|shelf| shelf.entries().iter().filter(|e| !stays(e)).map(|e| e.id).collect());
        gone.sort_unstable();
        self.write(&gone.iter().map(|&id| Change::Remove(id)).collect::<Vec<_>>())?;
        Ok(gone)
    }

    /// Merges patterns whose similarity is `threshold` or more, the one with more samples (or the
    /// lower id) keeping its id, until no two are so similar: centroids and means weighted by
    /// samples, counts summed, earliest creation, latest use. Returns how many are gone.
    ///
    /// Deterministic. O(n²) up to the scan limit; O(n log n) a round beyond it, by an index of its
    /// own, which may overlook pairs.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] unless the threshold is above 0 and at most 1.
    pub fn consolidate(&self, threshold: f32) -> Result<usize, Error> {
        if !(threshold > 0.0 && threshold <= 1.0) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("threshold {threshold}: it must be above 0 and at most 1"),
            ));
        }
        let _writer = self.writer();
        let entries: Vec<Entry> = self.read(|shelf| shelf.entries().to_vec());
        let changes = consolidate(entries, threshold, &self.config)?;
        self.write(&changes)?;
        Ok(changes.iter().filter(|c| matches!(c, Change::Remove(_))).count())
    }

    /// Multiplies every confidence by `factor`: what is not confirmed fades. O(n).
    ///
    /// # Errors
    /// [`ErrorKind::Config`] unless the factor is within 0 to 1.
    pub fn decay(&self, factor: f32) -> Result<(), Error> {
        if !(0.0..=1.0).contains(&factor) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("decay by {factor}: it must be within 0 to 1"),
            ));
        }
        let _writer = self.writer();
        self.write(&[Change::Decay(factor)])
    }

    /// Copies of the `count` patterns that are worth most ([`Pattern::worth`]), best first.
    /// O(n log n).
    pub fn export(&self, count: usize) -> Vec<Pattern> {
        let mut all = self.patterns();
        all.sort_by(|a, b| b.pattern.worth().total_cmp(&a.pattern.worth()));
        all.into_iter().take(count).map(|s| s.pattern).collect()
    }

    /// Stores another bank's patterns, confidence and samples multiplied by `trust` (samples at
    /// least 1). Bad ones are refused one by one.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] unless the trust is within 0 to 1; [`ErrorKind::Full`] as for
    /// [`Bank::store`].
    pub fn import(&self, patterns: &[Pattern], trust: f32) -> Result<Imported, Error> {
        if !(0.0..=1.0).contains(&trust) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("trust {trust}: it must be within 0 to 1"),
            ));
        }
        let mut imported = Imported::default();
        let mut taken = Vec::new();
        for (at, pattern) in patterns.iter().enumerate() {
            match pattern.validate(self.config.dim) {
                Ok(()) => taken.push(Pattern {
                    confidence: pattern.confidence * trust,
                    samples: ((pattern.samples as f64 * f64::from(trust)) as u64).max(1),
                    ..pattern.clone()
                }),
                Err(error) => imported.refused.push((at, error)),
            }
        }
        imported.ids = self.store_batch(taken)?;
        Ok(imported)
    }

    /// The id of an executor's name, new if it was never seen.
    pub fn executor(&self, name: &str) -> ExecutorId {
        self.writer().executors.intern(name)
    }

    /// The name of an executor.
    pub fn executor_name(&self, id: ExecutorId) -> Option<String> {
        self.writer().executors.name(id).map(str::to_owned)
    }

    /// Numbers about the bank. O(n).
    pub fn stats(&self) -> BankStats {
        let writer = self.writer();
        let (recorded, dropped) = (writer.ring.recorded(), writer.ring.dropped());
        let mut stats =
            BankStats { recorded, dropped, waiting: writer.ring.len(), ..BankStats::default() };
        self.read(|shelf| {
            let entries = shelf.entries();
            stats.patterns = entries.len();
            stats.samples = entries.iter().map(|e| e.pattern.samples).sum();
            stats.usage = entries.iter().map(|e| e.usage.count()).sum();
            let confidence: f64 = entries.iter().map(|e| f64::from(e.pattern.confidence)).sum();
            stats.mean_confidence = (confidence / entries.len().max(1) as f64) as f32;
            stats.bytes = shelf.bytes() * self.sides.len();
        });
        stats
    }

    /// Looks at the live copy.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&Shelf) -> R) -> R {
        if let [only] = &self.sides[..] {
            return look(&only.read().unwrap_or_else(PoisonError::into_inner));
        }
        loop {
            // A writer locks a copy only after it has made the other one live, so if this fails
            // the next load sees the other one.
            let side = self.live.load(Ordering::Acquire);
            match self.sides[side].try_read() {
                Ok(shelf) => return look(&shelf),
                Err(TryLockError::Poisoned(shelf)) => return look(&shelf.into_inner()),
                Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
            }
        }
    }

    /// Applies changes to every copy. The caller holds the writer.
    pub(crate) fn write(&self, changes: &[Change]) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let copies = self.sides.len();
        let live = self.live.load(Ordering::Relaxed);
        for turn in 1..=copies {
            let side = (live + turn) % copies;
            self.sides[side].write().unwrap_or_else(PoisonError::into_inner).apply(changes)?;
            if turn == 1 {
                self.live.store(side, Ordering::Release);
            }
        }
        Ok(())
    }

    /// Makes every copy what `make` says. The caller holds the writer, or the only bank.
    pub(crate) fn replace(&self, make: impl Fn() -> Result<Shelf, Error>) -> Result<(), Error> {
        for side in &self.sides {
            *side.write().unwrap_or_else(PoisonError::into_inner) = make()?;
        }
        Ok(())
    }

    /// Whether every copy agrees with itself and with the others; for the tests.
    #[cfg(test)]
    pub(crate) fn is_consistent(&self) -> bool {
        let views: Vec<_> = (self.sides.iter())
            .map(|side| {
                let shelf = side.read().unwrap_or_else(PoisonError::into_inner);
                (shelf.is_consistent(), by_id(&shelf))
            })
            .collect();
        views.iter().all(|(consistent, all)| *consistent && *all == views[0].1)
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The query at length 1, into the scratch.
    fn aim(&self, query: &[f32], scratch: &mut LookupScratch) -> Result<(), Error> {
        if query.len() != self.config.dim {
            return Err(wrong_dimension(query.len(), self.config.dim));
        }
        unit_into(query, &mut scratch.query)
    }

    /// The most similar of the best few, if it is similar enough to be taught.
    fn nearest(&self, vector: &[f32], scratch: &mut LookupScratch) -> Result<Option<u64>, Error> {
        self.aim(vector, scratch)?;
        self.read(|shelf| shelf.lookup(8, scratch))?;
        let best = scratch
            .matches
            .iter()
            .max_by(|a, b| a.similarity.total_cmp(&b.similarity).then(b.id.cmp(&a.id)));
        Ok(best.filter(|m| m.similarity >= self.config.teach_similarity).map(|m| m.id))
    }
}

impl Writer {
    pub(crate) fn new_entry(&mut self, pattern: Pattern) -> Change {
        let id = self.next_id;
        self.next_id += 1;
        let usage = Arc::new(Usage::new(0, pattern.last_used));
        Change::Put(Entry { id, pattern, usage })
    }
}

fn stored(entry: &Entry) -> Stored {
    Stored { id: entry.id, pattern: entry.current(), usage: entry.usage.count() }
}

/// All that is stored, by id.
pub(crate) fn by_id(shelf: &Shelf) -> Vec<Stored> {
    let mut all: Vec<Stored> = shelf.entries().iter().map(stored).collect();
    all.sort_unstable_by_key(|s| s.id);
    all
}

fn note(shelf: &Shelf, matches: &[Match], now: Duration) {
    matches.iter().filter_map(|m| shelf.get(m.id)).for_each(|entry| entry.usage.note(now));
}

#[cfg(not(feature = "rayon"))]
fn batch(
    shelf: &Shelf,
    units: &[f32],
    k: usize,
    _: usize,
    scratch: &mut LookupScratch,
) -> Result<Vec<Vec<Match>>, Error> {
    shelf.lookup_batch(units, k, scratch)
}

/// On rayon's threads, a few queries at a time: each piece goes through the rows together.
#[cfg(feature = "rayon")]
fn batch(
    shelf: &Shelf,
    units: &[f32],
    k: usize,
    dim: usize,
    _: &mut LookupScratch,
) -> Result<Vec<Vec<Match>>, Error> {
    use rayon::prelude::*;

    /// Queries a piece.
    const PIECE: usize = 8;
    let pieces = units
        .par_chunks(PIECE * dim)
        .map_init(LookupScratch::default, |scratch, piece| shelf.lookup_batch(piece, k, scratch));
    Ok(pieces.collect::<Result<Vec<_>, Error>>()?.into_iter().flatten().collect())
}

fn teach(pattern: &mut Pattern, task: &Trajectory) {
    pattern.samples = pattern.samples.saturating_add(1);
    let share = 1.0 / pattern.samples as f64;
    let step = |mean: &mut f32, value: f32| *mean += share as f32 * (value - *mean);
    let outcome = if task.succeeded { 1.0 } else { 0.0 };
    step(&mut pattern.success_rate, outcome);
    step(&mut pattern.energy, task.spent);
    let executor = task.executor.0 as usize;
    if pattern.allocation.len() <= executor {
        pattern.allocation.resize(executor + 1, 0.0);
    }
    for (at, part) in pattern.allocation.iter_mut().enumerate() {
        step(part, if at == executor { 1.0 } else { 0.0 });
    }
    pattern.mean_latency = mix_durations(pattern.mean_latency, task.latency, share);
    let rate = (1.0 / (pattern.samples as f64 + 1.0)).max(0.01) as f32;
    pattern.confidence =
        (pattern.confidence + rate * (outcome - pattern.confidence)).clamp(0.0, 1.0);
    pattern.last_used = pattern.last_used.max(task.at);
}
