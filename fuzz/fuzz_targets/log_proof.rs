//! The proof verifiers: any sizes and hashes, no panic, and no proof of what is not so.
#![no_main]
use edgekit_coherence_log::Hash;
use edgekit_coherence_log::proof::{verify_consistency, verify_inclusion, verify_subtree_consistency};

libfuzzer_sys::fuzz_target!(|input: ([u64; 3], Vec<[u8; 32]>)| {
    let ([a, b, c], hashes) = input;
    let proof: Vec<Hash> = hashes.into_iter().map(Hash).collect();
    let (x, y) = (Hash([1; 32]), Hash([2; 32]));
    assert!(verify_inclusion(&x, a, b, &proof, &y).is_err());
    assert!(verify_consistency(a, &x, b, &y, &proof).is_err());
    assert!(verify_subtree_consistency(a, b, &x, c, &y, &proof).is_err());
});
