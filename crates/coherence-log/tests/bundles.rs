//! Bundles verify offline, and not after any change; JSON lines say what is there.

use edgekit_coherence_log::bundle::Bundle;
use edgekit_coherence_log::note::{Note, NoteAlgorithm, NoteSigner};
use edgekit_coherence_log::{ErrorKind, Log, Verified};

use crate::support::{author, claim, config, record};

fn signer(n: u8, algorithm: NoteAlgorithm) -> NoteSigner {
    NoteSigner::new("example.com/log", algorithm, author(n)).unwrap()
}

fn log() -> (Log, NoteSigner, Note) {
    let log = Log::in_memory(config()).unwrap();
    for i in 0..11 {
        log.append(claim(1, i, "s", "v")).unwrap().wait().unwrap();
        let (event, body) = record(2, i, format!("body {i}").as_bytes());
        let event = Verified::new(event).unwrap();
        log.append_with_body(event, body).unwrap().wait().unwrap();
    }
    let signer = signer(9, NoteAlgorithm::Ed25519);
    let note = log.checkpoint("example.com/log", &signer).unwrap().0;
    (log, signer, note)
}

#[test]
fn a_bundle_verifies_with_nothing_but_the_key() {
    let (log, log_signer, mut note) = log();
    log.erase_bodies(&[5], "asked for").unwrap();
    let json = log.bundle(&[7, 0, 5, 7], &note).unwrap();
    let bundle = Bundle::verify(json.as_bytes(), log_signer.key(), &[]).unwrap();
    let seen: Vec<_> = bundle.events.iter().map(|e| (e.index, e.body.is_some())).collect();
    assert_eq!(seen, [(0, false), (5, false), (7, true)]);
    assert_eq!(bundle.events[2].body.as_ref().unwrap().bytes, b"body 3");
    assert_eq!(bundle.events[0].event, log.event(0).unwrap());
    assert_eq!((bundle.checkpoint.size, bundle.checkpoint.root), log.head());
    let other = signer(8, NoteAlgorithm::Ed25519);
    assert!(Bundle::verify(json.as_bytes(), other.key(), &[]).is_err());

    let witness = signer(7, NoteAlgorithm::Cosignature);
    note.add(witness.sign(note.text(), 12));
    let json = log.bundle(&[1], &note).unwrap();
    Bundle::verify(json.as_bytes(), log_signer.key(), &[witness.key().clone()]).unwrap();
    let unknown = Bundle::verify(json.as_bytes(), log_signer.key(), &[]).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    assert_eq!(log.bundle(&[22], &note).unwrap_err().kind(), ErrorKind::NotFound);
    let fork = Log::in_memory(config()).unwrap();
    assert!(fork.bundle(&[0], &note).is_err());
}

#[test]
fn a_bundle_changed_in_any_byte_fails() {
    let (log, signer, note) = log();
    let json = log.bundle(&[2, 3], &note).unwrap().into_bytes();
    Bundle::verify(&json, signer.key(), &[]).unwrap();
    for at in 0..json.len() {
        for change in [1, 2, 32, json[at] ^ b' ', json[at] ^ b'\n'] {
            if change == 0 {
                continue;
            }
            let mut changed = json.clone();
            changed[at] ^= change;
            assert!(Bundle::verify(&changed, signer.key(), &[]).is_err(), "byte {at} ^ {change}");
        }
        let mut shorter = json.clone();
        shorter.remove(at);
        assert!(Bundle::verify(&shorter, signer.key(), &[]).is_err(), "without byte {at}");
        let mut longer = json.clone();
        longer.insert(at, b' ');
        assert!(Bundle::verify(&longer, signer.key(), &[]).is_err(), "space at {at}");
    }
}

#[test]
fn json_lines_tell_erased_from_lost() {
    let (log, ..) = log();
    log.erase_bodies(&[3], "asked for").unwrap();
    log.append(record(2, 500, &[0xff, 0xfe]).0).unwrap().wait().unwrap();
    let field = |index, name: &str| {
        let line = log.json_line(index).unwrap();
        assert!(!line.contains('\n'));
        serde_json::from_str::<serde_json::Value>(&line).unwrap()[name].clone()
    };
    assert_eq!(field(0, "kind"), "assert");
    assert_eq!(field(0, "value"), "v");
    assert_eq!(field(1, "body"), "body 0");
    assert_eq!(field(3, "body_is"), "erased");
    assert_eq!(field(22, "body_is"), "lost");
    assert_eq!(field(22, "index"), 22);
}
