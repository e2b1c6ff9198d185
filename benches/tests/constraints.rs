//! From source files to grammars: what is extracted from real code compiles.

use std::path::{Path, PathBuf};

use edgekit_constraint_compile::{Dialect, ErrorKind, Goal, NotEnforced, Options, Part, compile};
use edgekit_constraint_extract::{Extractor, Language, SourceFile};
use edgekit_constraint_ir::{Body, ConstraintSet, Source, Type};

fn files(folder: &Path, extension: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                let text = std::fs::read_to_string(&path).ok();
                found.extend(text.map(|text| (path.display().to_string(), text)));
            }
        }
    }
    found.sort();
    found
}

fn extracted(files: &[(String, String)], language: Language) -> ConstraintSet {
    let source = |(file, text)| SourceFile { file, language, text };
    let sources: Vec<SourceFile<'_>> = files.iter().map(|(f, t)| source((f, t))).collect();
    let found = Extractor::default().extract_many(&sources);
    let all = found.into_iter().map(|e| e.expect("it is read"));
    all.flat_map(|e| e.constraints.clone()).collect()
}

/// Found by an audit: one file with two items of one name, and no goal could be compiled.
#[test]
fn the_workspace_compiles_as_one_set() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files: Vec<_> = ["crates", "benches/src", "xtask"]
        .iter()
        .flat_map(|folder| files(&crates.join(folder), "rs"))
        .collect();
    let set = extracted(&files, Language::Rust);
    assert!(files.len() > 100 && set.len() > 5_000, "{} {}", files.len(), set.len());
    let options = Options::default();
    let goal = Goal::Value { ty: Type::Bool, dialect: Dialect::Rust };
    let compiled = compile(&set, &goal, &Options { call_depth: 0, ..options }).expect("a grammar");
    assert_eq!(compiled.enforced().len() + compiled.not_enforced().len(), set.len());
    // Every file on its own, for a call of each of its functions, ends in a grammar or in a reason.
    let mut calls = 0;
    for file in &files {
        let set = extracted(std::slice::from_ref(file), Language::Rust);
        for (_, c) in set.iter() {
            let Body::Function(f) = &c.body else { continue };
            let goal = Goal::Call { function: f.name.clone(), dialect: Dialect::Rust };
            match compile(&set, &goal, &options) {
                Ok(_) => calls += 1,
                // Its parameters have types that are defined elsewhere.
                Err(e) if e.kind() == ErrorKind::Infeasible => {}
                Err(e) => panic!("{}: {}: {e}", file.0, f.name),
            }
        }
    }
    assert!(calls > 500, "{calls}");
}

#[test]
fn the_library_of_python_compiles_as_one_set() {
    let lib = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|e| e.path());
    let Some(lib) = lib.filter(|p: &PathBuf| p.join("os.py").exists()).max() else {
        return println!("no Python library on this machine, skipped");
    };
    let files = files(&lib, "py");
    let set = extracted(&files, Language::Python);
    let goal = Goal::Value { ty: Type::Text, dialect: Dialect::Python };
    let options = Options { call_depth: 0, ..Options::default() };
    let compiled = compile(&set, &goal, &options).expect("a grammar");
    assert_eq!(compiled.enforced().len() + compiled.not_enforced().len(), set.len());
}

/// A choice by name, in the words of three languages, up to the grammar of a call.
#[test]
fn choices_reach_the_grammar_of_a_call() {
    for (language, dialect, text, accepted) in [
        (
            Language::TypeScript,
            Dialect::TypeScript,
            "type Mode = \"fast\" | \"safe\";\nfunction connect(mode: Mode): void {}",
            ["\"\\\"fast\\\"\"", "\"\\\"safe\\\"\""],
        ),
        (
            Language::Python,
            Dialect::Python,
            "Mode = Literal[\"fast\", \"safe\"]\ndef connect(mode: Mode) -> None:\n    return\n",
            ["\"\\\"fast\\\"\"", "\"\\\"safe\\\"\""],
        ),
        (
            Language::Rust,
            Dialect::Rust,
            "pub enum Mode { Fast, Safe(u8) }\npub fn connect(mode: Mode) {}",
            ["\"Mode::Fast\"", "\"Mode::Safe(\""],
        ),
    ] {
        let set = extracted(&[("a".into(), text.into())], language);
        let goal = Goal::Call { function: "connect".into(), dialect };
        let compiled = compile(&set, &goal, &Options::default()).expect("a grammar");
        let [Part::Lark(grammar)] = compiled.parts() else { panic!("{:?}", compiled.parts()) };
        for text in accepted {
            assert!(grammar.contains(text), "{language:?}: {text} in {grammar}");
        }
        let reasons = compiled.not_enforced().iter();
        let lost = reasons.filter(|(_, reason)| matches!(reason, NotEnforced::Inexpressible(_)));
        assert_eq!(lost.count(), 0);
        assert!(set.iter().all(|(_, c)| c.source == Source::Ast));
    }
}
