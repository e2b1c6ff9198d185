//! `cargo xtask tidy`: the rules of the house that neither the compiler nor clippy knows.
//!
//! Each rule is a function from text to [`Defect`]s, so that each has a test with a small bad input
//! that it must catch. The same run over the real tree is also a test of this crate.

mod architecture;
mod crates;
mod licence;
mod prose;
mod rust;
mod source;

use crate::Result;
use crate::workspace::{self, root};

/// One broken rule at one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Defect {
    file: String,
    /// Counted from 1; 0 is the file as a whole.
    line: usize,
    what: String,
}

impl Defect {
    fn new(file: &str, line: usize, what: impl Into<String>) -> Self {
        Defect { file: file.to_owned(), line, what: what.into() }
    }
}

/// Prints every defect; an error if there is one.
pub(crate) fn run() -> Result {
    let (defects, seen) = check()?;
    for Defect { file, line, what } in &defects {
        match line {
            0 => eprintln!("{file}: {what}"),
            _ => eprintln!("{file}:{line}: {what}"),
        }
    }
    match defects.len() {
        0 => {
            println!("tidy: {seen} files, nothing to mend");
            Ok(())
        }
        n => Err(format!("{n} to mend")),
    }
}

/// The files that docs/ARCHITECTURE.md allows unsafe code in.
pub(crate) fn unsafe_files() -> Result<Vec<String>> {
    let path = root().join(architecture::FILE);
    let text = std::fs::read_to_string(&path)
        .map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    Ok(architecture::unsafe_files(&text, &mut Vec::new()))
}

fn check() -> Result<(Vec<Defect>, usize)> {
    let files = workspace::files()?;
    let members = workspace::members()?;
    let mut defects = Vec::new();

    let read = |file: &str| std::fs::read_to_string(root().join(file)).unwrap_or_default();
    let guide = read(architecture::FILE);
    let unsafe_files = architecture::unsafe_files(&guide, &mut defects);
    for listed in &unsafe_files {
        if !files.contains(listed) {
            let what = format!("lists {listed}, which does not exist");
            defects.push(Defect::new(architecture::FILE, 0, what));
        }
    }
    let roots: Vec<&String> = members.iter().flat_map(|package| &package.roots).collect();
    for file in &files {
        // Binary files are nobody's prose.
        let Ok(text) = std::fs::read_to_string(root().join(file)) else { continue };
        defects.extend(prose::places(file, &text));
        if file.ends_with(".rs") {
            defects.extend(rust::check(file, &text, unsafe_files.contains(file)));
            if roots.contains(&file) {
                defects.extend(rust::check_root(file, &text));
            }
        } else if file.ends_with(".md") {
            defects.extend(prose::links(file, &text, |path| root().join(path).exists()));
        }
    }
    defects.extend(prose::changelog(&read("CHANGELOG.md")));
    defects.extend(architecture::dependencies(&guide, &members));
    for package in &members {
        defects.extend(crates::check(
            package,
            &files,
            &read(&format!("{}/Cargo.toml", package.dir)),
        ));
    }
    let features = workspace::all_features()?;
    let usual = workspace::resolved(&["--features", &features])?;
    let peers = workspace::resolved(&["--all-features"])?;
    defects.extend(licence::check(&usual, &peers));
    defects.sort();
    defects.dedup();
    Ok((defects, files.len()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        let (defects, seen) = super::check().unwrap();
        assert!(seen > 10, "only {seen} files were looked at");
        assert!(defects.is_empty(), "{defects:#?}");
    }
}
