//! How the graph index answers: by walk or by scan, with or without a filter.

use super::HnswIndex;
use crate::{Filter, Index, Method, Scratch, SearchParams};

/// A scan of `n` vectors costs about as much as a walk with `ef = n / SCAN_PER_EF`: a walk scores
/// about 25 vectors for each of its candidates, and a vector that is fetched from anywhere costs
/// about twice one that comes next in memory.
const SCAN_PER_EF: usize = 40;

/// Vectors that are asked whether they pass, to estimate how many do.
const PROBES: usize = 256;

/// Up to this many times `ef` vectors that pass are scored one by one instead of walked to.
const FEW_PER_EF: usize = 24;

impl HnswIndex {
    /// How many candidates a search for `k` keeps.
    pub(super) fn beam_width(&self, k: usize, params: &SearchParams) -> usize {
        let shortlist = self.config.storage.shortlist(k);
        params.ef.max(shortlist).max(1).min(self.len().max(1))
    }

    /// Whether a search scans instead of walking.
    pub(super) fn scans(&self, ef: usize, params: &SearchParams) -> bool {
        match params.method {
            Method::Auto => self.len() <= SCAN_PER_EF * ef,
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
        if passing * n <= FEW_PER_EF * ef * PROBES {
            let mut some = std::mem::take(&mut scratch.some);
            some.clear();
            some.extend(vectors.live().filter(|&slot| passes(slot)));
            vectors.scan_some(shortlist, &some, scratch);
            scratch.some = some;
            return;
        }
        self.filtered_walk(ef, &passes, scratch);
        if scratch.walk.pool.iter().count() < k {
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
