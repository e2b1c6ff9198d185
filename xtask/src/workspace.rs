//! What cargo and git know about the workspace: packages, features, licences, files.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;

use crate::Result;
use crate::process::{cargo, output, tool};

/// Feature of the benches crate that builds rival C++ libraries; never on unless asked for.
pub(crate) const PEERS: &str = "edgekit-benches/peers";

/// The workspace's root directory.
pub(crate) fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
    })
}

/// One package as `cargo metadata` tells of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Package {
    /// The package's name, `edgekit-vector-index`.
    pub(crate) name: String,
    /// Its directory relative to the root, `crates/vector-index`; empty if it is somebody else's.
    pub(crate) dir: String,
    /// The licence expression, if it names one.
    pub(crate) license: Option<String>,
    /// The one-line description.
    pub(crate) description: Option<String>,
    /// Names of its features.
    pub(crate) features: Vec<String>,
    /// Names of the packages that it depends on, in any way (normal, build, dev, any platform).
    pub(crate) dependencies: Vec<String>,
    /// Source files of its library and programs, relative to the root.
    pub(crate) roots: Vec<String>,
    /// Whether `[package.metadata.edgekit]` says `loom = true`.
    pub(crate) loom: bool,
    /// Whether it is meant for browsers, which `[package.metadata.edgekit]` denies by `wasm = false`.
    pub(crate) wasm: bool,
}

impl Package {
    /// The last part of its directory, by which the documents call it.
    pub(crate) fn short(&self) -> &str {
        self.dir.rsplit('/').next().unwrap_or(&self.dir)
    }
}

/// The members of the workspace.
pub(crate) fn members() -> Result<Vec<Package>> {
    let metadata = metadata(&["--no-deps"])?;
    Ok(packages(&metadata))
}

/// All packages that are built with the given features, members and others.
pub(crate) fn resolved(features: &[&str]) -> Result<Vec<Package>> {
    let metadata = metadata(features)?;
    Ok(packages(&metadata))
}

/// Where cargo builds.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let metadata = metadata(&["--no-deps"])?;
    Ok(PathBuf::from(metadata["target_directory"].as_str().unwrap_or("target")))
}

/// `package/feature,…` of every feature in the workspace but the peers: what "all features" means
/// to every command here.
pub(crate) fn all_features() -> Result<String> {
    Ok(all_features_of(&members()?))
}

/// The same of some packages.
pub(crate) fn all_features_of(packages: &[Package]) -> String {
    let mut features: Vec<String> = packages
        .iter()
        .flat_map(|package| {
            package.features.iter().map(move |feature| format!("{}/{feature}", package.name))
        })
        .filter(|feature| feature != PEERS)
        .collect();
    features.sort();
    features.join(",")
}

/// Every file that is tracked or would be, relative to the root, sorted.
pub(crate) fn files() -> Result<Vec<String>> {
    let listed = output(&mut tool(
        "git",
        ["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate"],
    ));
    let mut files: Vec<String> = match listed {
        Ok(listed) => {
            let there = |file: &&str| root().join(file).is_file();
            listed.lines().filter(there).map(str::to_owned).collect()
        }
        // An unpacked archive has no git directory.
        Err(_) => walk(root(), root())?,
    };
    files.sort();
    Ok(files)
}

fn walk(dir: &Path, root: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let entries = std::fs::read_dir(dir).map_err(|e| format!("cannot read {}: {e}", dir.display()));
    for entry in entries?.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if name == "target" || name == ".git" {
            continue;
        }
        if path.is_dir() {
            files.extend(walk(&path, root)?);
        } else if let Ok(inside) = path.strip_prefix(root) {
            files.push(inside.to_string_lossy().into_owned());
        }
    }
    Ok(files)
}

fn metadata(args: &[&str]) -> Result<Value> {
    let text = output(cargo(["metadata", "--format-version", "1"]).args(args))?;
    serde_json::from_str(&text).map_err(|e| format!("cargo metadata: {e}"))
}

fn packages(metadata: &Value) -> Vec<Package> {
    let root = metadata["workspace_root"].as_str().unwrap_or_default();
    list(&metadata["packages"]).iter().map(|package| read(package, root)).collect()
}

fn read(package: &Value, root: &str) -> Package {
    let inside = |path: &Value| {
        let path = path.as_str()?.strip_prefix(root)?;
        Some(path.trim_start_matches('/').to_owned())
    };
    let dir = inside(&package["manifest_path"]).filter(|_| package["source"].is_null());
    Package {
        name: string(&package["name"]).unwrap_or_default(),
        dir: dir.map(|d| d.trim_end_matches("/Cargo.toml").to_owned()).unwrap_or_default(),
        license: string(&package["license"]),
        description: string(&package["description"]),
        features: match package["features"].as_object() {
            Some(features) => features.keys().cloned().collect(),
            None => Vec::new(),
        },
        dependencies: list(&package["dependencies"])
            .iter()
            .filter_map(|dependency| string(&dependency["name"]))
            .collect(),
        roots: list(&package["targets"])
            .iter()
            .filter(|target| {
                list(&target["kind"]).iter().any(|kind| {
                    matches!(
                        kind.as_str(),
                        Some("lib" | "bin" | "proc-macro" | "cdylib" | "staticlib" | "rlib")
                    )
                })
            })
            .filter_map(|target| inside(&target["src_path"]))
            .collect(),
        loom: package["metadata"]["edgekit"]["loom"].as_bool() == Some(true),
        wasm: package["metadata"]["edgekit"]["wasm"].as_bool() != Some(false),
    }
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_itself() {
        let members = members().unwrap();
        let xtask = members.iter().find(|p| p.name == "xtask").unwrap();
        assert_eq!((xtask.dir.as_str(), xtask.short()), ("xtask", "xtask"));
        assert_eq!(xtask.roots, ["xtask/src/main.rs"]);
        assert!(files().unwrap().iter().any(|f| f == "xtask/src/workspace.rs"));
        assert!(!all_features().unwrap().contains(PEERS));
    }
}
