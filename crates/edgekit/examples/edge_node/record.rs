//! The record: decisions in a signed log, one proved, a contradiction found and settled, a crash.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use edgekit::coherence_log::event::{Approval, Assert, Resolution};
use edgekit::coherence_log::proof::verify_inclusion;
use edgekit::coherence_log::state::{ContextRules, Notice, Rules, State};
use edgekit::coherence_log::store::DirFiles;
use edgekit::coherence_log::{Author, Clock, Config, Draft, Event, Id, Kind, Log};

use super::report::{Report, escape, tiles};

const CONTEXT: [u8; 32] = *b"edgekit demo: routing decisions.";

/// Records `decisions` in a log under `folder`, runs the panel and adds it to the report.
pub(crate) fn run(
    decisions: &[String],
    folder: &Path,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    println!("\n── the record ── {} decisions, signed and durable", decisions.len());
    let store = folder.join("log");
    if store.exists() {
        fs::remove_dir_all(&store)?;
    }
    let node = Author::from_seed(&[1; 32]);
    let authority = Author::from_seed(&[2; 32]);
    let config = Config { clock: Clock::new(|| 1_000_000), ..Config::default() };
    let now = config.clock.now_ms();
    let draft = |kind| Draft::new(now, CONTEXT, kind);

    // Every append is signed, checked, and durable when its ticket resolves.
    let log = Log::open(DirFiles::open(&store)?, config.clone())?;
    let start = Instant::now();
    let mut tickets = Vec::new();
    for decision in decisions {
        let trace =
            Kind::Trace { decision: decision.as_bytes().into(), rests_on: Vec::new().into() };
        tickets.push(log.append(draft(trace).sign(&node)?.into_owned())?);
    }
    for ticket in tickets {
        ticket.wait()?;
    }
    let each = start.elapsed().as_secs_f64() * 1e6 / decisions.len() as f64;

    // One of them is proved to somebody who has the root and nothing else.
    let (size, root) = log.head();
    let index = size / 2;
    let leaf = log.id(index).ok_or("the log has lost an event")?;
    let proof = log.prove_inclusion(index, size)?;
    verify_inclusion(&leaf, index, size, &proof, &root)?;
    let mut forged = proof.clone();
    forged.reverse();
    if verify_inclusion(&leaf, index, size, &forged, &root).is_ok() {
        return Err("a forged proof was accepted".into());
    }

    // Two sensors disagree. The log notices, a member challenges, an authority settles it.
    let rules = ContextRules {
        members: vec![node.key()],
        authorities: vec![authority.key()],
        quorum: 1,
        ..ContextRules::default()
    };
    let mut state = State::new(Rules { defaults: rules, ..Rules::default() })?;
    let append = |event: Event<'_>| -> Result<Id, Box<dyn Error>> {
        let receipt = log.append(event.into_owned())?.wait()?;
        log.id(receipt.index).ok_or_else(|| "the log has lost an event".into())
    };
    let claim = |value: &'static str| {
        draft(Kind::Assert(Assert {
            subject: "accelerator/temperature".into(),
            value: value.as_bytes().into(),
            evidence: Vec::new().into(),
            confidence: 0.9,
            expires_ms: None,
        }))
    };
    let cool = append(claim("41 °C").sign(&node)?)?;
    let hot = append(claim("96 °C").sign(&authority)?)?;
    let found = state.catch_up(&log)?.into_iter().any(
        |notice| matches!(notice, Notice::Contradiction { earlier, later } if (earlier, later) == (cool, hot)),
    );
    if !found {
        return Err("two contradicting claims were not noticed".into());
    }
    let challenge =
        Kind::Challenge { claims: vec![cool, hot].into(), reason: "both at once?".into() };
    let conflict = append(draft(challenge).sign(&node)?)?;
    state.catch_up(&log)?;
    let level = state.level(&cool).ok_or("a challenged claim has no level")?;
    let mut resolution = Resolution {
        conflict,
        accepted: vec![hot].into(),
        deprecated: vec![cool].into(),
        rationale: "the first sensor was unplugged".into(),
        signatures: Vec::new().into(),
    };
    let signature = authority.sign(&resolution.message(&CONTEXT));
    resolution.signatures = vec![Approval { authority: authority.key(), signature }].into();
    append(draft(Kind::Resolution(resolution)).sign(&authority)?)?;
    let settled = state.catch_up(&log)?.contains(&Notice::Settled { conflict });
    if !settled {
        return Err("a resolution signed by an authority did not settle the conflict".into());
    }

    // The machine dies while it writes: half a record lies at the end of the newest segment.
    let (size, root) = log.head();
    drop(log);
    let segment = newest_segment(&store)?;
    OpenOptions::new().append(true).open(&segment)?.write_all(&[0, 0, 1, 44, 7, 7, 7])?;
    let start = Instant::now();
    let log = Log::open(DirFiles::open(&store)?, config)?;
    let reopened_in = start.elapsed();
    if log.head() != (size, root) {
        return Err("the log came back with another root".into());
    }

    let rows = [
        format!("appended            {:.0} µs each: signed, checked, synced in groups", each),
        format!(
            "proved              event {index} of {size} by {} hashes; a forged proof was refused",
            proof.len()
        ),
        format!("contradiction       found, quarantined ({level:?}), settled by an authority"),
        format!(
            "crash               a torn record cut off, {size} events and the root intact, {:.1} ms",
            reopened_in.as_secs_f64() * 1e3
        ),
    ];
    for row in &rows {
        println!("  {row}");
    }
    let html = tiles(&[
        ("events", size.to_string()),
        ("append", format!("{each:.0} µs")),
        ("proof", format!("{} hashes", proof.len())),
        ("recovered in", format!("{:.1} ms", reopened_in.as_secs_f64() * 1e3)),
    ]) + &format!("<pre>{}\nroot                {root}</pre>", escape(&rows.join("\n")));
    report.section("The record", &html);
    Ok(())
}

fn newest_segment(store: &Path) -> Result<std::path::PathBuf, Box<dyn Error>> {
    let mut segments: Vec<_> = fs::read_dir(store)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .collect();
    segments.sort();
    segments.pop().ok_or_else(|| "the log has no segment".into())
}
