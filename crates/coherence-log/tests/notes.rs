//! Notes, checkpoints, tiles, witnesses: formats against other crates, rules against forgers.

use edgekit_coherence_log::hash::leaf_hash;
use edgekit_coherence_log::note::{Checkpoint, Note, NoteAlgorithm, NoteKey, NoteSigner};
use edgekit_coherence_log::store::MemoryFiles;
use edgekit_coherence_log::tile::{
    Row, Tile, entry_bundle, parse_bundle, parse_hashes, tiles_between,
};
use edgekit_coherence_log::tree::MerkleTree;
use edgekit_coherence_log::witness::{Submission, Witness};
use edgekit_coherence_log::{Clock, ErrorKind, Hash, Log};
use proptest::prelude::*;

use crate::faulty::{Fault, FaultyFiles};
use crate::support::{author, claim, config};

const ORIGIN: &str = "example.com/log";

fn log_signer() -> NoteSigner {
    NoteSigner::new(ORIGIN, NoteAlgorithm::Ed25519, author(9)).unwrap()
}

fn witness_signer() -> NoteSigner {
    NoteSigner::new("witness.example", NoteAlgorithm::Cosignature, author(8)).unwrap()
}

fn checkpoint(size: u64, root: Hash) -> Checkpoint {
    Checkpoint { origin: ORIGIN.into(), size, root, extensions: vec![] }
}

fn signed(checkpoint: &Checkpoint) -> Note {
    let mut note = checkpoint.to_note().unwrap();
    note.add(log_signer().sign(note.text(), 0));
    note
}

#[test]
fn signed_note_and_tlog_tiles_read_what_is_written() {
    let log = Log::in_memory(config()).unwrap();
    log.append(claim(1, 1, "s", "v")).unwrap().wait().unwrap();
    let (note, point) = log.checkpoint(ORIGIN, &log_signer()).unwrap();
    let vkey = log_signer().key().to_string();
    let theirs = signed_note::StandardVerifier::new(&vkey).unwrap();
    let verifiers = signed_note::VerifierList::new(vec![Box::new(theirs)]);
    let text = note.to_string();
    let (verified, unverified) =
        signed_note::Note::from_bytes(text.as_bytes()).unwrap().verify(&verifiers).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));
    let read = tlog_tiles::Checkpoint::from_bytes(note.text().as_bytes()).unwrap();
    assert_eq!((read.origin(), read.size(), read.hash().0), (ORIGIN, 1, point.root.0));
    assert_eq!(NoteKey::parse(&vkey).unwrap(), *log_signer().key());
    assert_eq!(Checkpoint::open(text.as_bytes(), log_signer().key()).unwrap(), point);
}

