//! Notes, checkpoints, submissions, tiles, bundles: hostile text.
#![no_main]
use edgekit_coherence_log::note::{Checkpoint, Note, NoteKey};
use edgekit_coherence_log::tile::{Tile, entry_bundle, parse_bundle};
use edgekit_coherence_log::witness::Submission;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(Note::parse(note.to_string().as_bytes()).ok().as_ref(), Some(&note));
        if let Ok(checkpoint) = Checkpoint::parse(note.text()) {
            assert_eq!(checkpoint.to_note().map(|note| note.text().to_owned()).ok().as_deref(), Some(note.text()));
        }
    }
    if let Ok(submission) = Submission::parse(bytes) {
        let _ = submission.to_string();
    }
    if let Ok(entries) = parse_bundle(bytes) {
        assert_eq!(entry_bundle(entries).ok().as_deref(), Some(bytes));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(tile) = Tile::parse(text) {
            assert_eq!(tile.to_string(), text);
        }
        let _ = NoteKey::parse(text);
    }
});
