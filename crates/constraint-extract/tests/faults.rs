//! Wrong and hostile texts.

use edgekit_constraint_extract::{Extraction, Language};
use proptest::prelude::*;

use crate::support::*;

#[cfg(feature = "rust")]
#[test]
fn what_parses_is_extracted_and_the_rest_is_diagnosed() {
    let found = extract(Language::Rust, "fn good(a: u8) {}\nfn bad( {\nstruct Fine { x: u8 }\n");
    let bodies: Vec<_> = found.constraints.iter().map(|c| c.body.clone()).collect();
    function(&bodies, "good");
    assert!(!found.diagnostics.is_empty());
    assert!(
        found.diagnostics.iter().all(|d| d.line >= 2 && d.line <= 4),
        "{:?}",
        found.diagnostics
    );
}

#[test]
fn deep_and_long_texts_end() {
    for language in Language::ALL {
        for text in [
            "(".repeat(4_000),
            "{".repeat(4_000),
            "[".repeat(4_000),
            "\"".repeat(4_001),
            "a ".repeat(4_000),
            "\0\u{feff}\u{202e}".into(),
            String::new(),
        ] {
            let found = extract(*language, &text);
            assert!(found.diagnostics.len() <= Extraction::MAX_DIAGNOSTICS);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_text_is_safe(text in "(fn|struct|class|def|[a-z<>(){}:;,.=&*'\"\n ]|\\PC){0,60}") {
        for language in Language::ALL {
            extract(*language, &text);
        }
    }
}
