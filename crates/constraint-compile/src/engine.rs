//! The engine under it all: compiled constraints to matchers of `llguidance`.

use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::earley::BiasComputer;
use llguidance::toktrie::{InferenceCapabilities, TokEnv, TokTrie, TokenId, TokenizerEnv};
use llguidance::{Matcher, ParserFactory};
use serde_json::Value;

use crate::open_text::OpenText;
use crate::schema::{
    Unsupported, check_schema, listed, one_ofs, strip_leniency, strip_unsupported, unsupported,
};
use crate::{CompiledConstraint, Error, ErrorKind, Options, Part, TokenRules, UnsupportedKeywords};

/// The version of the engine. Matchers of different versions can differ, so it belongs in a cache's
/// key.
pub const ENGINE_VERSION: &str = "llguidance-1.9";

/// Turns grammars into matchers for one tokenizer. Made once per tokenizer and shared.
pub struct Engine {
    /// Forces the tokenizer's own spelling of forced text: for a grammar on its own.
    canonical: ParserFactory,
    /// Computes the masks of those.
    open_text: Arc<OpenText>,
    /// Allows every spelling: parts that each force their own spelling, and rules on tokens, could
    /// exclude each other where the text itself does not.
    any_spelling: ParserFactory,
}

/// A matcher for each part, and what could not be enforced.
pub struct Matchers {
    /// The output must satisfy all of them.
    pub parts: Vec<Matcher>,
    /// Schema keywords that were left out because [`UnsupportedKeywords::Report`] allows it.
    pub not_enforced: Vec<Unsupported>,
}

impl Engine {
    /// An engine for a tokenizer. Takes about half a second for a vocabulary of 200,000 tokens.
    ///
    /// # Errors
    /// [`ErrorKind::Engine`] if the engine cannot work with the tokenizer.
    pub fn new(tokenizer: &TokEnv) -> Result<Self, Error> {
        let factory = |env: &TokEnv| {
            let mut factory = ParserFactory::new_simple(env).map_err(|e| engine_error(&e))?;
            factory.quiet();
            factory.limits_mut().verbose_errors = false;
            Ok(factory)
        };
        let canonical = factory(tokenizer)?;
        let open_text = OpenText::new(canonical.slicer())
            .ok_or_else(|| engine_error(&"it has no slice of plain text"))?;
        let mut any_spelling = ParserFactory::new(
            &(Arc::new(AnySpelling(Arc::clone(tokenizer))) as TokEnv),
            InferenceCapabilities::default(),
            &[],
        )
        .map_err(|e| engine_error(&e))?;
        any_spelling.quiet();
        any_spelling.limits_mut().verbose_errors = false;
        Ok(Engine { canonical, open_text: Arc::new(open_text), any_spelling })
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &TokEnv {
        self.canonical.tok_env()
    }

    /// Whether a token has nothing in it that ends or escapes a JSON string.
    pub fn is_text(&self, token: TokenId) -> bool {
        self.open_text.is_text(token)
    }

    /// Matchers for compiled constraints, all at their beginning.
    ///
    /// # Errors
    /// What [`Engine::schema`] says, for any part.
    pub fn start(
        &self,
        compiled: &CompiledConstraint,
        options: &Options,
    ) -> Result<Matchers, Error> {
        // A rule on tokens may refuse the very spelling that would be forced.
        let factory = if compiled.parts().len() == 1 && compiled.tokens() == &TokenRules::default()
        {
            (&self.canonical, Some(&self.open_text))
        } else {
            (&self.any_spelling, None)
        };
        let mut out = Matchers { parts: Vec::new(), not_enforced: Vec::new() };
        for part in compiled.parts() {
            out.parts.push(match part {
                Part::Schema(schema) => {
                    schema_matcher(factory, schema, options, &mut out.not_enforced)?
                }
                Part::Lark(text) => {
                    matcher(factory, TopLevelGrammar::from_lark(text.to_string()), options)
                        .map_err(|e| engine_error(&e))?
                }
            });
        }
        Ok(out)
    }

    /// A matcher for one JSON Schema, exactly as the engine compiles it.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] beyond the limits, [`ErrorKind::Unsupported`] with a list of
    /// keywords, [`ErrorKind::Infeasible`] if no document satisfies the schema,
    /// [`ErrorKind::InvalidSchema`] for the rest.
    pub fn schema(&self, schema: &Value, options: &Options) -> Result<Matchers, Error> {
        let mut not_enforced = Vec::new();
        let matcher = schema_matcher(
            (&self.canonical, Some(&self.open_text)),
            schema,
            options,
            &mut not_enforced,
        )?;
        Ok(Matchers { parts: vec![matcher], not_enforced })
    }
}

/// Whether a matcher that has just refused `token` did so because its lexer has no fuel or no room for
/// states left. The grammar may well allow the token then, and the matcher is of no use any more. `last`
/// is the token that it has taken before, if there is one.
pub fn ran_out_of_fuel(matcher: &mut Matcher, last: Option<TokenId>, token: TokenId) -> bool {
    // Whoever takes a token is told first of what is wrong with the lexer.
    match last {
        // It fits, so otherwise nothing changes. Every grammar of this crate can be rolled back.
        Some(last) => matcher.rollback(1).and_then(|()| matcher.consume_token(last)).is_err(),
        // A copy, of a state that is small as yet: the token does not fit.
        None => {
            let taken = matcher.clone().consume_token(token);
            taken.is_err_and(|e| e.to_string().contains("lexer error"))
        }
    }
}

/// Compilation recurses: so much stack for each level of a schema, in a debug build.
const STACK_BYTES_PER_LEVEL: usize = 32 << 10;

/// Schemas of fewer levels are compiled on the caller's stack.
const SHALLOW: usize = 24;

/// What makes parsers, and what computes their masks if it is not the engine.
type Maker<'a> = (&'a ParserFactory, Option<&'a Arc<OpenText>>);

fn schema_matcher(
    factory: Maker<'_>,
    schema: &Value,
    options: &Options,
    not_enforced: &mut Vec<Unsupported>,
) -> Result<Matcher, Error> {
    let size = check_schema(schema, &options.limits)?;
    let compile = |schema: Value| {
        let grammar = TopLevelGrammar::from_json_schema(schema);
        // A chain of references recurses as nested schemas do.
        on_a_deep_stack(size.depth + size.references, || matcher(factory, grammar, options))
    };
    // What may be left out is for the caller to say, and not for the schema.
    let refused = match compile(strip_leniency(schema)) {
        Ok(matcher) => return Ok(matcher),
        Err(e) => e.to_string(),
    };
    let mut keywords = unsupported(schema);
    if refused.contains("oneOf") {
        keywords.extend(one_ofs(schema));
    }
    if keywords.is_empty() {
        return Err(schema_error(&refused));
    }
    if options.unsupported == UnsupportedKeywords::Report {
        let matcher = compile(strip_unsupported(&strip_leniency(schema)))
            .map_err(|e| schema_error(&e.to_string()))?;
        not_enforced.append(&mut keywords);
        return Ok(matcher);
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!(
            "the schema uses {} keywords that cannot be enforced: {}; take them out or report them \
             instead (`UnsupportedKeywords::Report`)",
            keywords.len(),
            listed(&keywords)
        ),
    )
    .with_unsupported(keywords))
}

