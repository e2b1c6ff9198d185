//! The constraint cache: hits against other caches, evictions, hashing, masks against the engine.

use std::hash::{DefaultHasher, Hasher};
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use edgekit_constraint_cache::{
    CacheConfig, ConstraintCache, Key, Limits, Session, Store, Template, Tokenizer,
};
use edgekit_constraint_compile::llguidance::api::TopLevelGrammar;
use edgekit_constraint_compile::llguidance::{Matcher, ParserFactory};
use lru::LruCache;
use serde_json::{Value, json};

use super::constraint_batches;
use crate::{Suite, Unit};

/// Declares what is measured.
pub fn declare(suite: &mut Suite) {
    hashing(suite);
    rivals(suite);
    evictions(suite);
    if suite.wants("constraint-cache/hit/") || suite.wants("constraint-cache/mask/") {
        let Ok(cache) =
            Tokenizer::o200k().and_then(|t| ConstraintCache::new(t, CacheConfig::default()))
        else {
            return suite.check("constraint-cache/tokenizer", false, || "no tokenizer".into());
        };
        hits(suite, &cache);
        masks(suite, &cache);
    }
}

fn hashing(suite: &mut Suite) {
    let bytes: Vec<u8> = (0..1024u32).map(|i| (i * 7) as u8).collect();
    let other = bytes.clone();
    suite.time("constraint-cache/hash/1024/siphash", move || {
        let mut hasher = DefaultHasher::new();
        hasher.write(black_box(&bytes));
        hasher.finish()
    });
    suite.time("constraint-cache/hash/1024/xxh3", move || {
        edgekit_constraint_ir::ContentId::of(black_box(&other))
    });
}

/// About a kilobyte of schema.
fn kilobyte() -> Value {
    let properties: serde_json::Map<String, Value> = (0..16)
        .map(|i| (format!("property_{i}"), json!({"type": "string", "maxLength": 10 + i})))
        .collect();
    json!({"type": "object", "properties": properties, "required": ["property_0"]})
}

fn hits(suite: &mut Suite, cache: &ConstraintCache) {
    let schema = kilobyte();
    let found = cache.schema(&schema);
    let size = schema.to_string().len();
    suite.check("constraint-cache/hit", found.is_ok() && (700..1400).contains(&size), || {
        format!("{size} bytes, {:?}", found.err())
    });
    let key = cache.schema_key(&schema);
    let (a, b) = (cache.clone(), cache.clone());
    suite.time("constraint-cache/hit/key-ready", move || a.get(black_box(&key)).is_some());
    suite.time("constraint-cache/hit/with-key", move || {
        b.get(&b.schema_key(black_box(&schema))).is_some()
    });
}

const KEYS: usize = 4096;

/// Indices below `KEYS` by Zipf's law with exponent 1, the same for every rival.
fn zipf(seed: u64, n: usize) -> Vec<usize> {
    let mut sums = vec![0.0];
    (1..=KEYS).for_each(|i| sums.push(sums[i - 1] + 1.0 / i as f64));
    let mut state = seed;
    let mut one = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = (state >> 11) as f64 / (1u64 << 53) as f64 * sums[KEYS];
        sums.partition_point(|s| *s <= at).clamp(1, KEYS) - 1
    };
    (0..n).map(|_| one()).collect()
}

/// Hits per second of four threads.
fn four_threads(keys: &[Key], get: &(impl Fn(&Key) -> bool + Sync)) -> f64 {
    let plans: Vec<Vec<usize>> = (0..4).map(|t| zipf(t + 1, 1 << 18)).collect();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for plan in &plans {
            scope.spawn(move || plan.iter().filter(|i| get(&keys[**i])).count());
        }
    });
    (4 << 18) as f64 / start.elapsed().as_secs_f64()
}

