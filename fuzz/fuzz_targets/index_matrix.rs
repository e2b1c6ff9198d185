//! The readers of `.fvecs`, `.ivecs` and `.npy`: an error or whole rows.
#![no_main]

use edgekit_vector_index::{read_fvecs, read_ivecs, read_npy};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for matrix in [read_fvecs(bytes), read_npy(bytes)].into_iter().flatten() {
        assert_eq!(matrix.rows().count() * matrix.dim, matrix.values.len());
    }
    let _ = read_ivecs(bytes);
});
