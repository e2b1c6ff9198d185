//! From a schema to masks: compile, hit, sample random allowed tokens until the document is over.

use edgekit_constraint_cache::{CacheConfig, ConstraintCache, Error, Stop, Tokenizer};
use serde_json::json;

fn main() -> Result<(), Error> {
    let cache = ConstraintCache::new(Tokenizer::o200k()?, CacheConfig::default())?;
    let schema = json!({
        "x-guidance": {"whitespace_flexible": false},
        "type": "object",
        "properties": {
            "colour": {"enum": ["red", "green", "blue"]},
            "size": {"type": "integer", "minimum": 1, "maximum": 99}
        },
        "required": ["colour", "size"],
        "additionalProperties": false
    });
    let mut random = 42u64;
    for _ in 0..5 {
        let mut session = cache.schema(&schema)?.session();
        let mut mask = vec![0u32; cache.tokenizer().mask_words()];
        while !matches!(session.stop()?, Some(Stop::EndToken | Stop::GrammarEnd)) {
            session.mask(&mut mask)?;
            let allowed: Vec<u32> = (0..cache.tokenizer().vocabulary() as u32)
                .filter(|t| mask[*t as usize / 32] >> (t % 32) & 1 == 1)
                .collect();
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            session.commit(allowed[(random >> 33) as usize % allowed.len()])?;
        }
        println!("{}", String::from_utf8_lossy(&session.text()));
    }
    println!("{:?}", cache.stats());
    Ok(())
}
