//! The state: contradictions against the quadratic twin, quarantine rule by rule, replay.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use edgekit_coherence_log::equivocation::{Equivocation, Held};
use edgekit_coherence_log::event::{Approval, Assert, Resolution};
use edgekit_coherence_log::note::{NoteAlgorithm, NoteSigner};
use edgekit_coherence_log::state::{
    Claim, Confident, Conflict, ContextRules, Detector, Level, Notice, Rules, State, Verifier,
    cosine, is_candidate,
};
use edgekit_coherence_log::{Author, Draft, ErrorKind, Event, Hash, Id, Kind, Log};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg32;

use crate::support::{CONTEXT, author, claim, config};

/// Members 1 to 9, authorities 20 to 22 with a quorum of two.
fn rules() -> Rules {
    let keys = |n: std::ops::Range<u8>| n.map(|n| author(n).key()).collect::<Vec<_>>();
    let ours = ContextRules {
        members: keys(1..10),
        authorities: keys(20..23),
        quorum: 2,
        ..ContextRules::default()
    };
    Rules { defaults: ContextRules::default(), contexts: BTreeMap::from([(CONTEXT, ours)]) }
}

/// Applies events one by one; ids are those of the events.
struct Run {
    state: State,
    time: u64,
}

impl Run {
    fn new() -> Self {
        Run { state: State::new(rules()).unwrap(), time: 1000 }
    }

    fn event(&mut self, event: Event<'static>) -> (Id, Vec<Notice>) {
        let (id, mut notices) = (event.id(), vec![]);
        self.state.apply(id, &event, &mut notices);
        (id, notices)
    }

    fn say(&mut self, who: u8, kind: Kind<'static>) -> (Id, Vec<Notice>) {
        self.say_in(who, CONTEXT, kind)
    }

    fn say_in(&mut self, who: u8, context: [u8; 32], kind: Kind<'static>) -> (Id, Vec<Notice>) {
        self.time += 1;
        self.event(Draft::new(self.time, context, kind).sign(&author(who)).unwrap())
    }

    fn claim(&mut self, who: u8, value: &str) -> Id {
        self.time += 1;
        self.event(claim(who, self.time, "s", value)).0
    }

    fn challenge(&mut self, who: u8, claims: &[Id]) -> (Id, Vec<Notice>) {
        let claims = Cow::Owned(claims.to_vec());
        self.say(who, Kind::Challenge { claims, reason: "they differ".into() })
    }

    fn levels(&self, claims: &[Id]) -> Vec<Level> {
        claims.iter().map(|id| self.state.level(id).unwrap()).collect()
    }
}

fn resolution(
    conflict: Id,
    accepted: &[Id],
    deprecated: &[Id],
    context: [u8; 32],
    signers: &[u8],
) -> Resolution<'static> {
    let mut resolution = Resolution {
        conflict,
        accepted: Cow::Owned(accepted.to_vec()),
        deprecated: Cow::Owned(deprecated.to_vec()),
        rationale: "measured again".into(),
        signatures: Cow::Borrowed(&[]),
    };
    let message = resolution.message(&context);
    let approve = |n: &u8| {
        let signer: Author = author(*n);
        Approval { authority: signer.key(), signature: signer.sign(&message) }
    };
    resolution.signatures = Cow::Owned(signers.iter().map(approve).collect());
    resolution
}

fn ignored(notices: &[Notice]) -> bool {
    matches!(notices, [Notice::Ignored { .. }])
}

