//! Masks of many sessions at once, against one by one.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use edgekit_constraint_cache::{MaskMatrix, Session, Template, mask_many};
use rayon::ThreadPoolBuilder;

use super::constraint_cache::{Walk, nanos, percentile};
use super::constraint_threads::{bound, cores_to_be_had};
use crate::{Suite, Unit};

/// The model's time between two tokens, about.
const PAUSE: Duration = Duration::from_millis(5);

/// Tokens of a document that a session goes along.
const STEPS: usize = 16;

/// The tokens of a document and the template that accepts it.
type Document<'a> = (&'a [u32], &'a Arc<Template>);

/// Sessions without a memo, each in a document of its own.
#[derive(Clone)]
struct Sessions {
    walks: Rc<[Walk]>,
    templates: Rc<[Arc<Template>]>,
}

impl Sessions {
    /// The documents that have more than `tokens` tokens.
    fn longer(&self, tokens: usize) -> Vec<Document<'_>> {
        let all = self.walks.iter().map(|w| w.tokens.as_slice()).zip(&*self.templates);
        all.filter(|(walk, _)| walk.len() > tokens).collect()
    }

    /// A batch in the middle of its documents.
    fn batch(&self) -> Vec<Session> {
        in_the_middle(&self.longer(4), 0..32)
    }

    /// Nanoseconds of a batch, the mean along `STEPS` tokens: the masks of all, then a token for each.
    fn along(
        &self,
        n: usize,
        pause: Option<Duration>,
        mut masks: impl FnMut(&mut [Session]),
    ) -> f64 {
        let documents = self.longer(STEPS);
        let mut sessions: Vec<Session> =
            (0..n).map(|i| documents[i % documents.len()].1.session()).collect();
        let mut total = 0.0;
        for step in 0..STEPS {
            pause.into_iter().for_each(std::thread::sleep);
            let took = nanos(|| masks(&mut sessions));
            // The first mask is kept in the template.
            total += if step > 0 { took } else { 0.0 };
            for (i, session) in sessions.iter_mut().enumerate() {
                drop(session.commit(documents[i % documents.len()].0[step]));
            }
        }
        total / (STEPS - 1) as f64
    }
}

