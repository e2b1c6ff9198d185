//! How the graph index answers: by walk or by scan, with or without a filter.

use super::HnswConfig;
use super::walk::Graph;
use crate::hash::mix64;
use crate::index::check_radius;
use crate::pool::Beam;
use crate::stored::{Stored, is_dead};
use crate::{Error, Filter, Method, Scratch, SearchParams, Storage};

/// A scan of `n` vectors costs about as much as a walk with `ef = n · (ROW_BYTES + b) / EF_BYTES`,
/// where a vector takes as long to score as `b` bytes take to read: measured with 128 and 384 values
/// of 4 to 32 bits, `n` 1,000 to 10,000 and `ef` 16 to 128. So many rows to an `ef` cost the same: 83
/// of 128 int8, 53 of 384 int8, 44 of 128 `f32`…
const EF_BYTES: usize = 35_000;
const ROW_BYTES: usize = 280;

/// … and fewer where rows no longer fit the second-level cache, since a walk touches a few hundred of
/// them and a scan waits for all.
const SCAN_PER_EF_UNCACHED: usize = 12;

/// What is taken to stay in that cache: half of what a large core has, all that a small one has.
const CACHED_BYTES: usize = 1 << 20;

/// What a row of signs takes to score, by the same measure, of 128 or of 384.
const BINARY_BYTES: usize = 600;

/// Vectors that are asked whether they pass, to estimate how many do.
const PROBES: usize = 128;

/// A filter that lets at least one in so many pass is applied after a wider walk.
const OFTEN: usize = 4;

/// What passes a filter that lets fewer than one in so many through is scored one by one, however
/// long that takes: the few are too far apart to be walked to reliably.
const SELDOM: usize = 10;

/// Vectors that can be scored one by one in the time that a filtered walk takes for each of its
/// candidates: 890 with `ef` 10 and one in ten of 10,000 passing. Asking a vector whether it passes takes
/// about a fifth of scoring it.
const SCORED_PER_EF: usize = 640;

/// What a search looks at: an index that is owned, or a shared one as it is now.
pub(crate) struct Search<'a, G> {
    pub(crate) config: &'a HnswConfig,
    pub(crate) stored: &'a Stored,
    /// Slots that must not be visited.
    pub(crate) dead: &'a [u64],
    /// How many slots are not dead.
    pub(crate) len: usize,
    pub(crate) graph: &'a G,
    /// A node of the highest layer; none while there are no nodes.
    pub(crate) entry: Option<u32>,
}