#[test]
fn a_contradiction_is_found_challenged_argued_and_resolved() {
    let mut run = Run::new();
    let (a, b) = (run.claim(1, "x"), run.claim(2, "y"));
    assert_eq!(run.state.contradictions(), [(a, b)]);
    assert_eq!(run.levels(&[a, b]), [Level::None, Level::None]);
    let (conflict, notices) = run.challenge(3, &[a, b]);
    assert_eq!(notices, [Notice::Opened { conflict }]);
    assert_eq!(run.levels(&[a, b]), [Level::Conservative; 2]);
    assert_eq!(run.state.conflict(&conflict).unwrap().temperature, 500);
    let settle = resolution(conflict, &[b], &[a], CONTEXT, &[20, 21]);
    let (_, notices) = run.say(1, Kind::Resolution(settle));
    assert_eq!(notices, [Notice::Settled { conflict }, Notice::Fallen { claim: a }]);
    assert_eq!(run.levels(&[a, b]), [Level::Blocked, Level::None]);
    // What has fallen contradicts nothing that comes later.
    let c = run.claim(4, "y");
    assert_eq!(run.state.contradictions(), [(a, b)]);
    assert_eq!(run.state.level(&c), Some(Level::None));
}

/// Earlier systems let a stranger's one-byte signature block a claim.
#[test]
fn nothing_from_a_stranger_or_another_context_changes_a_level() {
    let mut run = Run::new();
    let (a, b) = (run.claim(1, "x"), run.claim(2, "y"));
    assert!(ignored(&run.challenge(50, &[a, b]).1));
    let challenge = || Kind::Challenge { claims: Cow::Owned(vec![a, b]), reason: "r".into() };
    assert!(ignored(&run.say_in(3, [8; 32], challenge()).1));
    assert!(ignored(&run.challenge(3, &[]).1));
    assert!(ignored(&run.challenge(3, &[a, Hash([9; 32])]).1));
    assert_eq!(run.levels(&[a, b]), [Level::None; 2]);
    let (conflict, _) = run.challenge(3, &[a, b]);
    for (who, context) in [(50, CONTEXT), (3, [8; 32])] {
        for _ in 0..9 {
            let support = Kind::Support { conflict, cost: 1000 };
            assert!(ignored(&run.say_in(who, context, support).1));
        }
    }
    let before = run.state.conflict(&conflict).unwrap().clone();
    let mut one_byte = resolution(conflict, &[a], &[b], CONTEXT, &[20]);
    one_byte.signatures.to_mut().push(Approval {
        authority: author(21).key(),
        signature: edgekit_coherence_log::Signature([1; 64]),
    });
    let refused = [
        resolution(conflict, &[a], &[b], CONTEXT, &[]),
        resolution(conflict, &[a], &[b], CONTEXT, &[20]),
        resolution(conflict, &[a], &[b], CONTEXT, &[20, 20]), // one authority twice
        resolution(conflict, &[a], &[b], CONTEXT, &[20, 1]),  // a member is no authority
        resolution(conflict, &[a], &[b], CONTEXT, &[50, 51]),
        resolution(conflict, &[a], &[b], [8; 32], &[20, 21]), // signed for another context
        resolution(conflict, &[a], &[], CONTEXT, &[20, 21]),  // leaves a claim out
        resolution(conflict, &[a, b], &[b], CONTEXT, &[20, 21]),
        resolution(Hash([1; 32]), &[a], &[b], CONTEXT, &[20, 21]),
        one_byte,
    ];
    for refused in refused {
        assert!(ignored(&run.say(1, Kind::Resolution(refused)).1));
    }
    let right = resolution(conflict, &[a], &[b], CONTEXT, &[20, 21]);
    // The same signatures under another rationale, or with the sides exchanged, are worth nothing.
    let other = Resolution { rationale: "because".into(), ..right.clone() };
    assert!(ignored(&run.say(1, Kind::Resolution(other)).1));
    let (accepted, deprecated) = (right.deprecated.clone(), right.accepted.clone());
    let exchanged = Resolution { accepted, deprecated, ..right.clone() };
    assert!(ignored(&run.say(1, Kind::Resolution(exchanged)).1));
    assert!(ignored(&run.say_in(1, [8; 32], Kind::Resolution(right.clone())).1));
    // Only the author withdraws.
    assert!(ignored(&run.say(2, Kind::Deprecate { claim: a, superseded_by: None }).1));
    assert_eq!(*run.state.conflict(&conflict).unwrap(), before);
    assert_eq!(run.levels(&[a, b]), [Level::Conservative; 2]);
    run.say(1, Kind::Resolution(right));
    assert_eq!(run.levels(&[a, b]), [Level::None, Level::Blocked]);
}

