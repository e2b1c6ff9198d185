//! How a vector is taken out: its neighbours are linked to each other, its children adopted anew.

use super::insert::Build;
use super::sight::Sight;
use super::{Graph, HnswIndex, Links, NONE};

/// How far the tree is climbed to see who is below whom. Vectors that come sorted along a line make a
/// tree as deep as they are many.
const GENERATIONS: usize = 256;

impl HnswIndex {
    /// Unlinks `node` from all layers and frees its slot.
    ///
    /// Links to it in the bottom layer that are not near it are not looked for: they are never followed
    /// while the slot is free, and lead somewhere else, harmlessly, when it is used again. In the upper
    /// layers, where a walk has only one candidate to lose, none is left.
    pub(super) fn unlink(&mut self, node: u32) {
        self.vectors.free(node);
        let HnswIndex { config, vectors, links, entry, build } = self;
        let Build { select, .. } = &mut **build;
        let sight = Sight::through(vectors, None);
        for layer in (0..=links.level(node)).rev() {
            let around: Vec<u32> =
                links.neighbors(node, layer).filter(|&slot| !vectors.is_dead(slot)).collect();
            let (parent, children): (u32, Vec<u32>) = match layer {
                0 => (links.parent(node), links.children(node).collect()),
                _ => (NONE, Vec::new()),
            };
            if layer == 0 {
                links.set_parent(node, NONE);
                children.iter().for_each(|&child| links.set_parent(child, NONE));
            }
            links.set(node, layer, std::iter::empty());
            // Most that link to it are among its neighbours and theirs.
            let mut near = around.clone();
            match layer {
                0 => near.extend(around.iter().flat_map(|&slot| links.neighbors(slot, 0))),
                _ => near = links.linked_above(node, layer).collect(),
            }
            near.sort_unstable();
            near.dedup();
            for from in near {
                if !vectors.is_dead(from) && links.drop(from, layer, node) {
                    let others = around.iter().copied();
                    select.rechoose(sight, links, config.alpha, from, layer, others);
                    links.set(from, layer, select.kept.iter().copied());
                }
            }
            // The tree: the first orphan of a root becomes the root, the others get a parent that
            // is not below them.
            let mut root = parent;
            for child in children {
                if root == NONE {
                    root = child;
                    continue;
                }
                let parent = around
                    .iter()
                    .copied()
                    .chain(links.neighbors(child, 0))
                    .filter(|&slot| slot != child && !vectors.is_dead(slot))
                    .find(|&slot| links.has_room(slot) && !links.is_below(slot, child))
                    .unwrap_or_else(|| links.room_below(root));
                links.set_parent(child, parent);
                select.link_back(sight, links, config.alpha, parent, child, 0);
                select.link_back(sight, links, config.alpha, child, parent, 0);
            }
        }
        if *entry == Some(node) {
            *entry =
                vectors.live().max_by_key(|&slot| (links.level(slot), std::cmp::Reverse(slot)));
        }
    }
}

impl Links {
    /// Removes a link; whether there was one.
    fn drop(&mut self, node: u32, layer: usize, link: u32) -> bool {
        let row = self.row_mut(node, layer);
        let Some(at) = row.iter().position(|&slot| slot == link) else { return false };
        row.copy_within(at + 1.., at);
        row[row.len() - 1] = NONE;
        true
    }

    /// The nodes that are linked to `node` in an upper layer, which has few rows.
    fn linked_above(&self, node: u32, layer: usize) -> impl Iterator<Item = u32> {
        let width = self.width(layer);
        let places = self.upper.iter().enumerate().filter(move |&(_, &link)| link == node);
        places.filter_map(move |(at, _)| {
            let row = at / width;
            let from = self.upper_start.partition_point(|&start| start as usize <= row) - 1;
            let here = self.upper_start[from] as usize + layer - 1 == row;
            here.then_some(from as u32)
        })
    }

    /// Whether `node` is `ancestor` or may be a descendant of it in the spanning tree: one from which
    /// the root is too far to see is taken for one.
    fn is_below(&self, mut node: u32, ancestor: u32) -> bool {
        for _ in 0..GENERATIONS {
            if node == NONE || node == ancestor {
                return node == ancestor;
            }
            node = self.parent(node);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HnswConfig, Index, Metric};

    #[test]
    fn a_tree_too_deep_to_climb_stays_one() {
        let config = HnswConfig { metric: Metric::L2Squared, m: 4, ..HnswConfig::default() };
        let mut index = HnswIndex::new(1, HnswConfig { ef_construction: 20, ..config }).unwrap();
        let n = 8 * GENERATIONS as u64;
        (0..n).for_each(|id| index.insert(id, &[id as f32]).unwrap());
        let last = n as u32 - 1;
        assert!(index.links.is_below(last - 1, last), "from so deep the root cannot be seen");
        assert!(!index.links.is_below(1, last) && index.links.is_below(last, last));
        for id in (1..n).rev().filter(|id| id % 3 > 0) {
            index.remove(id).unwrap();
        }
        index.validate().unwrap();
    }
}
