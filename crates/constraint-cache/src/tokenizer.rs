//! Tokenizers: an immutable environment each, built once and shared by every cache and session.

use std::fmt;
use std::sync::{Arc, OnceLock};

use edgekit_constraint_compile::Engine;
use edgekit_constraint_compile::llguidance::toktrie::{TokEnv, TokTrie};

use crate::Error;
#[cfg(feature = "hf")]
use crate::ErrorKind;

/// A tokenizer with the engine's tables for it. A clone shares them.
///
/// Building one is the real cold start: about a second for 200,000 tokens. Keep it for the life of
/// the process.
#[derive(Clone)]
pub struct Tokenizer(Arc<Inner>);

struct Inner {
    id: String,
    engine: Engine,
    closing_first: OnceLock<Box<[u32]>>,
}

/// The end tokens that the reader of `tokenizer.json` knows.
#[cfg(feature = "hf")]
const END_TOKENS: [&str; 5] =
    ["</s>", "<|endoftext|>", "<|end_of_text|>", "<｜end▁of▁sentence｜>", "<eos>"];

impl Tokenizer {
    /// Wraps an environment of the engine. `id` names the vocabulary: it is part of every key, so
    /// two different vocabularies must not share one.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn new(id: impl Into<String>, env: &TokEnv) -> Result<Self, Error> {
        Ok(Tokenizer(Arc::new(Inner {
            id: id.into(),
            engine: Engine::new(env)?,
            closing_first: OnceLock::new(),
        })))
    }

    /// OpenAI's `o200k_base`, 200,019 tokens. Built at the first call of the process.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Tokenizer`] if the carried vocabulary cannot be used.
    #[cfg(feature = "tiktoken")]
    pub fn o200k() -> Result<Self, Error> {
        static BUILT: std::sync::OnceLock<Result<Tokenizer, Error>> = std::sync::OnceLock::new();
        let build = || tiktoken::build("o200k_base", tiktoken_rs::o200k_base_singleton(), 200_019);
        BUILT.get_or_init(build).clone()
    }

    /// OpenAI's `cl100k_base`, 100,277 tokens. Built at the first call of the process.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Tokenizer`] if the carried vocabulary cannot be used.
    #[cfg(feature = "tiktoken")]
    pub fn cl100k() -> Result<Self, Error> {
        static BUILT: std::sync::OnceLock<Result<Tokenizer, Error>> = std::sync::OnceLock::new();
        let build =
            || tiktoken::build("cl100k_base", tiktoken_rs::cl100k_base_singleton(), 100_277);
        BUILT.get_or_init(build).clone()
    }

    /// Any `tokenizer.json` of Hugging Face. Its id is the content's hash.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Tokenizer`] if the bytes are no such file, its tokens are not bytes
    /// (decoder `ByteLevel` or `ByteFallback`), or it has no end token with a usual name.
    #[cfg(feature = "hf")]
    pub fn from_tokenizer_json(json: &[u8]) -> Result<Self, Error> {
        Self::from_tokenizer_json_with(json, &[], None)
    }

    /// The same with the tokens that end an output by name, where the usual names are not the model's
    /// (Llama 3 ends its turns with `<|eot_id|>`; the file does not say so), and with the number of
    /// logits that the model computes, if that is more than there are tokens. Without names and number
    /// as [`from_tokenizer_json`](Self::from_tokenizer_json).
    ///
    /// # Errors
    /// As there, and if a name is no token or there are more tokens than logits.
    #[cfg(feature = "hf")]
    pub fn from_tokenizer_json_with(
        json: &[u8],
        end_tokens: &[&str],
        logits: Option<usize>,
    ) -> Result<Self, Error> {
        use toktrie_hf_tokenizers::ByteTokenizer;
        let wrong =
            |what: String| Error::new(ErrorKind::Tokenizer, format!("tokenizer.json: {what}"));
        // The reader asserts what it expects of ids and names.
        let read = std::panic::catch_unwind(|| {
            let mut tokenizer = ByteTokenizer::from_json_bytes(json).map_err(|e| e.to_string())?;
            if end_tokens.is_empty() {
                // Where it finds no end token, the reader takes the first token.
                let end = tokenizer.hf_tokenizer.id_to_token(tokenizer.tokrx_info().tok_eos);
                if !end.is_some_and(|end| END_TOKENS.contains(&end.as_str())) {
                    let names = END_TOKENS.join(", ");
                    return Err(format!("no special token is one of {names}; name those that end"));
                }
            } else {
                let id = |name: &&str| {
                    let id = tokenizer.hf_tokenizer.token_to_id(name);
                    id.ok_or_else(|| format!("it has no token {name:?}"))
                };
                let ends: Vec<u32> = end_tokens.iter().map(id).collect::<Result<_, _>>()?;
                tokenizer.set_eos_tokens(&ends);
            }
            tokenizer.into_tok_env(logits).map_err(|e| e.to_string())
        });
        let env = read
            .unwrap_or_else(|_| Err("its tokens contradict each other".to_owned()))
            .map_err(wrong)?;
        let mut id = format!("hf:{}", edgekit_constraint_ir::ContentId::of(json));
        if !end_tokens.is_empty() || logits.is_some() {
            id += &format!(":{end_tokens:?}:{logits:?}");
        }
        Tokenizer::new(id, &env)
    }

    /// The vocabulary's name.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The engine for this tokenizer.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// How many tokens there are.
    pub fn vocabulary(&self) -> usize {
        self.trie().vocab_size()
    }

    /// How many 32-bit words a mask takes.
    pub fn mask_words(&self) -> usize {
        self.vocabulary().div_ceil(32)
    }

    /// The tokens of a text, as the tokenizer itself would split it.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.engine().tokenizer().tokenize(text)
    }

    /// The bytes of tokens, special ones left out.
    pub fn decode(&self, tokens: &[u32]) -> Vec<u8> {
        self.trie().decode_ext(tokens, false)
    }

    /// The token that ends the output; the first one if there are several.
    pub fn end_token(&self) -> u32 {
        self.trie().eos_token()
    }

    /// The tokens that end the output.
    pub fn end_tokens(&self) -> &[u32] {
        self.trie().eos_tokens()
    }

    /// All tokens, those first that close brackets or quotes, short ones before long ones.
    pub(crate) fn closing_first(&self) -> &[u32] {
        let trie = self.trie();
        let opens = |t: &u32| !trie.token(*t).iter().any(|b| b"\"'}])>".contains(b));
        self.0.closing_first.get_or_init(|| {
            let mut tokens: Vec<u32> = (0..self.vocabulary() as u32).collect();
            tokens.sort_by_key(|t| (opens(t), trie.token_len(*t)));
            tokens.into()
        })
    }

    pub(crate) fn trie(&self) -> &TokTrie {
        self.engine().tokenizer().tok_trie()
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tokenizer").field(&self.0.id).finish()
    }
}

