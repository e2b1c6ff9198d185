//! The tree at a million leaves: append, root, proofs; signatures and decoding beside it.

use std::hint::black_box;
use std::time::Instant;

use ct_merkle::InclusionProof;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use edgekit_coherence_log::event::{Arena, verify_batch};
use edgekit_coherence_log::hash::{leaf_hash, node_hash};
use edgekit_coherence_log::proof::verify_inclusion;
use edgekit_coherence_log::tree::{CompactRange, MerkleTree};
use edgekit_coherence_log::{Author, Event, Hash, Verified};
use sha2::Sha256;

use crate::{Suite, Unit};

const LEAVES: u64 = 1_000_000;
const LEAF_BYTES: usize = 200;

fn leaf(i: u64) -> [u8; LEAF_BYTES] {
    let mut leaf = [7; LEAF_BYTES];
    leaf[..8].copy_from_slice(&i.to_le_bytes());
    leaf
}

fn indices() -> impl FnMut() -> u64 {
    let mut i = 1u64;
    move || {
        i = i.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (i >> 33) % LEAVES
    }
}

pub(super) fn declare(suite: &mut Suite) {
    if suite.wants("log/tree") {
        tree(suite);
    }
    if suite.wants("log/decode") {
        decoding(suite);
    }
    if suite.wants("log/signatures") {
        signatures(suite);
    }
}

fn tree(suite: &mut Suite) {
    let mut ours = MerkleTree::new();
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for i in 0..LEAVES {
        ours.push(leaf_hash(&leaf(i)));
        theirs.push(leaf(i).to_vec());
    }
    let root = ours.at(LEAVES).expect("it has so many").root();
    suite.check("log/tree/root", theirs.root().as_bytes()[..] == root.0, || {
        "ct-merkle has another root".into()
    });

    // One append and the root after it, in hashes: the leaf, the merges, the peaks.
    let mut range = ours.compact_range(LEAVES).expect("it has so many");
    let merges = range.push(leaf_hash(&leaf(LEAVES)));
    let hashes = 1 + merges as usize + range.peaks().len() - 1;
    suite.value("log/tree/append-root-hashes", Unit::Count, hashes as f64);
    let view = ours.at(LEAVES).expect("it has so many");
    let longest = (0..LEAVES).step_by(997).chain([LEAVES - 1]).filter_map(|i| view.inclusion(i));
    let longest = longest.map(|proof| proof.len()).max().unwrap_or(0);
    suite.value("log/tree/proof-hashes", Unit::Count, longest as f64);

    let mut next = indices();
    let proofs: Vec<(u64, Hash, Vec<Hash>)> = (0..1024)
        .map(|_| {
            let i = next();
            (i, leaf_hash(&leaf(i)), view.inclusion(i).expect("it is below the size"))
        })
        .collect();
    let held = proofs.iter().all(|(i, leaf, proof)| {
        let theirs = InclusionProof::<Sha256>::from_bytes(proof.iter().flat_map(|h| h.0).collect());
        verify_inclusion(leaf, *i, LEAVES, proof, &root).is_ok()
            && theirs.as_bytes().len() == proof.len() * 32
    });
    suite.check("log/tree/proofs", held, || "a proof does not verify".into());

    // Both verify from the leaf's bytes.
    let (mut at, set) = (0, proofs);
    suite.time("log/tree/verify/ours", move || {
        at = (at + 1) % set.len();
        let (i, _, proof) = &set[at];
        verify_inclusion(&leaf_hash(&leaf(*i)), *i, LEAVES, black_box(proof), &root)
    });
    let their_root = theirs.root();
    let mut next = indices();
    let their_proofs: Vec<_> = (0..1024)
        .map(|_| {
            let i = next();
            (i, leaf(i).to_vec(), theirs.prove_inclusion(i as usize))
        })
        .collect();
    let mut at = 0;
    suite.time("log/tree/verify/ct-merkle", move || {
        at = (at + 1) % their_proofs.len();
        let (i, leaf, proof) = &their_proofs[at];
        their_root.verify_inclusion(leaf, *i, black_box(proof)).is_ok()
    });

    let shared = std::rc::Rc::new(ours);
    let (mine, mut next) = (shared.clone(), indices());
    suite.time("log/tree/prove/ours", {
        let mut view = None;
        move || {
            // One view answers for as long as the size is wanted; ct-merkle pays this at each push.
            let tree = &mine;
            let size = *view.get_or_insert(LEAVES);
            tree.at(size).and_then(|view| view.inclusion(next())).map(|proof| proof.len())
        }
    });
    let (mine, mut next) = (shared.clone(), indices());
    suite.measure("log/tree/prove/ours-one-view", Unit::Nanos, move || {
        let view = mine.at(LEAVES).expect("it has so many");
        let start = Instant::now();
        for _ in 0..100_000 {
            black_box(view.inclusion(next()));
        }
        start.elapsed().as_nanos() as f64 / 1e5
    });
    let theirs = std::rc::Rc::new(std::cell::RefCell::new(theirs));
    let (other, mut next) = (theirs.clone(), indices());
    suite.time("log/tree/prove/ct-merkle", move || other.borrow().prove_inclusion(next() as usize));

    let mut growing = MerkleTree::clone(&shared);
    suite.time("log/tree/append/ours", move || {
        let leaf = leaf(growing.size());
        growing.push(leaf_hash(black_box(&leaf)))
    });
    let other = theirs.clone();
    suite.time("log/tree/append/ct-merkle", move || {
        let mut tree = other.borrow_mut();
        let leaf = leaf(tree.len()).to_vec();
        tree.push(black_box(leaf));
    });

    let mut range: CompactRange = shared.compact_range(LEAVES).expect("it has so many");
    suite.time("log/tree/append-root/ours", move || {
        range.push(leaf_hash(&leaf(range.size())));
        range.root()
    });
    suite.time("log/tree/append-root/chain", move || {
        shared.leaves().iter().fold(Hash::EMPTY_ROOT, |head, leaf| node_hash(&head, leaf))
    });
}

fn decoding(suite: &mut Suite) {
    let author = Author::from_seed(&[1; 32]);
    let embedding: Vec<f32> = (0..32).map(|i| i as f32).collect();
    let batch: Vec<Vec<u8>> =
        (0..1024).map(|i| super::event(&author, i, Some(embedding.clone())).encode()).collect();
    let copy = batch.clone();
    suite.time("log/decode/1024/heap", move || {
        let decoded = copy.iter().map(|bytes| Event::decode(bytes).map(Box::new));
        decoded.collect::<Result<Vec<_>, _>>().map(|events| events.len())
    });
    let mut arena = Arena::new();
    suite.time("log/decode/1024/arena", move || {
        arena.reset();
        let decoded = batch.iter().map(|bytes| arena.decode(bytes));
        decoded.collect::<Result<Vec<_>, _>>().map(|events| events.len())
    });
}

fn signatures(suite: &mut Suite) {
    let author = Author::from_seed(&[1; 32]);
    let events: Vec<Event> = (0..1024).map(|i| super::event(&author, i, None)).collect();
    let (one, all) = (events[0].clone(), events);
    suite.time("log/signatures/one", move || Verified::new(one.clone()).is_ok());
    suite.measure("log/signatures/batch-1024-all-cores", Unit::PerSecond, move || {
        let events = all.clone();
        let start = Instant::now();
        let good = verify_batch(events, super::threads()).iter().filter(|r| r.is_ok()).count();
        good as f64 / start.elapsed().as_secs_f64()
    });
}
