//! A document under edit says what the whole text says.

use std::sync::Arc;

use edgekit_constraint_extract::{Document, ErrorKind, Extractor, Language, SourceFile};
use proptest::prelude::*;

use crate::support::*;

const PIECES: [&str; 12] = [
    "fn f(a: u8) -> bool { todo!() }\n",
    "struct S { x: u8, y: Option<bool> }\n",
    "enum E { A, B(u8) }\n",
    "use std::fmt;\n",
    "impl S { fn m(&self) {} }\n",
    concat!("// TO", "DO: more\n"),
    "fn g(n: i32) { assert!(n > 1); }\n",
    "\n",
    "}",
    "fn ",
    "\"é\"",
    "mod m { pub fn h() {} }\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[cfg(feature = "rust")]
    #[test]
    fn edits_equal_extraction_from_the_beginning(
        start in prop::collection::vec(0..PIECES.len(), 0..6),
        edits in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..PIECES.len()), 1..8),
    ) {
        let text: String = start.iter().map(|i| PIECES[*i]).collect();
        let mut document = Document::open("src/a.x", Language::Rust, &text).unwrap();
        for (from, to, piece) in edits {
            let len = document.text().len() + 1;
            let (a, b) = (from.index(len), to.index(len));
            let (a, b) = (a.min(b), a.max(b).min(a.min(b) + 20));
            let before = document.text().to_owned();
            if document.edit(a..b, PIECES[piece]).is_err() {
                // The range cut a character; nothing has changed.
                prop_assert_eq!(document.text(), before);
                continue;
            }
            let whole = extract(Language::Rust, document.text());
            let kept = document.extraction();
            if whole.diagnostics.is_empty() {
                prop_assert_eq!(&kept, &whole);
            }
        }
    }
}

/// Found by an audit: what Python calls by a choice of literals was lost in a document, because the
/// query asked for what is around a top-level item.
#[test]
fn documents_say_what_files_say_in_every_language() {
    // Each has something of every language: what does not parse must be the same as well.
    let texts = [
        "Mode = Literal[1, 2]\ntype New = Literal['a']\n@dataclass\nclass C:\n    x: int = 1\n    @staticmethod\n    def f(a): pass\n",
        "export type M = 'a' | 'b';\nexport const f = (x: number): number => x;\nnamespace N { export class C { m() {} } }\n",
        "package a\nimport \"fmt\"\ntype P struct { X, Y int }\nfunc (p *P) M(a, b int) error { return nil }\n",
        "import a.b.*;\npublic class C { static int f(int x) { assert x > 1; return x; } }\n",
        "#include <a.h>\ntypedef struct { int a, *b; } P;\nstatic int *f(int n) { return 0; }\n",
        "namespace n { class K { int x; public: void f(); }; }\nvoid n::K::f() {}\n",
        "const std = @import(\"std\");\npub const P = struct { x: u8, fn m(self: P) void {} };\n",
        "use a::b as c;\nextern \"C\" { fn f(x: u8); }\nimpl S { pub fn n() -> Self { todo!() } }\n",
    ];
    for language in Language::ALL {
        for text in texts {
            let whole = extract(*language, text);
            let mut document = Document::open("src/a.x", *language, text).unwrap();
            assert_eq!(document.extraction(), whole, "{language:?}");
        }
    }
}

#[cfg(feature = "rust")]
#[test]
fn lines_move_with_the_text() {
    let mut document = Document::open("src/a.x", Language::Rust, "struct S;\nfn f() {}\n").unwrap();
    document.extraction();
    document.edit(0..0, "\n\n").unwrap();
    let found = document.extraction();
    let f = found.constraints.iter().find(|c| c.body.subject() == Some("f")).unwrap();
    assert_eq!(f.origin.line, 4);
    assert_eq!(found, extract(Language::Rust, "\n\nstruct S;\nfn f() {}\n"));
}

/// The same item at another column is another place.
#[cfg(feature = "rust")]
#[test]
fn columns_move_with_the_text() {
    let mut document = Document::open("src/a.x", Language::Rust, "struct S;fn f() {}").unwrap();
    document.extraction();
    document.edit(9..9, " ").unwrap();
    assert_eq!(document.extraction(), extract(Language::Rust, "struct S; fn f() {}"));
}

#[cfg(feature = "rust")]
#[test]
fn edits_outside_are_refused() {
    let mut document = Document::open("a", Language::Rust, "// é").unwrap();
    for range in [0..9, 4..9, 3..4] {
        let error = document.edit(range, "x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfRange);
    }
    assert_eq!(document.text(), "// é");
}

#[cfg(feature = "rust")]
#[test]
fn unchanged_files_are_kept_and_many_are_extracted_in_order() {
    let extractor = Extractor::default();
    let texts: Vec<String> = (0..20).map(|i| format!("fn f{i}() {{}}")).collect();
    let sources: Vec<SourceFile> = texts
        .iter()
        .map(|text| SourceFile { file: "a.rs", language: Language::Rust, text })
        .collect();
    let first = extractor.extract_many(&sources);
    let second = extractor.extract_many(&sources);
    for (i, (a, b)) in first.iter().zip(&second).enumerate() {
        let (a, b) = (a.as_ref().unwrap(), b.as_ref().unwrap());
        assert!(Arc::ptr_eq(a, b));
        assert!(a.constraints.iter().any(|c| c.body.subject() == Some(&format!("f{i}"))));
    }
    let elsewhere = SourceFile { file: "b.rs", ..sources[0].clone() };
    let other = extractor.extract(&elsewhere).unwrap();
    assert_eq!(other.constraints[0].origin.file, "b.rs");
}