fn rivals(suite: &mut Suite) {
    if !suite.wants("constraint-cache/threads/") {
        return;
    }
    // Keys as they are in the cache: a kilobyte each, compared on every hit.
    let keys: Rc<[Key]> =
        (0..KEYS as u64).map(|i| Key::of([i.to_le_bytes().repeat(128)].concat())).collect();
    let value = |i: usize| Arc::new(i);
    let limits = Limits { max_entries: 4 * KEYS, ..Limits::default() };
    let Ok(ours) = Store::new(limits) else { return };
    let size = NonZeroUsize::new(4 * KEYS).unwrap_or(NonZeroUsize::MIN);
    let hand_made = Mutex::new(LruCache::new(size));
    let quick = quick_cache::sync::Cache::new(4 * KEYS);
    let moka = moka::sync::Cache::new(4 * KEYS as u64);
    for (i, key) in keys.iter().enumerate() {
        ours.insert(key, value(i), 1, Duration::ZERO);
        if let Ok(mut cache) = hand_made.lock() {
            cache.put(key.clone(), value(i));
        }
        quick.insert(key.clone(), value(i));
        moka.insert(key.clone(), value(i));
    }
    let unit = Unit::PerSecond;
    let all = keys.iter().all(|k| {
        ours.get(k, || Duration::ZERO).is_some() && quick.get(k).is_some() && moka.get(k).is_some()
    });
    suite.check("constraint-cache/threads", all, || "not every get is a hit".into());
    let k = Rc::clone(&keys);
    suite.measure("constraint-cache/threads/4/ours", unit, move || {
        four_threads(&k, &|key| ours.get(key, || Duration::ZERO).is_some())
    });
    let k = Rc::clone(&keys);
    suite.measure("constraint-cache/threads/4/mutex-lru", unit, move || {
        four_threads(&k, &|key| hand_made.lock().is_ok_and(|mut c| c.get(key).cloned().is_some()))
    });
    let k = Rc::clone(&keys);
    suite.measure("constraint-cache/threads/4/quick_cache", unit, move || {
        four_threads(&k, &|key| quick.get(key).is_some())
    });
    suite.measure("constraint-cache/threads/4/moka", unit, move || {
        four_threads(&keys, &|key| moka.get(key).is_some())
    });
}

fn evictions(suite: &mut Suite) {
    for size in [10, 1_000, 100_000, 1_000_000usize] {
        let id = format!("constraint-cache/evict/{size}");
        if !suite.wants(&id) {
            continue;
        }
        let limits = Limits { max_entries: size, ..Limits::default() };
        let Ok(store) = Store::new(limits) else { return };
        let key = |n: u64| Key::of(n.to_le_bytes().to_vec());
        let mut n = 0;
        while store.stats().evictions == 0 || n < 2 * size as u64 {
            for _ in 0..(size / 4).max(1) {
                store.insert(&key(n), n, 1, Duration::ZERO);
                n += 1;
            }
        }
        let before = (n, store.stats().evictions);
        (0..1000).for_each(|i| store.insert(&key(n + i), i, 1, Duration::ZERO));
        n += 1000;
        let evicted = store.stats().evictions - before.1;
        suite.check(&id, evicted >= 900, || format!("1000 inserts evicted {evicted}"));
        suite.time(id, move || {
            n += 1;
            store.insert(&key(n), n, 1, Duration::ZERO);
        });
    }
}

/// A schema and the tokens of a document that it accepts.
pub(super) struct Walk {
    schema: Value,
    template: Arc<Template>,
    pub(super) tokens: Vec<u32>,
    /// The tokens of another document; empty if there is none.
    next: Vec<u32>,
}

/// Files with a schema and documents: MaskBench's if they are there, otherwise the project's samples.
pub(super) fn schema_files() -> (Vec<PathBuf>, &'static str) {
    let root = match std::env::var_os("EDGEKIT_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
    };
    let unpacked = std::env::temp_dir().join("edgekit-maskbench-dev");
    let archive = root.join("maskbench-dev.tar.xz");
    let there = archive.exists()
        && std::fs::create_dir_all(&unpacked).is_ok()
        && std::process::Command::new("tar")
            .arg("xf")
            .arg(&archive)
            .arg("-C")
            .arg(&unpacked)
            .status()
            .is_ok_and(|s| s.success());
    let (folder, name) = if there {
        (unpacked.join("maskbench"), "maskbench")
    } else {
        let carried = "../crates/constraint-compile/tests/schemas";
        (Path::new(env!("CARGO_MANIFEST_DIR")).join(carried), "carried samples")
    };
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    files.sort();
    (files, name)
}

/// Walks through valid documents.
fn walks(cache: &ConstraintCache, most: usize) -> (Vec<Walk>, &'static str) {
    let (files, name) = schema_files();
    let walk = |file: &PathBuf| {
        let file: Value = serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()?;
        let schema = file["schema"].clone();
        let template = cache.schema(&schema).ok()?;
        let valid = file["tests"].as_array()?.iter().filter(|t| t["valid"] == true);
        let accepted = |tokens: &Vec<u32>| {
            let mut session = template.session();
            tokens.iter().all(|t| session.commit(*t).is_ok())
        };
        let mut documents =
            valid.map(|t| cache.tokenizer().encode(&t["data"].to_string())).filter(accepted);
        let tokens = documents.next()?;
        let next = documents.find(|next| *next != tokens).unwrap_or_default();
        Some(Walk { schema, template, tokens, next })
    };
    (files.iter().filter_map(walk).take(most).collect(), name)
}

