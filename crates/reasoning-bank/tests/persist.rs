//! Saved banks come back whole, graph included, and damage is found.

use edgekit_reasoning_bank::{Bank, BankConfig, ErrorKind, LookupScratch, Match, Pattern, Readers};

use crate::support::{at, clustered, pattern, task};

/// A bank's file taken apart, so that a test can put it together wrongly.
#[derive(Clone)]
struct Parts {
    config: BankConfig,
    next_id: u64,
    names: Vec<String>,
    patterns: Vec<(u64, Pattern, u64)>,
    scale: Option<f32>,
    graph: Vec<u8>,
}

const HEADER: usize = 18;

impl Parts {
    fn of(bank: &Bank) -> Parts {
        let bytes = saved(bank);
        let ((config, next_id, names, patterns, scale), graph) =
            postcard::take_from_bytes(&bytes[HEADER..]).unwrap();
        Parts { config, next_id, names, patterns, scale, graph: graph.to_vec() }
    }

    fn load(self, version: u16) -> Result<Bank, ErrorKind> {
        let body = (self.config, self.next_id, self.names, self.patterns);
        let mut rest = postcard::to_allocvec(&body).unwrap();
        if version > 1 {
            rest.extend(postcard::to_allocvec(&self.scale).unwrap());
            rest.extend(self.graph);
        }
        let mut bytes = b"EKRB".to_vec();
        bytes.extend(version.to_le_bytes());
        bytes.extend((rest.len() as u64).to_le_bytes());
        bytes.extend(crc32fast::hash(&rest).to_le_bytes());
        bytes.extend(rest);
        Bank::load(&bytes[..]).map_err(|error| error.kind())
    }
}

fn saved(bank: &Bank) -> Vec<u8> {
    let mut bytes = Vec::new();
    bank.save(&mut bytes).unwrap();
    bytes
}

fn answers(bank: &Bank) -> Vec<Vec<Match>> {
    let mut scratch = LookupScratch::default();
    let queries = clustered(30, 8, 5, 2);
    let lookup = |q: &Vec<f32>| bank.lookup(q, 5, at(3), &mut scratch).unwrap().to_vec();
    queries.iter().map(lookup).collect()
}

fn ids(answers: &[Vec<Match>]) -> Vec<u64> {
    answers.iter().flatten().map(|m| m.id).collect()
}

/// A bank with a past: patterns that were removed, moved between levels and decayed. A graph made
/// anew of what is left would be another one.
fn used(scan_limit: usize, readers: Readers) -> Bank {
    let config = BankConfig { dim: 8, scan_limit, readers, ..BankConfig::default() };
    let bank = Bank::new(config).unwrap();
    bank.executor("gpu");
    for (at, vector) in clustered(240, 8, 5, 1).iter().enumerate() {
        bank.store(pattern(vector, (at % 10) as f32 / 10.0 + 0.05)).unwrap();
    }
    (0..240).step_by(6).for_each(|id| assert!(bank.remove(id).unwrap()));
    bank.decay(0.7).unwrap();
    bank
}

#[test]
fn a_loaded_bank_answers_and_goes_on_as_the_saved_one() {
    for (scan_limit, readers) in
        [(1000, Readers::NeverWait), (50, Readers::NeverWait), (50, Readers::Wait)]
    {
        let bank = used(scan_limit, readers);
        let before = answers(&bank);
        bank.remove(239).unwrap();
        let bytes = saved(&bank);
        let loaded = Bank::load(&bytes[..]).unwrap();
        assert_eq!(loaded.config(), bank.config());
        assert_eq!(loaded.patterns(), bank.patterns(), "usage and last use included");
        assert_eq!(saved(&loaded), bytes, "the graph was not read but made anew");
        let gpu = bank.executor("gpu");
        assert_eq!(loaded.executor_name(gpu).as_deref(), Some("gpu"));
        assert_eq!(before.len(), 30);
        // Now and after more of the same: ids, scores and usage to the bit.
        for round in 0..2 {
            assert_eq!(answers(&loaded), answers(&bank));
            for vector in clustered(40, 8, 5, 70 + round) {
                let ids = [&loaded, &bank].map(|b| b.store(pattern(&vector, 0.4)).unwrap());
                assert_eq!(ids[0], ids[1], "an id came back");
            }
            for bank in [&loaded, &bank] {
                bank.decay(0.9).unwrap();
                bank.remove(33 + round).unwrap();
            }
        }
        assert_eq!(saved(&loaded), saved(&bank));
    }
}

#[test]
fn a_bank_of_version_1_loads_and_makes_its_graph() {
    for scan_limit in [1000, 50] {
        let bank = used(scan_limit, Readers::NeverWait);
        let parts = Parts::of(&bank);
        assert_eq!(parts.scale.is_some(), scan_limit == 50);
        let old = parts.load(1).unwrap();
        assert_eq!(old.patterns(), bank.patterns());
        // Levels are drawn anew from decayed confidences, which moves scores by roundings.
        assert_eq!(ids(&answers(&old)), ids(&answers(&bank)));
        assert_eq!(Parts::of(&old).scale.is_some(), scan_limit == 50);
    }
}

