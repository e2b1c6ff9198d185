//! The engine behind a session: woken late, put right when it gives up, handed on when it is done.
//!
//! The engine finds out the states of its lexer as it goes, which is most of what a token costs
//! the first time. So the matchers of a session that is over are kept, back at their beginning,
//! for the next session of the template. They remember states and nothing else.
//!
//! The engine spends *fuel* on states it has not seen and refills it only when it computes a mask.
//! Without any left it refuses tokens that the grammar allows. Whoever comes after others may have
//! little: so a refusal is looked into, and a matcher without fuel is replaced by a fresh one.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use edgekit_constraint_compile::llguidance::Matcher;
use edgekit_constraint_compile::llguidance::toktrie::SimpleVob;
use edgekit_constraint_compile::{compute_mask, ran_out_of_fuel};

use crate::memo::Memo;
use crate::{Error, ErrorKind, Template};

/// A session's place in the engine. A template's parts advance together.
#[derive(Default)]
pub(crate) struct Cursor {
    matchers: Vec<Matcher>,
    /// How many tokens the matchers have taken.
    fed: usize,
    /// What the lexers know beyond the template's, in the engine's units of fuel.
    learned: usize,
    /// From which number of tokens to which it is known that any text may follow, if it is.
    open: Option<(usize, usize)>,
}

/// Matchers at their beginning that know more than the template's.
pub(crate) struct Spare {
    matchers: Vec<Matcher>,
    learned: usize,
    bytes: usize,
    memo: Arc<Memo>,
}

/// What a part of a template takes, about.
const PART_BYTES: usize = 128 << 10;

/// What a unit of fuel leaves behind in a lexer, about; a token leaves less.
const LEARNED_BYTES: usize = 64;

/// What takes more is not kept: one output may visit states that no other will.
const MAX_SPARE_BYTES: usize = 4 << 20;

impl Spare {
    /// Counts the matchers, if there is room.
    fn new(cursor: Cursor, memo: &Arc<Memo>) -> Option<Self> {
        let bytes = cursor.matchers.len() * PART_BYTES + cursor.learned * LEARNED_BYTES;
        (bytes <= MAX_SPARE_BYTES && memo.take_spare(bytes)).then(|| Spare {
            matchers: cursor.matchers,
            learned: cursor.learned,
            bytes,
            memo: Arc::clone(memo),
        })
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        self.memo.give_back(self.bytes);
    }
}

impl Cursor {
    /// Whether the engine was ever asked for.
    pub(crate) fn is_awake(&self) -> bool {
        !self.matchers.is_empty()
    }

    /// The engine after all of `tokens`, of which it has taken the first ones already.
    fn after(&mut self, template: &Template, tokens: &[u32]) -> Result<&mut [Matcher], Error> {
        if self.matchers.is_empty() {
            (self.matchers, self.learned) = match template.take_spare() {
                Some(mut spare) => (std::mem::take(&mut spare.matchers), spare.learned),
                None => (template.fresh_matchers(), 0),
            };
        }
        let new = &tokens[self.fed..];
        if !new.is_empty() {
            for matcher in &mut self.matchers {
                matcher.consume_tokens(new).map_err(|e| gave_up(&e))?;
            }
            self.learned += new.len();
            self.fed = tokens.len();
        }
        Ok(&mut self.matchers)
    }

    /// Asks the engine after `tokens`; if it gives up, asks a fresh one, whose word is final. What
    /// has given up is not asked again.
    fn ask<T>(
        &mut self,
        template: &Template,
        tokens: &[u32],
        question: impl Fn(&mut [Matcher]) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.after(template, tokens).and_then(&question) {
            // It knew nothing beyond these tokens: a fresh one would say the same.
            Err(e) if self.learned == self.fed => {
                *self = Cursor::default();
                return Err(e);
            }
            Err(_) => {}
            answer => return answer,
        }
        *self = Cursor { matchers: template.fresh_matchers(), ..Cursor::default() };
        let answer = self.after(template, tokens).and_then(question);
        if answer.is_err() {
            *self = Cursor::default();
        }
        answer
    }

    /// Whether it was found that any text may follow after so many tokens.
    pub(crate) fn is_open_after(&self, tokens: usize) -> bool {
        self.open.is_some_and(|(from, to)| (from..=to).contains(&tokens))
    }

    /// Says that any text may follow after so many tokens, as another session has found.
    pub(crate) fn opens_after(&mut self, tokens: usize) {
        if !self.is_open_after(tokens) {
            self.open = Some((tokens, tokens));
        }
    }

    /// Takes in what was committed, if the engine is awake.
    pub(crate) fn catch_up(&mut self, template: &Template, tokens: &[u32]) {
        if self.is_awake() {
            // If it fails, whoever asks next is told.
            let _ = self.after(template, tokens);
        }
    }

