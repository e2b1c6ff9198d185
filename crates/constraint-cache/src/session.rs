//! One output under way: what may come next, what was committed, what can be taken back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use edgekit_constraint_compile::llguidance::toktrie::SimpleVob;

use crate::cursor::Cursor;
use crate::memo::{Known, State, bit, tokens};
use crate::{Error, ErrorKind, Template};

/// A cursor in a template. Sessions of one template are independent of each other.
///
/// The engine's state is made and advanced only when it is needed: while the masks on the way are
/// memoised, a session costs a walk down a tree.
pub struct Session {
    template: Arc<Template>,
    engine: Cursor,
    /// What the engine allows after all tokens, if it was asked: most tokens that are validated
    /// were picked from the mask just computed, and then one bit answers.
    current: Option<SimpleVob>,
    tokens: Vec<u32>,
    /// Bytes of `tokens`.
    bytes: usize,
    ended: bool,
    /// The state after each prefix of `tokens`.
    states: Vec<State>,
    /// What is memoised of the last one, if it was looked for and found.
    known: Option<Arc<Known>>,
    /// The thread of a pool that had its last turn in a batch.
    pub(crate) thread: Option<usize>,
}

/// Why an output is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The end token was committed.
    EndToken,
    /// The grammar allows nothing more.
    GrammarEnd,
    /// The limit on tokens or bytes is reached, and the output may end here.
    Limit,
}

/// Whether an output can still end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// These tokens lead to an end.
    Ends(Vec<u32>),
    /// No tokens do: this is a dead end.
    Never,
    /// Not known after so many masks.
    Unknown,
}

impl Session {
    pub(crate) fn new(template: Arc<Template>) -> Self {
        let (states, known) = (vec![template.beginning], template.first.get().cloned());
        Session {
            template,
            engine: Cursor::default(),
            current: None,
            tokens: Vec::new(),
            bytes: 0,
            ended: false,
            states,
            known,
            thread: None,
        }
    }

    /// The template that the session was made from.
    pub fn template(&self) -> &Arc<Template> {
        &self.template
    }

    /// What was committed so far, the end token included.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The text so far.
    pub fn text(&self) -> Vec<u8> {
        self.template.tokenizer().decode(&self.tokens)
    }