pub(super) fn percentile(mut times: Vec<f64>, share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(((times.len() - 1) as f64 * share) as usize).copied().unwrap_or(f64::NAN)
}

pub(super) fn nanos(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_nanos() as f64
}

/// The engine as its own documentation sets it up, without anything of ours.
fn rival(cache: &ConstraintCache) -> Option<Rc<ParserFactory>> {
    let mut factory = ParserFactory::new_simple(cache.tokenizer().engine().tokenizer()).ok()?;
    factory.quiet();
    Some(Rc::new(factory))
}

/// A matcher with nothing but what the compilation has found out.
fn bare_matcher(rival: &ParserFactory, schema: &Value) -> Matcher {
    Matcher::new(rival.create_parser(TopLevelGrammar::from_json_schema(schema.clone())))
}

fn masks(suite: &mut Suite, cache: &ConstraintCache) {
    let (walks, name) = walks(cache, 60);
    let walks: Rc<[Walk]> = walks.into();
    suite.check("constraint-cache/mask/walks", walks.len() > 1, || format!("{name}: none"));
    println!("constraint-cache: {} documents of {name}", walks.len());
    let unit = Unit::Nanos;
    // The same walks without a memo: what a session costs above the bare engine.
    let no_memo = CacheConfig { max_memo_bytes: 0, ..CacheConfig::default() };
    let Ok(bare_cache) = ConstraintCache::new(cache.tokenizer().clone(), no_memo) else { return };
    let bare: Rc<[Arc<Template>]> =
        walks.iter().filter_map(|w| bare_cache.schema(&w.schema).ok()).collect();
    let words = cache.tokenizer().mask_words();

    let (w, b) = (Rc::clone(&walks), Rc::clone(&bare));
    let session_masks = move || {
        let mut times = Vec::new();
        let mut mask = vec![0; words];
        for (walk, template) in w.iter().zip(&*b) {
            let mut session = template.session();
            for token in &walk.tokens {
                times.push(nanos(|| drop(black_box(session.mask(&mut mask)))));
                drop(session.commit(*token));
            }
        }
        times
    };
    let w = Rc::clone(&walks);
    let Some(rival) = rival(cache) else { return };
    let engine = Rc::clone(&rival);
    let engine_masks = move || {
        let mut times = Vec::new();
        for walk in w.iter() {
            let mut matcher = bare_matcher(&engine, &walk.schema);
            for token in &walk.tokens {
                times.push(nanos(|| drop(black_box(matcher.compute_mask_or_eos()))));
                drop(matcher.consume_token(*token));
            }
        }
        times
    };
    for (share, name) in [(0.5, "p50"), (0.99, "p99")] {
        let (engine, session) = (engine_masks.clone(), session_masks.clone());
        let id = move |what| format!("constraint-cache/mask/{name}/{what}");
        suite.measure(id("engine"), unit, move || percentile(engine(), share));
        suite.measure(id("session"), unit, move || percentile(session(), share));
    }
    next_documents(suite, cache, &rival, &walks);
    steps(suite, cache, &rival, &walks, &bare);

    let w = Rc::clone(&walks);
    suite.measure("constraint-cache/mask/p50/memoised", unit, move || {
        let mut times = Vec::new();
        let mut mask = vec![0; words];
        // A mask is kept when it is computed for the second time.
        for pass in 0..3 {
            for walk in w.iter() {
                let mut session = walk.template.session();
                for token in &walk.tokens {
                    let took = nanos(|| drop(black_box(session.mask(&mut mask))));
                    if pass == 2 {
                        times.push(took);
                    }
                    drop(session.commit(*token));
                }
            }
        }
        percentile(times, 0.5)
    });
    let bare_too = Rc::clone(&bare);
    // As a sampler asks (the token came out of the mask just computed), and without a mask, as a
    // proposed continuation is checked; there nothing but the engine can answer. It is slower where
    // no session of the template has been before.
    let validations = move |walks: &[Walk], templates: &[Arc<Template>], masked: bool| {
        let mut times = Vec::new();
        let mut mask = vec![0; words];
        for (walk, template) in walks.iter().zip(templates) {
            let mut session = template.session();
            for token in &walk.tokens {
                match masked {
                    true => drop(session.mask(&mut mask)),
                    false => drop(session.is_accepting()),
                }
                times.push(nanos(|| drop(black_box(session.validate(*token)))));
                drop(session.commit(*token));
            }
        }
        percentile(times, 0.99)
    };
    let w = Rc::clone(&walks);
    suite.measure("constraint-cache/mask/p99/validate-after-mask", unit, move || {
        validations(&w, &bare_too, true)
    });
    let (w, tokenizer) = (Rc::clone(&walks), cache.tokenizer().clone());
    let fresh = move || -> Vec<Arc<Template>> {
        let cache = ConstraintCache::new(tokenizer.clone(), CacheConfig::default());
        cache.map_or_else(
            |_| Vec::new(),
            |cache| w.iter().filter_map(|w| cache.schema(&w.schema).ok()).collect(),
        )
    };
    let (w, f) = (Rc::clone(&walks), fresh.clone());
    suite.measure("constraint-cache/mask/p99/validate-first-session", unit, move || {
        validations(&w, &f(), false)
    });
    let (w, f) = (Rc::clone(&walks), fresh.clone());
    suite.measure("constraint-cache/mask/p99/validate", unit, move || {
        let templates = f();
        validations(&w, &templates, false);
        validations(&w, &templates, false)
    });
    let w = Rc::clone(&walks);
    let engine = Rc::clone(&rival);
    suite.measure("constraint-cache/mask/p99/validate-engine", unit, move || {
        let mut times = Vec::new();
        for walk in w.iter() {
            let mut matcher = bare_matcher(&engine, &walk.schema);
            for token in &walk.tokens {
                times.push(nanos(|| drop(black_box(matcher.validate_tokens(&[*token])))));
                drop(matcher.consume_token(*token));
            }
        }
        percentile(times, 0.99)
    });
    let w = Rc::clone(&walks);
    suite.measure("constraint-cache/mask/p99/validate-refused", unit, move || {
        let templates = fresh();
        refusals(&w, &templates);
        refusals(&w, &templates)
    });
    let b = Rc::clone(&bare);
    suite.measure("constraint-cache/mask/p50/session-wake", unit, move || {
        let wake = |t: &Arc<Template>| {
            let mut session = t.session();
            nanos(|| drop(black_box(session.is_accepting())))
        };
        percentile(b.iter().map(wake).collect(), 0.5)
    });
    let w = Rc::clone(&walks);
    suite.measure("constraint-cache/mask/p50/session-start", unit, move || {
        percentile(w.iter().map(|w| nanos(|| drop(black_box(w.template.session())))).collect(), 0.5)
    });
    first_masks(suite, cache, &walks);
    constraint_batches::declare(suite, &walks, &bare);
}

