//! Batches: the same masks as one by one, in aligned rows, within a deadline.

use std::time::Instant;

use edgekit_constraint_cache::{Awake, ErrorKind, MaskMatrix, Row, Session, mask_many, step_many};
use serde_json::json;

use crate::support::*;

fn sessions(n: usize) -> Vec<Session> {
    let cache = cache();
    let schemas = [
        json!({"type": "object"}),
        json!({"type": "string", "pattern": "^[a-f]+$"}),
        json!({"type": "array", "items": {"type": "number"}}),
    ];
    (0..n)
        .map(|i| {
            let mut session = cache.schema(&schemas[i % 3]).unwrap().session();
            let start = session.template().tokenizer().encode(["{\"", "\"a", "[1"][i % 3]);
            start.into_iter().for_each(|t| session.commit(t).unwrap());
            session
        })
        .collect()
}

#[test]
fn a_batch_equals_one_by_one() {
    let mut many = sessions(12);
    let mut matrix = MaskMatrix::new();
    assert_eq!(mask_many(&mut many, &mut matrix, None), 12);
    assert_eq!(matrix.row_words() % 16, 0);
    assert_eq!(matrix.words().as_ptr() as usize % 64, 0);
    assert_eq!(matrix.words().len(), 12 * matrix.row_words());
    for (i, session) in sessions(12).iter_mut().enumerate() {
        let mut alone = vec![0; matrix.row_words()];
        session.mask(&mut alone).unwrap();
        assert_eq!(matrix.row(i), alone);
    }
    let place = matrix.words().as_ptr();
    mask_many(&mut many[..5], &mut matrix, None);
    assert_eq!((matrix.rows().len(), matrix.words().as_ptr()), (5, place));
    assert_eq!(mask_many(&mut [], &mut matrix, None), 0);
}

#[test]
fn rows_after_the_deadline_say_so() {
    let mut many = sessions(6);
    let mut matrix = MaskMatrix::new();
    mask_many(&mut many, &mut matrix, None);
    assert_eq!(mask_many(&mut many, &mut matrix, Some(Instant::now())), 0);
    assert!(matrix.rows().iter().all(|row| matches!(row, Row::Late)));
    assert!(matrix.words().iter().all(|word| *word == 0));
}

/// Samples of one prompt: one computation, and each goes its own way from there.
#[test]
fn equal_states_are_computed_once() {
    let cache = cache();
    let template = cache.schema(&json!({"type": "string", "pattern": "[0-9]{2}-[0-9]"})).unwrap();
    let start = cache.tokenizer().encode("\"on 12");
    let other = cache.tokenizer().encode("\"on 3");
    assert_eq!((start.len(), start.last() == other.last()), (other.len(), false));
    let begun = |tokens: &[u32]| {
        let mut session = template.session();
        tokens.iter().for_each(|t| session.commit(*t).unwrap());
        session
    };
    let mut many: Vec<Session> =
        (0..6).map(|i| begun(if i == 4 { &other } else { &start })).collect();
    let mut matrix = MaskMatrix::new();
    let before = cache.stats();
    assert_eq!(mask_many(&mut many, &mut matrix, None), 6);
    let after = cache.stats();
    assert_eq!(after.mask_misses - before.mask_misses, 2);
    assert_eq!(after.mask_hits - before.mask_hits, 4);
    for (i, session) in many.iter_mut().enumerate() {
        let mut alone = vec![0; matrix.row_words()];
        begun(session.tokens()).mask(&mut alone).unwrap();
        assert!(matrix.row(i) == alone, "{i}");
        let token = allowed(&alone)[i * 1000];
        assert!(session.validate(token).unwrap());
        session.commit(token).unwrap();
        let mut next = vec![0; matrix.row_words()];
        session.mask(&mut next).unwrap();
        begun(session.tokens()).mask(&mut alone).unwrap();
        assert!(next == alone, "{i} after {token}");
    }
}