/// The example of Go's golang.org/x/mod/sumdb/note, which everybody's implementation shares.
#[test]
fn the_known_key_verifies_the_known_note() {
    let key = NoteKey::parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
        .unwrap();
    let text = "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n\n\
                \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let note = Note::parse(text.as_bytes()).unwrap();
    assert_eq!(note.verify(&key).unwrap(), None);
    assert_eq!(note.to_string(), text);
    let changed = Note::parse(text.replace("answer", "Answer").as_bytes()).unwrap();
    assert_eq!(changed.verify(&key).unwrap_err().kind(), ErrorKind::Signature);
    assert!(
        NoteKey::parse("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
            .is_err()
    );
}

#[test]
fn malformed_notes_and_checkpoints_are_refused() {
    let root = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let texts = [
        format!("o\n01\n{root}\n"),
        format!("o\n+1\n{root}\n"),
        format!("o\n1\n{root}"),
        format!("\n1\n{root}\n"),
        "o\n1\nAAAA\n".into(),
        format!("o\n1\n{root}\n\n"),
        format!("o\n1\n{}\n", &root[..43]),
        format!("o\n99999999999999999999\n{root}\n"),
    ];
    for text in texts {
        assert_eq!(Checkpoint::parse(&text).unwrap_err().kind(), ErrorKind::Malformed, "{text:?}");
    }
    assert!(Checkpoint::parse(&format!("o\n1\n{root}\nextension\n")).is_ok());
    let bad = Checkpoint { origin: "a\nb".into(), ..checkpoint(0, Hash::EMPTY_ROOT) };
    assert!(bad.to_note().is_err());
    for note in [
        "",
        "text\n",
        "text\n\n",
        "a\n\n\u{2014} n AAAAAA==",
        "a\n\n- n AAAAAAA=\n",
        "a\tb\n\n\u{2014} n AAAAAAA=\n",
    ] {
        assert!(Note::parse(note.as_bytes()).is_err(), "{note:?}");
    }
    assert!(NoteSigner::new("a b", NoteAlgorithm::Ed25519, author(1)).is_err());
    assert!(NoteSigner::new("a+b", NoteAlgorithm::Ed25519, author(1)).is_err());
}

proptest! {
    #[test]
    fn a_changed_note_does_not_verify(at in any::<usize>(), bit in 0u8..8) {
        let note = signed(&checkpoint(77, leaf_hash(b"x")));
        let mut bytes = note.to_string().into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(read) = Checkpoint::open(&bytes, log_signer().key()) {
            prop_assert_eq!(read, checkpoint(77, leaf_hash(b"x")), "byte {} of {}", at, bytes.len());
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "(old [0-9]{1,3}\n)?([A-Za-z0-9+/=]{4,8}\n){0,3}\n.{0,40}") {
        let _ = Note::parse(&bytes);
        let _ = Submission::parse(&bytes);
        let _ = Submission::parse(text.as_bytes());
        let _ = parse_bundle(&bytes);
        let _ = Checkpoint::parse(&text);
        let _ = Tile::parse(&text);
    }

    #[test]
    fn tile_paths_are_those_of_tlog_tiles(level in 0u8..8, index in 0u64..3_000_000_000, width in 1u16..=256, entries in any::<bool>()) {
        let row = if entries { Row::Entries } else { Row::Hashes(level) };
        let tile = Tile { row, index, width };
        let path = tile.to_string();
        prop_assert_eq!(Tile::parse(&path).unwrap(), tile);
        let theirs = tlog_tiles::Tile::new(8, if entries { 0 } else { level }, index, u32::from(width), entries);
        // That crate writes the older layout with the tile's height in front, and `data`.
        let older = path.replacen("tile/", "tile/8/", 1).replacen("/entries/", "/data/", 1);
        prop_assert_eq!(theirs.path(), older);
    }
}

#[test]
fn entry_bundles_count_with_sixteen_bits() {
    let entries: [&[u8]; 3] = [b"", b"abc", &[7; 65_535]];
    let bundle = entry_bundle(entries).unwrap();
    assert_eq!(parse_bundle(&bundle).unwrap(), entries);
    assert!(entry_bundle([&[0; 65_536][..]]).is_err());
    assert!(parse_bundle(&bundle[..bundle.len() - 1]).is_err());
    assert!(parse_hashes(&[0; 33]).is_err());
}

#[test]
fn tiles_between_covers_every_growth() {
    let mut tree = MerkleTree::new();
    for i in 0..70_000u64 {
        tree.push(leaf_hash(&i.to_le_bytes()));
    }
    for (old, new) in [(0, 1), (0, 256), (0, 257), (255, 256), (256, 512), (300, 70_000), (5, 5)] {
        let tiles = tiles_between(old, new);
        for level in 0..3u8 {
            let mut covered: Vec<u64> = tiles
                .iter()
                .filter(|tile| tile.row == Row::Hashes(level))
                .flat_map(Tile::range)
                .collect();
            covered.sort_unstable();
            let (from, to) = (old >> (8 * level), new >> (8 * level));
            assert!((from..to).all(|i| covered.binary_search(&i).is_ok()), "{old}..{new}");
            assert!(covered.iter().all(|i| *i < to));
        }
        for tile in tiles.iter().filter(|tile| tile.row != Row::Entries) {
            let hashes = parse_hashes(&tile.hashes(&tree).unwrap()).unwrap();
            assert_eq!(hashes.len(), usize::from(tile.width));
        }
    }
}

/// A log and what its checkpoints were at some sizes.
fn grown(value: &str) -> Log {
    let log = Log::in_memory(config()).unwrap();
    for i in 0..20 {
        log.append(claim(1, i, "s", value)).unwrap().wait().unwrap();
    }
    log
}

fn submit(log: &Log, old: u64, new: u64) -> Submission {
    let proof = if old == 0 { vec![] } else { log.prove_consistency(old, new).unwrap() };
    Submission { old_size: old, proof, note: signed(&checkpoint(new, log.root_at(new).unwrap())) }
}

fn witness(files: MemoryFiles) -> Witness {
    let mut witness = Witness::open(files, witness_signer(), Clock::new(|| 5_000)).unwrap();
    witness.watch(ORIGIN, log_signer().key().clone());
    witness
}

#[test]
fn a_witness_signs_one_history_only() {
    let (log, fork, files) = (grown("v"), grown("w"), MemoryFiles::new());
    let first = witness(files.clone());
    let mut note = submit(&log, 0, 5).note;
    note.add(first.cosign(&submit(&log, 0, 5)).unwrap());
    let cosigned = Note::parse(note.to_string().as_bytes()).unwrap();
    assert_eq!(cosigned.verify(witness_signer().key()).unwrap(), Some(5));
    assert_eq!(cosigned.verify(log_signer().key()).unwrap(), None);
    drop(first);

    // What it saw outlives it.
    let witness = witness(files);
    assert_eq!(witness.seen_size(ORIGIN), 5);
    let kind = |submission: &Submission| witness.cosign(submission).unwrap_err().kind();
    assert_eq!(kind(&submit(&log, 0, 7)), ErrorKind::Conflict);
    assert_eq!(kind(&submit(&log, 4, 7)), ErrorKind::Conflict);
    assert_eq!(kind(&submit(&fork, 5, 5)), ErrorKind::Conflict);
    assert_eq!(kind(&submit(&fork, 5, 7)), ErrorKind::Proof);
    let backwards = Submission { old_size: 9, ..submit(&log, 5, 7) };
    assert_eq!(kind(&backwards), ErrorKind::Invalid);
    let mut mutated = submit(&log, 5, 7);
    mutated.proof[0].0[0] ^= 1;
    assert_eq!(kind(&mutated), ErrorKind::Proof);
    let mut unsigned = submit(&log, 5, 7);
    unsigned.note = checkpoint(7, log.root_at(7).unwrap()).to_note().unwrap();
    assert_eq!(kind(&unsigned), ErrorKind::NotFound);
    let stranger = Checkpoint { origin: "other".into(), ..checkpoint(7, Hash::EMPTY_ROOT) };
    let mut unwatched = submit(&log, 5, 7);
    unwatched.note = signed(&stranger);
    assert_eq!(kind(&unwatched), ErrorKind::NotFound);
    assert_eq!(witness.seen_size(ORIGIN), 5);

    let body = submit(&log, 5, 7).to_string();
    let read = Submission::parse(body.as_bytes()).unwrap();
    assert_eq!(read, submit(&log, 5, 7));
    witness.cosign(&read).unwrap();
    witness.cosign(&submit(&log, 7, 7)).unwrap();
    assert_eq!(witness.seen_size(ORIGIN), 7);
}

#[test]
fn a_witness_has_on_disk_what_it_signs_whatever_fails() {
    let log = grown("v");
    for at in 0..8 {
        let files = FaultyFiles::new(Some((at, Fault::Crash)));
        let mut one = Witness::open(files.clone(), witness_signer(), Clock::new(|| 0)).unwrap();
        one.watch(ORIGIN, log_signer().key().clone());
        let mut signed_size = 0;
        for size in [5, 9] {
            if one.cosign(&submit(&log, signed_size, size)).is_ok() {
                signed_size = size;
            }
        }
        for seed in 0..8 {
            let later = witness(files.after_power_loss(seed));
            assert!(later.seen_size(ORIGIN) >= signed_size, "call {at}, seed {seed}");
        }
    }
    assert!(Witness::open(MemoryFiles::new(), log_signer(), Clock::system()).is_err());
}
