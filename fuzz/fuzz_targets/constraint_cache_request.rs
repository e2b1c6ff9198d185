//! Bytes from a second tier: whatever reads as a request has these bytes as its key.
#![no_main]

use edgekit_constraint_cache::Request;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(request) = Request::decode(data) {
        assert_eq!(request.key().bytes(), data);
    }
});
