//! Rules for a package: what each published crate carries with it.

use super::Defect;
use crate::workspace::Package;

/// All rules for one member of the workspace, given the list of all files and its manifest.
pub(super) fn check(package: &Package, files: &[String], manifest: &str) -> Vec<Defect> {
    let dir = &package.dir;
    let mut defects = Vec::new();
    let mut miss = |what: &str| defects.push(Defect::new(&format!("{dir}/Cargo.toml"), 0, what));
    if package.description.as_deref().unwrap_or_default().is_empty() {
        miss("the package has no description");
    }
    if !manifest.contains("[lints]\nworkspace = true") {
        miss("the package does not take the workspace's lints");
    }
    if !dir.starts_with("crates/") {
        return defects;
    }
    let short = package.short();
    let named = if short == "edgekit" { short.to_owned() } else { format!("edgekit-{short}") };
    if package.name != named {
        miss(&format!("the package in {dir} must be named {named}"));
    }
    if !files.contains(&format!("{dir}/README.md")) {
        miss("the crate has no README.md");
    }
    let examples = format!("{dir}/examples/");
    if !files.iter().any(|file| file.starts_with(&examples) && file.ends_with(".rs")) {
        miss("the crate has no runnable file in examples/");
    }
    defects
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_catches_its_mistake() {
        let good = Package {
            name: "edgekit-x".to_owned(),
            dir: "crates/x".to_owned(),
            description: Some("An x.".to_owned()),
            ..Package::default()
        };
        let files = ["crates/x/README.md".to_owned(), "crates/x/examples/a.rs".to_owned()];
        let manifest = "[package]\n\n[lints]\nworkspace = true\n";
        assert!(check(&good, &files, manifest).is_empty());

        let said = |package: &Package, files: &[String], manifest: &str| {
            check(package, files, manifest).iter().map(|d| d.what.clone()).collect::<String>()
        };
        assert!(said(&good, &files[..1], manifest).contains("examples"));
        assert!(said(&good, &files[1..], manifest).contains("README"));
        assert!(said(&good, &files, "[package]").contains("lints"));
        let silent = Package { description: None, ..good.clone() };
        assert!(said(&silent, &files, manifest).contains("description"));
        let misnamed = Package { name: "x".to_owned(), ..good };
        assert!(said(&misnamed, &files, manifest).contains("edgekit-x"));
    }
}
