//! The Merkle tree against RFC 6962's known answers, a naive recomputation and another crate.

use edgekit_coherence_log::Hash;
use edgekit_coherence_log::hash::{leaf_hash, node_hash};
use edgekit_coherence_log::proof::{
    ProofError, is_subtree, verify_consistency, verify_extension, verify_inclusion,
    verify_subtree_consistency, verify_subtree_inclusion,
};
use edgekit_coherence_log::tree::{CompactRange, MerkleTree};
use proptest::prelude::*;

/// The slow twin: the definition of RFC 9162 §2.1.1, word for word.
pub(crate) fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of(&[]),
        [leaf] => *leaf,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            node_hash(&naive_root(&leaves[..k]), &naive_root(&leaves[k..]))
        }
    }
}

fn leaves(n: u64) -> Vec<Hash> {
    (0..n).map(|i| leaf_hash(&i.to_le_bytes())).collect()
}

fn tree(n: u64) -> MerkleTree {
    let mut tree = MerkleTree::new();
    for leaf in leaves(n) {
        tree.push(leaf);
    }
    tree
}

/// The eight leaves that the RFC 6962 implementations share, and the roots after each of them.
#[test]
fn reference_tree_of_rfc_6962() {
    let entries = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let unhex = |text: &str| -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
            .collect()
    };
    let (mut tree, mut range) = (MerkleTree::new(), CompactRange::new());
    assert_eq!(tree.at(0).unwrap().root(), Hash::EMPTY_ROOT);
    assert_eq!(range.root(), Hash::of(&[]));
    for (entry, root) in entries.iter().zip(roots) {
        tree.push(leaf_hash(&unhex(entry)));
        range.push(leaf_hash(&unhex(entry)));
        assert_eq!(tree.at(tree.size()).unwrap().root().to_string(), root);
        assert_eq!(range.root().to_string(), root);
    }
    assert_eq!(Hash::from_hex(roots[7]), Some(range.root()));
}

#[test]
fn every_size_up_to_130_against_the_naive_twin() {
    let all = leaves(130);
    let tree = tree(130);
    let mut range = CompactRange::new();
    for n in 0..=130u64 {
        let view = tree.at(n).unwrap();
        assert_eq!(view.root(), naive_root(&all[..n as usize]), "root at {n}");
        assert_eq!(range.root(), view.root());
        assert_eq!(tree.compact_range(n).unwrap(), range);
        for i in 0..n {
            let proof = view.inclusion(i).unwrap();
            assert_eq!(verify_inclusion(&all[i as usize], i, n, &proof, &view.root()), Ok(()));
        }
        assert!(view.inclusion(n).is_none());
        for old in 1..=n {
            let proof = view.consistency(old).unwrap();
            let old_root = tree.at(old).unwrap().root();
            assert_eq!(verify_consistency(old, &old_root, n, &view.root(), &proof), Ok(()));
        }
        if n < 130 {
            range.push(all[n as usize]);
        }
    }
    assert!(tree.at(131).is_none());
}

#[test]
fn every_subtree_up_to_130_against_the_naive_twin() {
    let all = leaves(130);
    let tree = tree(130);
    let root = tree.at(130).unwrap().root();
    let mut seen = 0;
    for start in 0..130u64 {
        for end in start..=130 {
            let defined = end > start && start % (end - start).next_power_of_two() == 0;
            assert_eq!(is_subtree(start, end), defined);
            assert_eq!(tree.subtree(start, end).is_some(), defined);
            let Some(view) = tree.subtree(start, end) else { continue };
            seen += 1;
            let hash = naive_root(&all[start as usize..end as usize]);
            assert_eq!(view.root(), hash, "{start}..{end}");
            for i in start..end {
                let proof = view.inclusion(i).unwrap();
                let leaf = &all[i as usize];
                assert_eq!(verify_subtree_inclusion(leaf, i, start, end, &proof, &hash), Ok(()));
            }
            for size in end..=130 {
                let whole = tree.at(size).unwrap();
                let proof = whole.subtree_consistency(start, end).unwrap();
                let root = whole.root();
                let held = verify_subtree_consistency(start, end, &hash, size, &root, &proof);
                assert_eq!(held, Ok(()), "{start}..{end} of {size}");
            }
        }
    }
    assert!(seen > 300);
    assert_eq!(
        verify_subtree_consistency(1, 3, &root, 130, &root, &[]),
        Err(ProofError::InvalidSubtree)
    );
}

