//! Inserting many vectors at once, on all of rayon's threads if there is that feature.
//!
//! Batches of a small share of the index are inserted together (as in ParlayANN, Manohar and others
//! 2024): each new node finds its neighbours in the graph as it was before the batch, then each node
//! that gains links chooses its row anew. No step writes what another reads, so there are no locks,
//! and the result does not depend on how many threads there are.

#[cfg(feature = "rayon")]
use rayon::prelude::*;

use super::insert::{Build, adopt};
use super::sight::{Sight, scout};
use super::{Graph, HnswIndex, Links};
#[cfg(doc)]
use crate::Storage;
use crate::store::Store;
use crate::{Error, ErrorKind, Index};

/// A batch is at most this share of what is linked already: vectors of one batch do not see each
/// other.
const SHARE: usize = 16;

impl HnswIndex {
    /// Stores many vectors (one behind the other, `ids[i]` for the i-th), on all of rayon's threads if
    /// there is that feature. Recall is that of inserting one by one; the graph is another, but
    /// always the same.
    ///
    /// Faster than one by one even on one thread: storage of more than a byte a value is walked by
    /// codes of one byte, which are made for the time of the call, and so is [`Storage::Binary`]
    /// without originals, whose rows are slow to make again from signs.
    ///
    /// # Errors
    ///
    /// As [`insert`](Index::insert), for any of the vectors, and
    /// [`DuplicateId`](ErrorKind::DuplicateId) if an id comes twice. The index is unchanged then.
    pub fn insert_many(&mut self, ids: &[u64], vectors: &[f32]) -> Result<(), Error> {
        let dim = self.dim();
        if vectors.len() != ids.len() * dim {
            return Err(Error::dimension(ids.len() * dim, vectors.len()));
        }
        let mut sorted = ids.to_vec();
        sorted.sort_unstable();
        let twice = sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
        if let Some(id) = twice.or_else(|| ids.iter().copied().find(|&id| self.contains(id))) {
            let what = format!("id {id} is in the index already, or comes twice");
            return Err(Error::new(ErrorKind::DuplicateId, what));
        }
        for vector in vectors.chunks_exact(dim) {
            self.vectors.check(vector)?;
        }
        let linked = self.len();
        self.reserve(ids.len());
        let mut nodes = Vec::with_capacity(ids.len());
        for (&id, vector) in ids.iter().zip(vectors.chunks_exact(dim)) {
            nodes.push(self.push(id, vector)?);
        }
        // Codes of all are for those who add many.
        let many = nodes.len() * SHARE >= self.len();
        let scout = many.then(|| scout(&self.vectors)).flatten();
        // Free slots that are used again are linked to already, from the time before.
        let mut dead = self.vectors.dead().to_vec();
        nodes.iter().for_each(|&node| dead[node as usize / 64] |= 1 << (node % 64));
        let mut rest = &nodes[..];
        while let Some(&first) = rest.first() {
            let size = ((linked + nodes.len() - rest.len()) / SHARE).clamp(1, rest.len());
            let top_level = self.entry.map_or(0, |top| self.links.level(top));
            // A node above all others becomes the entry, which the others of a batch rely on.
            let is_low = |&&node: &&u32| self.links.level(node) <= top_level;
            let low = rest[..size].iter().take_while(is_low).count();
            let count = if low == 0 || self.entry.is_none() {
                self.link(first, scout.as_ref(), Some(&dead));
                1
            } else {
                self.link_batch(&rest[..low], scout.as_ref(), &dead);
                low
            };
            let (linked, others) = rest.split_at(count);
            linked.iter().for_each(|&node| dead[node as usize / 64] &= !(1 << (node % 64)));
            rest = others;
        }
        Ok(())
    }

    /// `dead` are, besides those that are, the nodes that are not linked yet.
    fn link_batch(&mut self, nodes: &[u32], scout: Option<&Store>, dead: &[u64]) {
        let HnswIndex { config, vectors, links, entry, .. } = self;
        let Some(top) = *entry else { return };
        let sight = Sight { dead, ..Sight::through(vectors, scout) };
        let seen: &Links = links;
        let choices = each(nodes, |build, &node| {
            build.choose(config, sight, seen, top, node, seen.level(node))
        });
        // (layer, who is linked to, by whom)
        let mut back: Vec<(usize, u32, u32)> = Vec::new();
        for (&node, mut choice) in nodes.iter().zip(choices) {
            adopt(links, node, &mut choice);
            for (layer, neighbors) in choice.layers.iter().enumerate() {
                links.set(node, layer, neighbors.iter().copied());
                back.extend(neighbors.iter().map(|&neighbor| (layer, neighbor, node)));
            }
            // The next of the batch must see this child, to know whether there is room for another:
            // its row is put in order below.
            let parent = links.parent(node);
            // A stale link to the slot's last vector serves the new one.
            let linked = links.neighbors(parent, 0).any(|link| link == node);
            if !linked && !links.append(parent, 0, node) {
                make_room(links, parent, node);
            }
        }
        back.sort_unstable();
        let seen: &Links = links;
        let groups: Vec<_> = back.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).collect();
        let rows = each(&groups, |build, group| {
            let (layer, node, _) = group[0];
            let mut row: Vec<u32> = seen.neighbors(node, layer).collect();
            for &(_, _, other) in group.iter() {
                if !row.contains(&other) {
                    row.push(other);
                }
            }
            if row.len() > seen.width(layer) {
                build.select.choose_among(sight, seen, config.alpha, node, layer, &row);
                row.clone_from(&build.select.kept);
            }
            (layer, node, row)
        });
        for (layer, node, row) in rows {
            links.set(node, layer, row.into_iter());
        }
    }
}

/// Puts `node` in the place of the last link of `parent` that is not permanent. A parent has room
/// for a child, and so for fewer permanent links than its row is wide.
fn make_room(links: &mut Links, parent: u32, node: u32) {
    let mut row: Vec<u32> = links.neighbors(parent, 0).collect();
    if let Some(at) = row.iter().rposition(|&other| !links.is_permanent(parent, other)) {
        row[at] = node;
    }
    links.set(parent, 0, row.into_iter());
}

/// What `choose` makes of each item, in their order.
pub(super) fn each<T: Sync, R: Send>(
    items: &[T],
    choose: impl Fn(&mut Build, &T) -> R + Send + Sync,
) -> Vec<R> {
    #[cfg(feature = "rayon")]
    return items.par_iter().map_init(Build::new, choose).collect();
    #[cfg(not(feature = "rayon"))]
    {
        let mut build = Build::new();
        items.iter().map(|item| choose(&mut build, item)).collect()
    }
}
