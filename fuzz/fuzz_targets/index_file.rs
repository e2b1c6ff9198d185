//! Index files: whatever the bytes, an error or an index that can be asked everything, and changed
//! where it was read; one that was mapped, of which only the header is known to be right, too.
#![no_main]
#![allow(unsafe_code, reason = "maps the file that it has just written")]

use std::path::PathBuf;
use std::sync::LazyLock;

use edgekit_vector_index::{FlatIndex, HnswIndex, Index, Method, Scratch, SearchParams};
use libfuzzer_sys::fuzz_target;

/// Where the bytes are mapped from: one file for each process that fuzzes.
static PLACE: LazyLock<PathBuf> = LazyLock::new(|| {
    std::env::temp_dir().join(format!("edgekit-fuzz-index-{}", std::process::id()))
});

const PARAMS: SearchParams = SearchParams { ef: 20, method: Method::Graph };

fuzz_target!(|bytes: &[u8]| {
    if let Ok(mut index) = HnswIndex::from_bytes(bytes.to_vec()) {
        ask(&index);
        change(&mut index);
        index.validate().expect("changes keep the graph whole");
    }
    if let Ok(mut index) = FlatIndex::from_bytes(bytes.to_vec()) {
        ask(&index);
        change(&mut index);
    }
    // A file that is mapped is replaced, not written over.
    let _ = std::fs::remove_file(&*PLACE);
    std::fs::write(&*PLACE, bytes).expect("there is room for a file");
    // SAFETY: nobody else knows this file, and it is not written to while it is mapped.
    if let Ok(index) = unsafe { HnswIndex::map(&*PLACE) } {
        ask(&index);
        index.stats();
        let _ = index.validate();
    }
    // SAFETY: as above.
    if let Ok(index) = unsafe { FlatIndex::map(&*PLACE) } {
        ask(&index);
    }
});

fn ask(index: &dyn Index) {
    let query = vec![0.5; index.dim()];
    let mut scratch = Scratch::new();
    index.search(&query, 5, &PARAMS, &mut scratch).expect("the query is finite");
    for one_in in [2, 5, 100] {
        let passes = |id: u64| id.is_multiple_of(one_in);
        let found = index.search_filtered(&query, 5, &PARAMS, &passes, &mut scratch);
        assert!(found.expect("the query is finite").iter().all(|near| passes(near.id)));
    }
    index.search_range(&query, 1.0, &PARAMS, &mut scratch).expect("the query is finite");
    index.search_many(&query.repeat(20), 5, &PARAMS, &mut scratch).expect("the queries are finite");
    index.contains(1);
    index.vector(1);
}

fn change(index: &mut dyn Index) {
    let query = vec![0.5; index.dim()];
    let mut scratch = Scratch::new();
    let found = index.search(&query, 5, &PARAMS, &mut scratch).expect("the query is finite");
    let ids: Vec<u64> = found.iter().map(|neighbor| neighbor.id).collect();
    for id in ids {
        index.remove(id).expect("it was read, not mapped");
    }
    index.upsert(1, &query).expect("the query is finite");
}
