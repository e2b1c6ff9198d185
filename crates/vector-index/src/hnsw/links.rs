//! Who is linked to whom: fixed-width rows of slots, padded at the end.

use std::ops::Range;

use edgekit_kernels_simd::prefetch;

use super::walk::Graph;
use crate::room::Room;
use crate::slab::Slab;

/// Fills the unused end of a row.
pub(crate) const NONE: u32 = u32::MAX;

/// Above it a level is as improbable as 2⁻¹⁶ even at the smallest m, and layers stop helping.
pub(crate) const MAX_LEVEL: usize = 16;

/// The edges of all layers, and the spanning tree of the bottom one.
///
/// A row of the bottom layer is `2m` slots (two cache lines at m 16), nearest first when it was
/// last chosen, later arrivals behind. Rows of upper layers are `m` slots; those of one node lie
/// together, and only nodes that take part in upper layers have any.
pub(crate) struct Links {
    m: usize,
    pub(super) base: Slab<u32>,
    pub(super) upper: Slab<u32>,
    /// Where a node's rows in `upper` start, counted in rows.
    pub(crate) upper_start: Slab<u32>,
    pub(super) levels: Slab<u8>,
    /// The node whose link to this one is permanent; `NONE` for the root and for free slots.
    pub(super) parents: Slab<u32>,
    /// Node and layer of each row that was written since somebody last took note, while somebody
    /// does: see [`SharedHnsw`](crate::SharedHnsw).
    pub(crate) written: Option<Vec<(u32, usize)>>,
}

impl Graph for Links {
    fn width(&self, layer: usize) -> usize {
        if layer == 0 { 2 * self.m } else { self.m }
    }

    fn level(&self, node: u32) -> usize {
        self.levels[node as usize].into()
    }

    fn neighbors(&self, node: u32, layer: usize) -> impl Iterator<Item = u32> {
        self.row(node, layer).iter().copied().take_while(|&slot| slot != NONE)
    }

    fn prefetch(&self, node: u32, layer: usize) {
        prefetch(self.row(node, layer));
    }
}

impl Links {
    pub(super) fn new(m: usize) -> Self {
        Links {
            m,
            base: Slab::new(),
            upper: Slab::new(),
            upper_start: Slab::new(),
            levels: Slab::new(),
            parents: Slab::new(),
            written: None,
        }
    }

    /// How many nodes there are, free ones included.
    pub(crate) fn len(&self) -> usize {
        self.levels.len()
    }

    /// How many rows the upper layers have.
    pub(crate) fn upper_rows(&self) -> usize {
        self.upper.len() / self.m
    }

    /// Adds a node without links.
    pub(super) fn push(&mut self, level: usize) {
        let (node, rows, m) = (self.len(), self.upper_rows(), self.m);
        self.base.set_row(node, 2 * m, |row| row.fill(NONE));
        for row in rows..rows + level {
            self.upper.set_row(row, m, |row| row.fill(NONE));
        }
        self.upper_start.set_row(node, 1, |row| row[0] = rows as u32);
        self.levels.set_row(node, 1, |row| row[0] = level as u8);
        self.parents.set_row(node, 1, |row| row[0] = NONE);
    }

    /// How many rows of upper layers to make room for beside so many slots: about one vector in m
    /// has some; the rest is for luck.
    pub(crate) fn upper_room(&self, slots: usize) -> usize {
        self.upper_rows() + 2 * slots / (self.m - 1) + 8 * MAX_LEVEL
    }

    /// Bytes of room that so many slots take at most.
    pub(crate) fn room_bytes(&self, slots: usize) -> u64 {
        let upper = Room::bytes(self.upper_room(slots), 4 * self.m);
        let beside = 2 * Room::bytes(slots, 4) + Room::bytes(slots, 1);
        Room::bytes(slots, 8 * self.m) + upper + beside
    }

    fn growing(m: usize, room: &Room, upper: usize) -> Self {
        Links {
            base: Slab::growing(room, room.slots() * 2 * m),
            upper: Slab::growing(room, upper * m),
            upper_start: Slab::growing(room, room.slots()),
            levels: Slab::growing(room, room.slots()),
            parents: Slab::growing(room, room.slots()),
            ..Links::new(m)
        }
    }

    /// Makes room for the bottom links of `additional` more nodes at once.
    pub(super) fn reserve(&mut self, additional: usize) {
        if self.base.is_mapped() {
            return;
        }
        let links = additional * self.width(0);
        self.base.owned().reserve_exact(links);
        self.upper_start.owned().reserve_exact(additional);
        self.levels.owned().reserve_exact(additional);
        self.parents.owned().reserve_exact(additional);
    }

