//! A compiled constraint as it lies in the cache: immutable, shared, and the source of sessions.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use edgekit_constraint_compile::llguidance::Matcher;
use edgekit_constraint_compile::{CompiledConstraint, Matchers, Unsupported};
use edgekit_constraint_ir::Limit;

use crate::cursor::{Cursor, Spare};
use crate::memo::{Known, Memo, State};
use crate::{Error, ErrorKind, Reach, Session, Tokenizer};

/// What a compilation for one tokenizer yields. Sessions are made from it, each independent.
pub struct Template {
    tokenizer: Tokenizer,
    matchers: Vec<Matcher>,
    /// Matchers of sessions that are over, for the next ones.
    spares: Mutex<Vec<Spare>>,
    compiled: Option<Arc<CompiledConstraint>>,
    not_enforced: Vec<Unsupported>,
    /// Bits of the tokens that may be used at all, if there are rules about tokens.
    allowed: Option<Box<[u32]>>,
    limit: Limit,
    biases: Vec<(u32, f32)>,
    weights_without_token: Vec<String>,
    /// The state before all tokens, and what is known of it once it was asked for.
    pub(crate) beginning: State,
    pub(crate) first: OnceLock<Arc<Known>>,
    pub(crate) memo: Arc<Memo>,
    files: BTreeSet<String>,
}

/// More sessions at a time than this start without what earlier ones have learned.
const MAX_SPARES: usize = 16;

/// How many masks are looked at to find out whether any output can end.
const LOOK_AHEAD: usize = 256;

impl Template {
    /// Makes a template and computes its first mask.
    ///
    /// # Errors
    /// [`ErrorKind::DeadEnd`] if no output is possible: the parts share no first token, or nothing
    /// ends within the limits and that can be proved.
    pub(crate) fn new(
        tokenizer: &Tokenizer,
        matchers: Matchers,
        compiled: Option<Arc<CompiledConstraint>>,
        files: BTreeSet<String>,
        memo: &Arc<Memo>,
    ) -> Result<Arc<Self>, Error> {
        let mut biases = Vec::new();
        let mut weights_without_token = Vec::new();
        for weight in compiled.iter().flat_map(|c| c.weights()) {
            match tokenizer.trie().token_id_at_bytes(weight.text.as_bytes()) {
                // What is finite stays so, or a bias would make a number of what is none.
                Some(token) => {
                    let bias = weight.bias.get().clamp(f32::MIN.into(), f32::MAX.into());
                    biases.push((token, bias as f32));
                }
                None => weights_without_token.push(weight.text.clone()),
            }
        }
        let denied = |end: &u32| compiled.as_ref().is_some_and(|c| c.tokens().deny.contains(end));
        if tokenizer.end_tokens().iter().all(denied) {
            return Err(Error::new(
                ErrorKind::DeadEnd,
                "the rules about tokens deny what ends an output: none could end",
            ));
        }
        let limit = compiled.as_ref().map_or_else(Limit::default, |c| c.limit());
        let template = Arc::new(Template {
            allowed: compiled.as_ref().and_then(|c| allowed(c, tokenizer)),
            tokenizer: tokenizer.clone(),
            matchers: matchers.parts,
            spares: Mutex::default(),
            compiled,
            not_enforced: matchers.not_enforced,
            limit,
            biases,
            weights_without_token,
            beginning: memo.beginning(),
            first: OnceLock::new(),
            memo: Arc::clone(memo),
            files,
        });
        let mut first = vec![0; tokenizer.mask_words()];
        let mut session = template.session();
        session.mask(&mut first)?;
        let joined = template.matchers.len() > 1 || template.limit != Limit::default();
        if (joined || template.allowed.is_some()) && session.can_end(LOOK_AHEAD)? == Reach::Never {
            return Err(Error::new(
                ErrorKind::DeadEnd,
                "no output satisfies all parts within the limits; loosen a limit or a rule",
            ));
        }
        Ok(template)
    }

    /// A session at the beginning. Cheap: the engine is woken only when something is asked that no
    /// memoised mask answers, and then it knows what earlier sessions have found out.
    pub fn session(self: &Arc<Self>) -> Session {
        Session::new(Arc::clone(self))
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// What was compiled, with its report; `None` for a bare schema.
    pub fn compiled(&self) -> Option<&Arc<CompiledConstraint>> {
        self.compiled.as_ref()
    }

    /// Schema keywords that are not enforced.
    pub fn not_enforced(&self) -> &[Unsupported] {
        &self.not_enforced
    }

    /// Texts with a weight that are no single token of this tokenizer: their weights do nothing.
    pub fn weights_without_token(&self) -> &[String] {
        &self.weights_without_token
    }

    /// How long an output may be.
    pub fn limit(&self) -> Limit {
        self.limit
    }

    /// What is added to the logits of allowed tokens.
    pub fn biases(&self) -> &[(u32, f32)] {
        &self.biases
    }

    /// Whether one of its constraints comes from this file.
    pub fn comes_from(&self, file: &str) -> bool {
        self.files.contains(file)
    }

    pub(crate) fn allowed(&self) -> Option<&[u32]> {
        self.allowed.as_deref()
    }

    pub(crate) fn parts(&self) -> usize {
        self.matchers.len()
    }

    /// What an earlier session has left, if there is something.
    pub(crate) fn take_spare(&self) -> Option<Spare> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps what a session that is over has learned.
    pub(crate) fn retire(&self, cursor: Cursor) {
        let Some(spare) = cursor.into_spare(&self.memo) else { return };
        let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
        if spares.len() < MAX_SPARES {
            spares.push(spare);
        }
    }

    /// An independent copy of the engine's state at the beginning.
    pub(crate) fn fresh_matchers(&self) -> Vec<Matcher> {
        self.matchers.iter().map(Matcher::deep_clone).collect()
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template")
            .field("tokenizer", &self.tokenizer)
            .field("parts", &self.matchers.len())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

fn allowed(compiled: &CompiledConstraint, tokenizer: &Tokenizer) -> Option<Box<[u32]>> {
    let rules = compiled.tokens();
    if rules.allow.is_none() && rules.deny.is_empty() {
        return None;
    }
    let start = if rules.allow.is_some() { 0 } else { u32::MAX };
    let mut words = vec![start; tokenizer.mask_words()].into_boxed_slice();
    let mut set = |token: u32, to: bool| {
        if let Some(word) = words.get_mut(token as usize / 32) {
            let bit = 1 << (token % 32);
            *word = if to { *word | bit } else { *word & !bit };
        }
    };
    rules.allow.iter().flatten().for_each(|t| set(*t, true));
    // The output may always end where the grammar lets it, but in a way that is denied.
    tokenizer.end_tokens().iter().for_each(|end| set(*end, true));
    rules.deny.iter().for_each(|t| set(*t, false));
    Some(words)
}
