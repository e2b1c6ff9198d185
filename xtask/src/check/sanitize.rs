//! `check sanitize`: the tests of the crates with unsafe code under tools that see wrong accesses.
//!
//! AddressSanitizer of the nightly toolchain, then valgrind's memcheck on the same tests, then Miri
//! where it is installed (its component cannot be had everywhere).

use crate::Result;
use crate::process::{cargo, need, output, run as start, tool};
use crate::tidy;
use crate::workspace::{Package, all_features_of, members};

const HOST: &str = "x86_64-unknown-linux-gnu";

/// All three over the crates that docs/ARCHITECTURE.md lists.
pub(super) fn run() -> Result {
    let listed = tidy::unsafe_files()?;
    let concerned =
        |p: &Package| listed.iter().any(|file| file.starts_with(&format!("{}/", p.dir)));
    let crates: Vec<Package> =
        members()?.into_iter().filter(|p| p.dir.starts_with("crates/") && concerned(p)).collect();
    if crates.is_empty() {
        println!("sanitize: no crate has unsafe code");
        return Ok(());
    }
    output(&mut cargo(["+nightly", "--version"]))
        .map_err(|_| "the nightly toolchain is missing: rustup toolchain install nightly")?;
    need("valgrind", "apt-get install valgrind")?;
    // Threads and the other optional parts have unsafe code too.
    let features = all_features_of(&crates);
    let names = crates.iter().flat_map(|p| ["-p", p.name.as_str()]);
    let names: Vec<&str> = names.chain(["--features", &features]).collect();
    address_sanitizer(&names)?;
    memcheck(&names)?;
    miri(&names)?;
    println!("sanitize: {} crates, no wrong access", crates.len());
    Ok(())
}

/// One that leaks or writes where it may not ends the run.
fn address_sanitizer(names: &[&str]) -> Result {
    start(
        cargo(["+nightly", "test", "--lib", "--tests", "--target", HOST])
            .args(names)
            // What threads share of one slice.
            .args(["--features", "edgekit-kernels-simd/rayon"])
            .env("RUSTFLAGS", "-Zsanitizer=address")
            .env("PROPTEST_CASES", "32"),
    )
}

/// valgrind has no AVX-512, so the best table that it can run is AVX2's.
fn memcheck(names: &[&str]) -> Result {
    let mut build = cargo(["test", "--no-run", "--lib", "--tests"]);
    start(build.args(names))?;
    let messages = output(build.arg("--message-format=json"))?;
    for program in executables(&messages) {
        let flags =
            ["-q", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite"];
        start(
            tool("valgrind", flags)
                .args([program.as_str(), "--test-threads=1"])
                .env("EDGEKIT_ISA", "avx2")
                .env("PROPTEST_CASES", "4"),
        )?;
    }
    Ok(())
}

/// The test programs that a build with `--message-format=json` made.
pub(super) fn executables(messages: &str) -> Vec<String> {
    let parsed = messages.lines().filter_map(|line| serde_json::from_str(line).ok());
    parsed
        .filter_map(|message: serde_json::Value| {
            let test = message["profile"]["test"].as_bool() == Some(true);
            message["executable"].as_str().filter(|_| test).map(str::to_owned)
        })
        .collect()
}

fn miri(names: &[&str]) -> Result {
    if output(&mut cargo(["+nightly", "miri", "--version"])).is_err() {
        println!("miri: not installed (rustup +nightly component add miri), not run");
        return Ok(());
    }
    let test = ["+nightly", "miri", "test", "--lib", "--tests"];
    start(cargo(test).args(names).env("EDGEKIT_ISA", "scalar").env("PROPTEST_CASES", "2"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn finds_test_programs_in_cargo_messages() {
        let messages = "{\"profile\":{\"test\":true},\"executable\":\"/x/a\"}\n\
                        {\"profile\":{\"test\":false},\"executable\":\"/x/b\"}\nnot json";
        assert_eq!(super::executables(messages), ["/x/a"]);
    }
}
