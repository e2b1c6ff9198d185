//! Tokenizers other than o200k: what they split, and the masks that come out.

use edgekit_constraint_cache::{CacheConfig, ConstraintCache, Tokenizer};
use serde_json::json;

use crate::support::*;

/// Masks of the tokenizer allow each way through `{"ok":true}` and nothing else.
fn works(tokenizer: Tokenizer) {
    let cache = ConstraintCache::new(tokenizer, CacheConfig::default()).unwrap();
    let schema = json!({"type": "object", "required": ["ok"], "additionalProperties": false,
        "properties": {"ok": {"type": "boolean"}}, "x-guidance": {"whitespace_flexible": false}});
    let template = cache.schema(&schema).unwrap();
    assert!(accepts(&template, r#"{"ok":true}"#));
    assert!(!accepts(&template, r#"{"ok":1}"#) && !accepts(&template, r#"{"no":true}"#));
    for seed in 0..10 {
        let text = sample(&mut template.session(), seed, 40).expect("it ends");
        let text = text.replace(": ", ":");
        assert!([r#"{"ok":true}"#, r#"{"ok":false}"#].contains(&text.as_str()), "{text}");
    }
}

#[test]
fn cl100k() {
    let tokenizer = Tokenizer::cl100k().unwrap();
    assert_eq!((tokenizer.id(), tokenizer.vocabulary()), ("cl100k_base", 100_277));
    assert_eq!(tokenizer.encode("hello world"), [15339, 1917]);
    assert_eq!(tokenizer.end_token(), 100_257);
    works(tokenizer);
}

#[cfg(feature = "hf")]
mod hf {
    use edgekit_constraint_cache::{ErrorKind, Stop};
    use serde_json::Value;

    use super::*;

    /// A byte-level BPE: printable ASCII, a space, a merge, and an end token.
    fn tokenizer_json(end: &str) -> Value {
        let mut vocabulary: serde_json::Map<String, Value> = serde_json::Map::new();
        let letters = ('!'..='~').chain(['\u{120}']).map(String::from);
        for (id, token) in letters.chain(["ok".into(), "tr".into(), "tru".into()]).enumerate() {
            vocabulary.insert(token, json!(id));
        }
        let end = json!({"id": vocabulary.len(), "content": end, "special": true,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false});
        json!({"version": "1.0", "truncation": null, "padding": null, "normalizer": null,
            "added_tokens": [end], "post_processor": null,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false,
                "trim_offsets": true, "use_regex": false},
            "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                "use_regex": false},
            "model": {"type": "BPE", "dropout": null, "unk_token": null,
                "continuing_subword_prefix": null, "end_of_word_suffix": null,
                "fuse_unk": false, "byte_fallback": false, "vocab": vocabulary,
                "merges": ["o k", "t r", "tr u"]}})
    }

    fn read(json: &Value) -> Result<Tokenizer, ErrorKind> {
        Tokenizer::from_tokenizer_json(json.to_string().as_bytes()).map_err(|e| e.kind())
    }

    #[test]
    fn a_tokenizer_json() {
        let tokenizer = read(&tokenizer_json("</s>")).unwrap();
        assert_eq!((tokenizer.vocabulary(), tokenizer.end_token()), (99, 98));
        let tokens = tokenizer.encode("ok true");
        assert_eq!(tokens.len(), 4, "ok, space, tru, e: {tokens:?}");
        assert_eq!(tokenizer.decode(&tokens), b"ok true");
        works(tokenizer);
    }

    /// As models have it that end a turn with one token and a text with another, and pad their logits.
    #[test]
    fn end_tokens_by_name_and_more_logits_than_tokens() {
        let json = tokenizer_json("<|eot_id|>");
        let with = |ends: &[&str], logits| {
            let json = json.to_string();
            Tokenizer::from_tokenizer_json_with(json.as_bytes(), ends, logits).map_err(|e| e.kind())
        };
        let tokenizer = with(&["<|eot_id|>", "~"], Some(128)).unwrap();
        assert_eq!((tokenizer.vocabulary(), tokenizer.end_tokens()), (128, &[98, 93][..]));
        assert_ne!(tokenizer.id(), with(&["<|eot_id|>"], None).unwrap().id());
        let cache = ConstraintCache::new(tokenizer.clone(), CacheConfig::default()).unwrap();
        let template = cache.schema(&json!({"const": 1})).unwrap();
        for end in [98, 93] {
            let mut session = template.session();
            assert!(session.commit(end).is_err());
            tokenizer.encode("1").iter().for_each(|t| session.commit(*t).unwrap());
            let mut mask = [0; 4];
            session.mask(&mut mask).unwrap();
            assert_eq!(allowed(&mask), [93, 98]);
            session.commit(end).unwrap();
            assert_eq!(session.stop().unwrap(), Some(Stop::EndToken));
        }
        works(tokenizer);
        assert_eq!(with(&["<|no|>"], None).unwrap_err(), ErrorKind::Tokenizer);
        assert_eq!(with(&["<|eot_id|>"], Some(98)).unwrap_err(), ErrorKind::Tokenizer);
        assert_eq!(with(&[], None).unwrap_err(), ErrorKind::Tokenizer);
    }

    #[test]
    fn the_id_follows_the_content() {
        let (one, other) = (tokenizer_json("</s>"), tokenizer_json("<eos>"));
        assert_eq!(read(&one).unwrap().id(), read(&one).unwrap().id());
        assert_ne!(read(&one).unwrap().id(), read(&other).unwrap().id());
    }

    #[test]
    fn what_cannot_be_used_is_an_error() {
        let mut no_bytes = tokenizer_json("</s>");
        no_bytes["decoder"] = Value::Null;
        // The reader of the engine panics on this one.
        let mut no_byte = tokenizer_json("</s>");
        no_byte["decoder"] = json!({"type": "ByteFallback"});
        no_byte["model"]["vocab"]["<0xZZ>"] = json!(98);
        let no_end = tokenizer_json("<|something|>");
        for json in [json!({}), json!(1), no_bytes, no_byte, no_end] {
            assert_eq!(read(&json).unwrap_err(), ErrorKind::Tokenizer, "{json}");
        }
        assert!(Tokenizer::from_tokenizer_json(b"{\"model").is_err());
    }
}
