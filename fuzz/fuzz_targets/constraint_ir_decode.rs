//! Constraint bytes: whatever is read is written back as the same bytes.
#![no_main]

use edgekit_constraint_ir::{Canonical, ConstraintSet};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(set) = ConstraintSet::decode(data) {
        assert_eq!(set.encode(), data);
    }
});
