//! Prints the constraints of a source file: `cargo run --example extract -- path/to/file.rs`.

use edgekit_constraint_extract::{Extractor, Language, SourceFile};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).unwrap_or_else(|| file!().to_owned());
    let Some(language) = Language::of_path(&file) else {
        return Err(format!("{file}: no language for this extension was compiled in").into());
    };
    let text = std::fs::read_to_string(&file)?;
    let source = SourceFile { file: &file, language, text: &text };
    let extraction = Extractor::default().extract(&source)?;
    for c in &extraction.constraints {
        println!("{}: {:?}", c.origin, c.body);
    }
    for d in &extraction.diagnostics {
        println!("{file}:{}:{}: {}", d.line, d.column, d.message);
    }
    Ok(())
}