    /// Gives back the room that no node uses.
    pub(super) fn shrink_to_fit(&mut self) {
        if self.base.is_mapped() {
            return;
        }
        self.base.owned().shrink_to_fit();
        self.upper.owned().shrink_to_fit();
        self.upper_start.owned().shrink_to_fit();
        self.levels.owned().shrink_to_fit();
        self.parents.owned().shrink_to_fit();
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
        self.parents.values_mut()[node as usize] = parent;
    }

    /// The nodes whose parent is `node`.
    pub(super) fn children(&self, node: u32) -> impl Iterator<Item = u32> {
        self.neighbors(node, 0).filter(move |&child| self.parent(child) == node)
    }

    /// Whether a node may have another child: half of its links stay free to be good ones.
    pub(super) fn has_room(&self, node: u32) -> bool {
        self.children(node).count() < self.m
    }

    /// A node with room for another child, `node` or below it: leaves have room.
    pub(super) fn room_below(&self, mut node: u32) -> u32 {
        while !self.has_room(node) {
            node = self.children(node).next().unwrap_or(node);
        }
        node
    }

    /// Whether the bottom link from `node` to `other` belongs to the spanning tree.
    pub(super) fn is_permanent(&self, node: u32, other: u32) -> bool {
        self.parent(other) == node || self.parent(node) == other
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.base.memory_bytes()
            + self.upper.memory_bytes()
            + self.upper_start.memory_bytes()
            + self.levels.memory_bytes()
            + self.parents.memory_bytes()
    }

    /// All places for links of a node in a layer. A damaged file may say that it is in a layer for
    /// which there are no rows: then there are none.
    pub(crate) fn row(&self, node: u32, layer: usize) -> &[u32] {
        let rows = if layer == 0 { &self.base } else { &self.upper };
        let Range { start, end } = self.places(node, layer);
        // Where addresses have 32 bits, so many places may not have one.
        let (Ok(start), Ok(end)) = (usize::try_from(start), usize::try_from(end)) else {
            return &[];
        };
        rows.get(start..end).unwrap_or(&[])
    }

    pub(super) fn row_mut(&mut self, node: u32, layer: usize) -> &mut [u32] {
        let Range { start, end } = self.places(node, layer);
        if let Some(written) = &mut self.written {
            written.push((node, layer));
        }
        let rows = if layer == 0 { &mut self.base } else { &mut self.upper };
        &mut rows.values_mut()[start as usize..end as usize]
    }

    /// The links among the nodes of `order`, which are numbered in that order.
    pub(crate) fn picked(&self, order: &[u32], room: Option<&Room>) -> Self {
        let mut new = vec![NONE; self.len()];
        order.iter().enumerate().for_each(|(at, &old)| new[old as usize] = at as u32);
        let renumbered = |old: u32| new.get(old as usize).copied().filter(|&node| node != NONE);
        let mut picked = Links::new(self.m);
        match room {
            Some(room) => picked = Links::growing(self.m, room, self.upper_room(room.slots())),
            None => picked.reserve(order.len()),
        }
        for (node, &old) in (0..).zip(order) {
            let level = self.level(old);
            picked.push(level);
            for layer in 0..=level {
                picked.set(node, layer, self.neighbors(old, layer).filter_map(renumbered));
            }
            picked.set_parent(node, renumbered(self.parent(old)).unwrap_or(NONE));
        }
        picked
    }

    /// Where a node's links in a layer lie.
    fn places(&self, node: u32, layer: usize) -> Range<u64> {
        let row = match layer {
            0 => node.into(),
            _ => u64::from(self.upper_start[node as usize]) + layer as u64 - 1,
        };
        place(row, self.width(layer))
    }
}

/// A row of so many places. No row that a damaged file can name overflows it, as it would 32 bits.
fn place(row: u64, width: usize) -> Range<u64> {
    let start = row * width as u64;
    start..start + width as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_row_that_a_damaged_file_names_does_not_overflow() {
        assert_eq!(place(3, 48), 144..192);
        let (layer, width) = (u64::from(u8::MAX), 1024);
        let last = u64::from(u32::MAX) + layer - 1;
        assert_eq!(place(last, width), 4_398_046_770_176..4_398_046_771_200);
        // Multiplied in 32 bits, this would be the first row.
        assert_eq!(place(1 << 22, width).start, 1 << 32);
    }

    #[test]
    fn a_node_with_rows_beyond_all_has_no_links_there() {
        let mut links = Links::new(2);
        links.push(1);
        links.set(0, 1, [0].into_iter());
        for start in [1, 1 << 30, 1 << 31, u32::MAX] {
            assert_eq!(links.row(0, 1), [0, NONE]);
            links.upper_start.values_mut()[0] = start;
            assert!([1, 2, 255].iter().all(|&layer| links.row(0, layer).is_empty()), "{start}");
            links.upper_start.values_mut()[0] = 0;
        }
    }
}
