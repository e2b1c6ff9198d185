//! Masks inside of texts that may go on with anything.
//!
//! Most tokens are plain characters of a string. Where a string may go on with any characters, all of
//! them are allowed, and only the few others must be looked at; the engine has a check for that
//! ([`SlicedBiasComputer`]). It goes by the shape of the lexer's regular expression, which it no longer
//! recognises once an unanchored pattern has begun to match, and then walks the whole vocabulary for
//! each token.
//!
//! But what may go on with any characters may do so after some of them too. So whoever goes from
//! token to token need not ask again until a token has something else in it.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use llguidance::Matcher;
use llguidance::derivre::Regex;
use llguidance::earley::{BiasComputer, ParserRecognizer, SlicedBiasComputer};
use llguidance::toktrie::{SimpleVob, TokTrie, TokenId};

/// Any characters but those that end a JSON string or must be escaped in it; one of the engine's
/// slices. That it is unbounded is what the conclusion from one token to the next rests on.
const TEXT: &str = r#"[^"\\\x00-\x1F\x7F]+"#;

/// What the engine's check may spend, as in the engine.
const BUDGET: u64 = 1000;

thread_local! {
    /// Whether any text may follow: what the caller knows, and then what the computation found out.
    /// The engine passes nothing on to what computes its masks. `None` if the engine was called by
    /// somebody who does not keep track.
    static OPEN: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Computes masks as the engine does, and those of open texts with what is known already.
pub(crate) struct OpenText {
    engine: Arc<SlicedBiasComputer>,
    /// The place of [`TEXT`] among the engine's slices.
    slice: usize,
    /// The tokens that are nothing but text.
    text: SimpleVob,
    /// All others.
    others: TokTrie,
}

impl OpenText {
    /// `None` if the engine has no such slice.
    pub(crate) fn new(engine: Arc<SlicedBiasComputer>) -> Option<Self> {
        let slice = engine.extra_lexemes().iter().position(|regex| regex == TEXT)?;
        let mut regex = Regex::new(TEXT).ok()?;
        let trie = engine.trie();
        let mut text = trie.alloc_token_set();
        let tokens = 0..trie.vocab_size() as TokenId;
        for token in tokens.filter(|t| regex.is_match_bytes(trie.token(*t))) {
            text.allow_token(token);
        }
        let others = trie.filter(&text.negated());
        Some(OpenText { engine, slice, text, others })
    }

    pub(crate) fn is_text(&self, token: TokenId) -> bool {
        (token as usize) < self.text.len() && self.text.is_allowed(token)
    }
}

impl BiasComputer for OpenText {
    fn compute_bias(&self, rec: &mut ParserRecognizer<'_>, start: &[u8]) -> SimpleVob {
        let known = OPEN.get();
        if known == Some(true) && start.is_empty() {
            let mut set = self.trie().alloc_token_set();
            set.or(&self.text);
            self.others.add_bias(rec, &mut set, start);
            return set;
        }
        let applied = rec.stats_mut().slices_applied;
        let set = self.engine.compute_bias(rec, start);
        if known.is_some() {
            // Whether it was this slice: the check is remembered from just before.
            let state = rec.lexer_state();
            let open = rec.stats_mut().slices_applied > applied
                && rec.lexer_mut().check_subsume(state, self.slice, BUDGET, None).unwrap_or(false);
            OPEN.set(Some(open));
        }
        set
    }

    fn trie(&self) -> &TokTrie {
        self.engine.trie()
    }
}

/// What may come next, or the end token after the end. `open` is whether it is known that any text
/// may follow here, and becomes whether that is known now: it stays so after every token for which
/// [`crate::Engine::is_text`] holds, and the masks after those cost less if one says so.
///
/// # Errors
/// As the engine says.
pub fn compute_mask(
    matcher: &mut Matcher,
    open: &mut bool,
) -> Result<SimpleVob, impl fmt::Display + use<>> {
    OPEN.set(Some(*open));
    let mask = matcher.compute_mask_or_eos();
    *open = OPEN.take() == Some(true) && mask.is_ok();
    mask
}
