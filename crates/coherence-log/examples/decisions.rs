//! An agent's decisions: recorded, proven, contradicted, resolved, and there after a crash.

use std::collections::BTreeMap;

use edgekit_coherence_log::event::{Approval, Assert, Resolution};
use edgekit_coherence_log::hash::leaf_hash;
use edgekit_coherence_log::proof::verify_inclusion;
use edgekit_coherence_log::state::{ContextRules, Notice, Rules, State};
use edgekit_coherence_log::store::DirFiles;
use edgekit_coherence_log::{Author, Config, Draft, Error, Id, Kind, Log};

const CONTEXT: [u8; 32] = [1; 32];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    // Fixed seeds, so that the example always prints the same; keys need a random source.
    let [north, south, judge] = [1, 2, 3].map(|n| Author::from_seed(&[n; 32]));
    let log = Log::open(DirFiles::open(dir.path())?, Config::default())?;
    let say = |author: &Author, kind: Kind<'static>| -> Result<Id, Error> {
        let event = Draft::new(log.clock().now_ms(), CONTEXT, kind).sign(author)?;
        let id = event.id();
        log.append(event)?.wait()?;
        Ok(id)
    };
    let claim = |value: &'static str| {
        Kind::Assert(Assert {
            subject: "door 7".into(),
            value: value.as_bytes().into(),
            evidence: (&[]).into(),
            confidence: 0.95,
            expires_ms: None,
        })
    };

    // Two robots disagree, and one of them decides on the strength of its own word.
    let open = say(&north, claim("open"))?;
    let shut = say(&south, claim("shut"))?;
    let decision = say(
        &north,
        Kind::Trace { decision: b"drive through door 7".into(), rests_on: vec![open].into() },
    )?;

    // Anyone with the root can check that the decision was recorded.
    let (size, root) = log.head();
    let path = log.prove_inclusion(2, size)?;
    verify_inclusion(&leaf_hash(&log.entry(2)?), 2, size, &path, &root)?;
    println!("decision {decision} is proven with {} hashes", path.len());

    // The state finds the contradiction; a member challenges it and an authority settles it.
    let context = ContextRules {
        members: vec![north.key(), south.key()],
        authorities: vec![judge.key()],
        quorum: 1,
        ..ContextRules::default()
    };
    let rules = Rules { contexts: BTreeMap::from([(CONTEXT, context)]), ..Rules::default() };
    let mut state = State::new(rules)?;
    for notice in state.catch_up(&log)? {
        if let Notice::Contradiction { earlier, later } = notice {
            println!("{later} contradicts {earlier}");
        }
    }
    let reason = "a door is open or shut".into();
    let conflict = say(&south, Kind::Challenge { claims: vec![open, shut].into(), reason })?;
    state.catch_up(&log)?;
    println!("challenged: {:?}; in doubt: {:?}", state.level(&open), state.replayable(&decision)?);
    let mut resolution = Resolution {
        conflict,
        accepted: vec![shut].into(),
        deprecated: vec![open].into(),
        rationale: "the judge went to look".into(),
        signatures: vec![].into(),
    };
    let signature = judge.sign(&resolution.message(&CONTEXT));
    resolution.signatures = vec![Approval { authority: judge.key(), signature }].into();
    say(&judge, Kind::Resolution(resolution))?;
    state.catch_up(&log)?;
    println!("resolved: open {:?}, shut {:?}", state.level(&open), state.level(&shut));

    // A crash in the middle of a write: the torn end goes, what was acknowledged stays.
    let head = log.head();
    drop(log);
    let segment = dir.path().join(format!("{:020}.seg", 0));
    let mut bytes = std::fs::read(&segment)?;
    bytes.extend_from_slice(b"CMT1 and then the power went");
    std::fs::write(&segment, bytes)?;
    let log = Log::open(DirFiles::open(dir.path())?, Config::default())?;
    assert_eq!(log.head(), head);
    println!("after the crash: {} events, the same root {}", log.size(), log.root());
    Ok(())
}
