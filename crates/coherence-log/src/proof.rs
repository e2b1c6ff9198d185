//! Verifying proofs offline: needs the proof, the two hashes it connects and nothing of the log.
//!
//! These functions allocate nothing and need no standard library, so that a browser or a firmware
//! can hold a log to its word. They follow the verification algorithms of RFC 9162 §2.1.3.2 and
//! §2.1.4.2, and for subtrees those of draft-ietf-plants-merkle-tree-certs §4.

use core::fmt;

use crate::hash::{Hash, node_hash};

/// Verifies that `leaf` is number `index` (from 0) of the tree with `size` leaves and root `root`.
///
/// O(log `size`) hashes, at most 64 whatever the proof's length.
///
/// # Errors
/// [`ProofError`] says which check failed.
///
/// ```
/// use edgekit_coherence_log::{hash::{leaf_hash, node_hash}, proof::verify_inclusion};
/// let (a, b) = (leaf_hash(b"a"), leaf_hash(b"b"));
/// let root = node_hash(&a, &b);
/// assert!(verify_inclusion(&b, 1, 2, &[a], &root).is_ok());
/// assert!(verify_inclusion(&b, 0, 2, &[a], &root).is_err());
/// ```
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::IndexOutOfRange);
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::WrongLength);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            // A right border node without a sibling is its own parent: climb to where it has one.
            let climb = node.trailing_zeros().min(63);
            node >>= climb;
            last >>= climb;
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::WrongLength);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// Verifies that the tree of `new_size` leaves begins with the tree of `old_size` leaves.
///
/// An empty old tree says nothing about the new one, so `old_size` 0 is refused; a witness that
/// sees a log for the first time calls [`verify_extension`].
///
/// # Errors
/// [`ProofError`] says which check failed.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old_size == 0 {
        return Err(ProofError::EmptyOldTree);
    }
    verify_subtree_consistency(0, old_size, old_root, new_size, new_root, proof)
}

/// What a witness asks before it signs: like [`verify_consistency`], but the log may also be seen
/// for the first time, with old size 0, the empty root and an empty proof (C2SP tlog-witness).
///
/// # Errors
/// [`ProofError`] says which check failed.
pub fn verify_extension(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old_size > 0 {
        return verify_consistency(old_size, old_root, new_size, new_root, proof);
    }
    if !proof.is_empty() {
        return Err(ProofError::WrongLength);
    }
    if *old_root != Hash::EMPTY_ROOT {
        return Err(ProofError::OldRootMismatch);
    }
    if new_size == 0 && *new_root != Hash::EMPTY_ROOT {
        return Err(ProofError::RootMismatch);
    }
    Ok(())
}

/// Verifies that `leaf` is number `index` of the log, within the subtree `start..end` whose hash
/// is `subtree`.
///
/// # Errors
/// [`ProofError`] says which check failed; [`ProofError::InvalidSubtree`] if [`is_subtree`] is
/// false.
pub fn verify_subtree_inclusion(
    leaf: &Hash,
    index: u64,
    start: u64,
    end: u64,
    proof: &[Hash],
    subtree: &Hash,
) -> Result<(), ProofError> {
    if !is_subtree(start, end) {
        return Err(ProofError::InvalidSubtree);
    }
    let index = index.checked_sub(start).ok_or(ProofError::IndexOutOfRange)?;
    verify_inclusion(leaf, index, end - start, proof, subtree)
}

/// Verifies that the leaves `start..end` of the tree with `size` leaves and root `root` hash to
/// `subtree`.
///
/// # Errors
/// [`ProofError`] says which check failed; [`ProofError::InvalidSubtree`] if [`is_subtree`] is
/// false or `end > size`.
pub fn verify_subtree_consistency(
    start: u64,
    end: u64,
    subtree: &Hash,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if !is_subtree(start, end) || end > size {
        return Err(ProofError::InvalidSubtree);
    }
    // The first and the last leaf of the subtree and the last of the tree, as positions on the
    // level that is being hashed.
    let (mut first, mut last, mut tree_last) = (start, end - 1, size - 1);
    let to_border = last == tree_last;
    while first != last && (to_border || last & 1 == 1) {
        first >>= 1;
        last >>= 1;
        tree_last >>= 1;
    }
    let mut rest = proof;
    let (mut sub, mut tree) = (*subtree, *subtree);
    if first != last {
        let (seed, tail) = proof.split_first().ok_or(ProofError::WrongLength)?;
        (sub, tree) = (*seed, *seed);
        rest = tail;
    }
    for sibling in rest {
        if tree_last == 0 {
            return Err(ProofError::WrongLength);
        }
        if last & 1 == 1 || last == tree_last {
            if first < last {
                sub = node_hash(sibling, &sub);
            }
            tree = node_hash(sibling, &tree);
            let climb = last.trailing_zeros().min(63);
            first >>= climb;
            last >>= climb;
            tree_last >>= climb;
        } else {
            tree = node_hash(&tree, sibling);
        }
        first >>= 1;
        last >>= 1;
        tree_last >>= 1;
    }
    if tree_last != 0 {
        return Err(ProofError::WrongLength);
    }
    if sub != *subtree {
        return Err(ProofError::OldRootMismatch);
    }
    if tree == *root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// Whether `start..end` is a subtree in the sense of draft-ietf-plants-merkle-tree-certs §4.1: not
/// empty, and `start` is a multiple of the smallest power of two that is at least its length.
pub fn is_subtree(start: u64, end: u64) -> bool {
    match end.checked_sub(start) {
        None | Some(0) => false,
        Some(length) => length
            .checked_next_power_of_two()
            .map_or(start == 0, |width| start.is_multiple_of(width)),
    }
}

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProofError {
    /// The leaf's index is not below the size.
    IndexOutOfRange,
    /// A consistency proof from an empty tree says nothing.
    EmptyOldTree,
    /// The range is no subtree of the tree.
    InvalidSubtree,
    /// The proof has more or fewer hashes than the sizes call for.
    WrongLength,
    /// The hashes lead to another old root (or subtree) than the one given.
    OldRootMismatch,
    /// The hashes lead to another root than the one given.
    RootMismatch,
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ProofError::IndexOutOfRange => "the leaf's index is not below the tree's size",
            ProofError::EmptyOldTree => {
                "a consistency proof from an empty tree says nothing; compare from a size above 0"
            }
            ProofError::InvalidSubtree => {
                "the range is no subtree: its start must be a multiple of its length rounded up to \
                 a power of two, and its end within the tree"
            }
            ProofError::WrongLength => "the proof has not as many hashes as the sizes call for",
            ProofError::OldRootMismatch => "the proof leads to another old root or subtree hash",
            ProofError::RootMismatch => "the proof leads to another root",
        })
    }
}

impl core::error::Error for ProofError {}