/// Earlier systems let one author vote again and again.
#[test]
fn one_author_has_one_voice_and_heat_escalates_at_most_three_times() {
    let mut run = Run::new();
    let (a, b) = (run.claim(1, "x"), run.claim(2, "y"));
    let (conflict, _) = run.challenge(3, &[a, b]);
    for cost in [60, 60, 40, 100, 5000] {
        run.say(1, Kind::Support { conflict, cost });
    }
    assert_eq!(run.state.conflict(&conflict).unwrap().temperature, 600);
    for who in 2..=3 {
        run.say(who, Kind::Support { conflict, cost: 100 });
    }
    assert_eq!(run.levels(&[a, b]), [Level::Conservative; 2], "0.8 is not above 0.8");
    let (_, notices) = run.say(4, Kind::Support { conflict, cost: 1 });
    assert_eq!(notices, [Notice::Escalated { conflict, level: Level::RequiresWitness }]);
    assert_eq!(run.state.conflict(&conflict).unwrap().temperature, Conflict::BEGIN);
    // And then time: an hour each, until it has escalated three times.
    let mut levels = vec![];
    for hour in 1..6u64 {
        run.time = 5_000 + hour * 3_600_000;
        run.claim(9, "x");
        levels.push(run.state.level(&a).unwrap());
    }
    assert_eq!(levels, [Level::Blocked; 5]);
    assert_eq!(run.state.conflict(&conflict).unwrap().escalations, 3);
}

#[test]
fn authors_withdraw_their_own_claims() {
    let mut run = Run::new();
    let a = run.claim(1, "x");
    let b = run.claim(1, "z");
    let (_, notices) = run.say(1, Kind::Deprecate { claim: a, superseded_by: Some(b) });
    assert_eq!(notices, [Notice::Fallen { claim: a }]);
    assert_eq!((run.state.level(&a), run.state.superseded_by(&a)), (Some(Level::Blocked), Some(b)));
    assert!(ignored(&run.say(1, Kind::Deprecate { claim: a, superseded_by: None }).1));
}

#[test]
fn decisions_replay_only_on_what_is_known_and_undoubted() {
    let mut run = Run::new();
    let (a, b) = (run.claim(1, "x"), run.claim(2, "x"));
    let trace = |on: &[Id]| Kind::Trace {
        decision: Cow::Owned(vec![1]),
        rests_on: Cow::Owned(on.to_vec()),
    };
    let (first, _) = run.say(1, trace(&[a, b]));
    let (second, _) = run.say(1, trace(&[first]));
    let (third, _) = run.say(1, trace(&[a, Hash([9; 32])]));
    assert_eq!(run.state.replayable(&second).unwrap(), []);
    assert_eq!(run.state.replayable(&third).unwrap(), [Hash([9; 32])]);
    assert_eq!(run.state.replayable(&a).unwrap_err().kind(), ErrorKind::NotFound);
    let (conflict, _) = run.challenge(3, &[b]);
    assert_eq!(run.state.replayable(&first).unwrap(), [b]);
    assert_eq!(run.state.replayable(&second).unwrap(), [b], "what it rests on indirectly counts");
    run.say(1, Kind::Resolution(resolution(conflict, &[b], &[], CONTEXT, &[20, 21, 22])));
    assert_eq!(run.state.replayable(&second).unwrap(), []);
}

fn with_evidence(run: &mut Run, who: u8, evidence: &[Id]) -> Id {
    run.time += 1;
    let kind = Kind::Assert(Assert {
        subject: format!("subject {}", run.time).into(),
        value: Cow::Owned(vec![1]),
        evidence: Cow::Owned(evidence.to_vec()),
        confidence: 0.9,
        expires_ms: None,
    });
    run.say(who, kind).0
}