fn matcher(
    (factory, open_text): Maker<'_>,
    grammar: TopLevelGrammar,
    options: &Options,
) -> Result<Matcher, String> {
    let mut limits = factory.limits().clone();
    limits.initial_lexer_fuel = options.limits.lexer_fuel;
    limits.max_grammar_size = options.limits.max_grammar_size;
    let parser = factory.create_parser_from_init_ext(
        llguidance::api::GrammarInit::Serialized(grammar),
        llguidance::Logger::new(0, 0),
        InferenceCapabilities::default(),
        limits,
    );
    let parser = parser.map(|mut parser| {
        if let Some(open_text) = open_text {
            parser.bias_computer = Arc::clone(open_text) as Arc<dyn BiasComputer>;
        }
        parser
    });
    let matcher = Matcher::new(parser);
    match matcher.get_error() {
        Some(e) => Err(e),
        None => Ok(matcher),
    }
}

fn on_a_deep_stack<T: Send>(
    levels: usize,
    f: impl FnOnce() -> Result<T, String> + Send,
) -> Result<T, String> {
    if levels < SHALLOW {
        return f();
    }
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size((2 << 20) + levels * STACK_BYTES_PER_LEVEL)
            .spawn_scoped(scope, f)
            .map_err(|e| format!("no thread could be started for a deep schema: {e}"))?
            .join()
            .unwrap_or_else(|_| Err("the engine panicked".into()))
    })
}

fn schema_error(message: &str) -> Error {
    let kind = if message.contains("Unsatisfiable") || message.contains("unsatisfiable") {
        ErrorKind::Infeasible
    } else if message.contains("too big")
        || message.contains("too large")
        || message.contains("limit")
    {
        ErrorKind::TooLarge
    } else {
        ErrorKind::InvalidSchema
    };
    let message = message.lines().next().unwrap_or_default();
    Error::new(kind, format!("the engine refused the schema: {message}"))
}

fn engine_error(e: &impl std::fmt::Display) -> Error {
    let message = e.to_string();
    let first = message.lines().next().unwrap_or_default();
    let kind = if first.contains("too big") || first.contains("limit") {
        ErrorKind::TooLarge
    } else {
        ErrorKind::Engine
    };
    Error::new(kind, format!("the engine refused a grammar: {first}"))
}

/// A tokenizer that lets the model spell forced text as it likes.
struct AnySpelling(TokEnv);

impl TokenizerEnv for AnySpelling {
    fn tok_trie(&self) -> &TokTrie {
        self.0.tok_trie()
    }

    fn tokenize_bytes(&self, s: &[u8]) -> Vec<TokenId> {
        self.0.tokenize_bytes(s)
    }

    fn tokenize_is_canonical(&self) -> bool {
        false
    }
}
