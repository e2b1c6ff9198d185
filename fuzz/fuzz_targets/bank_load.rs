//! Any body under a right header as a saved bank: an error, or a bank that answers.
#![no_main]

use std::time::Duration;

use edgekit_reasoning_bank::{Bank, LookupScratch};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let mut bytes = b"EKRB\x02\x00".to_vec();
    bytes.extend((body.len() as u64).to_le_bytes());
    bytes.extend(crc32fast::hash(body).to_le_bytes());
    bytes.extend(body);
    let Ok(bank) = Bank::load(&bytes[..]) else { return };
    let query = vec![1.0; bank.config().dim];
    let mut scratch = LookupScratch::default();
    bank.lookup(&query, 5, Duration::ZERO, &mut scratch).expect("the query is valid");
    let mut again = Vec::new();
    bank.save(&mut again).expect("a vector takes everything");
    assert_eq!(Bank::load(&again[..]).expect("what was saved loads").len(), bank.len());
});
