//! How the graph index answers: by walk or by scan, with or without a filter.

use super::HnswIndex;
use crate::{Filter, Index, Method, Scratch, SearchParams, Storage};

/// A scan of `n` vectors costs about as much as a walk with `ef = n / SCAN_PER_EF`, measured with 128
/// and 384 values of 4 to 32 bits: 37 to 41 while the codes fit the second-level cache…
const SCAN_PER_EF: usize = 40;

/// … and 5 to 16 where `f32` rows no longer do, since a walk touches a few hundred of them and a scan
/// waits for all.
const SCAN_PER_EF_UNCACHED: usize = 12;

/// What is taken to stay in that cache: half of what a large core has, all that a small one has.
const CACHED_BYTES: usize = 1 << 20;

/// Vectors that are asked whether they pass, to estimate how many do.
const PROBES: usize = 128;

/// A filter that lets at least one in so many pass is applied after a wider walk.
const OFTEN: usize = 4;

/// What passes a filter that lets fewer than one in so many through is scored one by one, however
/// long that takes: the few are too far apart to be walked to reliably.
const SELDOM: usize = 10;

/// Vectors that can be scored one by one in the time that a filtered walk takes for each of its
/// candidates. Asking a vector whether it passes takes about a fifth of scoring it.
const SCORED_PER_EF: usize = 320;

impl HnswIndex {
    /// How many candidates a search for `k` keeps.
    pub(super) fn beam_width(&self, k: usize, params: &SearchParams) -> usize {
        let shortlist = self.config.storage.shortlist(k);
        params.ef.max(shortlist).max(1).min(self.len().max(1))
    }

    /// Whether a search scans instead of walking.
    pub(super) fn scans(&self, ef: usize, params: &SearchParams) -> bool {
        match params.method {
            Method::Auto => {
                let bits = match self.config.storage {
                    Storage::F32 => 32,
                    Storage::F16 | Storage::Bf16 => 16,
                    Storage::Int8(_) => 8,
                    Storage::Int4(_) => 4,
                };
                let cached = self.len() * self.dim() / 8 * bits <= CACHED_BYTES;
                self.len() <= ef * if cached { SCAN_PER_EF } else { SCAN_PER_EF_UNCACHED }
            }
            Method::Graph => false,
            Method::Scan => true,
        }
    }

    /// Leaves in the scratch's pool the `ef` nearest that a walk finds.
    pub(super) fn walk(&self, ef: usize, scratch: &mut Scratch) {
        let Scratch { query, walk, .. } = scratch;
        let (vectors, links) = (&self.vectors, &self.links);
        walk.pool.reset(0);
        let Some(entry) = self.entry else { return };
        let dead = vectors.dead();
        let mut score = |slots: &[u32], out: &mut [f32]| vectors.codes.distances(query, slots, out);
        links.descend(entry, links.level(entry), 0, dead, walk, &mut score);
        links.beam(0, ef, dead, walk, &mut score);
    }

    /// Leaves in the scratch's pool candidates for the `k` nearest that pass.
    pub(super) fn filtered(
        &self,
        k: usize,
        params: &SearchParams,
        filter: &Filter<'_>,
        scratch: &mut Scratch,
    ) {
        let vectors = &self.vectors;
        let shortlist = self.config.storage.shortlist(k);
        let passes = |slot| filter(vectors.id(slot));
        let ef = self.beam_width(k, params);
        if self.scans(ef, params) {
            return vectors.scan(shortlist, passes, scratch);
        }
        if self.is_empty() {
            return scratch.walk.pool.reset(0);
        }
        let n = vectors.slots();
        let probes = (0..PROBES).map(|i| (i * n / PROBES) as u32);
        let passing = probes.filter(|&slot| !vectors.is_dead(slot) && passes(slot)).count();
        if passing * OFTEN >= PROBES {
            // A quarter more, because a sample may flatter.
            self.walk((ef * PROBES * 5 / (passing * 4)).min(self.len()), scratch);
            scratch.walk.pool.retain(passes);
            if scratch.walk.pool.len() >= shortlist.min(ef) {
                return;
            }
        } else if passing * SELDOM < PROBES || n / 5 + passing * n / PROBES <= SCORED_PER_EF * ef {
            let mut some = std::mem::take(&mut scratch.some);
            some.clear();
            some.extend(vectors.live().filter(|&slot| passes(slot)));
            vectors.scan_some(shortlist, &some, scratch);
            scratch.some = some;
            return;
        }
        self.filtered_walk(ef, &passes, scratch);
        // A beam that is not full has seen all that it can reach; what passes elsewhere is scanned.
        if scratch.walk.pool.len() < ef {
            vectors.scan(shortlist, passes, scratch);
        }
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
            let around = self.links.neighbors(some[i], 0);
            some.extend(around.filter(|&slot| !self.vectors.is_dead(slot)));
        }
        some.retain(|&slot| passes(slot));
        some.sort_unstable();
        some.dedup();
        let (vectors, dead) = (&self.vectors, self.vectors.dead());
        walk.distances.resize(some.len(), 0.0);
        vectors.codes.distances(query, some, &mut walk.distances);
        walk.pool.reset(ef);
        for (&distance, &slot) in walk.distances.iter().zip(&*some) {
            walk.pool.offer(distance, slot);
        }
        self.links.filtered_beam(ef, dead, walk, hidden, passes, |slots, out| {
            vectors.codes.distances(query, slots, out);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::mix64;
    use crate::{HnswConfig, Metric};

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
                index.vectors.scan(10, passes, &mut scratch);
                let truth: Vec<_> = scratch.walk.pool.iter().collect();
                index.filtered_walk(30, &passes, &mut scratch);
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