#[test]
fn witness_paths_are_disjoint_and_counted_once() {
    let mut run = Run::new();
    let roots: Vec<Id> = (1..=4).map(|who| with_evidence(&mut run, who, &[])).collect();
    let again = with_evidence(&mut run, 1, &[]); // the first author once more
    let own = with_evidence(&mut run, 9, &[]);
    let hub = with_evidence(&mut run, 5, &[roots[0], roots[1]]);
    let other = with_evidence(&mut run, 6, &[roots[1]]);
    let paths = |run: &mut Run, evidence: &[Id]| {
        let claim = with_evidence(run, 9, evidence);
        run.state.witness_paths(&claim, 3)
    };
    // One path through the hub, although it leads to two roots.
    assert_eq!(paths(&mut run, &[hub]).paths.len(), 1);
    // The search must give the hub's way to root 1 up again so that both get through.
    let two = paths(&mut run, &[hub, other]);
    assert_eq!(two.paths.len(), 2);
    assert_eq!(two.confidence, 2.0 / 6.0);
    let seen: BTreeSet<Id> = two.paths.iter().flatten().copied().collect();
    assert_eq!(seen.len(), two.paths.iter().flatten().count(), "no event on two paths");
    // Neither the same evidence twice, nor two words of one author, nor one's own count again.
    assert_eq!(paths(&mut run, &[roots[0], roots[0], again, own]).paths.len(), 1);
    assert_eq!(paths(&mut run, &roots).confidence, 4.0 / 6.0);
    let all: Vec<Id> = (1..=8).map(|who| with_evidence(&mut run, who, &[])).collect();
    assert_eq!(paths(&mut run, &all).confidence, 1.0);
    assert_eq!(run.state.witness_paths(&Hash([0; 32]), 3).paths.len(), 0);
}

#[test]
fn drift_is_seen_and_moved_only_by_members() {
    let mut run = Run::new();
    let mut embed = |who: u8, embedding: &[f32]| {
        run.time += 1;
        let draft = Draft::new(run.time, CONTEXT, claim(who, 0, "d", "v").kind().clone());
        let draft = Draft { embedding: Some(embedding.to_vec().into()), ..draft };
        run.event(draft.sign(&author(who)).unwrap()).1
    };
    assert!(embed(1, &[1.0, 0.0]).is_empty());
    assert!(embed(1, &[0.9, 0.1]).is_empty());
    for _ in 0..20 {
        assert!(embed(50, &[0.0, 1.0]).is_empty(), "a stranger neither alerts nor moves");
    }
    assert!(embed(1, &[1.0, 0.0, 0.0]).is_empty(), "another dimension is another thing");
    let notices = embed(2, &[0.0, 1.0]);
    let [Notice::Drift { distance, .. }] = notices[..] else { panic!("{notices:?}") };
    // The mean was [1, 0] moved a tenth of the way to [0.9, 0.1].
    assert!((distance - (1.0 - 0.01 / (0.99f64.powi(2) + 0.01f64.powi(2)).sqrt())).abs() < 1e-6);
    for _ in 0..30 {
        embed(2, &[0.0, 1.0]);
    }
    assert!(embed(2, &[0.0, 1.0]).is_empty(), "the mean has followed");
}

#[test]
fn model_consensus_and_equivocation() {
    let mut run = Run::new();
    let says = |run: &mut Run, who: u8, weights: u8| {
        let kind = Kind::ModelClaim {
            model: "m".into(),
            version: "1".into(),
            weights: Hash([weights; 32]),
            round: 7,
        };
        run.say(who, kind)
    };
    says(&mut run, 1, 1);
    says(&mut run, 2, 1);
    says(&mut run, 3, 2);
    for stranger in 50..60 {
        assert!(ignored(&says(&mut run, stranger, 2).1));
    }
    let consensus = run.state.consensus(&CONTEXT, "m", 7).unwrap();
    assert_eq!((consensus.weights, consensus.votes, consensus.voters), (Hash([1; 32]), 2, 3));
    let (first, _) = says(&mut run, 4, 1);
    assert!(says(&mut run, 4, 1).1.is_empty(), "saying it twice is no equivocation");
    let (second, notices) = says(&mut run, 4, 2);
    assert_eq!(notices, [Notice::Equivocation { first, second }]);
    // 4 votes for nothing now: two of four are no majority.
    assert_eq!(run.state.consensus(&CONTEXT, "m", 7), None);
    assert_eq!(run.state.consensus(&CONTEXT, "m", 8), None);
}

