//! Completes a hole in a file of this workspace with random tokens: extract, compile, cache, sample.
//!
//! `cargo run --release -p edgekit-benches --example complete_hole -- 5`

#![deny(unsafe_code)]

mod complete;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let n = std::env::args().nth(1).map_or(Ok(5), |n| n.parse())?;
    let text =
        complete::with_hole(complete::FILE, complete::SIGNATURE).ok_or("no such function")?;
    let holed = complete::HoledFile::read("energy.rs", &text)?;
    println!("completions of the hole in `{}`:", holed.function());
    let completions = holed.complete(n)?;
    for completion in &completions {
        println!("    {completion}");
    }
    if let Some(last) = completions.last() {
        println!("\nthe file with the last of them:\n{}", holed.filled(last));
    }
    println!("{:?}", holed.stats());
    Ok(())
}
