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
/// by then does not wait for them. [`Awake`](crate::Awake) keeps them awake between batches.
///
/// Sessions of one template that have committed the same tokens, such as samples of one prompt, are
/// in the same state, whose mask is computed once and copied. Sessions of different vocabularies may
/// share a batch; rows are as wide as the widest.
pub fn mask_many(
    sessions: &mut [Session],
    matrix: &mut MaskMatrix,
    deadline: Option<Instant>,
) -> usize {
    advance(sessions, |_| None, matrix, deadline)
}

/// Commits a token to each session, or none, and computes the masks that follow as [`mask_many`] does.
/// Tokens are committed whatever the deadline; a row whose token was refused has failed with
/// [`Rejected`](crate::ErrorKind::Rejected), and its session is as it was.
///
/// This is faster than commits one by one and `mask_many`: a session stays with the thread that has
/// advanced it before, in whose cache and heap the engine has built what it needs.
///
/// # Panics
/// If there are not as many `tokens` as sessions.
#[track_caller]
pub fn step_many(
    sessions: &mut [Session],
    tokens: &[Option<u32>],
    matrix: &mut MaskMatrix,
    deadline: Option<Instant>,
) -> usize {
    assert!(tokens.len() == sessions.len(), "a token for each session, if it is none");
    advance(sessions, |i| tokens[i], matrix, deadline)
}

fn advance(
    sessions: &mut [Session],
    token: impl Fn(usize) -> Option<u32>,
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
    let firsts = firsts(sessions, &token);
    let asks =
        |(i, s): (usize, &Session)| firsts[i] == i && (s.asks_engine() || token(i).is_some());
    let asking = sessions.iter().enumerate().filter(|turn| asks(*turn)).count();
    let threads = rayon::current_num_threads();
    let rows = matrix.words.chunks_exact_mut(matrix.row_words).zip(&mut matrix.rows);
    let turns = sessions.iter_mut().zip(rows).enumerate().map(|(i, (session, (words, row)))| {
        Turn { session, token: token(i), words: (firsts[i] == i).then_some(words), row }
    });
    let queue = Mutex::new(Queue::of(turns, threads));
    with_helpers(asking.min(threads).saturating_sub(1), || {
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        while let Some(turn) = next() {
            turn.take(deadline);
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

/// What there is to do for a session.
struct Turn<'a> {
    session: &'a mut Session,
    token: Option<u32>,
    /// Where its mask belongs, unless it is another's.
    words: Option<&'a mut [u32]>,
    row: &'a mut Row,
}

impl Turn<'_> {
    fn take(self, deadline: Option<Instant>) {
        let committed = self.token.map_or(Ok(()), |token| self.session.commit(token));
        let Some(words) = self.words else { return };
        let late = || deadline.is_some_and(|at| Instant::now() >= at);
        *self.row = match committed {
            Ok(()) if late() => Row::Late,
            Ok(()) => self.session.mask(words).map_or_else(Row::Failed, |()| Row::Ready),
            Err(e) => Row::Failed(e),
        };
        if !matches!(self.row, Row::Ready) {
            words.fill(0);
        }
    }
}

/// What is left to do, by the thread that had the session's last turn: what the engine has
/// built since lies in that thread's heap and in its core's cache.
struct Queue<'a> {
    /// One for each thread of the pool, one for a caller from elsewhere, and one for new sessions.
    of_threads: Vec<Vec<Turn<'a>>>,
}

impl<'a> Queue<'a> {
    fn of(turns: impl Iterator<Item = Turn<'a>>, threads: usize) -> Self {
        let mut of_threads: Vec<Vec<Turn<'a>>> = (0..threads + 2).map(|_| Vec::new()).collect();
        for turn in turns {
            let thread = turn.session.thread.map_or(threads + 1, |thread| thread.min(threads));
            of_threads[thread].push(turn);
        }
        of_threads.iter_mut().for_each(|turns| turns.reverse());
        Queue { of_threads }
    }

    /// The calling thread's own first, then new sessions, then from whoever has most left.
    fn next(&mut self) -> Option<Turn<'a>> {
        let threads = self.of_threads.len() - 2;
        let here = rayon::current_thread_index().unwrap_or(threads).min(threads);
        let longest = (0..=threads).max_by_key(|thread| self.of_threads[*thread].len())?;
        let from = [here, threads + 1, longest];
        let turn = from.into_iter().find_map(|thread| self.of_threads[thread].pop())?;
        turn.session.thread = Some(here);
        Some(turn)
    }
}

/// For each session the first one that will be in the same state, which may be itself.
fn firsts(sessions: &[Session], token: impl Fn(usize) -> Option<u32>) -> Vec<usize> {
    let mut seen: HashMap<_, Vec<usize>> = HashMap::new();
    let first = |(i, session): (usize, &Session)| {
        let (tokens, next) = (session.tokens(), token(i));
        // Whole outputs are long to hash and seldom agree in so much.
        let like = (Arc::as_ptr(session.template()), tokens.len(), tokens.last().copied(), next);
        let alike = seen.entry(like).or_default();
        let first = alike.iter().copied().find(|first| sessions[*first].tokens() == tokens);
        first.unwrap_or_else(|| {
            alike.push(i);
            i
        })
    };
    sessions.iter().enumerate().map(first).collect()
}