#[cfg(feature = "tiktoken")]
mod tiktoken {
    //! The environment of a vocabulary that `tiktoken-rs` carries.

    use std::collections::HashSet;
    use std::sync::Arc;

    use edgekit_constraint_compile::llguidance::toktrie::{
        TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv,
    };
    use tiktoken_rs::CoreBPE;

    use super::Tokenizer;
    use crate::{Error, ErrorKind};

    struct Env {
        bpe: &'static CoreBPE,
        trie: TokTrie,
    }

    pub(super) fn build(id: &str, bpe: &'static CoreBPE, size: u32) -> Result<Tokenizer, Error> {
        let special: HashSet<Vec<u8>> =
            bpe.special_tokens().into_iter().map(|name| name.as_bytes().to_vec()).collect();
        let mut end = None;
        let words: Vec<Vec<u8>> = (0..size)
            .map(|token| match bpe.decode_bytes(&[token]) {
                Ok(bytes) if special.contains(&bytes) => {
                    if bytes == b"<|endoftext|>" {
                        end = Some(token);
                    }
                    marked(&bytes)
                }
                Ok(bytes) => bytes,
                // A few ids have no token; they still take a place in the logits.
                Err(_) => marked(format!("<|unused{token}|>").as_bytes()),
            })
            .collect();
        let Some(end) = end else {
            return Err(Error::new(
                ErrorKind::Tokenizer,
                format!("the vocabulary {id} has no <|endoftext|>"),
            ));
        };
        let trie = TokTrie::from(&TokRxInfo::new(size, end), &words);
        Tokenizer::new(id, &(Arc::new(Env { bpe, trie }) as TokEnv))
    }

    /// The engine knows special tokens by a byte that no text contains.
    fn marked(name: &[u8]) -> Vec<u8> {
        [&[TokTrie::SPECIAL_TOKEN_MARKER], name].concat()
    }

    impl TokenizerEnv for Env {
        fn tok_trie(&self) -> &TokTrie {
            &self.trie
        }

        fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
            self.trie.tokenize_with_greedy_fallback(bytes, |text| self.bpe.encode_ordinary(text))
        }
    }
}
