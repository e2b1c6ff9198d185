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
            select.consider(sight, node, walk);
            // As in the paper, m links at first even where 2m fit: the rest fills up with links
            // back, which is measured to be as good as choosing 2m at once and twice as fast.
            select.diverse(sight, config.alpha, config.m, |_| false);
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
    fn consider(&mut self, sight: Sight<'_>, node: u32, walk: &Walk) {
        let offset = sight.vectors.build_offset();
        let found = walk.pool.iter().filter(|&(_, slot)| slot != node);
        self.candidates.clear();
        self.candidates.extend(found.map(|(distance, slot)| pack(distance + offset, slot)));
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
        let offset = sight.vectors.build_offset();
        candidates.clear();
        let scored = distances.iter().zip(&*slots);
        candidates.extend(scored.map(|(&distance, &slot)| pack(distance + offset, slot)));
        candidates.sort_unstable();
        let permanent = |other| layer == 0 && links.is_permanent(node, other);
        self.diverse(sight, alpha, links.width(layer), permanent);
    }

    /// Keeps at most `width` of the candidates: those that are permanent, and going from the
    /// nearest outwards those to which no kept one is `alpha` times nearer than the node itself
    /// (algorithm 4 of the HNSW paper, with the slack of Vamana).
    fn diverse(
        &mut self,
        sight: Sight<'_>,
        alpha: f32,
        width: usize,
        permanent: impl Fn(u32) -> bool,
    ) {
        let Select { candidates, kept, rows, row, distances, .. } = self;
        let dim = sight.vectors.dim;
        let stride = dim.next_multiple_of(16);
        let store = sight.exact;
        let offset = sight.vectors.build_offset();
        rows.resize(width * stride, 0.0);
        row.resize(dim, 0.0);
        kept.clear();
        let mut reserved = candidates.iter().filter(|&&entry| permanent(id(entry))).count();
        for &entry in candidates.iter() {
            let candidate = id(entry);
            let values = store.row(candidate, row);
            if permanent(candidate) {
                reserved -= 1;
            } else if kept.len() + reserved >= width {
                continue;
            } else {
                let bound = distance(entry);
                let diverse = rows[..kept.len() * stride].chunks(BATCH * stride).all(|rows| {
                    distances.resize(rows.len() / stride, 0.0);
                    store.distances_between(values, rows, stride, distances);
                    distances.iter().all(|&to_kept| alpha * (to_kept + offset) > bound)
                });
                if !diverse {
                    continue;
                }
            }
            let start = kept.len() * stride;
            rows[start..start + dim].copy_from_slice(values);
            kept.push(candidate);
        }
    }
}
