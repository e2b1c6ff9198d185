//! What an extractor keeps: within its limits, by recency, and counted.

#![cfg(feature = "rust")]

use std::sync::Arc;

use edgekit_constraint_extract::{Extractor, Language, Limits, SourceFile, Stats};

fn text(n: usize) -> String {
    format!("/// The type number {n}.\npub struct S{n} {{ a: Option<u8>, b: Vec<String> }}\n")
}

fn source(text: &str) -> SourceFile<'_> {
    SourceFile { file: "a.rs", language: Language::Rust, text }
}

/// Whether the extractor still has this text, which counts as a use.
fn has(extractor: &Extractor, text: &str) -> bool {
    let before = extractor.stats().hits;
    extractor.extract(&source(text)).unwrap();
    extractor.stats().hits > before
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let extractor = Extractor::new(Limits { max_files: 3, ..Limits::default() });
    let texts: Vec<String> = (0..4).map(text).collect();
    for text in &texts[..3] {
        assert!(!has(&extractor, text));
    }
    assert!(has(&extractor, &texts[0]));
    assert!(!has(&extractor, &texts[3]), "a fourth");
    for (i, kept) in [(0, true), (2, true), (3, true), (1, false)] {
        assert_eq!(has(&extractor, &texts[i]), kept, "{i}");
    }
    let Stats { files, hits, misses, evictions, too_large, .. } = extractor.stats();
    assert_eq!((files, hits, misses, evictions, too_large), (3, 4, 5, 2, 0));
}

#[test]
fn bytes_are_limited() {
    let one = Extractor::default();
    one.extract(&source(&text(100))).unwrap();
    let bytes = one.stats().bytes;
    let extractor = Extractor::new(Limits { max_bytes: 10 * bytes, ..Limits::default() });
    for n in 100..200 {
        extractor.extract(&source(&text(n))).unwrap();
        assert!(extractor.stats().bytes <= 10 * bytes);
    }
    let stats = extractor.stats();
    assert_eq!((stats.files, stats.evictions, stats.bytes), (10, 90, 10 * bytes));
    // What is larger than the whole is not kept, and drives nothing out.
    let large: String = (100..120).map(text).collect();
    extractor.extract(&source(&large)).unwrap();
    assert_eq!(extractor.stats(), Stats { misses: 101, too_large: 1, ..stats });
    let nothing = Extractor::new(Limits { max_bytes: 0, max_files: 0 });
    assert!(!has(&nothing, &text(1)) && !has(&nothing, &text(1)));
    assert_eq!((nothing.stats().files, nothing.stats().bytes), (0, 0));
}

/// The limit is one on memory: what is counted is what was asked of the allocator.
#[test]
fn bytes_are_those_of_the_allocator() {
    let whole = include_str!("../src/items.rs").to_owned() + include_str!("../src/types.rs");
    let small = text(1);
    // Compiles the query.
    Extractor::default().extract(&source(&small)).unwrap();
    for text in [&whole, &small] {
        let extractor = Extractor::default();
        let mut found = None;
        let taken = allocation_counter::measure(|| {
            found = Some(extractor.extract(&source(text)).unwrap());
        });
        let (counted, taken) = (extractor.stats().bytes as f64, taken.bytes_current as f64);
        assert!((0.85..1.3).contains(&(counted / taken)), "{counted} of {taken}");
        assert_eq!(Arc::strong_count(found.as_ref().unwrap()), 2);
    }
}
