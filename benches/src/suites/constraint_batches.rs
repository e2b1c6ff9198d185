//! Masks of many sessions at once, against one by one.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use edgekit_constraint_cache::{Awake, MaskMatrix, Session, Template, step_many};

use super::constraint_cache::{Walk, nanos, percentile};
use crate::{Suite, Unit};

/// The model's time between two tokens, about.
const PAUSE: Duration = Duration::from_millis(5);

/// Tokens of a document that a session goes along.
const STEPS: usize = 16;

/// The tokens of a document and the template that accepts it, without a memo.
type Document = (Rc<[u32]>, Arc<Template>);

/// Declares what is measured, over `walks` and their templates without a memo.
pub(super) fn declare(suite: &mut Suite, walks: &Rc<[Walk]>, templates: &Rc<[Arc<Template>]>) {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    suite.value("constraint-cache/mask/cores", Unit::Count, cores as f64);
    let all = walks.iter().zip(&**templates).filter(|(walk, _)| walk.tokens.len() >= STEPS);
    let documents: Vec<Document> =
        all.map(|(walk, template)| (walk.tokens[..STEPS].into(), Arc::clone(template))).collect();
    for (n, name, pause) in
        [(32, "32", None), (32, "32/paused", Some(PAUSE)), (4, "4/paused", Some(PAUSE))]
    {
        // Sessions in one document would share their masks.
        let Some(documents) = documents.get(..n) else { continue };
        let id = |what: &str| format!("constraint-cache/mask/{name}/{what}");
        let same = is_the_same(documents);
        suite.check(format!("constraint-cache/mask/{name}"), same, || {
            "not the masks that sessions find one by one".into()
        });
        let all = documents.to_vec();
        suite.measure(id("one-by-one"), Unit::Nanos, move || {
            median((0..5).map(|_| along(&all, pause, one_by_one(all.len()))))
        });
        for (what, awake) in [("many", true), ("many-asleep", false)] {
            let all = documents.to_vec();
            suite.measure(id(what), Unit::Nanos, move || {
                let _awake = awake.then(Awake::new);
                let mut matrix = MaskMatrix::new();
                let mut step = |sessions: &mut [Session], tokens: &[Option<u32>]| {
                    black_box(step_many(sessions, tokens, &mut matrix, None));
                };
                median((0..5).map(|_| along(&all, pause, &mut step)))
            });
        }
    }
    if let Some(documents) = documents.get(..32) {
        let all = documents.to_vec();
        suite.measure("constraint-cache/mask/32/no-sharing", Unit::Nanos, move || {
            median((0..5).map(|_| no_sharing(&all, cores)))
        });
    }
}

/// Whether every row of every batch is there, and is what a session finds alone.
fn is_the_same(documents: &[Document]) -> bool {
    let mut alone: Vec<Session> = documents.iter().map(|(_, t)| t.session()).collect();
    let mut matrix = MaskMatrix::new();
    let mut same = true;
    along(documents, None, |sessions, tokens| {
        same &= step_many(sessions, tokens, &mut matrix, None) == documents.len();
        for (row, (session, token)) in alone.iter_mut().zip(tokens).enumerate() {
            let mut mask = vec![0; matrix.row_words()];
            same &= token.is_none_or(|token| session.commit(token).is_ok());
            same &= session.mask(&mut mask).is_ok() && matrix.row(row) == mask;
        }
    });
    same
}

/// Nanoseconds of a batch, the mean along the documents: a token for each, and then the masks of all.
fn along(
    documents: &[Document],
    pause: Option<Duration>,
    mut step: impl FnMut(&mut [Session], &[Option<u32>]),
) -> f64 {
    let mut sessions: Vec<Session> = documents.iter().map(|(_, t)| t.session()).collect();
    // The first masks are kept in the templates.
    step(&mut sessions, &vec![None; documents.len()]);
    let times = (0..STEPS).map(|at| {
        let tokens: Vec<Option<u32>> = documents.iter().map(|(t, _)| Some(t[at])).collect();
        pause.into_iter().for_each(std::thread::sleep);
        nanos(|| step(&mut sessions, &tokens))
    });
    times.sum::<f64>() / STEPS as f64
}

fn one_by_one(n: usize) -> impl FnMut(&mut [Session], &[Option<u32>]) {
    let mut masks = vec![Vec::new(); n];
    move |sessions, tokens| {
        for ((session, token), mask) in sessions.iter_mut().zip(tokens).zip(&mut masks) {
            mask.resize(session.template().tokenizer().mask_words(), 0);
            token.iter().for_each(|token| drop(session.commit(*token)));
            drop(black_box(session.mask(mask)));
        }
    }
}

/// What a batch could take at best: each thread goes along documents of its own, with nothing to wait
/// for and nothing shared but the machine. The mean of the threads.
fn no_sharing(documents: &[Document], threads: usize) -> f64 {
    let mut shares = vec![Vec::new(); threads];
    for (i, (tokens, template)) in documents.iter().enumerate() {
        shares[i % threads].push((tokens.to_vec(), Arc::clone(template)));
    }
    let begin = Barrier::new(threads);
    std::thread::scope(|scope| {
        let begin = &begin;
        let run = |share: Vec<(Vec<u32>, Arc<Template>)>| {
            let share: Vec<Document> = share.into_iter().map(|(t, a)| (t.into(), a)).collect();
            begin.wait();
            along(&share, None, one_by_one(share.len()))
        };
        let all: Vec<_> = shares.into_iter().map(|share| scope.spawn(move || run(share))).collect();
        let times = all.into_iter().map(|thread| thread.join().unwrap_or(f64::NAN));
        times.sum::<f64>() / threads as f64
    })
}

fn median(times: impl Iterator<Item = f64>) -> f64 {
    percentile(times.collect(), 0.5)
}
