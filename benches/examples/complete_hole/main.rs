//! Completes the hole in a Rust file with random tokens: extract, compile, cache, sample.
//!
//! `cargo run --release -p edgekit-benches --example complete_hole -- 5`

#![deny(unsafe_code)]

mod complete;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let n = std::env::args().nth(1).map_or(Ok(5), |n| n.parse())?;
    let holed = complete::HoledFile::read("settings.rs", complete::SETTINGS)?;
    for completion in holed.complete(n)? {
        println!("{completion}");
    }
    println!("{:?}", holed.stats());
    Ok(())
}
