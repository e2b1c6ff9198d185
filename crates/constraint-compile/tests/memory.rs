//! Hostile schemas take no more memory than their size and the limits account for.
//!
//! A binary of its own: the counter sees all threads, because deep schemas are compiled on one of
//! their own.
#![allow(unsafe_code, reason = "an allocator that counts has to be one")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use edgekit_constraint_compile::llguidance::toktrie::ApproximateTokEnv;
use edgekit_constraint_compile::{Engine, ErrorKind, Limits, Options, parse_schema};
use serde_json::{Value, json};

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: everything is handed to the system's allocator as it came; counting touches no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(NOW.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the memory came from `System` with this layout.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The result and the most bytes that were in use at a time, above those in use before.
fn peak<T>(f: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = f();
    (result, PEAK.load(Relaxed) - before)
}

/// What a JSON value of a schema takes parsed, every other one a map.
const BYTES_PER_NODE: usize = 288;

/// What the engine takes until its fuel and its limits on grammars are used up: most for a chain of
/// references, 53 MB, without the stack of the thread on which that is compiled.
const ENGINE_BYTES: usize = 64 << 20;

/// What is refused before it is parsed costs an error message.
const MESSAGE_BYTES: usize = 64 << 10;

#[test]
fn memory_is_bounded() {
    let limits = Limits::default();
    let engine = Engine::new(&ApproximateTokEnv::single_byte_env()).unwrap();
    let options = Options::default();
    let kind = |schema: &Value| engine.schema(schema, &options).err().map(|e| e.kind());

    // Texts beyond a limit are not parsed at all.
    let million = |item: &dyn Fn(usize) -> String| {
        let mut text = String::from(r#"{"enum":["#);
        (0..1_000_000).for_each(|i| write!(text, "{},", item(i)).unwrap());
        text.truncate(text.len() - 1);
        text + "]}"
    };
    let depth = format!("{}true{}", r#"{"items":"#.repeat(100_000), "}".repeat(100_000));
    let size = format!(r#"{{"const":"{}"}}"#, "x".repeat(100 << 20));
    let values = million(&|i| format!("\"v{i}\""));
    let nothing = million(&|_| "{}".into());
    for text in [&depth, &size, &values, &nothing] {
        let (result, bytes) = peak(|| parse_schema(text, &limits).map_err(|e| e.kind()));
        assert_eq!(result.unwrap_err(), ErrorKind::TooLarge, "{}", &text[..20]);
        assert!(bytes <= MESSAGE_BYTES, "{bytes} bytes for {}", &text[..20]);
    }

    // As large as the limits allow: parsed, and then compiled or refused by the engine.
    let objects = vec![r#"{"a":1}"#; 150_000].join(",");
    let text = format!(r#"{{"enum":[{objects}]}}"#);
    let (schema, bytes) = peak(|| parse_schema(&text, &limits).unwrap());
    assert!(bytes <= 300_002 * BYTES_PER_NODE, "{bytes} bytes");
    drop(schema);

    // Documents that did not come as text.
    let wide = json!({ "enum": vec![Value::Null; 1_000_000] });
    let (found, bytes) = peak(|| kind(&wide));
    assert_eq!(found, Some(ErrorKind::TooLarge));
    assert!(bytes <= MESSAGE_BYTES, "{bytes} bytes");

    let circle = json!({"$ref": "#/$defs/a", "$defs": {
        "a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}});
    let own = json!({"$ref": "#", "type": "object"});
    let names: Vec<String> = (0..2_000).map(|i| format!("value{i}")).collect();
    let mut schemas = vec![circle, own, json!({ "enum": names })];
    for pattern in
        ["(a+)+$", "(a|a)*b", "(.{1,1000}){1,1000}", "((a{1,100}){1,100}){1,100}", "(x+x+)+y"]
    {
        schemas.push(json!({"type": "string", "pattern": pattern}));
    }
    let link = |i| (format!("d{i}"), json!({"items": {"$ref": format!("#/$defs/d{}", i + 1)}}));
    let mut chain: serde_json::Map<String, Value> = (0..3_000).map(link).collect();
    chain.insert("d3000".into(), json!({"type": "null"}));
    schemas.push(json!({"$ref": "#/$defs/d0", "$defs": chain}));
    for schema in &schemas {
        // Lexers are built while they are used.
        let (_, bytes) = peak(|| {
            let Ok(mut matchers) = engine.schema(schema, &options) else { return };
            let matcher = &mut matchers.parts[0];
            for byte in format!("\"{}", "a".repeat(300)).bytes() {
                if matcher.compute_mask_or_eos().is_err()
                    || matcher.consume_token(u32::from(byte)).is_err()
                {
                    break;
                }
            }
        });
        assert!(bytes <= ENGINE_BYTES, "{bytes} bytes for {schema}");
    }
}
