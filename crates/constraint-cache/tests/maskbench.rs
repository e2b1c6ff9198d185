//! Real schemas with o200k: no invalid document is accepted, none refused that the engine accepts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use edgekit_constraint_cache::ConstraintCache;
use edgekit_constraint_compile::llguidance::api::TopLevelGrammar;
use edgekit_constraint_compile::llguidance::toktrie::TokenId;
use edgekit_constraint_compile::llguidance::{Matcher, ParserFactory};
use serde_json::Value;

use crate::support::*;

/// The folder of the MaskBench samples, unpacked, if they are on this machine.
fn folder() -> Option<PathBuf> {
    let root = match std::env::var_os("EDGEKIT_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    let archive = root.join("maskbench-dev.tar.xz");
    if !archive.exists() {
        println!("skipped: {} is not there (set EDGEKIT_DATA)", archive.display());
        return None;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("maskbench-o200k");
    std::fs::create_dir_all(&folder).expect("a folder");
    let unpacked = Command::new("tar").arg("xf").arg(&archive).arg("-C").arg(&folder).status();
    if !unpacked.is_ok_and(|status| status.success()) {
        println!("skipped: `tar` cannot unpack {}", archive.display());
        return None;
    }
    Some(folder.join("maskbench"))
}

fn bare_accepts(matcher: &Matcher, tokens: &[TokenId]) -> bool {
    let mut matcher = matcher.deep_clone();
    let taken = tokens.iter().all(|t| {
        !matcher.is_stopped()
            && matcher.validate_tokens(&[*t]).unwrap_or(0) == 1
            && matcher.consume_token(*t).is_ok()
    });
    taken
        && (matcher.is_accepting().unwrap_or(false)
            || matcher.is_stopped() && matcher.stop_reason().is_ok())
}

/// Masks along the way must be those of the bare engine, and allow the tokens of a valid document as
/// far as the text is not forced.
fn masks_agree(cache: &ConstraintCache, schema: &Value, bare: &Matcher, text: &str) -> bool {
    let template = cache.schema(schema).expect("it compiles");
    let (mut session, mut bare) = (template.session(), bare.deep_clone());
    let mut mask = vec![0; cache.tokenizer().mask_words()];
    for token in cache.tokenizer().encode(text) {
        session.mask(&mut mask).expect("a mask");
        if bare.compute_mask_or_eos().expect("a mask").as_slice()[..mask.len()] != mask {
            return false;
        }
        let set = mask[token as usize / 32] >> (token % 32) & 1 == 1;
        if !set && session.forced_tokens().expect("a state").is_empty() {
            return false;
        }
        if session.commit(token).is_err() || bare.consume_token(token).is_err() {
            return false;
        }
    }
    true
}

#[test]
fn maskbench_with_a_real_tokenizer() {
    let Some(folder) = folder() else { return };
    let cache = cache();
    let mut bare = ParserFactory::new_simple(cache.tokenizer().engine().tokenizer()).unwrap();
    bare.quiet();
    let (mut compiled, mut documents) = (0, 0);
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let grammar = TopLevelGrammar::from_json_schema(file["schema"].clone());
        let theirs = Matcher::new(bare.create_parser(grammar));
        let ours = cache.schema(&file["schema"]);
        assert_eq!(ours.is_ok(), !theirs.is_error(), "{path:?} {:?}", ours.err());
        let ours = match ours {
            Ok(ours) => ours,
            Err(error) => {
                let keywords = error.compiler_error().into_iter().flat_map(|e| e.unsupported());
                let mut names: Vec<String> = keywords.map(|u| u.keyword.clone()).collect();
                if names.is_empty() {
                    names.push(error.to_string());
                }
                names.sort();
                names.dedup();
                names.into_iter().for_each(|name| *refused.entry(name).or_default() += 1);
                continue;
            }
        };
        compiled += 1;
        for test in file["tests"].as_array().unwrap() {
            let valid = test["valid"].as_bool().unwrap();
            let pretty = serde_json::to_string_pretty(&test["data"]).unwrap();
            let texts = [test["data"].to_string(), pretty];
            for text in &texts {
                documents += 1;
                let accepted = accepts(&ours, text);
                assert!(valid || !accepted, "{path:?} accepts {text}");
                let tokens = cache.tokenizer().encode(text);
                assert_eq!(accepted, bare_accepts(&theirs, &tokens), "{path:?} {text}");
            }
            if accepts(&ours, &texts[0]) {
                let agree = masks_agree(&cache, &file["schema"], &theirs, &texts[0]);
                assert!(agree, "{path:?} {}", texts[0]);
            }
        }
    }
    assert_eq!(compiled, 177);
    println!("{compiled} schemas, {documents} texts; refused, with how many schemas:");
    refused.iter().for_each(|(keyword, schemas)| println!("{schemas:>4} {keyword}"));
}
