//! Masks of many sessions at once, in one buffer that can be copied to a device as it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aligned_vec::{AVec, ConstAlign};

use crate::door::with_helpers;
use crate::{Error, Session};

/// Bytes to which rows are aligned and padded.
const ROW_ALIGNMENT: usize = 64;

/// What became of a row.
#[derive(Clone, Debug)]
pub enum Row {
    /// The mask is there.
    Ready,
    /// The deadline was over before the row's turn came; the row is all zeros. Ask again.
    Late,
    /// There is no mask; the row is all zeros.
    Failed(Error),
}

/// Masks of a batch, a row each, in one buffer aligned to 64 bytes. Keep it: from the second batch
/// of a size on it allocates nothing.
#[derive(Debug)]
pub struct MaskMatrix {
    words: AVec<u32, ConstAlign<ROW_ALIGNMENT>>,
    row_words: usize,
    rows: Vec<Row>,
}

impl MaskMatrix {
    /// An empty matrix.
    pub fn new() -> Self {
        MaskMatrix { words: AVec::new(ROW_ALIGNMENT), row_words: 0, rows: Vec::new() }
    }

    /// All rows, one after the other.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// The distance between rows, in 32-bit words: a multiple of 16.
    pub fn row_words(&self) -> usize {
        self.row_words
    }

    /// What became of each row.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The mask of one session.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn row(&self, row: usize) -> &[u32] {
        &self.words[row * self.row_words..(row + 1) * self.row_words]
    }
}

impl Default for MaskMatrix {
    fn default() -> Self {
        Self::new()
    }
}

/// Computes the masks of all sessions, and how many are ready. Rows whose turn comes after the
/// deadline are left out and say so; a mask that has begun is finished.
///
/// The calling thread works, and rayon's threads help as soon as they are awake: a batch that is over
/// by then does not wait for them.
///
/// Sessions of one template that have committed the same tokens, such as samples of one prompt, are
/// in the same state, whose mask is computed once and copied. Sessions of different vocabularies may
/// share a batch; rows are as wide as the widest.
pub fn mask_many(
    sessions: &mut [Session],
    matrix: &mut MaskMatrix,
    deadline: Option<Instant>,
) -> usize {
    let words = sessions.iter().map(|s| s.template().tokenizer().mask_words()).max().unwrap_or(0);
    matrix.row_words = words.next_multiple_of(ROW_ALIGNMENT / size_of::<u32>());
    matrix.words.resize(sessions.len() * matrix.row_words, 0);
    matrix.rows.clear();
    matrix.rows.resize(sessions.len(), Row::Late);
    if matrix.row_words == 0 {
        return 0;
    }
    let firsts = firsts(sessions);
    let computed = sessions.iter().enumerate().filter(|(i, s)| firsts[*i] == *i && s.asks_engine());
    let helpers = computed.count().min(rayon::current_num_threads()).saturating_sub(1);
    let rows = matrix.words.chunks_exact_mut(matrix.row_words).zip(&mut matrix.rows);
    let all = sessions.iter_mut().zip(rows).enumerate().filter(|(i, _)| firsts[*i] == *i);
    let queue = Mutex::new(all);
    with_helpers(helpers, || {
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        while let Some((_, (session, (words, row)))) = next() {
            *row = match deadline.is_some_and(|at| Instant::now() >= at) {
                true => Row::Late,
                false => match session.mask(words) {
                    Ok(()) => Row::Ready,
                    Err(e) => Row::Failed(e),
                },
            };
            if !matches!(row, Row::Ready) {
                words.fill(0);
            }
        }
    });
    for (i, first) in firsts.into_iter().enumerate().filter(|(i, first)| first < i) {
        let start = first * matrix.row_words;
        matrix.words.copy_within(start..start + matrix.row_words, i * matrix.row_words);
        matrix.rows[i] = matrix.rows[first].clone();
        if matches!(matrix.rows[i], Row::Ready) {
            let (before, after) = sessions.split_at_mut(i);
            after[0].has_mask_of(&before[first]);
        }
    }
    matrix.rows.iter().filter(|row| matches!(row, Row::Ready)).count()
}

/// For each session the first one in the same state, which may be itself.
fn firsts(sessions: &[Session]) -> Vec<usize> {
    let mut seen: HashMap<_, Vec<usize>> = HashMap::new();
    let first = |(i, session): (usize, &Session)| {
        let tokens = session.tokens();
        // Whole outputs are long to hash and seldom agree in so much.
        let like = (Arc::as_ptr(session.template()), tokens.len(), tokens.last().copied());
        let alike = seen.entry(like).or_default();
        let first = alike.iter().copied().find(|first| sessions[*first].tokens() == tokens);
        first.unwrap_or_else(|| {
            alike.push(i);
            i
        })
    };
    sessions.iter().enumerate().map(first).collect()
}
