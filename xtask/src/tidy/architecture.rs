//! docs/ARCHITECTURE.md against the code: who may depend on whom, and where unsafe code may be.
//!
//! The document carries two marked blocks that are read here:
//!
//! ```text
//! <!-- tidy:dependencies -->
//! | crate | layer | may depend on |
//! |---|---|---|
//! | kernels-simd | 0 | — |
//! | vector-index | 2 | kernels-simd, mempool |
//! | neural-net | later | kernels-simd |
//! | edgekit | 4 | all |
//! <!-- /tidy:dependencies -->
//!
//! <!-- tidy:unsafe -->
//! - `crates/kernels-simd/src/simd/avx2.rs`: intrinsics
//! <!-- /tidy:unsafe -->
//! ```

use super::Defect;
use crate::workspace::Package;

/// The document that is read.
pub(super) const FILE: &str = "docs/ARCHITECTURE.md";

/// The files that may contain unsafe code.
pub(super) fn unsafe_files(text: &str, defects: &mut Vec<Defect>) -> Vec<String> {
    let mut files = Vec::new();
    let Some(block) = block(text, "unsafe") else {
        defects.push(Defect::new(FILE, 0, "there is no block `<!-- tidy:unsafe -->`"));
        return files;
    };
    for (line, text) in block {
        let Some(item) = text.strip_prefix("- ") else { continue };
        match item.strip_prefix('`').and_then(|item| item.split_once('`')) {
            Some((file, reason)) if reason.trim_start_matches([':', ' ']).len() > 2 => {
                files.push(file.to_owned());
            }
            _ => defects.push(Defect::new(FILE, line, "expected - `path`: reason")),
        }
    }
    files
}

/// Edges between the workspace's crates that the table does not allow, and rows of the table that
/// are not (or no longer) true.
pub(super) fn dependencies(text: &str, members: &[Package]) -> Vec<Defect> {
    let Some(block) = block(text, "dependencies") else {
        return vec![Defect::new(FILE, 0, "there is no block `<!-- tidy:dependencies -->`")];
    };
    let rows: Vec<Row> = block.into_iter().filter_map(|(line, text)| row(line, text)).collect();
    let mut defects = Vec::new();
    for row in &rows {
        match (members.iter().any(|p| p.short() == row.name), row.later) {
            (false, false) => {
                let what = format!("the table has {}, which does not exist", row.name);
                defects.push(Defect::new(FILE, row.line, what));
            }
            (true, true) => {
                let what = format!("{} is marked as coming later, and it is there", row.name);
                defects.push(Defect::new(FILE, row.line, what));
            }
            _ => {}
        }
        for name in row.may.iter().filter(|name| !matches!(name.as_str(), "all" | "anything")) {
            if !rows.iter().any(|other| other.name == *name) {
                let what = format!("{} may depend on {name}, which has no row", row.name);
                defects.push(Defect::new(FILE, row.line, what));
            }
        }
    }
    for package in members {
        let Some(row) = rows.iter().find(|row| row.name == package.short()) else {
            let what = format!("{} has no row in the table of dependencies", package.short());
            defects.push(Defect::new(FILE, 0, what));
            continue;
        };
        for other in members.iter().filter(|p| package.dependencies.contains(&p.name)) {
            let anything = row.may.iter().any(|name| name == "all" || name == "anything");
            // A crate may name itself among its dev-dependencies to turn its own features on.
            if !anything
                && other.name != package.name
                && !row.may.iter().any(|n| n == other.short())
            {
                let what = format!(
                    "depends on {}, which the table in {FILE} does not allow",
                    other.short()
                );
                defects.push(Defect::new(&format!("{}/Cargo.toml", package.dir), 0, what));
            }
        }
    }
    defects
}

struct Row {
    line: usize,
    name: String,
    later: bool,
    may: Vec<String>,
}

fn row(line: usize, text: &str) -> Option<Row> {
    let cells: Vec<&str> = text.trim().trim_matches('|').split('|').map(str::trim).collect();
    let [name, .., may] = cells.as_slice() else { return None };
    let name = bare(name.split_whitespace().next()?);
    if name == "crate" || name.starts_with("--") || name.starts_with(":-") {
        return None;
    }
    let may = may.split(',').map(|part| bare(part.trim().split(' ').next().unwrap_or_default()));
    Some(Row {
        line,
        name,
        later: cells.iter().any(|cell| cell.contains("later")),
        may: may.filter(|part| !matches!(part.as_str(), "" | "—" | "-" | "nothing")).collect(),
    })
}

fn bare(word: &str) -> String {
    word.trim_matches(['`', '*']).to_owned()
}

/// The numbered lines between `<!-- tidy:NAME -->` and `<!-- /tidy:NAME -->`.
fn block<'a>(text: &'a str, name: &str) -> Option<Vec<(usize, &'a str)>> {
    let (open, close) = (format!("<!-- tidy:{name} -->"), format!("<!-- /tidy:{name} -->"));
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.iter().position(|line| line.trim() == open)?;
    let end = start + lines[start..].iter().position(|line| line.trim() == close)?;
    Some((start + 1..end).map(|at| (at + 1, lines[at])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
<!-- tidy:dependencies -->
| crate | layer | may depend on |
|---|---|---|
| a | 0 | — |
| `b` | 1 | `a` |
| c | later | a, b |
<!-- /tidy:dependencies -->";

    fn package(short: &str, dependencies: &[&str]) -> Package {
        Package {
            name: format!("edgekit-{short}"),
            dir: format!("crates/{short}"),
            dependencies: dependencies.iter().map(|d| format!("edgekit-{d}")).collect(),
            ..Package::default()
        }
    }

    fn said(table: &str, members: &[Package]) -> String {
        dependencies(table, members).into_iter().map(|d| d.what + "\n").collect()
    }

    #[test]
    fn the_table_as_it_is_passes() {
        let members = [package("a", &["a"]), package("b", &["a", "serde"])];
        assert_eq!(said(TABLE, &members), "");
        let anything = TABLE.replace("`a`", "anything");
        assert_eq!(said(&anything, &[package("a", &[]), package("b", &["a"])]), "");
    }

    #[test]
    fn each_rule_catches_its_mistake() {
        let (a, b) = (package("a", &[]), package("b", &["a"]));
        assert!(said(TABLE, &[package("a", &["b"]), b.clone()]).contains("does not allow"));
        assert!(said(TABLE, std::slice::from_ref(&a)).contains("b, which does not exist"));
        let c = package("c", &[]);
        assert!(said(TABLE, &[a.clone(), b.clone(), c]).contains("marked as coming later"));
        let d = package("d", &[]);
        assert!(said(TABLE, &[a.clone(), b.clone(), d]).contains("d has no row"));
        let stray = TABLE.replace("a, b", "a, z");
        assert!(said(&stray, &[a.clone(), b.clone()]).contains("z, which has no row"));
        assert!(said("no table", &[a, b]).contains("no block"));
    }

    #[test]
    fn the_unsafe_list_needs_reasons() {
        let mut defects = Vec::new();
        let text =
            "<!-- tidy:unsafe -->\n- `a.rs`: why\n- `b.rs`\n- c.rs: x\n<!-- /tidy:unsafe -->";
        assert_eq!(unsafe_files(text, &mut defects), ["a.rs"]);
        assert_eq!(defects.len(), 2, "{defects:?}");
        unsafe_files("", &mut defects);
        assert_eq!(defects.len(), 3);
    }
}
