//! Batches: the same masks as one by one, in aligned rows, within a deadline.

use std::time::Instant;

use edgekit_constraint_cache::{MaskMatrix, Row, Session, mask_many};
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
