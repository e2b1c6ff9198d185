//! `check targets`: the other machines. NEON's tests run under qemu, SIMD128's in Node, and every
//! crate is built for both. Where their standard libraries are installed, the types are checked for
//! macOS and Windows too, and the kernels' for a processor without a system.
//!
//! Where rustup has a target installed, its toolchain is used. Otherwise Debian's, which carries the
//! standard library's source and builds it.

use std::path::PathBuf;
use std::process::Command;

use super::{asm, sanitize};
use crate::Result;
use crate::process::{cargo, need, output, run as start, tool};
use crate::workspace::{members, root, target_dir};

const ARM: &str = "aarch64-unknown-linux-gnu";
const WASM: &str = "wasm32-unknown-unknown";
const TYPES_ONLY: [&str; 2] = ["aarch64-apple-darwin", "x86_64-pc-windows-gnu"];
const BARE: &str = "thumbv7em-none-eabihf";
const KERNELS: &str = "edgekit-kernels-simd";
const DEBIAN: &str = "/usr/bin/cargo";

/// All of them.
pub(crate) fn run() -> Result {
    if !root().join("crates/kernels-simd").exists() {
        return Err("there is no crates/kernels-simd".to_owned());
    }
    arm()?;
    wasm()?;
    println!("targets: {ARM} under qemu and {WASM} in Node passed");
    TYPES_ONLY.iter().try_for_each(|target| types(target))?;
    bare()
}

fn arm() -> Result {
    need("aarch64-linux-gnu-gcc", "apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross")?;
    need("qemu-aarch64", "apt-get install qemu-user")?;
    let (mut build, std) = cargo_for(ARM)?;
    build.args(["test", "--release", "-p", KERNELS, "--test", "main", "--target", ARM]).args(&std);
    start(build.arg("--no-run"))?;
    let messages = output(build.arg("--message-format=json"))?;
    let programs = sanitize::executables(&messages);
    let [program] = programs.as_slice() else {
        return Err(format!("expected one test program of {KERNELS}, found {programs:?}"));
    };
    asm::read("aarch64-linux-gnu-objdump", &PathBuf::from(program), &["neon"])?;
    let runner = format!("qemu-aarch64 -L {}", arm_libraries());
    let mut test = tool("qemu-aarch64", ["-L", arm_libraries(), program]);
    // A test of EDGEKIT_ISA starts itself again, and must know how.
    test.current_dir(root().join("crates/kernels-simd"));
    start(test.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", runner))?;
    build_all(ARM, &[])
}

fn arm_libraries() -> &'static str {
    "/usr/aarch64-linux-gnu"
}

fn wasm() -> Result {
    need("node", "apt-get install nodejs")?;
    for (flags, tables) in [("-Ctarget-feature=+simd128", "scalar simd128"), ("", "scalar")] {
        let (mut build, std) = cargo_for(WASM)?;
        build.args(["build", "--release", "-p", KERNELS, "--example", "wasm_suite"]);
        build.args(["--target", WASM]).args(&std);
        build.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags);
        start(&mut build)?;
        let module = built(WASM)?.join(format!("{WASM}/release/examples/wasm_suite.wasm"));
        let module = module.to_string_lossy();
        start(&mut tool("node", ["crates/kernels-simd/tests/wasm.mjs", &module, tables]))?;
    }
    let not_there = members()?.into_iter().filter(|package| !package.wasm);
    build_all(WASM, &not_there.map(|package| package.name).collect::<Vec<_>>())
}

/// Builds every published crate with its default features for `target`.
fn build_all(target: &str, but: &[String]) -> Result {
    let (mut build, std) = cargo_for(target)?;
    build.args(["build", "--release", "--lib", "--target", target]).args(&std);
    for package in members()?.iter().filter(|p| p.dir.starts_with("crates/")) {
        if but.contains(&package.name) {
            println!("{} is not meant for {target}", package.name);
        } else {
            build.args(["-p", &package.name]);
        }
    }
    start(&mut build)
}

/// Checks the types of every published crate. No linker and no C compiler of those systems is needed,
/// since nothing is built.
fn types(target: &str) -> Result {
    if !rustlib()?.join(target).exists() {
        println!("{target}: not checked. To check it: rustup target add {target}");
        return Ok(());
    }
    let (mut check, _) = cargo_for(target)?;
    check.args(["check", "--lib", "--target", target]);
    for tool in ["CC", "AR"] {
        check.env(format!("{tool}_{}", target.replace('-', "_")), "true");
    }
    for package in members()?.iter().filter(|p| p.dir.starts_with("crates/")) {
        check.args(["-p", &package.name]);
    }
    start(&mut check)?;
    println!("targets: types checked for {target}");
    Ok(())
}

/// Checks the kernels where there is no standard library, so that neither they nor a dependency needs
/// one.
fn bare() -> Result {
    if !rustlib()?.join(BARE).exists() {
        println!("{BARE}: not checked. To check it: rustup target add {BARE}");
        return Ok(());
    }
    let (mut check, _) = cargo_for(BARE)?;
    check.args(["check", "--lib", "-p", KERNELS, "--no-default-features", "--features", "libm"]);
    start(check.args(["--target", BARE]))?;
    println!("targets: types of {KERNELS} checked for {BARE}");
    Ok(())
}

fn rustlib() -> Result<PathBuf> {
    let sysroot = output(&mut tool("rustc", ["--print", "sysroot"]))?;
    Ok(PathBuf::from(sysroot.trim()).join("lib/rustlib"))
}

/// A cargo that can build for `target`, with the flags that it needs for the standard library.
fn cargo_for(target: &str) -> Result<(Command, Vec<&'static str>)> {
    let rustlib = rustlib()?;
    let installed = rustlib.join(target).exists();
    let (mut command, std) = if installed {
        (cargo([]), Vec::new())
    } else if PathBuf::from(DEBIAN).exists() {
        let mut command = tool(DEBIAN, []);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("/usr/bin:{path}")).env("RUSTC_BOOTSTRAP", "1");
        let lld = rustlib.join("x86_64-unknown-linux-gnu/bin/rust-lld");
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", lld);
        (command, vec!["-Zbuild-std=std,panic_abort", "-Zbuild-std-features="])
    } else {
        return Err(format!(
            "no toolchain for {target}. Install it with: rustup target add {target}\n\
             or, where rustup's server is out of reach: apt-get install rustc-web cargo-web rust-web-src"
        ));
    };
    command.env("CARGO_TARGET_DIR", built(target)?);
    command.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc");
    Ok((command, std))
}

/// Apart from the host's builds, which another compiler made.
fn built(target: &str) -> Result<PathBuf> {
    Ok(target_dir()?.join("targets").join(target))
}
