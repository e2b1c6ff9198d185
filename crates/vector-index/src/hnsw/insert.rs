//! How a new vector is linked in: candidates by a beam search, links by the diversity rule.

use super::HnswIndex;
use super::links::{Links, NONE};
use crate::pool::{distance, id, pack};
use crate::scratch::Walk;
use crate::vectors::Vectors;

/// Distances computed at a time when a candidate is compared with those kept: most candidates that
/// are refused are refused by one of the first few.
const BATCH: usize = 8;

/// Working memory of insertions, kept from one to the next.
#[derive(Default)]
pub(super) struct Build {
    walk: Walk,
    select: Select,
}

/// Working memory of one choice of links.
#[derive(Default)]
struct Select {
    /// Packed `(distance, slot)`, nearest first.
    candidates: Vec<u64>,
    kept: Vec<u32>,
    slots: Vec<u32>,
    distances: Vec<f32>,
}

impl HnswIndex {
    /// Links the newest node, which takes part in the layers up to `level`.
    pub(super) fn link(&mut self, node: u32, level: usize) {
        let HnswIndex { config, vectors, links, entry, build, .. } = self;
        let Build { walk, select } = &mut **build;
        let Some(top) = *entry else {
            *entry = Some(node);
            return;
        };
        let top_level = links.level(top);
        let score = |slots: &[u32], out: &mut [f32]| vectors.build_distances(node, slots, out);
        links.descend(top, top_level, level.min(top_level), walk, score);
        for layer in (0..=level.min(top_level)).rev() {
            links.beam(layer, config.ef_construction, walk, score);
            select.candidates.clear();
            select.candidates.extend(walk.pool.iter().map(|(distance, slot)| pack(distance, slot)));
            // As in the paper, m links at first even where 2m fit: the rest fills up with links back,
            // which is measured to be as good as choosing 2m at once and twice as fast.
            select.diverse(vectors, config.alpha, config.m, |_| false);
            if layer == 0 {
                adopt(links, node, &select.candidates, &mut select.kept);
            }
            links.set(node, layer, select.kept.iter().copied());
            for i in 0..select.kept.len() {
                let neighbor = links.neighbors(node, layer).nth(i).unwrap_or(NONE);
                link_back(vectors, links, config.alpha, neighbor, node, layer, select);
            }
        }
        if level > top_level {
            *entry = Some(node);
        }
    }
}

/// Gives `node` the nearest candidate as parent that may have another child, and makes it one of
/// the links in `kept`. Every node but the first was adopted, so below a full candidate there is
/// always one with room.
fn adopt(links: &mut Links, node: u32, candidates: &[u64], kept: &mut Vec<u32>) {
    let has_room = |&slot: &u32| links.children(slot).count() < links.max_children();
    let parent = candidates.iter().map(|&entry| id(entry)).find(has_room).unwrap_or_else(|| {
        let mut full = kept[0];
        while !has_room(&full) {
            full = links.children(full).next().unwrap_or(full);
        }
        full
    });
    if !kept.contains(&parent) {
        kept.truncate(links.width(0) - 1);
        kept.push(parent);
    }
    links.set_parent(node, parent);
}

/// Links `from` to `node`; a full row is chosen anew among its links and `node`.
fn link_back(
    vectors: &Vectors,
    links: &mut Links,
    alpha: f32,
    from: u32,
    node: u32,
    layer: usize,
    select: &mut Select,
) {
    if links.append(from, layer, node) {
        return;
    }
    let Select { slots, distances, candidates, .. } = select;
    slots.clear();
    slots.extend(links.neighbors(from, layer).chain([node]));
    distances.resize(slots.len(), 0.0);
    vectors.build_distances(from, slots, distances);
    candidates.clear();
    candidates.extend(distances.iter().zip(&*slots).map(|(&distance, &slot)| pack(distance, slot)));
    candidates.sort_unstable();
    let permanent = |other| layer == 0 && links.is_permanent(from, other);
    select.diverse(vectors, alpha, links.width(layer), permanent);
    links.set(from, layer, select.kept.iter().copied());
}

impl Select {
    /// Keeps at most `width` of the candidates: those that are permanent, and going from the
    /// nearest outwards those to which no kept one is `alpha` times nearer than the node itself
    /// (algorithm 4 of the HNSW paper, with the slack of Vamana).
    fn diverse(
        &mut self,
        vectors: &Vectors,
        alpha: f32,
        width: usize,
        permanent: impl Fn(u32) -> bool,
    ) {
        let Select { candidates, kept, distances, .. } = self;
        kept.clear();
        let mut reserved = candidates.iter().filter(|&&entry| permanent(id(entry))).count();
        for &entry in candidates.iter() {
            let candidate = id(entry);
            if permanent(candidate) {
                reserved -= 1;
                kept.push(candidate);
            } else if kept.len() + reserved < width
                && kept.chunks(BATCH).all(|kept| {
                    distances.resize(kept.len(), 0.0);
                    vectors.build_distances(candidate, kept, distances);
                    distances.iter().all(|&to_kept| alpha * to_kept > distance(entry))
                })
            {
                kept.push(candidate);
            }
        }
    }
}
