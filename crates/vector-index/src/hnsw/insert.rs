//! How a new vector is linked in: candidates by a beam search, links by the diversity rule.

use aligned_vec::{AVec, ConstAlign};

use super::sight::Sight;
use super::{Graph, HnswConfig, HnswIndex, Links};
use crate::pool::{distance, id, pack};
use crate::scratch::Walk;
use crate::store::{Query, Store};
use crate::stored::rerank;

/// Distances computed at a time when a candidate is compared with those kept: most candidates that
/// are refused are refused by one of the first few.
const BATCH: usize = 8;

/// Among how many of its nearest a vector that is linked already chooses again, besides those it is
/// linked to: in a cluster of more, nobody else would lead out of it.
const NEAREST: usize = 64;

/// Working memory of changes to the graph, kept from one to the next.
pub(super) struct Build {
    walk: Walk,
    query: Query,
    pub(super) select: Select,
}

impl Build {
    pub(super) fn new() -> Self {
        Build { walk: Walk::default(), query: Query::new(), select: Select::new() }
    }
}

/// Working memory of one choice of links.
pub(super) struct Select {
    query: Query,
    /// Packed `(distance, slot)`, nearest first.
    candidates: Vec<u64>,
    pub(super) kept: Vec<u32>,
    /// The rows of those kept, one behind the other.
    rows: AVec<f32, ConstAlign<64>>,
    lengths: Vec<f32>,
    row: Vec<f32>,
    slots: Vec<u32>,
    distances: Vec<f32>,
}

impl Select {
    fn new() -> Self {
        Select {
            query: Query::new(),
            candidates: Vec::new(),
            kept: Vec::new(),
            rows: AVec::new(64),
            lengths: Vec::new(),
            row: Vec::new(),
            slots: Vec::new(),
            distances: Vec::new(),
        }
    }
}

/// What a new node is to be linked to.
#[derive(Default)]
pub(super) struct Choice {
    /// Its neighbours in each layer it takes part in, from the bottom.
    pub(super) layers: Vec<Vec<u32>>,
    /// Packed candidates for its parent, nearest first.
    pub(super) parents: Vec<u64>,
}

impl HnswIndex {
    /// Links a node that has none yet, by [`Sight::through`]. `dead` are nodes that must not be
    /// visited, if they are more than are dead.
    pub(super) fn link(&mut self, node: u32, scout: Option<&Store>, dead: Option<&[u64]>) {
        let HnswIndex { config, vectors, links, entry, build, .. } = self;
        let Some(top) = *entry else {
            *entry = Some(node);
            return;
        };
        let level = links.level(node);
        let sight = Sight::through(vectors, scout);
        let sight = Sight { dead: dead.unwrap_or(sight.dead), ..sight };
        let mut choice = build.choose(config, sight, links, top, node, level);
        adopt(links, node, &mut choice);
        for (layer, neighbors) in choice.layers.iter().enumerate().rev() {
            links.set(node, layer, neighbors.iter().copied());
            for &neighbor in neighbors {
                build.select.link_back(sight, links, config.alpha, neighbor, node, layer);
            }
        }
        if level > links.level(top) {
            *entry = Some(node);
        }
    }
}

impl Build {
    /// Finds the neighbours of a new node, starting at `top`, without linking it.
    pub(super) fn choose(
        &mut self,
        config: &HnswConfig,
        sight: Sight<'_>,
        links: &Links,
        top: u32,
        node: u32,
        level: usize,
    ) -> Choice {
        let Build { walk, query, select } = self;
        let top_level = links.level(top);
        sight.query_of(node, query);
        let dead = sight.dead;
        let score = |query: &mut Query, slots: &[u32], out: &mut [f32]| {
            sight.walked.distances(query, slots, out)
        };
        links.descend(top, top_level, level.min(top_level), dead, walk, |slots, out| {
            score(query, slots, out);
        });
        let mut choice =
            Choice { layers: vec![Vec::new(); level.min(top_level) + 1], parents: Vec::new() };
        for (layer, neighbors) in choice.layers.iter_mut().enumerate().rev() {
            // A file may say any number; there are no more candidates than vectors.
            let ef = config.ef_construction.min(sight.vectors.len());
            links.beam(layer, ef, dead, walk, |slots, out| score(query, slots, out));
            if let Some(finer) = sight.finer {
                rerank(finer, query, &mut walk.pool, ef, &mut walk.slots, &mut walk.distances);
            }
            select.consider(node, walk);
            // As in the paper, m links at first even where 2m fit: the rest fills up with links
            // back, which is measured to be as good as choosing 2m at once and twice as fast.
            select.diverse(sight, node, config.alpha, config.m, |_| false);
            neighbors.extend_from_slice(&select.kept);
        }
        choice.parents.extend_from_slice(&select.candidates);
        // A stale link may lead to a slot that is used again: a walk of one candidate may end there,
        // at the node itself.
        if choice.layers[0].is_empty() {
            choice.layers[0].push(top);
        }
        choice
    }