impl<G: Graph> Search<'_, G> {
    /// Leaves the `k` nearest in the scratch's results.
    pub(crate) fn nearest(
        &self,
        query: &[f32],
        k: usize,
        params: &SearchParams,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        self.stored.prepare_query(query, &mut scratch.query)?;
        let ef = self.beam_width(k, params);
        if self.scans(ef, params) {
            let shortlist = self.config.storage.shortlist(k);
            self.stored.scan(self.dead, shortlist, |_| true, scratch);
        } else {
            self.walk(ef, scratch);
        }
        self.stored.finish(k, scratch);
        Ok(())
    }

    /// Leaves the `k` nearest that pass in the scratch's results.
    pub(crate) fn filtered(
        &self,
        query: &[f32],
        k: usize,
        params: &SearchParams,
        filter: &Filter<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        self.stored.prepare_query(query, &mut scratch.query)?;
        self.filtered_candidates(k, params, filter, scratch);
        self.stored.finish(k, scratch);
        Ok(())
    }

    /// Leaves what is within `radius` in the scratch's results.
    pub(crate) fn within(
        &self,
        query: &[f32],
        radius: f32,
        params: &SearchParams,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        check_radius(radius)?;
        self.stored.prepare_query(query, &mut scratch.query)?;
        let mut ef = self.beam_width(1, params);
        loop {
            if ef >= self.len || self.scans(ef, params) {
                self.stored.scan_range(self.dead, radius, scratch);
                self.stored.report(usize::MAX, scratch);
                return Ok(());
            }
            self.walk(ef, scratch);
            self.stored.finish_all(scratch);
            let found = scratch.results.partition_point(|found| found.distance <= radius);
            scratch.results.truncate(found);
            // A fifth of the beam beyond the radius shows that little is missed within it.
            if found * 5 <= ef * 4 {
                return Ok(());
            }
            ef *= 2;
        }
    }

    /// Whether [`nearest`](Self::nearest) scans or walks.
    pub(crate) fn method(&self, k: usize, params: &SearchParams) -> Method {
        if self.scans(self.beam_width(k, params), params) { Method::Scan } else { Method::Graph }
    }

    /// How many candidates a search for `k` keeps.
    fn beam_width(&self, k: usize, params: &SearchParams) -> usize {
        let (least, _) = self.config.storage.beam(k);
        params.ef.max(least).max(1).min(self.len.max(1))
    }

    /// Whether a search scans instead of walking.
    fn scans(&self, ef: usize, params: &SearchParams) -> bool {
        match params.method {
            Method::Auto => {
                let dim = self.stored.dim;
                let (stored, scored) = match self.config.storage {
                    Storage::F32 => (4 * dim, 4 * dim),
                    // Widened first.
                    Storage::F16 | Storage::Bf16 => (2 * dim, 4 * dim),
                    Storage::Int8(_) => (dim, dim),
                    Storage::Int4(_) => (dim / 2, dim / 2),
                    Storage::Binary(_) => (dim / 8, BINARY_BYTES),
                };
                let cached = self.len * stored <= CACHED_BYTES;
                let per_ef = EF_BYTES / (ROW_BYTES + scored);
                self.len <= ef * if cached { per_ef } else { per_ef.min(SCAN_PER_EF_UNCACHED) }
            }
            Method::Graph => false,
            Method::Scan => true,
        }
    }

    /// Leaves in the scratch's pool the nearest that a walk finds.
    fn walk(&self, beam: impl Into<Beam>, scratch: &mut Scratch) {
        let Scratch { query, walk, .. } = scratch;
        let (codes, graph) = (&self.stored.codes, self.graph);
        walk.pool.reset(0);
        let Some(entry) = self.entry else { return };
        let mut score = |slots: &[u32], out: &mut [f32]| codes.distances(query, slots, out);
        graph.descend(entry, graph.level(entry), 0, self.dead, walk, &mut score);
        graph.beam(0, beam, self.dead, walk, &mut score);
    }

    /// Leaves in the scratch's pool candidates for the `k` nearest that pass.
    fn filtered_candidates(
        &self,
        k: usize,
        params: &SearchParams,
        filter: &Filter<'_>,
        scratch: &mut Scratch,
    ) {
        let (stored, dead) = (self.stored, self.dead);
        let shortlist = self.config.storage.shortlist(k);
        let passes = |slot| filter(stored.id(slot));
        let ef = self.beam_width(k, params);
        if self.scans(ef, params) {
            return stored.scan(dead, shortlist, passes, scratch);
        }
        if self.len == 0 {
            return scratch.walk.pool.reset(0);
        }
        let n = stored.slots();
        let passing = self.passing(passes);
        if passing * OFTEN >= PROBES {
            // As wide that `ef` should pass. Twice as many are kept, for which no more is scored: chance
            // may pass fewer, and a sample may flatter.
            let expanded = (ef * PROBES).div_ceil(passing).min(self.len);
            self.walk(Beam { expanded, kept: (2 * expanded).min(self.len) }, scratch);
            scratch.walk.pool.retain(passes);
            if scratch.walk.pool.len() >= shortlist.min(ef) {
                return;
            }
        } else if passing * SELDOM < PROBES || n / 5 + passing * n / PROBES <= SCORED_PER_EF * ef {
            let mut some = std::mem::take(&mut scratch.some);
            some.clear();
            some.extend(stored.live(dead).filter(|&slot| passes(slot)));
            stored.scan_some(shortlist, &some, scratch);
            scratch.some = some;
            return;
        }
        self.filtered_walk(ef, &passes, scratch);
        // A beam that is not full has seen all that it can reach; what passes elsewhere is scanned.
        if scratch.walk.pool.len() < ef {
            stored.scan(dead, shortlist, passes, scratch);
        }
    }

    /// How many of [`PROBES`] vectors pass. They lie at hashed places: a filter by ids that were
    /// counted upwards would agree with evenly spaced ones on all or none.
    fn passing(&self, passes: impl Fn(u32) -> bool) -> usize {
        let n = self.stored.slots() as u64;
        let probes = (0..PROBES as u64).map(|i| (mix64(i) % n) as u32);
        probes.filter(|&slot| !is_dead(self.dead, slot) && passes(slot)).count()
    }

    fn filtered_walk(&self, ef: usize, passes: &dyn Fn(u32) -> bool, scratch: &mut Scratch) {
        // An unfiltered walk of a few candidates finds where to start; those of them that pass, or
        // else their neighbours that do, are the first of the filtered one.
        self.walk(self.config.m.min(ef), scratch);
        let Scratch { query, walk, some, hidden, .. } = scratch;
        some.clear();
        some.extend(walk.pool.iter().map(|(_, slot)| slot));
        let starts = some.len();
        for i in 0..starts {
            let around = self.graph.neighbors(some[i], 0);
            some.extend(around.filter(|&slot| !is_dead(self.dead, slot)));
        }
        some.retain(|&slot| passes(slot));
        some.sort_unstable();
        some.dedup();
        let codes = &self.stored.codes;
        walk.distances.resize(some.len(), 0.0);
        codes.distances(query, some, &mut walk.distances);
        walk.pool.reset(ef);
        for (&distance, &slot) in walk.distances.iter().zip(&*some) {
            walk.pool.offer(distance, slot);
        }
        self.graph.filtered_beam(ef, self.dead, walk, hidden, passes, |slots, out| {
            codes.distances(query, slots, out);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HnswConfig, HnswIndex, Index, Metric};

    /// One in a hundred, where evenly spaced probes would meet only those or none of them.
    #[test]
    fn a_regular_filter_is_estimated_as_any_other() {
        let config = HnswConfig { metric: Metric::L2Squared, m: 2, ..HnswConfig::default() };
        for n in [100 * PROBES as u64, 50 * PROBES as u64 + 1] {
            let mut index = HnswIndex::new(1, config).unwrap();
            for id in 0..n {
                index.vectors.push(id, &[id as f32]).unwrap();
            }
            let search = index.searching();
            for remainder in [0, 1, 50, 99] {
                let few = search.passing(|slot| slot % 100 == remainder);
                let many = search.passing(|slot| slot % 100 != remainder);
                assert!(few * SELDOM < PROBES && few + many == PROBES, "{few} and {many} of {n}");
            }
        }
    }

    /// The walk itself: through the interface small indexes score all that pass instead.
    #[test]
    fn a_filtered_walk_looks_through_what_does_not_pass() {
        let value = |i: u64, d: u64| (mix64(i * 100 + d) >> 40) as f32 / (1 << 24) as f32;
        let vector = |i: u64| (0..8).map(|d| value(i, d)).collect::<Vec<f32>>();
        let config = HnswConfig { metric: Metric::L2Squared, m: 8, ..HnswConfig::default() };
        let mut index = HnswIndex::new(8, config).unwrap();
        for id in 0..1_500 {
            index.insert(id, &vector(id)).unwrap();
        }
        let mut scratch = Scratch::new();
        for one_in in [3, 5, 10] {
            let passes = |slot: u32| slot.is_multiple_of(one_in);
            let (mut found, mut wanted) = (0, 0);
            for query in 2_000..2_050 {
                index.vectors.prepare_query(&vector(query), &mut scratch.query).unwrap();
                let search = index.searching();
                search.stored.scan(search.dead, 10, passes, &mut scratch);
                let truth: Vec<_> = scratch.walk.pool.iter().collect();
                search.filtered_walk(30, &passes, &mut scratch);
                if scratch.walk.pool.len() < 30 {
                    // A search scans then.
                    continue;
                }
                let walked: Vec<_> = scratch.walk.pool.iter().collect();
                assert!(walked.iter().all(|&(_, slot)| passes(slot)));
                found += truth.iter().filter(|near| walked.contains(near)).count();
                wanted += truth.len();
            }
            assert!(wanted > 0 && found * 100 >= wanted * 95, "1 in {one_in}: {found} of {wanted}");
        }
    }
}
