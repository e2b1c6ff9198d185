//! The Merkle tree of RFC 6962 and RFC 9162: grows by one leaf, answers for every earlier size.

use crate::hash::{Hash, node_hash};
use crate::proof::is_subtree;

/// The roots of the perfect subtrees that a tree falls into, largest first: all that is needed to
/// append and to name the root, in at most 64 hashes however large the tree is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactRange {
    size: u64,
    peaks: Vec<Hash>,
}

impl CompactRange {
    /// The range of an empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// A range from what [`size`](Self::size) and [`peaks`](Self::peaks) returned, or `None` if
    /// there are not as many peaks as `size` has bits set.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the perfect subtrees, largest first; one for each bit set in the size.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends a leaf and returns how many nodes were hashed for it (amortised one).
    pub fn push(&mut self, leaf: Hash) -> u32 {
        let merges = self.size.trailing_ones();
        let mut node = leaf;
        for _ in 0..merges {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size += 1;
        merges
    }

    /// The root: one hash less than there are peaks.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => Hash::EMPTY_ROOT,
            Some(last) => peaks.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}

/// All perfect nodes of the tree, a level after the other: 64 bytes a leaf, every proof for every
/// size in O(log n).
#[derive(Clone, Debug, Default)]
pub struct MerkleTree {
    /// `levels[l][i]` covers the leaves `i << l .. (i + 1) << l`.
    levels: Vec<Vec<Hash>>,
}

impl MerkleTree {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Appends a leaf and returns how many nodes were hashed for it (amortised one). The root is
    /// only worked out when [`at`](Self::at) asks for it.
    pub fn push(&mut self, leaf: Hash) -> u32 {
        let mut node = leaf;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let nodes = &mut self.levels[level];
            nodes.push(node);
            let [.., left, right] = nodes.as_slice() else { return level as u32 };
            if nodes.len() % 2 == 1 {
                return level as u32;
            }
            node = node_hash(left, right);
        }
        0
    }

    /// Forgets all leaves from `size` on.
    pub fn truncate(&mut self, size: u64) {
        for (level, nodes) in self.levels.iter_mut().enumerate() {
            nodes.truncate((size >> level) as usize);
        }
    }

    /// The leaf hashes.
    pub fn leaves(&self) -> &[Hash] {
        self.levels.first().map_or(&[], Vec::as_slice)
    }

    /// The complete nodes of a level: number `i` covers the leaves `i << level .. (i + 1) << level`.
    pub fn level(&self, level: usize) -> &[Hash] {
        self.levels.get(level).map_or(&[], Vec::as_slice)
    }

    /// The tree as it was with `size` leaves, or `None` if it never had so many.
    pub fn at(&self, size: u64) -> Option<View<'_>> {
        self.view(0, size)
    }

    /// The subtree `start..end` ([`is_subtree`]), or `None` if it is none or not within the tree.
    pub fn subtree(&self, start: u64, end: u64) -> Option<View<'_>> {
        if is_subtree(start, end) { self.view(start, end) } else { None }
    }

    /// The compact range of the tree with `size` leaves, or `None` if it never had so many.
    pub fn compact_range(&self, size: u64) -> Option<CompactRange> {
        if size > self.size() {
            return None;
        }
        let peaks = (0..self.levels.len())
            .rev()
            .filter(|level| size >> level & 1 == 1)
            .map(|level| self.levels[level][(size >> level) as usize - 1])
            .collect();
        CompactRange::from_peaks(size, peaks)
    }

    fn view(&self, start: u64, end: u64) -> Option<View<'_>> {
        if end > self.size() {
            return None;
        }
        let mut view = View { tree: self, start, end, border: [Hash::EMPTY_ROOT; 65] };
        let size = end - start;
        let mut border: Option<Hash> = None;
        for level in 0..64 {
            if size >> level & 1 == 1 {
                let left = view.perfect(level, (end >> level) - 1);
                border = Some(border.map_or(left, |right| node_hash(&left, &right)));
            }
            if let Some(hash) = border {
                view.border[level + 1] = hash;
            }
        }
        Some(view)
    }
}

/// A tree, or a subtree, at one size. Making it hashes the right border once (at most 63 hashes);
/// after that its root and each proof only look nodes up.
pub struct View<'a> {
    tree: &'a MerkleTree,
    start: u64,
    end: u64,
    /// `border[l]` covers the last `size mod 2^l` leaves, where there are any.
    border: [Hash; 65],
}

impl View<'_> {
    /// How many leaves the view covers.
    pub fn size(&self) -> u64 {
        self.end - self.start
    }

    /// The Merkle tree hash of its leaves.
    pub fn root(&self) -> Hash {
        self.border[64]
    }

    /// The inclusion proof of the log's leaf `index`, lowest sibling first, or `None` if the view
    /// does not cover it.
    pub fn inclusion(&self, index: u64) -> Option<Vec<Hash>> {
        if index < self.start || index >= self.end {
            return None;
        }
        let height = 64 - (self.size() - 1).leading_zeros() as usize;
        let mut proof = Vec::with_capacity(height);
        for level in 0..height {
            let sibling = (index >> level) ^ 1;
            if sibling << level < self.end {
                let whole = (sibling + 1) << level <= self.end;
                proof.push(match whole {
                    true => self.perfect(level, sibling),
                    false => self.border[level],
                });
            }
        }
        Some(proof)
    }

    /// The consistency proof from the tree of `old_size` leaves to this one (RFC 9162 §2.1.4.1),
    /// or `None` if `old_size` is 0 or larger than this size.
    pub fn consistency(&self, old_size: u64) -> Option<Vec<Hash>> {
        self.subtree_consistency(self.start, self.start.checked_add(old_size)?)
    }

    /// The proof that the leaves `start..end` of the log are what this tree holds there, or `None`
    /// if they are no subtree of it.
    pub fn subtree_consistency(&self, start: u64, end: u64) -> Option<Vec<Hash>> {
        if !is_subtree(start, end) || start < self.start || end > self.end {
            return None;
        }
        let mut proof = Vec::new();
        let (mut low, mut high) = (self.start, self.end);
        let mut start = start;
        let mut known = true;
        while start != low || end != high {
            let middle = low + ((high - low).next_power_of_two() >> 1);
            if end <= middle {
                proof.push(self.range(middle, high));
                high = middle;
            } else {
                proof.push(self.range(low, middle));
                low = middle;
                if start < middle {
                    start = middle;
                    known = false;
                }
            }
        }
        if !known {
            proof.push(self.range(low, high));
        }
        proof.reverse();
        Some(proof)
    }

    /// The hash of a node of this tree, given by its leaves.
    fn range(&self, low: u64, high: u64) -> Hash {
        let width = high - low;
        let level = width.next_power_of_two().trailing_zeros() as usize;
        if width.is_power_of_two() { self.perfect(level, low >> level) } else { self.border[level] }
    }

    fn perfect(&self, level: usize, index: u64) -> Hash {
        self.tree.levels[level][index as usize]
    }
}
