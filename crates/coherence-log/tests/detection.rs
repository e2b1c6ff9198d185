//! Conflict detection is set-equal to its quadratic twin.

use std::collections::BTreeSet;

use edgekit_coherence_log::state::{
    Claim, Confident, Detector, Rules, Verifier, cosine, is_candidate,
};
use edgekit_coherence_log::{Hash, Id};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg32;

use crate::coherence::rules;
use crate::support::{CONTEXT, author};

/// Claims over a few subjects and clustered embeddings; some unsure, some expiring.
fn random_claims(seed: u64, count: usize, dim: usize, clusters: usize, noise: f32) -> Vec<Claim> {
    let mut rng = Pcg32::seed_from_u64(seed);
    let mut normal = {
        let mut rng = Pcg32::seed_from_u64(seed + 1);
        move || (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0
    };
    let centres: Vec<Vec<f32>> =
        (0..clusters).map(|_| (0..dim).map(|_| normal()).collect()).collect();
    (0..count)
        .map(|i| {
            let centre = &centres[rng.random_range(0..clusters)];
            let embedding: Vec<f32> = centre.iter().map(|x| x + noise * normal()).collect();
            let mut id = Hash::of(&[&seed.to_le_bytes(), &i.to_le_bytes()]);
            id.0[0] = 0;
            Claim {
                id,
                author: author(1).key(),
                context: if rng.random_bool(0.9) { CONTEXT } else { [8; 32] },
                subject: format!("subject {}", rng.random_range(0..count / 2)).into(),
                value: vec![rng.random_range(0..3)].into(),
                confidence: if rng.random_bool(0.8) { 0.9 } else { 0.5 },
                expires_ms: rng.random_bool(0.2).then(|| rng.random_range(0..count as u64)),
                embedding: rng.random_bool(0.9).then(|| embedding.into()),
            }
        })
        .collect()
}

/// The slow twin: all pairs.
fn quadratic(rules: &Rules, claims: &[Claim]) -> BTreeSet<(Id, Id)> {
    let mut found = BTreeSet::new();
    for (now, b) in claims.iter().enumerate() {
        for a in &claims[..now] {
            let rules = rules.of(&b.context);
            if is_candidate(rules, a, b) && Confident.incompatible(rules, a, b, now as u64) {
                found.insert((a.id, b.id));
            }
        }
    }
    found
}

fn detected(rules: &Rules, claims: &[Claim]) -> Vec<(Id, Id)> {
    let mut detector = Detector::new(rules.clone(), Box::new(Confident));
    let mut found = vec![];
    for (now, claim) in claims.iter().enumerate() {
        detector.insert(claim.clone(), now as u64, |earlier| found.push((earlier.id, claim.id)));
        detector.insert(claim.clone(), now as u64, |_| panic!("a claim that is there already"));
    }
    found
}

fn same_as_the_twin(claims: &[Claim]) -> usize {
    let found = detected(&rules(), claims);
    let unique: BTreeSet<(Id, Id)> = found.iter().copied().collect();
    assert_eq!(unique.len(), found.len(), "each pair once");
    assert_eq!(unique, quadratic(&rules(), claims));
    found.len()
}

#[test]
fn detection_is_set_equal_to_the_quadratic_twin() {
    // Through the tree, through comparison of all, few and many dimensions, zero vectors.
    let mut pairs = 0;
    for (seed, count, dim, clusters, noise) in
        [(1, 1500, 24, 100, 0.2), (2, 700, 3, 40, 0.1), (3, 900, 64, 5, 0.3), (4, 600, 1, 2, 0.1)]
    {
        pairs += same_as_the_twin(&random_claims(seed, count, dim, clusters, noise));
    }
    let mut claims = random_claims(5, 600, 8, 20, 0.1);
    for claim in claims.iter_mut().step_by(7) {
        claim.embedding = Some(vec![0.0; 8].into());
    }
    pairs += same_as_the_twin(&claims);
    assert!(pairs > 2000, "{pairs}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_neighbour_is_missed_near_the_threshold(seed in any::<u32>(), dim in 2usize..40, noise in 0.05f32..0.6) {
        same_as_the_twin(&random_claims(u64::from(seed), 400, dim, 30, noise));
    }

    #[test]
    fn a_removed_claim_is_never_found(seed in any::<u32>(), drop_every in 2usize..5) {
        let claims = random_claims(u64::from(seed), 400, 6, 10, 0.2);
        let mut detector = Detector::new(rules(), Box::new(Confident));
        let mut gone = BTreeSet::new();
        for (i, claim) in claims.iter().enumerate() {
            detector.insert(claim.clone(), 0, |earlier| assert!(!gone.contains(&earlier.id)));
            if i % drop_every == 0 {
                let victim = claims[i / 2].id;
                detector.remove(&victim);
                gone.insert(victim);
            }
        }
        prop_assert_eq!(detector.claims().count(), claims.len() - gone.len());
    }
}

#[test]
fn the_default_verifier_asks_for_confidence_and_time() {
    let base = &random_claims(1, 2, 2, 1, 0.0)[0];
    let with = |id: u8, value: u8, confidence: f32, expires_ms| Claim {
        id: Hash([id; 32]),
        context: CONTEXT,
        subject: "s".into(),
        value: vec![value].into(),
        confidence,
        expires_ms,
        embedding: None,
        ..base.clone()
    };
    let pair = |a: Claim, b: Claim| detected(&rules(), &[a, b]).len();
    assert_eq!(pair(with(1, 1, 0.8, None), with(2, 2, 0.8, None)), 1);
    assert_eq!(pair(with(1, 1, 0.8, None), with(2, 1, 0.8, None)), 0);
    assert_eq!(pair(with(1, 1, 0.7, None), with(2, 2, 0.8, None)), 0, "0.7 is not above 0.7");
    assert_eq!(pair(with(1, 1, 0.8, Some(1)), with(2, 2, 0.8, None)), 0, "expired at 1");
    assert_eq!(pair(with(1, 1, 0.8, Some(2)), with(2, 2, 0.8, None)), 1);
    let elsewhere = Claim { context: [8; 32], ..with(2, 2, 0.8, None) };
    assert_eq!(pair(with(1, 1, 0.8, None), elsewhere), 0);
    assert!((cosine(&[1.0, 1.0], &[1.0, 0.0]) - 0.5f64.sqrt()).abs() < 1e-9);
}

/// A claim of its own subject and value, so that only its embedding can contradict.
fn of_vector(number: usize, vector: Vec<f32>) -> Claim {
    Claim {
        id: Hash::of(&[&number.to_le_bytes()]),
        author: author(1).key(),
        context: CONTEXT,
        subject: format!("subject {number}").into(),
        value: number.to_le_bytes().to_vec().into(),
        confidence: 0.9,
        expires_ms: None,
        embedding: Some(vector.into()),
    }
}

fn similar_from(similarity: f64) -> Rules {
    let mut rules = Rules::default();
    rules.defaults.similarity = similarity;
    rules
}

fn uniform(rng: &mut Pcg32, dim: usize) -> Vec<f32> {
    (0..dim).map(|_| rng.random::<f32>() - 0.5).collect()
}

/// Among so many vectors that a tree is searched, each one's multiple by three: the same direction
/// but for the rounding of its values, so that the images in the tree differ by more than the vectors
/// may. A ball without room for rounding misses hundreds of them.
#[test]
fn a_ball_leaves_room_for_the_rounding_of_images() {
    let rules = similar_from(1.0 - 1e-14);
    for dim in [3, 15, 16, 17, 40, 128] {
        let mut rng = Pcg32::seed_from_u64(dim as u64);
        let mut detector = Detector::new(rules.clone(), Box::new(Confident));
        let vectors: Vec<Vec<f32>> = (0..600).map(|_| uniform(&mut rng, dim)).collect();
        for (number, vector) in vectors.iter().enumerate() {
            detector.insert(of_vector(number, vector.clone()), 0, |_| panic!("not near"));
        }
        for (number, vector) in vectors.iter().enumerate() {
            let thrice: Vec<f32> = vector.iter().map(|x| 3.0 * x).collect();
            assert!(cosine(vector, &thrice) >= rules.defaults.similarity);
            let mut found = 0;
            detector.insert(of_vector(600 + number, thrice), 0, |_| found += 1);
            assert_eq!(found, 1, "{number} of dimension {dim}");
        }
    }
}

/// A threshold that is a pair's own cosine, or the next number above: what a float kernel makes of
/// the pair is then on either side.
#[test]
fn the_exact_cosine_decides_where_rounding_could() {
    let mut rng = Pcg32::seed_from_u64(5);
    for pair in 0..500 {
        let dim = rng.random_range(1..200);
        let a = uniform(&mut rng, dim);
        let b: Vec<f32> = a.iter().map(|x| x + 0.2 * (rng.random::<f32>() - 0.5)).collect();
        let exact = cosine(&a, &b);
        if exact <= 0.0 || exact >= 1.0 {
            continue;
        }
        let claims = [of_vector(0, a), of_vector(1, b)];
        assert_eq!(detected(&similar_from(exact), &claims).len(), 1, "pair {pair}");
        assert_eq!(detected(&similar_from(exact.next_up()), &claims).len(), 0, "pair {pair}");
    }
}

/// Only the direction of an embedding counts, down to where its values are denormal and up to where
/// their squares are infinite.
#[test]
fn the_length_of_an_embedding_does_not_matter() {
    let mut rng = Pcg32::seed_from_u64(6);
    for scale in [1e-37f32, 1e-30, 1e-22, 1e-19, 1e-10, 1.0, 1e14, 1e19, 1e37] {
        for _ in 0..50 {
            let a = uniform(&mut rng, 40);
            let b: Vec<f32> = a.iter().map(|x| (x + 0.01 * rng.random::<f32>()) * scale).collect();
            assert!(cosine(&a, &b) > 0.99);
            let claims = [of_vector(0, a), of_vector(1, b)];
            assert_eq!(detected(&similar_from(0.99), &claims).len(), 1, "{scale}");
        }
    }
}