#[test]
fn an_empty_old_tree_proves_nothing_but_starts_a_witness() {
    let tree = tree(5);
    let root = tree.at(5).unwrap().root();
    let empty = Hash::EMPTY_ROOT;
    assert!(tree.at(5).unwrap().consistency(0).is_none());
    assert_eq!(verify_consistency(0, &empty, 5, &root, &[]), Err(ProofError::EmptyOldTree));
    assert_eq!(verify_extension(0, &empty, 5, &root, &[]), Ok(()));
    assert_eq!(verify_extension(0, &empty, 5, &root, &[root]), Err(ProofError::WrongLength));
    assert_eq!(verify_extension(0, &root, 5, &root, &[]), Err(ProofError::OldRootMismatch));
    assert_eq!(verify_extension(0, &empty, 0, &root, &[]), Err(ProofError::RootMismatch));
    assert_eq!(verify_extension(5, &root, 5, &root, &[]), Ok(()));
}

/// The forged proof that an earlier system accepted: foreign id, empty path, zero root.
#[test]
fn the_forged_proof_is_refused() {
    let tree = tree(9);
    let root = tree.at(9).unwrap().root();
    let foreign = leaf_hash(b"foreign");
    let zero = Hash([0; 32]);
    assert!(verify_inclusion(&foreign, 0, 9, &[], &zero).is_err());
    assert!(verify_inclusion(&foreign, 0, 0, &[], &zero).is_err());
    assert!(verify_inclusion(&foreign, 0, 1, &[], &zero).is_err());
    assert!(verify_inclusion(&foreign, 0, 9, &[], &root).is_err());
    // A node is no leaf: the root of two leaves does not pass as an entry of a smaller tree.
    let two = tree.at(2).unwrap().root();
    let proof = tree.at(4).unwrap().inclusion(0).unwrap();
    let four = tree.at(4).unwrap().root();
    assert_eq!(verify_inclusion(&two, 0, 2, &proof[1..], &four), Ok(()), "only with another size");
    assert!(verify_inclusion(&two, 0, 4, &proof[1..], &four).is_err());
}

#[test]
fn appending_to_a_million_takes_few_hashes() {
    let mut range = CompactRange::new();
    let leaf = leaf_hash(b"x");
    let mut hashed = 0;
    for _ in 0..1_000_000 {
        hashed += range.push(leaf);
    }
    assert!(hashed < 1_000_000);
    for _ in 0..64 {
        let merges = range.push(leaf);
        assert!(1 + merges as usize + range.peaks().len() - 1 <= 20);
    }
}

#[test]
fn truncation_gives_the_earlier_tree() {
    let mut long = tree(100);
    long.truncate(37);
    assert_eq!(long.size(), 37);
    assert_eq!(long.at(37).unwrap().root(), tree(37).at(37).unwrap().root());
    long.push(leaf_hash(b"other"));
    assert_eq!(long.at(37).unwrap().root(), tree(37).at(37).unwrap().root());
}

/// A change to a proof: none of them may pass.
#[derive(Clone, Debug)]
enum Mutation {
    Flip(usize, usize),
    Drop(usize),
    Double(usize),
    Swap(usize, usize),
    Insert(usize, [u8; 32]),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = 0usize..64;
    prop_oneof![
        (at.clone(), 0usize..256).prop_map(|(i, bit)| Mutation::Flip(i, bit)),
        at.clone().prop_map(Mutation::Drop),
        at.clone().prop_map(Mutation::Double),
        (at.clone(), at.clone()).prop_map(|(i, j)| Mutation::Swap(i, j)),
        (at, any::<[u8; 32]>()).prop_map(|(i, h)| Mutation::Insert(i, h)),
    ]
}

fn mutate(proof: &[Hash], mutation: &Mutation) -> Vec<Hash> {
    let mut proof = proof.to_vec();
    let n = proof.len();
    match *mutation {
        Mutation::Flip(i, bit) if n > 0 => proof[i % n].0[bit / 8] ^= 1 << (bit % 8),
        Mutation::Drop(i) if n > 0 => drop(proof.remove(i % n)),
        Mutation::Double(i) if n > 0 => proof.insert(i % n, proof[i % n]),
        Mutation::Swap(i, j) if n > 0 => proof.swap(i % n, j % n),
        Mutation::Insert(i, hash) => proof.insert(i % (n + 1), Hash(hash)),
        _ => {}
    }
    proof
}

