//! Rules for text: links that lead somewhere, no traces of the machine it was written on.

use super::Defect;

/// Directories of one machine, which mean nothing on another. Split, so that this file passes.
const PLACES: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/tmp/", "wt"),
    concat!("/tmp/", "target"),
];
/// Settings that would send cargo elsewhere than to crates.io.
const REGISTRIES: &[&str] = &[
    concat!("replace", "-with ="),
    concat!("[regis", "tries"),
    concat!("index", "-url"),
    concat!("spar", "se+http"),
];
const LOCKED: &str = "source = \"";
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Paths of one machine and package sources other than crates.io.
pub(super) fn places(file: &str, text: &str) -> Vec<Defect> {
    let mut defects = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for place in PLACES.iter().chain(REGISTRIES) {
            if line.contains(place) {
                let what = format!("`{place}` belongs to one machine, not to the project");
                defects.push(Defect::new(file, index + 1, what));
            }
        }
        if file.ends_with("Cargo.lock") && line.starts_with(LOCKED) && !line.contains(CRATES_IO) {
            defects.push(Defect::new(file, index + 1, "locked to a source other than crates.io"));
        }
    }
    defects
}

/// Links of a markdown file to files that are not there.
pub(super) fn links(file: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Defect> {
    let mut defects = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for link in targets(line) {
            let path = link.split(['#', '?']).next().unwrap_or_default();
            // A crate's README is also its documentation: links to items are rustdoc's to check.
            let item = path.contains("::") || !path.contains(['.', '/']);
            if path.is_empty() || item || path.contains(':') {
                continue;
            }
            let target = resolve(file, path);
            if !exists(&target) {
                defects.push(Defect::new(file, index + 1, format!("link to {path}: no such file")));
            }
        }
    }
    defects
}

/// The changelog always has a place for what comes next.
pub(super) fn changelog(text: &str) -> Option<Defect> {
    let unreleased = text.lines().any(|line| {
        line.strip_prefix("## ").is_some_and(|title| title.trim_matches(['[', ']']) == "Unreleased")
    });
    (!unreleased).then(|| Defect::new("CHANGELOG.md", 0, "there is no section `## Unreleased`"))
}

fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

fn resolve(file: &str, link: &str) -> String {
    let mut parts: Vec<&str> = match link.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => file.split('/').rev().skip(1).collect::<Vec<_>>().into_iter().rev().collect(),
    };
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catches_dead_links() {
        let text = "[a](b.md) and [c](../d.md#x)\n```\n[no](none.md)\n```\n[web](https://x.org/y.md)\n\
                    [item](crate::Thing) [item](Thing)";
        let exists = |path: &str| path == "docs/b.md";
        let defects = links("docs/a.md", text, exists);
        assert_eq!(defects.len(), 1, "{defects:?}");
        assert!(defects[0].what.contains("../d.md"));
        assert!(links("docs/a.md", "[c](../d.md)", |path| path == "d.md").is_empty());
    }

    #[test]
    fn catches_machine_paths_and_registries() {
        for place in PLACES.iter().chain(REGISTRIES) {
            assert_eq!(places("README.md", &format!("see {place}x")).len(), 1, "{place}");
        }
        let foreign = format!("{LOCKED}git+https://example.org/x\"");
        assert_eq!(places("Cargo.lock", &foreign).len(), 1);
        assert!(places("Cargo.lock", &format!("{LOCKED}{CRATES_IO}\"")).is_empty());
    }

    #[test]
    fn wants_an_unreleased_section() {
        assert!(changelog("# Changelog\n\n## Unreleased\n").is_none());
        assert!(changelog("# Changelog\n\n## [Unreleased]\n").is_none());
        assert!(changelog("# Changelog\n\n## 0.1.0\n").is_some());
    }
}