#[test]
fn a_graph_that_is_not_of_these_patterns_is_refused() {
    let parts = Parts::of(&used(50, Readers::NeverWait));
    assert!(parts.clone().load(2).is_ok());
    let refused = |what: &str, change: &dyn Fn(&mut Parts)| {
        let mut parts = parts.clone();
        change(&mut parts);
        assert_eq!(parts.load(2).err(), Some(ErrorKind::Format), "{what}");
    };
    refused("another direction", &|p| p.patterns[7].1.centroid = vec![1.0; 8].into());
    refused("another id", &|p| p.patterns.last_mut().unwrap().0 += 1);
    refused("a pattern less", &|p| drop(p.patterns.pop()));
    refused("no pattern", &|p| p.patterns.clear());
    refused("other links", &|p| p.config.m = 8);
    refused("another seed", &|p| p.config.seed = 8);
    refused("a version to come", &|p| p.graph[8] = 9);
    refused("no scale", &|p| p.scale = None);
    for scale in [0.0, -1.0, 1.5, f32::NAN, f32::INFINITY] {
        refused("a scale out of range", &|p| p.scale = Some(scale));
    }
    refused("no graph", &|p| p.graph.clear());
    refused("more behind it", &|p| p.graph.push(0));
    refused("a graph of nothing", &|p| {
        let none = BankConfig { scan_limit: 0, ..p.config };
        let bank = Bank::new(none).unwrap();
        let id = bank.store(pattern(&[1.0; 8], 0.5)).unwrap();
        p.graph = Parts::of(&bank).graph;
        bank.remove(id).unwrap();
    });
}

#[test]
fn a_damaged_graph_is_refused_or_harmless() {
    let bank = used(50, Readers::Wait);
    let parts = Parts::of(&bank);
    let mut refused = 0;
    for at in (0..parts.graph.len()).step_by(97) {
        let mut damaged = parts.clone();
        damaged.graph[at] ^= 0x10;
        match damaged.load(2) {
            Err(kind) => {
                assert_eq!(kind, ErrorKind::Format, "byte {at}");
                refused += 1;
            }
            // Nobody reads what lies between the sections of an index.
            Ok(loaded) => assert_eq!(answers(&loaded), answers(&bank), "byte {at}"),
        }
        let mut cut = parts.clone();
        cut.graph.truncate(at);
        assert_eq!(cut.load(2).err(), Some(ErrorKind::Format), "cut {at}");
    }
    assert!(refused > parts.graph.len() / 97 * 9 / 10);
}

/// What a file shows of the graph: it is left alone while confidences fade together or waver, and made
/// anew when the scale has worn out.
#[test]
fn confidences_that_fade_or_waver_do_not_move_the_graph() {
    let bank = used(50, Readers::Wait);
    let gpu = bank.executor("gpu");
    let before = Parts::of(&bank);
    assert_eq!(before.scale, Some(0.7));
    bank.decay(0.5).unwrap();
    let faded = Parts::of(&bank);
    assert_eq!((faded.scale, &faded.graph), (Some(0.35), &before.graph));

    // From just below a sixteenth of the scale to just above it, into the next, and back again.
    let fresh = Bank::new(BankConfig { dim: 8, scan_limit: 0, ..BankConfig::default() }).unwrap();
    fresh.executor("gpu");
    let vector = clustered(1, 8, 5, 3).concat();
    fresh.store(Pattern { samples: 100_000, ..pattern(&vector, 0.499) }).unwrap();
    let mut graphs = vec![Parts::of(&fresh).graph];
    for succeeded in [true, false, true, false] {
        fresh.record(task(&vector, gpu, succeeded)).unwrap();
        graphs.push(Parts::of(&fresh).graph);
    }
    assert_ne!(graphs[0], graphs[1], "the next sixteenth");
    assert!(graphs[1..].iter().all(|graph| graph == &graphs[1]), "back and forth");

    bank.decay(0.02).unwrap();
    let worn = Parts::of(&bank);
    assert_eq!(worn.scale, Some(1.0));
    assert_ne!(worn.graph, before.graph);
}

/// A level that is too low for its pattern, which would hide it: it is put right.
#[test]
fn a_level_that_bounds_no_more_is_raised() {
    let mut parts = Parts::of(&used(50, Readers::NeverWait));
    parts.patterns.iter_mut().step_by(3).for_each(|(_, pattern, _)| pattern.confidence = 1.0);
    let mut scanned = parts.clone();
    (scanned.config.scan_limit, scanned.scale) = (1000, None);
    scanned.graph.clear();
    let expected = answers(&scanned.load(2).unwrap());
    assert_eq!(expected.concat().iter().filter(|m| m.score == m.similarity).count(), 150);
    assert_eq!(ids(&answers(&parts.load(2).unwrap())), ids(&expected));
}

#[test]
fn every_damaged_byte_and_every_cut_is_found() {
    let bank = Bank::new(BankConfig { dim: 2, ..BankConfig::default() }).unwrap();
    bank.executor("cpu");
    bank.store(pattern(&[1.0, 0.0], 0.5)).unwrap();
    let bytes = saved(&bank);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert_eq!(Bank::load(&damaged[..]).unwrap_err().kind(), ErrorKind::Format, "byte {at}");
        assert_eq!(Bank::load(&bytes[..at]).unwrap_err().kind(), ErrorKind::Format, "cut {at}");
    }
}
