//! Saved banks come back whole, and damage is found.

use edgekit_reasoning_bank::{Bank, BankConfig, ErrorKind, LookupScratch};

use crate::support::{at, clustered, pattern};

#[test]
fn a_loaded_bank_answers_and_goes_on_as_the_saved_one() {
    for scan_limit in [1000, 50] {
        let config = BankConfig { dim: 8, scan_limit, ..BankConfig::default() };
        let bank = Bank::new(config).unwrap();
        let gpu = bank.executor("gpu");
        for vector in clustered(200, 8, 5, 1) {
            bank.store(pattern(&vector, 0.5)).unwrap();
        }
        let mut scratch = LookupScratch::default();
        let query = clustered(1, 8, 5, 2).concat();
        let before = bank.lookup(&query, 5, at(3), &mut scratch).unwrap().to_vec();
        bank.remove(199).unwrap();
        let mut bytes = Vec::new();
        bank.save(&mut bytes).unwrap();
        let loaded = Bank::load(&bytes[..]).unwrap();
        assert_eq!(loaded.config(), &config);
        assert_eq!(loaded.patterns(), bank.patterns(), "usage and last use included");
        assert_eq!(loaded.executor_name(gpu).as_deref(), Some("gpu"));
        assert_eq!(loaded.store(pattern(&query, 0.1)).unwrap(), 200, "an id came back");
        let after = loaded.lookup(&query, 5, at(4), &mut scratch).unwrap();
        assert_eq!(after.len(), before.len());
        for (a, b) in after.iter().zip(&before) {
            assert!((a.score - b.score).abs() < 1e-5);
        }
    }
}

#[test]
fn every_damaged_byte_and_every_cut_is_found() {
    let bank = Bank::new(BankConfig { dim: 2, ..BankConfig::default() }).unwrap();
    bank.executor("cpu");
    bank.store(pattern(&[1.0, 0.0], 0.5)).unwrap();
    let mut bytes = Vec::new();
    bank.save(&mut bytes).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert_eq!(Bank::load(&damaged[..]).unwrap_err().kind(), ErrorKind::Format, "byte {at}");
        assert_eq!(Bank::load(&bytes[..at]).unwrap_err().kind(), ErrorKind::Format, "cut {at}");
    }
}