/// 99th percentile of asking, without a mask, for tokens that cannot come next, as a check of proposed
/// continuations does.
fn refusals(walks: &[Walk], templates: &[Arc<Template>]) -> f64 {
    let mut times = Vec::new();
    let mut random = 1u64;
    for (walk, template) in walks.iter().zip(templates) {
        let mut session = template.session();
        for token in &walk.tokens {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let any = (random >> 33) as u32 % template.tokenizer().vocabulary() as u32;
            let mut allowed = true;
            let took = nanos(|| allowed = black_box(session.validate(any)).unwrap_or(true));
            if !allowed {
                times.push(took);
            }
            drop(session.commit(*token));
        }
    }
    percentile(times, 0.99)
}

/// Masks of another document of a schema, after a first one: where the two differ nothing is
/// memoised, and the engine has seen much of what it meets. The bare engine starts anew.
fn next_documents(
    suite: &mut Suite,
    cache: &ConstraintCache,
    rival: &Rc<ParserFactory>,
    walks: &Rc<[Walk]>,
) {
    if walks.iter().all(|walk| walk.next.is_empty()) {
        return;
    }
    let words = cache.tokenizer().mask_words();
    let w = Rc::clone(walks);
    let bare = Rc::clone(rival);
    let engine = move || {
        let mut times = Vec::new();
        for walk in w.iter().filter(|walk| !walk.next.is_empty()) {
            let mut matcher = bare_matcher(&bare, &walk.schema);
            for token in &walk.next {
                times.push(nanos(|| drop(black_box(matcher.compute_mask_or_eos()))));
                drop(matcher.consume_token(*token));
            }
        }
        times
    };
    let w = Rc::clone(walks);
    let tokenizer = cache.tokenizer().clone();
    let session = move || {
        let mut times = Vec::new();
        let mut mask = vec![0; words];
        let Ok(fresh) = ConstraintCache::new(tokenizer.clone(), CacheConfig::default()) else {
            return times;
        };
        for walk in w.iter().filter(|walk| !walk.next.is_empty()) {
            let Ok(template) = fresh.schema(&walk.schema) else { continue };
            for (tokens, counts) in [(&walk.tokens, false), (&walk.next, true)] {
                let mut session = template.session();
                for token in tokens {
                    let took = nanos(|| drop(black_box(session.mask(&mut mask))));
                    if counts {
                        times.push(took);
                    }
                    drop(session.commit(*token));
                }
            }
        }
        times
    };
    for (share, name) in [(0.5, "p50"), (0.99, "p99")] {
        let (engine, session) = (engine.clone(), session.clone());
        let id = move |what| format!("constraint-cache/mask/next/{name}/{what}");
        suite.measure(id("engine"), Unit::Nanos, move || percentile(engine(), share));
        suite.measure(id("session"), Unit::Nanos, move || percentile(session(), share));
    }
}