/// Sessions in the middle of their documents, on fresh state, with a mask for each token so far.
fn in_the_middle(
    documents: &[Document<'_>],
    which: impl IntoIterator<Item = usize>,
) -> Vec<Session> {
    let one = |i: usize| {
        let (tokens, template) = documents[i % documents.len()];
        let mut session = template.session();
        let mut mask = vec![0; template.tokenizer().mask_words()];
        for token in &tokens[..3 + i % 2] {
            drop(session.mask(&mut mask));
            drop(session.commit(*token));
        }
        session
    };
    which.into_iter().map(one).collect()
}

/// Nanoseconds of each mask.
fn one_by_one(batch: &mut [Session]) -> Vec<f64> {
    let words = batch[0].template().tokenizer().mask_words();
    let mut masks = vec![vec![0; words]; batch.len()];
    let rows = batch.iter_mut().zip(&mut masks);
    rows.map(|(s, m)| nanos(|| drop(black_box(s.mask(m))))).collect()
}

fn many(batch: &mut [Session], matrix: &mut MaskMatrix) -> f64 {
    nanos(|| {
        black_box(mask_many(batch, matrix, None));
    })
}

fn median(times: impl Iterator<Item = f64>) -> f64 {
    percentile(times.collect(), 0.5)
}

/// Declares what is measured, over `walks` and their templates without a memo.
pub(super) fn declare(suite: &mut Suite, walks: &Rc<[Walk]>, templates: &Rc<[Arc<Template>]>) {
    let sessions = Sessions { walks: Rc::clone(walks), templates: Rc::clone(templates) };
    single(suite, &sessions);
    efficiency(suite, &sessions);
    documents(suite, &sessions);
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    suite.value("constraint-cache/mask/cores", Unit::Count, cores as f64);
}

/// One batch after a long time.
fn single(suite: &mut Suite, sessions: &Sessions) {
    let s = sessions.clone();
    suite.measure("constraint-cache/mask/32/one-by-one", Unit::Nanos, move || {
        median((0..9).map(|_| one_by_one(&mut s.batch()).iter().sum()))
    });
    let s = sessions.clone();
    suite.measure("constraint-cache/mask/32/many", Unit::Nanos, move || {
        let mut matrix = MaskMatrix::new();
        let times = (0..10).map(|_| many(&mut s.batch(), &mut matrix));
        median(times.skip(1))
    });
    let s = sessions.clone();
    suite.measure("constraint-cache/mask/32/longest-share", Unit::Share, move || {
        let rows = one_by_one(&mut s.batch());
        rows.iter().copied().fold(0.0, f64::max) / rows.iter().sum::<f64>()
    });
    let s = sessions.clone();
    suite.measure("constraint-cache/mask/32/no-sharing", Unit::Nanos, move || {
        median((0..9).map(|_| no_sharing(&s)))
    });
}

/// What a batch could take at best: each thread has made its sessions itself and is awake, and
/// nothing is shared but the machine. The time of the slowest thread.
fn no_sharing(sessions: &Sessions) -> f64 {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    // The longest first, to whoever has least.
    let times = one_by_one(&mut sessions.batch());
    let mut order: Vec<usize> = (0..32).collect();
    order.sort_by(|a, b| times[*b].total_cmp(&times[*a]));
    let mut shares = vec![(0.0f64, Vec::new()); threads];
    for i in order {
        if let Some(least) = shares.iter_mut().min_by(|a, b| a.0.total_cmp(&b.0)) {
            least.0 += times[i];
            least.1.push(i);
        }
    }
    let awake = AtomicUsize::new(0);
    let documents = sessions.longer(4);
    let run = |share: Vec<usize>| {
        let mut mine = in_the_middle(&documents, share);
        awake.fetch_add(1, Ordering::AcqRel);
        while awake.load(Ordering::Acquire) < threads {
            std::hint::spin_loop();
        }
        one_by_one(&mut mine).iter().sum::<f64>()
    };
    std::thread::scope(|scope| {
        let run = &run;
        let all: Vec<_> =
            shares.into_iter().map(|share| scope.spawn(move || run(share.1))).collect();
        all.into_iter().map(|thread| thread.join().unwrap_or(f64::NAN)).fold(0.0, f64::max)
    })
}

/// How much of what is to be had a batch gets.
fn efficiency(suite: &mut Suite, sessions: &Sessions) {
    let Ok(pool) = ThreadPoolBuilder::new().build() else { return };
    let pool = Rc::new(pool);
    let (s, p) = (sessions.clone(), Rc::clone(&pool));
    suite.measure("constraint-cache/mask/32/cores-to-be-had", Unit::Ratio, move || {
        let work = one_by_one(&mut s.batch()).iter().sum::<f64>() / 1e9;
        median((0..15).map(|_| cores_to_be_had(&p, work)))
    });
    let s = sessions.clone();
    // In turns, so that whatever else the machine does meets all.
    suite.measure("constraint-cache/mask/32/efficiency", Unit::Ratio, move || {
        let mut matrix = MaskMatrix::new();
        median((0..15).map(|_| {
            let rows = one_by_one(&mut s.batch());
            let cores = cores_to_be_had(&pool, rows.iter().sum::<f64>() / 1e9);
            let mut batch = s.batch();
            bound(&rows, cores) / pool.install(|| many(&mut batch, &mut matrix))
        }))
    });
}

/// Batches along whole documents: one after the other, and with a model's time in between, in which
/// threads fall asleep.
fn documents(suite: &mut Suite, sessions: &Sessions) {
    for (n, name, pause) in
        [(32, "along", None), (32, "paused", Some(PAUSE)), (4, "paused", Some(PAUSE))]
    {
        let id = |what| format!("constraint-cache/mask/{n}/{name}/{what}");
        let s = sessions.clone();
        suite.measure(id("one-by-one"), Unit::Nanos, move || {
            let mut masks = Vec::new();
            let mut all = |batch: &mut [Session]| {
                let words = batch[0].template().tokenizer().mask_words();
                masks.resize_with(batch.len(), || vec![0; words]);
                for (session, mask) in batch.iter_mut().zip(&mut masks) {
                    drop(black_box(session.mask(mask)));
                }
            };
            median((0..5).map(|_| s.along(n, pause, &mut all)))
        });
        let s = sessions.clone();
        suite.measure(id("many"), Unit::Nanos, move || {
            let mut matrix = MaskMatrix::new();
            let mut all = |batch: &mut [Session]| {
                black_box(mask_many(batch, &mut matrix, None));
            };
            median((0..5).map(|_| s.along(n, pause, &mut all)))
        });
    }
}
