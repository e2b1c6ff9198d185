//! Event decoding: what decodes encodes to the same bytes.
#![no_main]
use edgekit_coherence_log::{Event, event::Arena};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let arena = Arena::new();
    let placed = arena.decode(bytes).ok();
    if let Ok(event) = Event::decode(bytes) {
        assert_eq!(event.encode(), bytes);
        assert_eq!(placed, Some(&event));
    }
});