#[test]
fn equivocation_proofs_hold_offline() {
    let signer = NoteSigner::new("example.com/log", NoteAlgorithm::Ed25519, author(9)).unwrap();
    let build = |value: &str, count: u64| {
        let log = Log::in_memory(config()).unwrap();
        for i in 0..count {
            log.append(claim(1, i, "s", value)).unwrap().wait().unwrap();
        }
        let note = log.checkpoint("example.com/log", &signer).unwrap().0.to_string().into_bytes();
        (log, note)
    };
    let (log, note) = build("v", 6);
    let (_, forked) = build("w", 6);
    let (longer, long_note) = build("w", 9);
    let proof = Equivocation::Checkpoints { first: note.clone(), second: forked.clone() };
    proof.verify_log(signer.key()).unwrap();
    assert!(proof.verify_author().is_err());
    let nothing = Equivocation::Checkpoints { first: note.clone(), second: note.clone() };
    assert_eq!(nothing.verify_log(signer.key()).unwrap_err().kind(), ErrorKind::Proof);
    let nothing = Equivocation::Checkpoints { first: note.clone(), second: long_note.clone() };
    assert!(nothing.verify_log(signer.key()).is_err());
    let held = |log: &Log, note: &[u8], index| Held {
        note: note.to_vec(),
        leaf: log.id(index).unwrap(),
        proof: log.prove_inclusion(index, log.size()).unwrap(),
    };
    let histories = Equivocation::Histories {
        first: held(&log, &note, 3),
        second: held(&longer, &long_note, 3),
        index: 3,
    };
    histories.verify_log(signer.key()).unwrap();
    let consistent = Equivocation::Histories {
        first: held(&log, &note, 3),
        second: held(&log, &note, 3),
        index: 3,
    };
    assert!(consistent.verify_log(signer.key()).is_err());
    let other = NoteSigner::new("example.com/log", NoteAlgorithm::Ed25519, author(8)).unwrap();
    assert!(histories.verify_log(other.key()).is_err());

    let says = |weights: u8, round: u64| {
        let weights = Hash([weights; 32]);
        let kind = Kind::ModelClaim { model: "m".into(), version: "1".into(), weights, round };
        Draft::new(round, CONTEXT, kind).sign(&author(4)).unwrap().encode()
    };
    let proof = Equivocation::ModelClaims { first: says(1, 5), second: says(2, 5) };
    assert_eq!(proof.verify_author().unwrap(), author(4).key());
    let harmless = Equivocation::ModelClaims { first: says(1, 5), second: says(2, 6) };
    assert!(harmless.verify_author().is_err());
    let mut forged = says(2, 5);
    *forged.last_mut().unwrap() ^= 1;
    assert!(
        Equivocation::ModelClaims { first: says(1, 5), second: forged }.verify_author().is_err()
    );
}

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

#[test]
fn rules_out_of_range_are_refused() {
    let with = |change: fn(&mut ContextRules)| {
        let mut rules = rules();
        change(&mut rules.defaults);
        State::new(rules).err().map(|error| error.kind())
    };
    assert_eq!(with(|r| r.similarity = 0.0), Some(ErrorKind::Invalid));
    assert_eq!(with(|r| r.similarity = f64::NAN), Some(ErrorKind::Invalid));
    assert_eq!(with(|r| r.quorum = 1), Some(ErrorKind::Invalid));
    assert_eq!(with(|r| r.drift_alpha = 2.0), Some(ErrorKind::Invalid));
    assert_eq!(with(|r| r.escalation_after = Duration::MAX), None);
}