    /// Chooses the bottom links of a node that is linked already among those it has and the nearest
    /// that a walk finds around it.
    pub(super) fn choose_again(
        &mut self,
        sight: Sight<'_>,
        links: &Links,
        alpha: f32,
        node: u32,
    ) -> Vec<u32> {
        let Build { walk, query, select } = self;
        sight.query_of(node, query);
        walk.pool.reset(1);
        walk.pool.offer(f32::NEG_INFINITY, node);
        let ef = (NEAREST.max(links.width(0)) + 1).min(sight.vectors.len());
        links.beam(0, ef, sight.dead, walk, |slots, out| {
            sight.walked.distances(query, slots, out);
        });
        let found = walk.pool.iter().map(|(_, slot)| slot);
        select.rechoose(sight, links, alpha, node, 0, found);
        select.kept.clone()
    }
}

/// Gives `node` the nearest candidate as parent that may have another child, and makes it one of
/// its links. Every node but the first was adopted, so below a full candidate there is
/// always one with room.
pub(super) fn adopt(links: &mut Links, node: u32, choice: &mut Choice) {
    let kept = &mut choice.layers[0];
    let parent = choice
        .parents
        .iter()
        .map(|&entry| id(entry))
        .find(|&slot| links.has_room(slot))
        .unwrap_or_else(|| links.room_below(kept[0]));
    if !kept.contains(&parent) {
        kept.truncate(links.width(0) - 1);
        kept.push(parent);
    }
    links.set_parent(node, parent);
}

impl Select {
    /// Links `from` to `node` unless it is; a full row is chosen anew among its links and `node`.
    pub(super) fn link_back(
        &mut self,
        sight: Sight<'_>,
        links: &mut Links,
        alpha: f32,
        from: u32,
        node: u32,
        layer: usize,
    ) {
        if links.neighbors(from, layer).any(|link| link == node) || links.append(from, layer, node)
        {
            return;
        }
        self.slots.clear();
        self.slots.extend(links.neighbors(from, layer).chain([node]));
        self.relink(sight, links, alpha, from, layer);
        links.set(from, layer, self.kept.iter().copied());
    }

    /// Makes what a walk found around `node` the candidates.
    fn consider(&mut self, node: u32, walk: &Walk) {
        let found = walk.pool.iter().filter(|&(_, slot)| slot != node);
        self.candidates.clear();
        self.candidates.extend(found.map(|(distance, slot)| pack(distance, slot)));
    }

    /// Leaves in `self.kept` the links of `node` chosen among `slots`.
    pub(super) fn choose_among(
        &mut self,
        sight: Sight<'_>,
        links: &Links,
        alpha: f32,
        node: u32,
        layer: usize,
        slots: &[u32],
    ) {
        self.slots.clear();
        self.slots.extend_from_slice(slots);
        self.relink(sight, links, alpha, node, layer);
    }

    /// Leaves in `self.kept` the links of `node` chosen among those it has and `others`.
    pub(super) fn rechoose(
        &mut self,
        sight: Sight<'_>,
        links: &Links,
        alpha: f32,
        node: u32,
        layer: usize,
        others: impl Iterator<Item = u32>,
    ) {
        self.slots.clear();
        self.slots.extend(links.neighbors(node, layer));
        for other in others {
            if other != node && !self.slots.contains(&other) {
                self.slots.push(other);
            }
        }
        self.relink(sight, links, alpha, node, layer);
    }

    /// Chooses the links of `node` among `self.slots`.
    fn relink(&mut self, sight: Sight<'_>, links: &Links, alpha: f32, node: u32, layer: usize) {
        let Select { query, slots, distances, candidates, .. } = self;
        sight.query_of(node, query);
        distances.resize(slots.len(), 0.0);
        sight.exact.distances(query, slots, distances);
        candidates.clear();
        let scored = distances.iter().zip(&*slots);
        candidates.extend(scored.map(|(&distance, &slot)| pack(distance, slot)));
        candidates.sort_unstable();
        let permanent = |other| layer == 0 && links.is_permanent(node, other);
        self.diverse(sight, node, alpha, links.width(layer), permanent);
    }

