//! Completions of a hole parse, keep the signature, and type-check.

#[path = "../examples/complete_hole/complete.rs"]
mod complete;

use std::fmt::Write;
use std::process::Command;

use complete::{FILE, HoledFile, SIGNATURE, with_hole};
use edgekit_constraint_extract::{Extractor, Language, SourceFile};
use edgekit_constraint_ir::Body;

/// A written file whose hole needs a bit of everything.
const SETTINGS: &str = include_str!("settings.rs.txt");

/// Completions that parse and leave the signature as it is; how many differ.
fn thousand(file: &str, text: &str) -> (HoledFile, Vec<String>, usize) {
    let holed = HoledFile::read(file, text).expect("a hole");
    let completions = holed.complete(1_000).expect("completions");
    assert_eq!(completions.len(), 1_000);
    let extractor = Extractor::default();
    let signature = |text: &str| {
        let source = SourceFile { file, language: Language::Rust, text };
        let found = extractor.extract(&source).expect("it parses");
        assert!(found.diagnostics.is_empty(), "{:?} in {text}", found.diagnostics);
        let of = |c: &edgekit_constraint_ir::Constraint| match &c.body {
            Body::Function(f) => f.name == holed.function(),
            _ => false,
        };
        found.constraints.iter().find(|c| of(c)).map(|c| c.id()).expect("the function")
    };
    let before = signature(text);
    let mut different = std::collections::BTreeSet::new();
    for completion in &completions {
        assert_eq!(signature(&holed.filled(completion)), before, "{completion}");
        different.insert(completion);
    }
    let different = different.len();
    assert_eq!(holed.stats().compilations, 1);
    (holed, completions, different)
}

#[test]
fn a_thousand_completions_of_a_file_of_this_workspace() {
    let text = with_hole(FILE, SIGNATURE).expect("the function");
    let (holed, completions, different) = thousand("energy.rs", &text);
    assert_eq!(holed.function(), "<Operations as Add>::add");
    // About half of them are `other`, which may be moved.
    assert!(different > 400, "only {different} differ");
    let mut all = String::new();
    for (i, completion) in completions.iter().enumerate() {
        writeln!(all, "pub mod completion_{i} {{\n{}}}", holed.filled(completion)).expect("memory");
    }
    type_check("energy", &all);
}

#[test]
fn a_thousand_completions_of_a_bit_of_everything() {
    let (holed, completions, different) = thousand("settings.rs", SETTINGS);
    // Half of them say `Err(…)`, of which there are few.
    assert!(different > 400, "only {different} differ");
    type_check("settings", &one_file(&holed, &completions));
}

/// One file in which every completion is the body of a function of the same signature.
fn one_file(holed: &HoledFile, completions: &[String]) -> String {
    let mut text = SETTINGS.replace("todo!()", "unreachable!()");
    let filled = holed.filled("COMPLETION");
    let start = filled.find(&format!("pub fn {}", holed.function())).expect("the function");
    let end = start + filled[start..].find("\n}\n").expect("its end") + 3;
    for (i, completion) in completions.iter().enumerate() {
        let function = filled[start..end].replace("COMPLETION", completion);
        write!(text, "pub mod completion_{i} {{\nuse super::*;\n{function}}}\n").expect("memory");
    }
    text
}

/// rustc has the last word.
fn type_check(name: &str, text: &str) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("completions_{name}.rs"));
    std::fs::write(&file, format!("{text}\nfn main() {{}}\n")).expect("a file");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let out = Command::new(rustc)
        // A program has no metadata to write. Only errors are asked for, and they are to be seen.
        .args(["--edition", "2024", "--crate-type", "bin", "--emit", "metadata"])
        .args(["--cap-lints", "allow", "--out-dir"])
        .arg(folder)
        .arg(&file)
        .output()
        .expect("rustc runs");
    let errors = String::from_utf8_lossy(&out.stderr);
    let errors: String = errors.chars().take(4_000).collect();
    assert!(out.status.success(), "{}: {errors}", out.status);
}
