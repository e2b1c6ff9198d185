//! Masks kept by the tokens that lead to them.
//!
//! The engine is deterministic: the same template and the same tokens since its beginning give the
//! same state. So the masks of a template form a tree whose edges are tokens, and a session walks
//! down it as it commits. Nothing is guessed: a mask is reused only at its own node.
//!
//! Most states of free text are seen once. So a mask is kept when it is computed for the second
//! time: what never repeats costs neither the copy nor the memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// How many bytes all memoised masks and spare matchers of a cache may take, and how often masks
/// helped.
#[derive(Debug)]
pub(crate) struct MemoPool {
    bytes: usize,
    left: AtomicUsize,
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
}

impl MemoPool {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(MemoPool {
            bytes,
            left: AtomicUsize::new(bytes),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        })
    }

    fn take(&self, bytes: usize) -> bool {
        let less = |left: usize| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// Takes bytes for what is no mask: that must leave half of the pool to masks.
    pub(crate) fn take_spare(&self, bytes: usize) -> bool {
        let less = |left: usize| left.checked_sub(bytes).filter(|left| *left >= self.bytes / 2);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// A state of a template, named by the tokens that lead to it.
#[derive(Debug)]
pub(crate) struct Node {
    mask: OnceLock<Mask>,
    /// Whether its mask was computed before.
    seen: AtomicBool,
    next: Mutex<HashMap<u32, Arc<Node>>>,
    pool: Arc<MemoPool>,
}

/// What a node costs besides its mask, about.
const NODE_BYTES: usize = 256;

/// Up to so many tokens are kept as a list.
const FEW: usize = 1024;

impl Node {
    /// The beginning of a template, which every session passes: its mask is kept at once. The
    /// node counts towards no limit.
    pub(crate) fn root(pool: &Arc<MemoPool>) -> Arc<Self> {
        Arc::new(Node::new(pool, true))
    }

    fn new(pool: &Arc<MemoPool>, seen: bool) -> Self {
        Node {
            mask: OnceLock::new(),
            seen: AtomicBool::new(seen),
            next: Mutex::default(),
            pool: Arc::clone(pool),
        }
    }

    /// The node after a token, made if the pool has room for it.
    pub(crate) fn after(&self, token: u32) -> Option<Arc<Node>> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = next.get(&token) {
            return Some(Arc::clone(node));
        }
        if !self.pool.take(NODE_BYTES) {
            return None;
        }
        let node = Arc::new(Node::new(&self.pool, false));
        next.insert(token, Arc::clone(&node));
        Some(node)
    }

    /// The mask, if it is known.
    pub(crate) fn mask(&self) -> Option<&Mask> {
        self.mask.get()
    }

    /// Keeps a mask that was computed before if the pool has room for it, and whether any text may
    /// follow.
    pub(crate) fn keep(&self, words: &[u32], open: bool) {
        if self.seen.swap(true, Ordering::Relaxed)
            && self.mask.get().is_none()
            && self.pool.left.load(Ordering::Relaxed) > 0
        {
            let mask = Mask::of(words, open);
            let bytes = mask.bytes();
            if self.pool.take(bytes) && self.mask.set(mask).is_err() {
                // Somebody else was faster.
                self.pool.give_back(bytes);
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.pool.give_back(self.mask.get().map_or(0, Mask::bytes));
        let next = self.next.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.pool.give_back(next.len() * NODE_BYTES);
        // A long chain must not be dropped by recursion.
        let mut open: Vec<Arc<Node>> = next.drain().map(|(_, node)| node).collect();
        while let Some(node) = open.pop() {
            if let Some(mut node) = Arc::into_inner(node) {
                let next = node.next.get_mut().unwrap_or_else(PoisonError::into_inner);
                node.pool.give_back(next.len() * NODE_BYTES);
                open.extend(next.drain().map(|(_, node)| node));
            }
        }
    }
}

/// The tokens that may come next.
#[derive(Debug)]
pub(crate) struct Mask {
    tokens: Tokens,
    /// Whether any text may follow, which the engine need not find out again.
    pub(crate) open: bool,
}

#[derive(Debug)]
enum Tokens {
    /// A few tokens, in order.
    Few(Box<[u32]>),
    /// A bit for each token.
    Many(Box<[u32]>),
}

impl Mask {
    fn of(words: &[u32], open: bool) -> Self {
        let few: Vec<u32> = tokens(words).take(FEW + 1).collect();
        let tokens = match few.len() <= FEW {
            true => Tokens::Few(few.into()),
            false => Tokens::Many(words.into()),
        };
        Mask { tokens, open }
    }

    fn bytes(&self) -> usize {
        let (Tokens::Few(words) | Tokens::Many(words)) = &self.tokens;
        words.len() * size_of::<u32>()
    }

    /// Writes one bit for each token into `out`, which has room for all.
    pub(crate) fn write(&self, out: &mut [u32]) {
        match &self.tokens {
            Tokens::Few(tokens) => {
                out.fill(0);
                tokens.iter().for_each(|t| out[*t as usize / 32] |= 1 << (t % 32));
            }
            Tokens::Many(words) => {
                let (head, tail) = out.split_at_mut(words.len());
                head.copy_from_slice(words);
                tail.fill(0);
            }
        }
    }

    /// Whether a token may come next.
    pub(crate) fn allows(&self, token: u32) -> bool {
        match &self.tokens {
            Tokens::Few(tokens) => tokens.binary_search(&token).is_ok(),
            Tokens::Many(words) => bit(words, token),
        }
    }
}

/// Whether a token's bit is set.
pub(crate) fn bit(words: &[u32], token: u32) -> bool {
    words.get(token as usize / 32).is_some_and(|w| w >> (token % 32) & 1 == 1)
}

/// The tokens whose bits are set, in order.
pub(crate) fn tokens(words: &[u32]) -> impl Iterator<Item = u32> {
    // Most masks are zeros almost everywhere: those go by a cache line at a time.
    let some = |(_, line): &(usize, &[u32])| line.iter().fold(0, |all, word| all | word) != 0;
    let lines = words.chunks(16).enumerate().filter(some);
    lines
        .flat_map(|(line, words)| words.iter().enumerate().map(move |(i, w)| (line * 16 + i, *w)))
        .flat_map(|(i, mut rest)| {
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                rest &= rest.checked_sub(1)?;
                Some(i as u32 * 32 + bit)
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_become_tokens() {
        let words = [0b101, 0, 1 << 31];
        assert_eq!(tokens(&words).collect::<Vec<_>>(), [0, 2, 95]);
        let mut long = [0; 50];
        (long[20], long[49]) = (1 << 7, 3);
        assert_eq!(tokens(&long).collect::<Vec<_>>(), [647, 1568, 1569]);
        assert!(bit(&words, 95) && !bit(&words, 1) && !bit(&words, 96));
    }

    #[test]
    fn the_pool_is_a_limit_and_gets_back_what_was_taken() {
        let pool = MemoPool::new(3 * NODE_BYTES + 8);
        let root = Node::root(&pool);
        root.keep(&[1, 1], false);
        let mut node = Arc::clone(&root);
        let mut depth = 0;
        while let Some(next) = node.after(7) {
            node = next;
            depth += 1;
        }
        assert_eq!(depth, 3);
        assert!(root.mask().is_some_and(|m| m.allows(32)));
        (0..2).for_each(|_| node.keep(&[1, 1, 1], false));
        assert!(node.mask().is_none(), "the pool is empty");
        drop(node);
        drop(root);
        assert_eq!(pool.left.load(Ordering::Relaxed), 3 * NODE_BYTES + 8);
    }

    #[test]
    fn half_of_the_pool_is_for_masks_alone() {
        let pool = MemoPool::new(100);
        assert!(pool.take_spare(30) && !pool.take_spare(21) && pool.take_spare(20));
        assert!(!pool.take_spare(1) && !pool.take_spare(101) && pool.take(50) && !pool.take(1));
        pool.give_back(100);
        assert!(pool.take_spare(50));
        assert!(!MemoPool::new(0).take_spare(1));
    }

    #[test]
    fn a_mask_is_kept_the_second_time_but_for_the_first_one() {
        let pool = MemoPool::new(1 << 20);
        let root = Node::root(&pool);
        root.keep(&[1], false);
        assert!(root.mask().is_some());
        let node = root.after(7).expect("room");
        node.keep(&[1], false);
        assert!(node.mask().is_none());
        node.keep(&[1], false);
        assert!(node.mask().is_some_and(|m| m.allows(0)));
    }

    #[test]
    fn a_long_chain_is_dropped_without_recursion() {
        let pool = MemoPool::new(usize::MAX / 2);
        let root = Node::root(&pool);
        let mut node = Arc::clone(&root);
        for token in 0..200_000 {
            node = node.after(token).expect("room");
        }
        drop(root);
        drop(node);
        assert_eq!(pool.left.load(Ordering::Relaxed), usize::MAX / 2);
    }

    #[test]
    fn masks_are_written_as_they_were_kept() {
        for n in [10, 5_000] {
            let pool = MemoPool::new(1 << 20);
            let node = Node::root(&pool);
            let mut words = vec![0u32; 200];
            (0..n).for_each(|t| words[t * 7 % 6_400 / 32] |= 1 << (t * 7 % 32));
            node.keep(&words, false);
            let mut out = vec![u32::MAX; 208];
            node.mask().expect("kept").write(&mut out);
            assert_eq!(out[..200], words);
            assert_eq!(out[200..], [0; 8]);
        }
    }
}
