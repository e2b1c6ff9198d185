//! Constraints: what a source file demands, joined into one grammar, kept, and asked at every token.

use std::error::Error;
use std::time::{Duration, Instant};

use edgekit::constraint_cache::{CacheConfig, ConstraintCache, Session, Stop, Tokenizer};
use edgekit::constraint_compile::{Dialect, Goal, NotEnforced, conflicts};
use edgekit::constraint_extract::{Extractor, Language, SourceFile};
use edgekit::constraint_ir::{
    Body, Bound, Constraint, ConstraintSet, Enforcement, Kind, Number, Priority, Range, Source,
};

use super::report::{Report, escape, tiles};

/// The file into which a model is to write a call.
const FILE: &str = r#"
/// Where a request may run.
pub enum Executor { SmallCore, BigCore, Accelerator }

/// Sends `items` to an executor.
pub fn route(executor: Executor, items: u8, urgent: bool) -> String {
    assert!(items >= 1 && items <= 64);
    format!("{items} items, urgent: {urgent}")
}
"#;

/// Calls that are generated.
const CALLS: usize = 200;

/// Runs the panel and adds it to the report.
pub(crate) fn run(report: &mut Report) -> Result<(), Box<dyn Error>> {
    println!("\n── constraints ── a call of a Rust function, token by token");
    let source = SourceFile { file: "route.rs", language: Language::Rust, text: FILE };
    let start = Instant::now();
    let extraction = Extractor::default().extract(&source)?;
    let extracted_in = start.elapsed();
    let mut set: ConstraintSet = extraction.constraints.iter().cloned().collect();
    let extracted = set.len();

    // A wish that contradicts the file's own assertion, and a policy, and therefore gives way.
    let range = |low, high| {
        Body::Range(Range {
            target: "route.items".into(),
            lower: Bound::Inclusive(Number::Integer(low)),
            upper: Bound::Inclusive(Number::Integer(high)),
        })
    };
    let rule = |body, enforcement, priority| Constraint {
        enforcement,
        priority,
        ..Constraint::new(Kind::Operational, Source::Policy, body)
    };
    set.insert(rule(range(1, 32), Enforcement::Hard, Priority::HIGH));
    set.insert(rule(range(100, 200), Enforcement::Soft, Priority::LOW));
    let clashes = conflicts(&set);

    let start = Instant::now();
    let cache = ConstraintCache::new(Tokenizer::o200k()?, CacheConfig::default())?;
    let tokenizer_in = start.elapsed();
    let goal = Goal::Call { function: "route".into(), dialect: Dialect::Rust };
    let start = Instant::now();
    let template = cache.constraints(&set, &goal)?;
    let compiled_in = start.elapsed();
    let gave_way = |reason: &&NotEnforced| matches!(reason, NotEnforced::Dropped(_));
    let dropped = template
        .compiled()
        .map_or(0, |compiled| compiled.not_enforced().values().filter(gave_way).count());
    if dropped != 1 {
        return Err(format!("{dropped} constraints gave way, and not the one wish").into());
    }

    let mut random = 99_u64;
    let mut masks = Vec::new();
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        // Each request asks the cache, as a server would.
        let mut session = cache.constraints(&set, &goal)?.session();
        calls.push(generate(&mut session, &cache, &mut random, &mut masks)?);
    }
    masks.sort_unstable();
    let wrong = calls.iter().find(|call| !obeys(call));
    if let Some(call) = wrong {
        return Err(format!("{call:?} does not obey the signature").into());
    }
    let stats = cache.stats();
    let hits = stats.hits as f64 / (stats.hits + stats.misses) as f64;
    let at = |percent: usize| masks[(masks.len() - 1) * percent / 100].as_secs_f64() * 1e6;
    let memoised = stats.mask_hits as f64 / (stats.mask_hits + stats.mask_misses).max(1) as f64;
    let rows = [
        format!(
            "extracted           {extracted} constraints in {:.2} ms",
            extracted_in.as_secs_f64() * 1e3
        ),
        format!(
            "conflicts           {} found, {dropped} constraint dropped for a stronger one",
            clashes.len()
        ),
        format!(
            "compiled            in {:.1} ms (vocabulary of {} tokens ready in {:.0} ms)",
            compiled_in.as_secs_f64() * 1e3,
            cache.tokenizer().vocabulary(),
            tokenizer_in.as_secs_f64() * 1e3
        ),
        format!(
            "cache               {:.1} % hits, {:.0} % of masks memoised",
            hits * 100.0,
            memoised * 100.0
        ),
        format!("mask p50 / p99      {:.1} / {:.1} µs over {} tokens", at(50), at(99), masks.len()),
        format!("generated           {CALLS} calls by picking allowed tokens at random; all obey"),
    ];
    for row in &rows {
        println!("  {row}");
    }
    println!("    {}", calls[0]);
    let html = tiles(&[
        ("extracted", extracted.to_string()),
        ("conflicts", clashes.len().to_string()),
        ("cache hits", format!("{:.1} %", hits * 100.0)),
        ("mask p50", format!("{:.1} µs", at(50))),
        ("mask p99", format!("{:.1} µs", at(99))),
        ("calls that obey", format!("{CALLS} of {CALLS}")),
    ]) + &format!(
        "<pre>{}</pre><pre>{}</pre>",
        escape(FILE.trim()),
        escape(&calls[..6].join("\n"))
    );
    report.section("Constraints", &html);
    Ok(())
}

/// Picks allowed tokens at random until the call is complete.
fn generate(
    session: &mut Session,
    cache: &ConstraintCache,
    random: &mut u64,
    masks: &mut Vec<Duration>,
) -> Result<String, Box<dyn Error>> {
    let mut mask = vec![0_u32; cache.tokenizer().mask_words()];
    while !matches!(session.stop()?, Some(Stop::EndToken | Stop::GrammarEnd)) {
        let start = Instant::now();
        session.mask(&mut mask)?;
        masks.push(start.elapsed());
        let set: u32 = mask.iter().map(|word| word.count_ones()).sum();
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let lot = (*random >> 33) as u32 % set.max(1);
        session.commit(nth_set(&mask, lot).ok_or("no token is allowed: a dead end")?)?;
    }
    Ok(String::from_utf8(session.text())?)
}

/// The `n`-th token whose bit is set.
fn nth_set(mask: &[u32], n: u32) -> Option<u32> {
    let mut left = n;
    for (at, &word) in mask.iter().enumerate() {
        if left < word.count_ones() {
            let bit = (0..32).filter(|bit| word >> bit & 1 == 1).nth(left as usize)?;
            return Some(at as u32 * 32 + bit);
        }
        left -= word.count_ones();
    }
    None
}

/// Looks at a call without the grammar that made it.
fn obeys(call: &str) -> bool {
    let Some(arguments) =
        call.trim().strip_prefix("route(").and_then(|rest| rest.strip_suffix(')'))
    else {
        return false;
    };
    let parts: Vec<&str> = arguments.split(',').map(str::trim).collect();
    let [executor, items, urgent] = parts[..] else { return false };
    let digits = items.strip_suffix("u8").unwrap_or(items);
    ["Executor::SmallCore", "Executor::BigCore", "Executor::Accelerator"].contains(&executor)
        && digits.parse::<u8>().is_ok_and(|items| (1..=32).contains(&items))
        && ["true", "false"].contains(&urgent)
}
