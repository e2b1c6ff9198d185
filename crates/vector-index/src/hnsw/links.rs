//! Who is linked to whom: fixed-width rows of slots, padded at the end.

use aligned_vec::{AVec, ConstAlign};

/// Fills the unused end of a row.
pub(super) const NONE: u32 = u32::MAX;

/// Above it a level is as improbable as 2⁻¹⁶ even at the smallest m, and layers stop helping.
pub(super) const MAX_LEVEL: usize = 16;

/// The edges of all layers, and the spanning tree of the bottom one.
///
/// A row of the bottom layer is `2m` slots (two cache lines at m 16), nearest first when it was
/// last chosen, later arrivals behind. Rows of upper layers are `m` slots; those of one node lie
/// together, and only nodes that take part in upper layers have any.
pub(super) struct Links {
    m: usize,
    base: AVec<u32, ConstAlign<64>>,
    upper: Vec<u32>,
    /// Where a node's rows in `upper` start, counted in rows.
    upper_start: Vec<u32>,
    levels: Vec<u8>,
    /// The node whose link to this one is permanent; `NONE` for the first node.
    parents: Vec<u32>,
}

impl Links {
    pub(super) fn new(m: usize) -> Self {
        Links {
            m,
            base: AVec::new(64),
            upper: Vec::new(),
            upper_start: Vec::new(),
            levels: Vec::new(),
            parents: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.levels.len()
    }

    /// The highest layer of a node.
    pub(super) fn level(&self, node: u32) -> usize {
        self.levels[node as usize].into()
    }

    /// How many links a node may have in `layer`.
    pub(super) fn width(&self, layer: usize) -> usize {
        if layer == 0 { 2 * self.m } else { self.m }
    }

    /// Adds a node without links.
    pub(super) fn push(&mut self, level: usize) {
        self.base.resize(self.base.len() + self.width(0), NONE);
        self.upper_start.push((self.upper.len() / self.m) as u32);
        self.upper.resize(self.upper.len() + level * self.m, NONE);
        self.levels.push(level as u8);
        self.parents.push(NONE);
    }

    /// Makes room for the bottom links of `additional` more nodes at once.
    pub(super) fn reserve(&mut self, additional: usize) {
        self.base.reserve_exact(additional * self.width(0));
        self.upper_start.reserve_exact(additional);
        self.levels.reserve_exact(additional);
        self.parents.reserve_exact(additional);
    }

    /// Gives back the room that no node uses.
    pub(super) fn shrink_to_fit(&mut self) {
        self.base.shrink_to_fit();
        self.upper.shrink_to_fit();
        self.upper_start.shrink_to_fit();
        self.levels.shrink_to_fit();
        self.parents.shrink_to_fit();
    }

    /// The links of a node in a layer it takes part in.
    pub(super) fn neighbors(&self, node: u32, layer: usize) -> impl Iterator<Item = u32> {
        self.row(node, layer).iter().copied().take_while(|&slot| slot != NONE)
    }

    /// Replaces the links of a node; `links` is at most [`width`](Self::width) long.
    pub(super) fn set(&mut self, node: u32, layer: usize, links: impl Iterator<Item = u32>) {
        let mut links = links;
        self.row_mut(node, layer).fill_with(|| links.next().unwrap_or(NONE));
    }

    /// Adds a link if the row has room; whether it had.
    pub(super) fn append(&mut self, node: u32, layer: usize, link: u32) -> bool {
        match self.row_mut(node, layer).iter_mut().find(|slot| **slot == NONE) {
            Some(slot) => {
                *slot = link;
                true
            }
            None => false,
        }
    }

    pub(super) fn parent(&self, node: u32) -> u32 {
        self.parents[node as usize]
    }

    pub(super) fn set_parent(&mut self, node: u32, parent: u32) {
        self.parents[node as usize] = parent;
    }

    /// The nodes whose parent is `node`.
    pub(super) fn children(&self, node: u32) -> impl Iterator<Item = u32> {
        self.neighbors(node, 0).filter(move |&child| self.parent(child) == node)
    }

    /// How many children a node may have, so that half of its links stay free to be good ones.
    pub(super) fn max_children(&self) -> usize {
        self.m
    }

    /// Whether the bottom link from `node` to `other` belongs to the spanning tree.
    pub(super) fn is_permanent(&self, node: u32, other: u32) -> bool {
        self.parent(other) == node || self.parent(node) == other
    }

    pub(super) fn memory_bytes(&self) -> usize {
        (self.base.capacity()
            + self.upper.capacity()
            + self.upper_start.capacity()
            + self.parents.capacity())
            * size_of::<u32>()
            + self.levels.capacity()
    }

    fn row(&self, node: u32, layer: usize) -> &[u32] {
        let (start, width) = self.place(node, layer);
        if layer == 0 {
            &self.base[start..start + width]
        } else {
            &self.upper[start..start + width]
        }
    }

    fn row_mut(&mut self, node: u32, layer: usize) -> &mut [u32] {
        let (start, width) = self.place(node, layer);
        if layer == 0 {
            &mut self.base[start..start + width]
        } else {
            &mut self.upper[start..start + width]
        }
    }

    fn place(&self, node: u32, layer: usize) -> (usize, usize) {
        let width = self.width(layer);
        if layer == 0 {
            (node as usize * width, width)
        } else {
            debug_assert!(layer <= self.level(node), "node {node} is not in layer {layer}");
            ((self.upper_start[node as usize] as usize + layer - 1) * width, width)
        }
    }
}