    /// Keeps at most `width` of the candidates: those that are permanent, and going from the
    /// nearest outwards those to which no kept one is `alpha` times nearer than the node itself
    /// (algorithm 4 of the HNSW paper, with the slack of Vamana).
    fn diverse(
        &mut self,
        sight: Sight<'_>,
        node: u32,
        alpha: f32,
        width: usize,
        permanent: impl Fn(u32) -> bool,
    ) {
        let Select { candidates, kept, rows, lengths, row, distances, .. } = self;
        let dim = sight.vectors.dim;
        let stride = dim.next_multiple_of(16);
        let store = sight.exact;
        let own = sight.vectors.lift_length(node);
        rows.resize(width * stride, 0.0);
        row.resize(dim, 0.0);
        kept.clear();
        lengths.clear();
        let mut reserved = candidates.iter().filter(|&&entry| permanent(id(entry))).count();
        for &entry in candidates.iter() {
            let candidate = id(entry);
            let values = store.row(candidate, row);
            let length = sight.vectors.lift_length(candidate);
            if permanent(candidate) {
                reserved -= 1;
            } else if kept.len() + reserved >= width {
                continue;
            } else {
                let bound = lifted(distance(entry), own, length);
                let batches = rows[..kept.len() * stride].chunks(BATCH * stride);
                let diverse = batches.zip(lengths.chunks(BATCH)).all(|(rows, lengths)| {
                    distances.resize(lengths.len(), 0.0);
                    store.distances_between(values, rows, stride, distances);
                    let mut to_kept = distances.iter().zip(lengths);
                    to_kept.all(|(&far, &other)| alpha * lifted(far, length, other) > bound)
                });
                if !diverse {
                    continue;
                }
            }
            let start = kept.len() * stride;
            rows[start..start + dim].copy_from_slice(values);
            lengths.push(length);
            kept.push(candidate);
        }
    }
}

/// A distance that the slack of the diversity rule can be applied to, since it is never negative,
/// from that of two vectors of these [lengths](crate::vectors::Vectors::lift_length). The shorter of
/// two vectors with an inner product gets another coordinate that makes it as long as the longer; half
/// their squared Euclidean distance is then that length squared, less the inner product.
///
/// One length for all, that of the longest, is worse where one vector is much longer than all others:
/// recall at `ef` 10 was 0.55 instead of 0.67 on Gaussian vectors of which one was a hundred times as
/// long as the next.
fn lifted(distance: f32, one: f32, other: f32) -> f32 {
    let longer = one.max(other);
    distance + longer * longer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::mix64;
    use crate::{Index, Metric};

    const DIM: usize = 6;
    const N: u32 = 120;

    /// Ten narrow beams of vectors with lengths from 1 to 100, and one vector of 10,000.
    fn spread() -> HnswIndex {
        let value = |i: u64| (mix64(i) >> 40) as f32 / (1 << 23) as f32 - 1.0;
        let config = HnswConfig { metric: Metric::InnerProduct, m: 4, ..HnswConfig::default() };
        let mut index = HnswIndex::new(DIM, config).unwrap();
        for id in 0..u64::from(N) {
            let place = |d| value(id % 10 * 100 + d) + 0.1 * value(10_000 + id * 100 + d);
            let row: Vec<f32> = (0..DIM as u64).map(place).collect();
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            let wanted = if id == 77 { 1e4 } else { 100_f32.powf((id * 37 % 100) as f32 / 99.0) };
            index.insert(id, &row.iter().map(|x| x * wanted / length).collect::<Vec<_>>()).unwrap();
        }
        index
    }

    /// Against the definition of the lifted distance, in `f64`.
    #[test]
    fn links_under_inner_product_are_diverse_whatever_the_lengths() {
        let index = spread();
        let rows: Vec<Vec<f64>> = (0..N)
            .map(|slot| index.vectors.original(slot).into_iter().map(f64::from).collect())
            .collect();
        let dot = |a: u32, b: u32| {
            rows[a as usize].iter().zip(&rows[b as usize]).map(|(x, y)| x * y).sum::<f64>()
        };
        let lifted = |a: u32, b: u32| {
            let (low, high) = (dot(a, a).min(dot(b, b)), dot(a, a).max(dot(b, b)));
            (low + high - 2.0 * dot(a, b) + (high - low)) / 2.0
        };
        let (width, alpha) = (index.links.width(1), 1.2);
        let mut select = Select::new();
        for node in 0..N {
            let others: Vec<u32> = (0..N).filter(|&other| other != node).collect();
            let sight = Sight::through(&index.vectors, None);
            // Nothing is linked in the highest layer, and so nothing permanent.
            select.choose_among(sight, &index.links, alpha as f32, node, 1, &others);
            let mut order = others.clone();
            order.sort_by(|&a, &b| dot(node, b).total_cmp(&dot(node, a)));
            let mut wanted: Vec<u32> = Vec::new();
            for candidate in order {
                let far = |&kept: &u32| alpha * lifted(candidate, kept) > lifted(node, candidate);
                if wanted.len() < width && wanted.iter().all(far) {
                    wanted.push(candidate);
                }
            }
            assert_eq!(select.kept, wanted, "of {node}");
        }
    }
}