proptest! {
    #[test]
    fn no_mutated_inclusion_proof_passes(n in 1u64..300, at in any::<u64>(), m in mutation(), shift in 0u64..40) {
        let (tree, i) = (tree(n), at % n);
        let view = tree.at(n).unwrap();
        let (root, leaf) = (view.root(), tree.leaves()[i as usize]);
        let proof = view.inclusion(i).unwrap();
        let changed = mutate(&proof, &m);
        if changed != proof {
            prop_assert!(verify_inclusion(&leaf, i, n, &changed, &root).is_err());
        }
        let j = (i + shift) % n;
        if j != i {
            prop_assert!(verify_inclusion(&leaf, j, n, &proof, &root).is_err());
        }
    }

    #[test]
    fn no_mutated_consistency_proof_passes(n in 1u64..300, at in any::<u64>(), m in mutation(), bit in 0usize..256) {
        let (tree, old) = (tree(n), 1 + at % n);
        let view = tree.at(n).unwrap();
        let (root, old_root) = (view.root(), tree.at(old).unwrap().root());
        let proof = view.consistency(old).unwrap();
        let changed = mutate(&proof, &m);
        if changed != proof {
            prop_assert!(verify_consistency(old, &old_root, n, &root, &changed).is_err());
        }
        for (a, b) in [(old_root, root), (root, old_root)] {
            let mut wrong = a;
            wrong.0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(verify_consistency(old, &wrong, n, &b, &proof).is_err());
        }
    }

    #[test]
    fn no_mutated_subtree_proof_passes(n in 1u64..300, level in 0u32..8, at in any::<u64>(), cut in any::<u64>(), m in mutation()) {
        let tree = tree(n);
        let start = (at % n) >> level << level;
        let end = start + 1 + cut % (1 << level).min(n - start);
        prop_assume!(is_subtree(start, end));
        let (view, sub) = (tree.at(n).unwrap(), tree.subtree(start, end).unwrap().root());
        let proof = view.subtree_consistency(start, end).unwrap();
        prop_assert_eq!(verify_subtree_consistency(start, end, &sub, n, &view.root(), &proof), Ok(()));
        let changed = mutate(&proof, &m);
        if changed != proof {
            prop_assert!(verify_subtree_consistency(start, end, &sub, n, &view.root(), &changed).is_err());
        }
    }

    /// Sizes near 2^64 reach no panic and no endless loop.
    #[test]
    fn any_sizes_are_answered(a in any::<u64>(), b in any::<u64>(), c in any::<u64>(), len in 0usize..70) {
        let (hash, proof) = (leaf_hash(b"x"), vec![leaf_hash(b"y"); len]);
        for n in [c, u64::MAX, 1 << 63] {
            let _ = verify_inclusion(&hash, a, n, &proof, &hash);
            let _ = verify_consistency(a, &hash, n, &hash, &proof);
            let _ = verify_subtree_consistency(a, b, &hash, n, &hash, &proof);
            let _ = verify_subtree_consistency(0, n, &hash, n, &hash, &proof);
        }
    }
}

/// Another implementation (a port of Go's) agrees on roots, and accepts and makes the same proofs.
#[test]
fn tlog_tiles_agrees() {
    struct Stored(Vec<tlog_tiles::Hash>);
    impl tlog_tiles::HashReader for Stored {
        fn read_hashes(
            &self,
            ids: &[u64],
        ) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::tlog::Error> {
            Ok(ids.iter().map(|&i| self.0[i as usize]).collect())
        }
    }
    let mut stored = Stored(Vec::new());
    let mut tree = MerkleTree::new();
    for n in 1..=70u64 {
        let entry = n.to_be_bytes();
        let new = tlog_tiles::stored_hashes(n - 1, &entry, &stored).unwrap();
        stored.0.extend(new);
        tree.push(leaf_hash(&entry));
        let view = tree.at(n).unwrap();
        let theirs = tlog_tiles::tree_hash(n, &stored).unwrap();
        assert_eq!(theirs.0, view.root().0);
        for i in 0..n {
            let proof = tlog_tiles::prove_record(n, i, &stored).unwrap();
            let ours = view.inclusion(i).unwrap();
            assert!(proof.iter().map(|h| h.0).eq(ours.iter().map(|h| h.0)));
            let proof = tlog_tiles::prove_tree(n, i + 1, &stored).unwrap();
            let ours = view.consistency(i + 1).unwrap();
            assert!(proof.iter().map(|h| h.0).eq(ours.iter().map(|h| h.0)));
        }
    }
}
