//! What one does with the workspace: `cargo xtask demo | test | bench | …`.
#![deny(unsafe_code)]

fn main() {
    println!("cargo xtask demo | test | bench");
}