/// A batch along random tokens, some of which are refused or left out, against sessions that go alone.
#[test]
fn steps_equal_commits_and_masks_one_by_one() {
    let _awake = Awake::new();
    let (mut many, mut alone) = (sessions(24), sessions(24));
    let mut matrix = MaskMatrix::new();
    mask_many(&mut many, &mut matrix, None);
    let mut random = 1u64;
    let mut seen = [0; 3];
    for step in 0..12 {
        let tokens: Vec<Option<u32>> = (0..24)
            .map(|i| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let allowed = allowed(matrix.row(i));
                let any = (random >> 33) as usize;
                match (any % 8, allowed.len()) {
                    (0, _) | (_, 0) => None,
                    (1, _) => (0..200_000).find(|t| !allowed.contains(t)),
                    (_, n) => Some(allowed[any % n]),
                }
            })
            .collect();
        step_many(&mut many, &tokens, &mut matrix, None);
        for (i, (session, token)) in alone.iter_mut().zip(tokens).enumerate() {
            let committed = token.map_or(Ok(()), |token| session.commit(token));
            let mut mask = vec![0; matrix.row_words()];
            match (&matrix.rows()[i], committed.and_then(|()| session.mask(&mut mask))) {
                (Row::Ready, Ok(())) => seen[usize::from(token.is_some())] += 1,
                (Row::Failed(there), Err(here)) => {
                    assert_eq!(there.kind(), here.kind());
                    seen[2] += usize::from(here.kind() == ErrorKind::Rejected);
                    mask.fill(0);
                }
                (there, here) => panic!("{there:?} and {here:?} for {i} in step {step}"),
            }
            assert!(matrix.row(i) == mask, "{i} in step {step}");
            assert_eq!(many[i].tokens(), session.tokens());
            assert_eq!(many[i].is_accepting().unwrap(), session.is_accepting().unwrap());
            session.mask(&mut mask).unwrap();
        }
        // The rows of refused tokens are zeros, and the next step picks from all.
        mask_many(&mut many, &mut matrix, None);
    }
    assert!(seen.into_iter().all(|n| n > 10), "{seen:?}");
}

#[test]
fn tokens_are_committed_after_the_deadline_too() {
    let mut many = sessions(6);
    let tokens: Vec<Option<u32>> =
        many.iter().map(|s| s.template().tokenizer().encode("1").pop()).collect();
    let before: Vec<usize> = many.iter().map(|s| s.tokens().len()).collect();
    let mut matrix = MaskMatrix::new();
    assert_eq!(step_many(&mut many, &tokens, &mut matrix, Some(Instant::now())), 0);
    for (i, row) in matrix.rows().iter().enumerate() {
        // A digit fits into a name and a number, but not into `[a-f]+`.
        let taken = i % 3 != 1;
        assert_eq!(matches!(row, Row::Late), taken, "{i}: {row:?}");
        assert_eq!(many[i].tokens().len(), before[i] + usize::from(taken), "{i}");
    }
    assert_eq!(mask_many(&mut many, &mut matrix, None), 6);
}

/// Samples of one prompt that pick the same token stay together, and others part.
#[test]
fn sessions_that_take_the_same_token_share_its_mask() {
    let cache = cache();
    let template = cache.schema(&json!({"type": "string", "pattern": "[0-9]{3}"})).unwrap();
    let mut many: Vec<Session> = (0..6).map(|_| template.session()).collect();
    let quote = cache.tokenizer().encode("\"").pop();
    let mut matrix = MaskMatrix::new();
    assert_eq!(step_many(&mut many, &[quote; 6], &mut matrix, None), 6);
    let [one, two] = ["1", "2"].map(|text| cache.tokenizer().encode(text).pop());
    let refused = cache.tokenizer().encode("\n").pop();
    let before = cache.stats();
    let tokens = [one, two, one, refused, refused, one];
    assert_eq!(step_many(&mut many, &tokens, &mut matrix, None), 4);
    let after = cache.stats();
    assert_eq!(after.mask_misses - before.mask_misses, 2);
    assert_eq!(after.mask_hits - before.mask_hits, 2);
    assert!(matrix.row(0) == matrix.row(2) && matrix.row(0) == matrix.row(5));
    for i in [3, 4] {
        let Row::Failed(e) = &matrix.rows()[i] else { panic!("a token that was refused") };
        assert_eq!((e.kind(), many[i].tokens().len()), (ErrorKind::Rejected, 1));
        assert!(matrix.row(i).iter().all(|word| *word == 0));
    }
}

#[test]
#[should_panic(expected = "a token for each session")]
fn a_step_takes_a_token_for_each_session() {
    step_many(&mut sessions(2), &[None], &mut MaskMatrix::new(), None);
}