    /// Writes one bit for each token into `out`: 1 if it may come next. Words beyond the
    /// vocabulary become 0. After the end only end tokens are allowed.
    ///
    /// # Errors
    /// [`ErrorKind::BufferTooSmall`]; [`ErrorKind::DeadEnd`] if nothing may come next and the
    /// output may not end here; [`ErrorKind::Engine`] if the engine gave up.
    pub fn mask(&mut self, out: &mut [u32]) -> Result<(), Error> {
        let words = self.template.tokenizer().mask_words();
        if out.len() < words {
            return Err(Error::new(
                ErrorKind::BufferTooSmall,
                format!("a mask takes {words} words and the buffer has {}", out.len()),
            ));
        }
        if self.ended {
            out.fill(0);
            self.template.tokenizer().end_tokens().iter().for_each(|end| set(out, *end));
            return Ok(());
        }
        let after = self.tokens.len();
        // Another session may have found it since the last token was committed.
        self.look();
        if let Some(Known { mask, .. }) = self.known.as_deref() {
            mask.write(out);
            if mask.open {
                self.engine.opens_after(after);
            }
            self.template.memo.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        self.template.memo.misses.fetch_add(1, Ordering::Relaxed);
        let (head, tail) = out.split_at_mut(words);
        tail.fill(0);
        self.compute(head)?;
        let open = self.engine.is_open_after(after);
        if after == 0 && self.template.memo.keeps() {
            let first = || Known::first(self.template.beginning, head, open);
            self.template.first.get_or_init(first);
        } else {
            self.template.memo.keep(&self.states, &self.tokens, head, open);
        }
        Ok(())
    }

    /// Whether the next mask is neither memoised nor plain.
    pub(crate) fn asks_engine(&self) -> bool {
        !self.ended && self.known.is_none()
    }

    /// Takes over what `other`, which is in the same state, has just found out with its mask.
    pub(crate) fn has_mask_of(&mut self, other: &Session) {
        debug_assert!(Arc::ptr_eq(&self.template, &other.template) && self.tokens == other.tokens);
        self.current.clone_from(&other.current);
        if other.engine.is_open_after(self.tokens.len()) {
            self.engine.opens_after(self.tokens.len());
        }
        self.template.memo.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a token can be committed now. Tokens that spell forced text in another way than the
    /// tokenizer would are valid, although the mask leaves them out.
    ///
    /// # Errors
    /// [`ErrorKind::Engine`] if the engine gave up.
    pub fn validate(&mut self, token: u32) -> Result<bool, Error> {
        if self.ended || !self.is_usable(token) {
            return Ok(false);
        }
        if self.current.as_ref().is_some_and(|mask| bit(mask.as_slice(), token))
            || self.known.as_ref().is_some_and(|known| known.mask.allows(token))
        {
            return Ok(true);
        }
        if self.is_end(token) {
            return self.is_accepting();
        }
        Ok(self.valid_tokens(&[token])? == 1)
    }

    /// Whether these bytes can come next. They may end inside of a character.
    ///
    /// # Errors
    /// [`ErrorKind::Engine`] if the engine gave up.
    pub fn validate_text(&mut self, text: impl AsRef<[u8]>) -> Result<bool, Error> {
        let text = text.as_ref();
        let tokens = self.template.tokenizer().engine().tokenizer().tokenize_bytes(text);
        if self.ended || !tokens.iter().all(|t| self.is_in_rules(*t)) || !self.has_room(&tokens) {
            return Ok(tokens.is_empty());
        }
        Ok(self.valid_tokens(&tokens)? == tokens.len())
    }

    /// Advances by a token. A token that is refused changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] if the token cannot come next; [`ErrorKind::Engine`].
    pub fn commit(&mut self, token: u32) -> Result<(), Error> {
        if !self.validate(token)? {
            return Err(Error::new(
                ErrorKind::Rejected,
                format!("token {token} cannot come after {} tokens", self.tokens.len()),
            ));
        }
        if self.is_end(token) {
            self.ended = true;
        } else {
            self.bytes += self.template.tokenizer().trie().token_len(token);
        }
        self.tokens.push(token);
        self.states.extend(self.states.last().map(|state| state.after(token)));
        self.current = None;
        self.known = None;
        self.look();
        if self.known.is_none() && !self.ended {
            // The engine will be needed: advancing it now is not the next mask's cost.
            self.engine.catch_up(&self.template, &self.tokens);
        }
        Ok(())
    }

    /// Advances by the tokens of a text, which may begin and end inside of a character: so a stream is
    /// taken as it comes. A text that is refused changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] if the text cannot come next; [`ErrorKind::Engine`].
    pub fn commit_text(&mut self, text: impl AsRef<[u8]>) -> Result<(), Error> {
        let before = self.tokens.len();
        let tokens = self.template.tokenizer().engine().tokenizer().tokenize_bytes(text.as_ref());
        let committed = tokens.into_iter().try_for_each(|token| self.commit(token));
        if committed.is_err() {
            self.rollback(self.tokens.len() - before)?;
        }
        committed
    }

    /// Takes the last `n` tokens back.
    ///
    /// # Errors
    /// [`ErrorKind::NothingToRollBack`] if there are fewer; then nothing has changed.
    pub fn rollback(&mut self, n: usize) -> Result<(), Error> {
        let Some(left) = self.tokens.len().checked_sub(n) else {
            return Err(Error::new(
                ErrorKind::NothingToRollBack,
                format!("{n} tokens cannot be taken back from {}", self.tokens.len()),
            ));
        };
        if n == 0 {
            return Ok(());
        }
        self.ended = false;
        self.current = None;
        self.tokens.truncate(left);
        self.states.truncate(left + 1);
        self.known = None;
        self.look();
        let trie = self.template.tokenizer().trie();
        self.bytes = self.tokens.iter().map(|t| trie.token_len(*t)).sum();
        self.engine.rollback(left);
        Ok(())
    }

    /// Back to the beginning, as a fresh session but for the engine's warm state.
    pub fn reset(&mut self) {
        if self.rollback(self.tokens.len()).is_err() {
            *self = Session::new(Arc::clone(&self.template));
        }
    }

    /// The tokens that must come next, whatever the model says; possibly none. They are not
    /// committed. With several parts nothing is forced.
    ///
    /// # Errors
    /// [`ErrorKind::Engine`] if the engine gave up.
    pub fn forced_tokens(&mut self) -> Result<Vec<u32>, Error> {
        if self.ended || self.template.parts() != 1 {
            return Ok(Vec::new());
        }
        let mut forced = self.engine.forced(&self.template, &self.tokens)?;
        while !self.has_room(&forced) || !forced.iter().all(|t| self.is_in_rules(*t)) {
            forced.pop();
        }
        Ok(forced)
    }

    /// Whether the output may end here.
    ///
    /// # Errors
    /// [`ErrorKind::Engine`] if the engine gave up.
    pub fn is_accepting(&mut self) -> Result<bool, Error> {
        if self.ended {
            return Ok(true);
        }
        self.engine.is_accepting(&self.template, &self.tokens)
    }

    /// Why the output is over, if it is.
    ///
    /// # Errors
    /// [`ErrorKind::Engine`] if the engine gave up.
    pub fn stop(&mut self) -> Result<Option<Stop>, Error> {
        if self.ended {
            return Ok(Some(Stop::EndToken));
        }
        if !self.is_accepting()? {
            return Ok(None);
        }
        let full = self.tokens_left() == 0 || self.bytes_left() == 0;
        let over = self.engine.is_over(&self.template, &self.tokens)?;
        Ok(if over { Some(Stop::GrammarEnd) } else { full.then_some(Stop::Limit) })
    }

    /// Applies a mask to logits: what is not allowed becomes negative infinity, what is allowed
    /// gets its bias. So a bias never lets in what the constraints keep out. Logits beyond the
    /// vocabulary, with which models pad theirs, are not allowed.
    ///
    /// # Panics
    /// If `mask` is shorter than [`Tokenizer::mask_words`](crate::Tokenizer::mask_words).
    #[track_caller]
    pub fn apply(&self, mask: &[u32], logits: &mut [f32]) {
        let words = self.template.tokenizer().mask_words();
        assert!(mask.len() >= words, "a mask of {} words and not {words}", mask.len());
        for (token, logit) in logits.iter_mut().enumerate() {
            if !bit(mask, token as u32) {
                *logit = f32::NEG_INFINITY;
            }
        }
        for (token, bias) in self.template.biases() {
            if let Some(logit) = logits.get_mut(*token as usize).filter(|_| bit(mask, *token)) {
                *logit += bias;
            }
        }
    }

    /// Looks for tokens that lead to an end, at most `budget` masks far. The session is unchanged.
    ///
    /// # Errors
    /// [`ErrorKind::Engine`] if the engine gave up.
    pub fn can_end(&mut self, budget: usize) -> Result<Reach, Error> {
        let start = self.tokens.len();
        let mut left = budget;
        let reach = self.search(&mut left).map(|found| match found {
            true => Reach::Ends(self.tokens[start..].to_vec()),
            false if left > 0 => Reach::Never,
            false => Reach::Unknown,
        });
        self.rollback(self.tokens.len() - start)?;
        reach
    }

    /// Depth first, the shortest tokens first, since they close brackets and quotes.
    fn search(&mut self, left: &mut usize) -> Result<bool, Error> {
        let mut open: Vec<(usize, u32)> = Vec::new();
        let mut mask = vec![0; self.template.tokenizer().mask_words()];
        let base = self.tokens.len();
        loop {
            if *left == 0 {
                return Ok(false);
            }
            *left -= 1;
            match self.mask(&mut mask) {
                Ok(())
                    if self
                        .template
                        .tokenizer()
                        .end_tokens()
                        .iter()
                        .any(|end| bit(&mask, *end)) =>
                {
                    return Ok(true);
                }
                Ok(()) => {
                    let depth = self.tokens.len();
                    // More than there are masks left can not all be tried.
                    let closing = self.template.tokenizer().closing_first().iter();
                    let next = closing.filter(|t| bit(&mask, **t)).take(*left + 1);
                    let at = open.len();
                    open.extend(next.map(|t| (depth, *t)));
                    open[at..].reverse();
                }
                Err(e) if e.kind() == ErrorKind::DeadEnd => {}
                Err(e) => return Err(e),
            }
            let Some((depth, token)) = open.pop() else {
                debug_assert!(self.tokens.len() >= base);
                return Ok(false);
            };
            self.rollback(self.tokens.len() - depth)?;
            self.commit(token)?;
        }
    }

    fn compute(&mut self, out: &mut [u32]) -> Result<(), Error> {
        let tokens_left = self.tokens_left();
        let bytes_left = self.bytes_left();
        let mask = self.engine.mask(&self.template, &self.tokens)?.ok_or_else(dead_end)?;
        out.copy_from_slice(&mask.as_slice()[..out.len()]);
        self.current = Some(mask);
        // The engine itself never answers with an empty mask.
        let mut narrowed = self.template.parts() > 1;
        if let Some(allowed) = self.template.allowed() {
            narrowed = true;
            out.iter_mut().zip(allowed).for_each(|(a, b)| *a &= b);
        }
        let trie = self.template.tokenizer().trie();
        if tokens_left == 0 {
            narrowed = true;
            let ends = self.template.tokenizer().end_tokens();
            let may_end: Vec<u32> = ends.iter().copied().filter(|end| bit(out, *end)).collect();
            out.fill(0);
            may_end.into_iter().for_each(|end| set(out, end));
        } else if bytes_left < trie.max_token_len() {
            narrowed = true;
            let too_long: Vec<u32> = tokens(out)
                .filter(|t| !self.is_end(*t) && trie.token_len(*t) > bytes_left)
                .collect();
            too_long.into_iter().for_each(|t| out[t as usize / 32] &= !(1 << (t % 32)));
        }
        if narrowed && out.iter().all(|w| *w == 0) { Err(dead_end()) } else { Ok(()) }
    }

    fn valid_tokens(&mut self, next: &[u32]) -> Result<usize, Error> {
        self.engine.valid(&self.template, &self.tokens, next)
    }

    /// Looks for what is memoised of this state.
    fn look(&mut self) {
        if self.known.is_none() && !self.ended {
            self.known = match self.tokens.is_empty() {
                true => self.template.first.get().cloned(),
                false => self.template.memo.find(&self.states, &self.tokens),
            };
        }
    }

    fn is_usable(&self, token: u32) -> bool {
        let known = (token as usize) < self.template.tokenizer().vocabulary();
        known && (self.is_end(token) || self.is_in_rules(token) && self.has_room(&[token]))
    }

    fn is_end(&self, token: u32) -> bool {
        self.template.tokenizer().end_tokens().contains(&token)
    }

    fn is_in_rules(&self, token: u32) -> bool {
        self.template.allowed().is_none_or(|allowed| bit(allowed, token))
    }

    fn has_room(&self, tokens: &[u32]) -> bool {
        let trie = self.template.tokenizer().trie();
        tokens.len() <= self.tokens_left()
            && tokens.iter().map(|t| trie.token_len(*t)).sum::<usize>() <= self.bytes_left()
    }

    fn tokens_left(&self) -> usize {
        let max = self.template.limit().max_tokens.map_or(usize::MAX, |n| n as usize);
        max.saturating_sub(self.tokens.len())
    }

    fn bytes_left(&self) -> usize {
        let max = self.template.limit().max_bytes.map_or(usize::MAX, |n| n as usize);
        max.saturating_sub(self.bytes)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.template.retire(std::mem::take(&mut self.engine));
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("template", &self.template)
            .field("tokens", &self.tokens)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

fn set(words: &mut [u32], token: u32) {
    words[token as usize / 32] |= 1 << (token % 32);
}

fn dead_end() -> Error {
    Error::new(
        ErrorKind::DeadEnd,
        "nothing may come next and the output may not end here: constraints or limits exclude \
         each other; roll back or loosen one",
    )
}
