//! Conflict detection: against comparing all pairs with deep clones, and how it grows.

use std::hint::black_box;
use std::time::Instant;

use edgekit_coherence_log::event::Assert;
use edgekit_coherence_log::state::{Claim, Confident, Detector, Rules, cosine};
use edgekit_coherence_log::{Author, Draft, Event, Hash, Kind, PublicKey};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use crate::{Series, Suite, Unit};

const DIM: usize = 128;
/// Dimensions in which the clusters' centres really vary, as embeddings of one field of knowledge.
const LATENT: usize = 12;

pub(super) fn declare(suite: &mut Suite) {
    for (count, rows) in [(100, 100), (10_000, 100)] {
        if suite.wants(&format!("log/conflicts/{count}")) {
            against_the_twin(suite, count, rows);
        }
    }
    if suite.wants("log/conflicts/growth") {
        growth(suite);
    }
}

fn normal(rng: &mut Pcg64) -> f32 {
    (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0
}

/// Claims in clusters of five on average. Centres lie in a space of twelve dimensions, turned into
/// 128; every fifth claim has another value than its cluster.
fn claims(count: usize) -> Vec<Claim> {
    let mut rng = Pcg64::seed_from_u64(7);
    let turn: Vec<f32> = (0..LATENT * DIM).map(|_| normal(&mut rng)).collect();
    let centres: Vec<Vec<f32>> = (0..count / 5)
        .map(|_| {
            let latent: Vec<f32> = (0..LATENT).map(|_| normal(&mut rng)).collect();
            (0..DIM).map(|d| (0..LATENT).map(|l| latent[l] * turn[l * DIM + d]).sum()).collect()
        })
        .collect();
    (0..count)
        .map(|i| {
            let cluster = rng.random_range(0..centres.len());
            let embedding: Vec<f32> =
                centres[cluster].iter().map(|x| x + 0.2 * normal(&mut rng)).collect();
            Claim {
                id: Hash::of(&[&i.to_le_bytes()]),
                author: PublicKey([1; 32]),
                context: [7; 32],
                subject: format!("claim {i} of what was seen").into(),
                value: vec![u8::from(rng.random_bool(0.2)); 24].into(),
                confidence: 0.9,
                expires_ms: None,
                embedding: Some(embedding.into()),
            }
        })
        .collect()
}

fn rules() -> Rules {
    let mut rules = Rules::default();
    rules.defaults.similarity = 0.98;
    rules
}

fn detect(claims: &[Claim]) -> usize {
    let mut detector = Detector::new(rules(), Box::new(Confident));
    let mut found = 0;
    for claim in claims {
        detector.insert(claim.clone(), 0, |_| found += 1);
    }
    found
}

/// The quadratic twin: every pair, both events cloned with all that they hold. All pairs of every
/// `step`-th event with all events before it.
fn quadratic(events: &[Event<'static>], step: usize) -> usize {
    let rules = rules().defaults;
    let clash = |a: Event<'static>, b: Event<'static>| match (a.kind(), b.kind()) {
        (Kind::Assert(x), Kind::Assert(y)) => {
            let near = || match (a.embedding(), b.embedding()) {
                (Some(a), Some(b)) => cosine(a, b) >= rules.similarity,
                _ => false,
            };
            a.context() == b.context()
                && x.value != y.value
                && x.confidence > rules.min_confidence
                && y.confidence > rules.min_confidence
                && (x.subject == y.subject || near())
        }
        _ => false,
    };
    let later = (0..events.len()).rev().step_by(step);
    later.map(|j| (0..j).filter(|i| clash(events[*i].clone(), events[j].clone())).count()).sum()
}

/// The claim as the event that made it.
fn event_of(claim: &Claim, author: &Author) -> Event<'static> {
    let kind = Kind::Assert(Assert {
        subject: claim.subject.to_string().into(),
        value: claim.value.to_vec().into(),
        evidence: vec![claim.id; 3].into(),
        confidence: claim.confidence,
        expires_ms: None,
    });
    let embedding = claim.embedding.as_ref().map(|vector| vector.to_vec().into());
    let draft = Draft { embedding, ..Draft::new(1, claim.context, kind) };
    draft.sign(author).expect("the numbers are in range")
}

fn against_the_twin(suite: &mut Suite, count: usize, rows: usize) {
    let all = claims(count);
    let found = detect(&all);
    let author = Author::from_seed(&[1; 32]);
    let deep: Vec<Event<'static>> = all.iter().map(|claim| event_of(claim, &author)).collect();
    if count <= 1000 {
        let expected = quadratic(&deep, 1);
        suite.check(format!("log/conflicts/{count}"), found == expected, || {
            format!("{found} conflicts found of {expected}")
        });
    }
    let pairs = (count * (count - 1) / 2) as f64;
    suite.value(format!("log/conflicts/{count}/truth"), Unit::Share, found as f64 / pairs);
    if count <= 1000 {
        suite.time(format!("log/conflicts/{count}/ours"), move || detect(&all));
        suite.time(format!("log/conflicts/{count}/twin"), move || quadratic(black_box(&deep), 1));
        return;
    }
    suite.measure(format!("log/conflicts/{count}/ours"), Unit::Nanos, move || {
        let start = Instant::now();
        black_box(detect(&all));
        start.elapsed().as_nanos() as f64
    });
    // All pairs would take minutes: the twin does an even share of the rows, and its time is
    // scaled by the share of pairs that they are.
    suite.measure(format!("log/conflicts/{count}/twin"), Unit::Nanos, move || {
        let step = count / rows;
        let done: usize = (0..count).rev().step_by(step).sum();
        let start = Instant::now();
        black_box(quadratic(&deep, step));
        start.elapsed().as_nanos() as f64 * pairs / done as f64
    });
}

/// Least squares through the logarithms of count and time.
fn growth(suite: &mut Suite) {
    let mut points = Vec::new();
    let mut truth = Vec::new();
    for count in [1_000, 3_000, 10_000, 30_000, 100_000] {
        let all = claims(count);
        let start = Instant::now();
        let found = detect(&all);
        points.push((count as f64, start.elapsed().as_secs_f64() * 1e3));
        truth.push((count as f64, found as f64));
    }
    suite.value("log/conflicts/growth/exponent", Unit::Ratio, slope(&points));
    suite.value("log/conflicts/growth/truth-exponent", Unit::Ratio, slope(&truth));
    let last = points[points.len() - 1].1;
    suite.value("log/conflicts/growth/100000-ms", Unit::Count, last.round());
    suite.series(Series {
        plot: "Conflict detection".into(),
        x_label: "claims".into(),
        y_label: "time, ms".into(),
        name: "all claims, clustered embeddings of 128".into(),
        points,
    });
}

fn slope(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let n = logs.len() as f64;
    let (mx, my) = logs.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let (num, den) = logs
        .iter()
        .fold((0.0, 0.0), |(num, den), (x, y)| (num + (x - mx) * (y - my), den + (x - mx).powi(2)));
    num / den
}
