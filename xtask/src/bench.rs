//! `cargo xtask bench`, `compare` and `demo`: programs of the workspace, built for release.

use std::path::PathBuf;

use crate::Result;
use crate::process::{cargo, output, run as start, tool};
use crate::workspace::{PEERS, target_dir};

/// Builds the benches crate's program and returns where it is.
pub(crate) fn build(peers: bool) -> Result<PathBuf> {
    let mut build = cargo(["build", "--release", "-p", "edgekit-benches"]);
    if peers {
        build.args(["--features", PEERS]);
    }
    start(&mut build)?;
    Ok(target_dir()?.join("release/edgekit-benches"))
}

/// Measures and judges. The arguments are the program's own; it complains of wrong ones.
pub(crate) fn run(args: &[String]) -> Result {
    let program = build(args.iter().any(|arg| arg == "--peers"))?;
    start(tool(&program.to_string_lossy(), ["bench"]).args(args))
}

/// Measures this tree and another revision in turns.
pub(crate) fn compare(args: &[String]) -> Result {
    let Some((revision, filters)) = args.split_first() else {
        return Err("which revision? cargo xtask compare REV [--only NAME]".to_owned());
    };
    let hash = output(&mut tool("git", ["rev-parse", "--verify", "--quiet", revision]))
        .map_err(|_| format!("git knows no revision {revision}"))?;
    let hash = hash.trim();
    let here = build(false)?;
    let other = build_revision(hash)?;
    start(
        tool(&here.to_string_lossy(), ["compare", &other.to_string_lossy(), &hash[..10]])
            .args(filters),
    )
}

/// Checks the revision out below the target directory and builds its benches there. The tree and
/// what was built stay, so that the next comparison with it starts at once.
fn build_revision(hash: &str) -> Result<PathBuf> {
    let dir = target_dir()?.join("compare");
    let tree = dir.join(hash);
    if !tree.exists() {
        let path = tree.to_string_lossy();
        start(&mut tool("git", ["worktree", "prune"]))?;
        start(&mut tool("git", ["worktree", "add", "--detach", &path, hash]))?;
    }
    let built = dir.join("built").join(hash);
    start(
        cargo(["build", "--release", "-p", "edgekit-benches"])
            .current_dir(&tree)
            .env("CARGO_TARGET_DIR", &built),
    )?;
    Ok(built.join("release/edgekit-benches"))
}

/// The facade's demonstration.
pub(crate) fn demo(args: &[String]) -> Result {
    let example = ["run", "--profile", "demo", "-p", "edgekit", "--example", "edge_node"];
    start(cargo(example).args(["--features", "full", "--"]).args(args))
}