/// A log with something of every kind.
fn eventful() -> Log {
    let log = Log::in_memory(config()).unwrap();
    let mut time = 0;
    let mut rng = Pcg32::seed_from_u64(4);
    let mut said: Vec<Id> = vec![];
    for round in 0..300u64 {
        time += if round % 50 == 0 { 4_000 } else { 3 };
        let who = rng.random_range(1..12);
        let mut pick = |n: usize| -> Vec<Id> {
            (0..n.min(said.len())).map(|_| said[rng.random_range(0..said.len())]).collect()
        };
        let kind = match round % 9 {
            0..=3 => claim(1, 0, &format!("s{}", round % 5), &round.to_string()).kind().clone(),
            4 => Kind::Challenge { claims: pick(2).into(), reason: "r".into() },
            5 => Kind::Support { conflict: pick(1)[0], cost: 100 },
            6 => Kind::Deprecate { claim: pick(1)[0], superseded_by: None },
            7 => Kind::Trace { decision: vec![1].into(), rests_on: pick(3).into() },
            _ => Kind::ModelClaim {
                model: "m".into(),
                version: "1".into(),
                weights: Hash([round as u8 % 2; 32]),
                round: round / 30,
            },
        };
        let draft = Draft::new(time, CONTEXT, kind);
        let embedding = (round % 2 == 0).then(|| vec![(round as f32).sin(), 1.0, 0.3].into());
        let event = Draft { embedding, ..draft }.sign(&author(who)).unwrap();
        said.push(event.id());
        log.append(event).unwrap().wait().unwrap();
    }
    log
}

#[test]
fn replay_gives_the_same_state_in_any_portions_and_from_a_snapshot() {
    let log = eventful();
    let mut quick = rules();
    quick.contexts.get_mut(&CONTEXT).unwrap().escalation_after = Duration::from_secs(2);
    let mut whole = State::new(quick.clone()).unwrap();
    let notices = whole.catch_up(&log).unwrap();
    assert_eq!((whole.size(), whole.root()), log.head());
    let names = |notices: &[Notice]| -> BTreeSet<String> {
        let name = |n: &Notice| format!("{n:?}").split(' ').next().unwrap().to_owned();
        notices.iter().map(name).collect()
    };
    assert!(names(&notices).len() >= 6, "{:?}", names(&notices));
    assert!(whole.catch_up(&log).unwrap().is_empty());

    let half = Log::in_memory(config()).unwrap();
    for index in 0..150 {
        half.append(log.event(index).unwrap()).unwrap().wait().unwrap();
    }
    let mut early = State::new(quick.clone()).unwrap();
    let mut seen = early.catch_up(&half).unwrap();
    let snapshot = early.snapshot();
    seen.extend(early.catch_up(&log).unwrap());
    assert_eq!((early.digest(), &seen), (whole.digest(), &notices));

    let mut restored = State::restore(&snapshot, quick.clone(), &log).unwrap();
    assert_eq!(restored.snapshot(), snapshot);
    restored.catch_up(&log).unwrap();
    assert_eq!(restored.digest(), whole.digest());

    let other = Log::in_memory(config()).unwrap();
    let kind = |bytes: &[u8], log: &Log| {
        State::restore(bytes, quick.clone(), log).err().map(|error| error.kind())
    };
    assert_eq!(kind(&snapshot, &other), Some(ErrorKind::Conflict));
    assert!(State::new(quick.clone()).unwrap().catch_up(&other).unwrap().is_empty());
    assert_eq!(early.catch_up(&half).unwrap_err().kind(), ErrorKind::NotFound);
    for at in (0..snapshot.len()).step_by(97) {
        let mut changed = snapshot.clone();
        changed[at] ^= 1;
        assert!(kind(&changed, &log).is_some(), "byte {at}");
    }
    assert!(kind(&snapshot[..20], &log).is_some());
}
