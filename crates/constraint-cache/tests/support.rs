//! Helpers: a cache for o200k, and a sampler that picks random allowed tokens.

use std::sync::Arc;

use edgekit_constraint_cache::{CacheConfig, ConstraintCache, Session, Stop, Template, Tokenizer};
use edgekit_constraint_compile::Goal;
use edgekit_constraint_ir::*;
use serde_json::Value;

/// The tokenizer is built once for the whole binary.
pub(crate) fn cache() -> ConstraintCache {
    cache_with(CacheConfig::default())
}

pub(crate) fn cache_with(config: CacheConfig) -> ConstraintCache {
    ConstraintCache::new(Tokenizer::o200k().expect("a tokenizer"), config).expect("a cache")
}

pub(crate) fn hard(body: Body) -> Constraint {
    Constraint::new(Kind::Semantic, Source::User, body)
}

pub(crate) fn schema_body(document: Value) -> Body {
    Body::Schema(Schema { name: "s".into(), document })
}

pub(crate) fn json_goal() -> Goal {
    Goal::Json { schema: "s".into() }
}

pub(crate) fn template<const N: usize>(bodies: [Body; N], goal: &Goal) -> Arc<Template> {
    let set: ConstraintSet = bodies.into_iter().map(hard).collect();
    cache().constraints(&set, goal).expect("it compiles")
}

/// Random allowed tokens until the output is over; its text, or `None` after `most` tokens.
pub(crate) fn sample(session: &mut Session, seed: u64, most: usize) -> Option<String> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let tokenizer = session.template().tokenizer().clone();
    let mut mask = vec![0; tokenizer.mask_words()];
    for _ in 0..most {
        session.mask(&mut mask).expect("a mask");
        let allowed = allowed(&mask);
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let token = allowed[(state >> 33) as usize % allowed.len()];
        session.commit(token).expect("an allowed token");
        if matches!(session.stop().expect("a state"), Some(Stop::EndToken | Stop::GrammarEnd)) {
            return Some(String::from_utf8(session.text()).expect("text"));
        }
    }
    None
}

pub(crate) fn allowed(mask: &[u32]) -> Vec<u32> {
    (0..mask.len() as u32 * 32).filter(|t| mask[*t as usize / 32] >> (t % 32) & 1 == 1).collect()
}

/// Whether a session takes the text, token by token as the tokenizer splits it, and may end then.
pub(crate) fn accepts(template: &Arc<Template>, text: &str) -> bool {
    let mut session = template.session();
    for token in template.tokenizer().encode(text) {
        if session.stop().expect("a state") == Some(Stop::GrammarEnd)
            || session.commit(token).is_err()
        {
            return false;
        }
    }
    session.is_accepting().expect("a state")
}
