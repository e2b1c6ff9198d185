//! Rules for one Rust file: how it opens, how long it is, what may not be left in it.

use super::Defect;
use super::source::{code_only, words};

/// A file longer than this has more than one idea.
const LONGEST: usize = 600;

/// What is not finished, and words that say so. Split, so that this file does not name them.
const LEFTOVERS: &[&str] = &[
    concat!("to", "do!"),
    concat!("unim", "plemented!"),
    concat!("db", "g!"),
    concat!("#[ig", "nore"),
];
const LEFTOVER_WORDS: &[&str] = &[concat!("FIX", "ME"), concat!("X", "XX"), concat!("TO", "DO")];

/// Module names that say nothing about what is in them.
const VAGUE: &[&str] = &["prelude", "utils", "util", "common", "helpers", "misc"];

/// The other way to begin a crate's root.
const README_AS_DOC: &str = "#![doc = include_str!(\"../README.md\")]\n";

/// All rules for any Rust file.
pub(super) fn check(file: &str, text: &str, may_be_unsafe: bool) -> Vec<Defect> {
    let code = code_only(text);
    let mut defects = Vec::new();
    // A crate's root may say it in its README.
    if !text.starts_with("//!") && !text.starts_with(README_AS_DOC) {
        defects.push(Defect::new(file, 1, "the first line must be `//!` and the file's one idea"));
    }
    let lines = text.lines().count();
    if lines > LONGEST {
        let what = format!("{lines} lines, more than {LONGEST}: split it by idea");
        defects.push(Defect::new(file, 0, what));
    }
    for leftover in LEFTOVERS {
        for (index, _) in code.lines().enumerate().filter(|(_, line)| line.contains(leftover)) {
            defects.push(Defect::new(file, index + 1, format!("`{leftover}` is left over")));
        }
    }
    for word in LEFTOVER_WORDS {
        defects
            .extend(words(text, word).map(|l| Defect::new(file, l, format!("`{word}` is left"))));
    }
    if !may_be_unsafe {
        let what = "unsafe code outside the list in docs/ARCHITECTURE.md";
        // The first place is enough: the file as a whole is listed or not.
        defects.extend(words(&code, "unsafe").next().map(|line| Defect::new(file, line, what)));
    }
    for name in vague_modules(file, &code) {
        let what = format!("a module named `{name}` says nothing about what is in it");
        defects.push(Defect::new(file, 0, what));
    }
    defects.extend(unreasoned_allows(file, text, &code));
    defects
}

/// The rule for the first file of a library or program.
pub(super) fn check_root(file: &str, text: &str) -> Vec<Defect> {
    let code = code_only(text);
    let denied = ["#![deny(unsafe_code)]", "#![forbid(unsafe_code)]"];
    if denied.iter().any(|attribute| code.contains(attribute)) {
        return Vec::new();
    }
    vec![Defect::new(file, 0, "a crate root must say `#![deny(unsafe_code)]`")]
}

fn vague_modules(file: &str, code: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs").split('/').rev();
    // Directories above `src` belong to the crate's name, not to its modules.
    let own = path.take_while(|part| !matches!(*part, "src" | "tests" | "examples"));
    let mut names: Vec<&str> = own.collect();
    for line in code.lines() {
        let Some((_, after)) = line.split_once("mod ") else { continue };
        names.push(after.trim_end_matches([';', '{', ' ']));
    }
    names.iter().filter(|name| VAGUE.contains(name)).map(|name| (*name).to_owned()).collect()
}

/// `allow` attributes (outer or inner, on one line or several) without a `reason`.
fn unreasoned_allows(file: &str, text: &str, code: &str) -> Vec<Defect> {
    let mut defects = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (index, line) in code.lines().enumerate() {
        let opens = ["#[allow(", "#![allow(", ", allow("];
        if !opens.iter().any(|open| line.contains(open)) {
            continue;
        }
        let mut attribute = String::new();
        for text in &lines[index..] {
            attribute.push_str(text);
            if text.contains(")]") {
                break;
            }
        }
        if !attribute.contains("reason") {
            defects.push(Defect::new(file, index + 1, "`allow` without a `reason = \"…\"`"));
        }
    }
    defects
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the rules say about a file with this body below a proper first line.
    fn said(body: &str) -> Vec<String> {
        let text = format!("//! A file.\n{body}");
        check("crates/x/src/a.rs", &text, false).into_iter().map(|d| d.what).collect()
    }

    #[test]
    fn a_good_file_passes() {
        let body = "#![allow(unsafe_code, reason = \"x\")]\n/// Not unsafe to call.\nfn f() {}\n";
        assert!(said(body).is_empty(), "{:?}", said(body));
        assert!(check_root("lib.rs", "//! A.\n#![deny(unsafe_code)]\n").is_empty());
        assert!(check("crates/x/src/lib.rs", README_AS_DOC, false).is_empty());
    }

    #[test]
    fn each_rule_catches_its_mistake() {
        let opening = check("a.rs", "use std::fmt;\n", false);
        assert!(opening[0].what.contains("first line"), "{opening:?}");
        assert!(said(&"\n".repeat(LONGEST))[0].contains("601 lines"));
        for leftover in LEFTOVERS {
            assert!(said(&format!("fn f() {{ {leftover}(1) }}"))[0].contains(leftover));
        }
        for word in LEFTOVER_WORDS {
            assert!(said(&format!("// {word}: later"))[0].contains(word));
        }
        assert!(said("fn f() { unsafe { g() } }")[0].contains("ARCHITECTURE"));
        assert!(said("#[unsafe(no_mangle)]\nfn f() {}")[0].contains("ARCHITECTURE"));
        assert!(said("mod utils;")[0].contains("utils"));
        assert!(!check("crates/x/src/common/a.rs", "//! A.\n", false).is_empty());
        assert!(said("#[allow(dead_code)]\nfn f() {}")[0].contains("reason"));
        assert!(said("#[allow(\n    dead_code\n)]\nfn f() {}")[0].contains("reason"));
        assert!(
            check_root("lib.rs", "//! A.\n// #![deny(unsafe_code)]\n")[0].what.contains("root")
        );
    }

    #[test]
    fn unsafe_is_fine_in_a_listed_file() {
        assert!(check("a.rs", "//! A.\nfn f() { unsafe { g() } }\n", true).is_empty());
    }
}