/// Whole steps, a mask and the commit after it, so that no work hides between two timings: the
/// engine's into a buffer of the caller as a server needs it, a session's without a memo, and a
/// session's that fills an empty memo.
fn steps(
    suite: &mut Suite,
    cache: &ConstraintCache,
    rival: &Rc<ParserFactory>,
    walks: &Rc<[Walk]>,
    bare: &Rc<[Arc<Template>]>,
) {
    let words = cache.tokenizer().mask_words();
    let along = move |session: &mut Session, tokens: &[u32], times: &mut Vec<f64>| {
        let mut mask = vec![0; words];
        for token in tokens {
            times.push(nanos(|| {
                drop(black_box(session.mask(&mut mask)));
                drop(black_box(session.commit(*token)));
            }));
        }
    };
    let (w, engine) = (Rc::clone(walks), Rc::clone(rival));
    suite.measure("constraint-cache/mask/step/engine", Unit::Nanos, move || {
        let mut times = Vec::new();
        let mut mask = vec![0; words];
        for walk in w.iter() {
            let mut matcher = bare_matcher(&engine, &walk.schema);
            for token in &walk.tokens {
                times.push(nanos(|| {
                    if let Ok(found) = matcher.compute_mask_or_eos() {
                        mask.copy_from_slice(&found.as_slice()[..words]);
                    }
                    drop(black_box(matcher.consume_token(*token)));
                }));
            }
        }
        percentile(times, 0.5)
    });
    let (w, b) = (Rc::clone(walks), Rc::clone(bare));
    suite.measure("constraint-cache/mask/step/session", Unit::Nanos, move || {
        let mut times = Vec::new();
        for (walk, template) in w.iter().zip(&*b) {
            along(&mut template.session(), &walk.tokens, &mut times);
        }
        percentile(times, 0.5)
    });
    let (w, tokenizer) = (Rc::clone(walks), cache.tokenizer().clone());
    suite.measure("constraint-cache/mask/step/filling", Unit::Nanos, move || {
        let mut times = Vec::new();
        let Ok(fresh) = ConstraintCache::new(tokenizer.clone(), CacheConfig::default()) else {
            return f64::NAN;
        };
        for walk in w.iter() {
            if let Ok(template) = fresh.schema(&walk.schema) {
                along(&mut template.session(), &walk.tokens, &mut times);
            }
        }
        percentile(times, 0.5)
    });
}

/// The first mask after a hit and after a miss.
fn first_masks(suite: &mut Suite, cache: &ConstraintCache, walks: &Rc<[Walk]>) {
    let words = cache.tokenizer().mask_words();
    let first = move |cache: &ConstraintCache, schema: &Value| {
        let mut mask = vec![0; words];
        nanos(|| {
            if let Ok(template) = cache.schema(schema) {
                drop(black_box(template.session().mask(&mut mask)));
            }
        })
    };
    let (c, w) = (cache.clone(), Rc::clone(walks));
    suite.measure("constraint-cache/mask/first/miss", Unit::Nanos, move || {
        let times = w.iter().map(|walk| {
            c.clear();
            first(&c, &walk.schema)
        });
        percentile(times.collect(), 0.5)
    });
    let (c, w) = (cache.clone(), Rc::clone(walks));
    suite.measure("constraint-cache/mask/first/hit", Unit::Nanos, move || {
        w.iter().for_each(|walk| drop(c.schema(&walk.schema)));
        percentile(w.iter().map(|walk| first(&c, &walk.schema)).collect(), 0.5)
    });
}
