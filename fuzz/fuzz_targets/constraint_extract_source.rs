//! Any text in any language, with an edit, is safe to extract from.
//!
//! Two of the grammars' C tables have a name in common, which the address sanitizer takes for an
//! error: run with `ASAN_OPTIONS=detect_odr_violation=0`.
#![no_main]

use edgekit_constraint_extract::{Document, Language};

libfuzzer_sys::fuzz_target!(|input: (&str, usize, &str)| {
    let (text, at, more) = input;
    for language in Language::ALL {
        if let Ok(mut document) = Document::open("a", *language, text) {
            document.extraction();
            let at = at % (text.len() + 1);
            let _ = document.edit(at..at, more);
            document.extraction();
        }
    }
});