    /// Computes what every part allows after `tokens`, or `None` if that is nothing.
    pub(crate) fn mask(
        &mut self,
        template: &Template,
        tokens: &[u32],
    ) -> Result<Option<SimpleVob>, Error> {
        let engine = template.tokenizer().engine();
        let is_text = |tokens: &[u32]| tokens.iter().all(|t| engine.is_text(*t));
        let since = self.open.filter(|(_, to)| is_text(&tokens[*to..])).map(|(from, _)| from);
        let known = since.is_some();
        let open = Cell::new(known);
        let found = self.ask(template, tokens, |matchers| {
            let mut joined: Option<SimpleVob> = None;
            for matcher in matchers {
                let mut after = known;
                let mask = compute_mask(matcher, &mut after);
                open.set(after);
                let mask = match mask {
                    Ok(mask) => mask,
                    Err(e) if matcher.stop_reason().is_ok() || nothing_fits(&e) => return Ok(None),
                    Err(e) => return Err(gave_up(&e)),
                };
                match &mut joined {
                    None => joined = Some(mask),
                    Some(joined) => joined.and(&mask),
                }
            }
            Ok(joined)
        });
        let spent = |m: &Matcher| m.last_step_stats().map_or(0, |stats| stats.lexer_cost as usize);
        self.learned += self.matchers.iter().map(spent).sum::<usize>();
        self.open = open.get().then_some((since.unwrap_or(tokens.len()), tokens.len()));
        found
    }

    /// How many of the tokens `next` can come after `tokens`.
    pub(crate) fn valid(
        &mut self,
        template: &Template,
        tokens: &[u32],
        next: &[u32],
    ) -> Result<usize, Error> {
        self.ask(template, tokens, |matchers| {
            let mut least = next.len();
            for matcher in matchers.iter_mut().filter(|_| !next.is_empty()) {
                let valid = match matcher.is_stopped() {
                    true => 0,
                    false => matcher.validate_tokens(next).map_err(|e| gave_up(&e))?,
                };
                let last = tokens.last().copied();
                if valid < next.len() && ran_out_of_fuel(matcher, last, next[0]) {
                    return Err(gave_up(&"the lexer ran out of fuel"));
                }
                least = least.min(valid);
            }
            Ok(least)
        })
    }

    /// Whether every part may end after `tokens`.
    pub(crate) fn is_accepting(
        &mut self,
        template: &Template,
        tokens: &[u32],
    ) -> Result<bool, Error> {
        self.ask(template, tokens, |matchers| {
            let mut all = true;
            for matcher in matchers {
                all &= matcher.is_accepting().map_err(|e| gave_up(&e))?;
            }
            Ok(all)
        })
    }

    /// Whether some part allows nothing more after `tokens`.
    pub(crate) fn is_over(&mut self, template: &Template, tokens: &[u32]) -> Result<bool, Error> {
        self.ask(template, tokens, |matchers| Ok(matchers.iter().any(Matcher::is_stopped)))
    }

    /// What must come after `tokens` by the first part.
    pub(crate) fn forced(
        &mut self,
        template: &Template,
        tokens: &[u32],
    ) -> Result<Vec<u32>, Error> {
        self.ask(template, tokens, |matchers| {
            Ok(matchers.first_mut().map(Matcher::compute_ff_tokens).unwrap_or_default())
        })
    }

    /// Back to where only `left` tokens were taken.
    pub(crate) fn rollback(&mut self, left: usize) {
        let back = self.fed.saturating_sub(left);
        self.fed -= back;
        self.open =
            self.open.filter(|(from, _)| *from <= left).map(|(from, to)| (from, to.min(left)));
        for matcher in &mut self.matchers {
            if matcher.rollback(back).is_err() {
                // The engine cannot go back from an error; a fresh state is fed again.
                *self = Cursor::default();
                return;
            }
            // It keeps its last mask by the lexer's state and the depth in the grammar, which other
            // tokens can lead to as well.
            matcher.invalidate_bias_cache();
        }
    }

    /// What the next session can use of this one.
    pub(crate) fn into_spare(mut self, memo: &Arc<Memo>) -> Option<Spare> {
        self.rollback(0);
        let healthy = self.is_awake() && !self.matchers.iter().any(Matcher::is_error);
        healthy.then(|| Spare::new(self, memo)).flatten()
    }
}

/// Whether the engine says that no token is left, which is an answer and no failure.
fn nothing_fits(e: &impl fmt::Display) -> bool {
    e.to_string().contains("NoExtension")
}

fn gave_up(e: &impl fmt::Display) -> Error {
    let message = e.to_string();
    let first = message.lines().next().unwrap_or_default();
    Error::new(ErrorKind::Engine, format!("the engine gave up: {first}"))
}
