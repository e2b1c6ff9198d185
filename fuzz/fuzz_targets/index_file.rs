//! Index files: whatever the bytes, an error or an index that can be searched and changed.
#![no_main]

use edgekit_vector_index::{FlatIndex, HnswIndex, Index, Method, Scratch, SearchParams};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(mut index) = HnswIndex::from_bytes(bytes.to_vec()) {
        search_and_change(&mut index);
        index.validate().expect("changes keep the graph whole");
    }
    if let Ok(mut index) = FlatIndex::from_bytes(bytes.to_vec()) {
        search_and_change(&mut index);
    }
});

fn search_and_change(index: &mut dyn Index) {
    let params = SearchParams { ef: 20, method: Method::Graph };
    let query = vec![0.5; index.dim()];
    let mut scratch = Scratch::new();
    let found = index.search(&query, 5, &params, &mut scratch).expect("the query is finite");
    let ids: Vec<u64> = found.iter().map(|neighbor| neighbor.id).collect();
    for id in ids {
        index.remove(id).expect("it was read, not mapped");
    }
    index.upsert(1, &query).expect("the query is finite");
}
