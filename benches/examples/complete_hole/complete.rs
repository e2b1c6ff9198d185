//! The way from a source file to completions of its hole.

use std::error::Error;

use edgekit_constraint_cache::{CacheConfig, ConstraintCache, Session, Stats, Stop, Tokenizer};
use edgekit_constraint_compile::{Dialect, Goal, Options};
use edgekit_constraint_extract::{Extractor, Language, SourceFile};
use edgekit_constraint_ir::{Body, ConstraintSet, Hole, Origin};

/// A file of this workspace.
pub(crate) const FILE: &str = include_str!("../../../crates/spike-coding/src/energy.rs");

/// A function of that file.
pub(crate) const SIGNATURE: &str = "fn add(self, other: Operations) -> Operations {";

/// A file with a hole in the place of a function's body. `signature` is the function's up to its
/// brace; the body ends with a brace in the column of the signature's line.
pub(crate) fn with_hole(text: &str, signature: &str) -> Option<String> {
    let start = text.find(signature)?;
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let indent = &text[line..start];
    let body = start + signature.len();
    let end = body + text[body..].find(&format!("\n{indent}}}\n"))?;
    Some(format!("{}\n{indent}    todo!(){}", &text[..body], &text[end..]))
}

/// A source file with one hole.
pub(crate) struct HoledFile {
    text: String,
    hole: Hole,
    at: usize,
    constraints: ConstraintSet,
    cache: ConstraintCache,
}

impl HoledFile {
    /// Reads a Rust file and finds its hole.
    pub(crate) fn read(file: &str, text: &str) -> Result<Self, Box<dyn Error>> {
        let source = SourceFile { file, language: Language::Rust, text };
        let extraction = Extractor::default().extract(&source)?;
        let hole = extraction.constraints.iter().find_map(|c| match &c.body {
            Body::Hole(hole) => Some((hole.clone(), c.origin.clone())),
            _ => None,
        });
        let (hole, origin) = hole.ok_or("the file has no hole")?;
        // Short texts and lists: the mock model does not know when to stop.
        let options = Options { max_text_chars: 16, max_list_items: 3, ..Options::default() };
        let config = CacheConfig { options, ..CacheConfig::default() };
        Ok(HoledFile {
            at: offset(text, &origin),
            text: text.to_owned(),
            hole,
            constraints: extraction.constraints.iter().cloned().collect(),
            cache: ConstraintCache::new(Tokenizer::o200k()?, config)?,
        })
    }

    /// Completions by a mock model that picks random allowed tokens, the same ones every time.
    pub(crate) fn complete(&self, n: u64) -> Result<Vec<String>, Box<dyn Error>> {
        let goal = Goal::Hole { function: self.hole.function.clone(), dialect: Dialect::Rust };
        let template = self.cache.constraints(&self.constraints, &goal)?;
        (0..n).map(|seed| sample(&mut template.session(), seed)).collect()
    }

    /// The file with a completion in the place of its hole.
    pub(crate) fn filled(&self, completion: &str) -> String {
        let (before, after) = self.text.split_at(self.at);
        format!("{before}{completion}{}", &after[self.hole.marker.len()..])
    }

    /// The name of the function around the hole.
    pub(crate) fn function(&self) -> &str {
        &self.hole.function
    }

    /// What the cache has done.
    pub(crate) fn stats(&self) -> Stats {
        self.cache.stats()
    }
}

fn sample(session: &mut Session, seed: u64) -> Result<String, Box<dyn Error>> {
    let tokenizer = session.template().tokenizer().clone();
    let mut mask = vec![0u32; tokenizer.mask_words()];
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
    while !matches!(session.stop()?, Some(Stop::EndToken | Stop::GrammarEnd)) {
        session.mask(&mut mask)?;
        let allowed: u32 = mask.iter().map(|word| word.count_ones()).sum();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        session.commit(nth(&mask, (random >> 33) as u32 % allowed))?;
    }
    Ok(String::from_utf8(session.text())?)
}

/// The token of the n-th bit that is set.
fn nth(mask: &[u32], mut n: u32) -> u32 {
    for (i, word) in mask.iter().enumerate() {
        if n < word.count_ones() {
            let mut word = *word;
            (0..n).for_each(|_| word &= word - 1);
            return i as u32 * 32 + word.trailing_zeros();
        }
        n -= word.count_ones();
    }
    unreachable!("a mask has as many bits as were counted")
}

fn offset(text: &str, origin: &Origin) -> usize {
    let line = origin.line as usize - 1;
    let lines_before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    lines_before + origin.column as usize - 1
}
