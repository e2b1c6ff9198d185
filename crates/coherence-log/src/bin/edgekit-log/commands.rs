//! The commands and their arguments.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use edgekit_coherence_log::body::Body;
use edgekit_coherence_log::bundle::Bundle;
use edgekit_coherence_log::event::KindTag;
use edgekit_coherence_log::log::{Query, fsck};
use edgekit_coherence_log::note::{NoteAlgorithm, NoteKey, NoteSigner};
use edgekit_coherence_log::store::DirFiles;
use edgekit_coherence_log::{
    Author, Clock, Config, Draft, ErrorKind, Hash, Kind, Log, PublicKey, Verified,
};
use lexopt::prelude::*;

use crate::{Failure, serve};

/// Everything that may follow a command; each command asks for what it needs.
#[derive(Default)]
struct Arguments {
    store: Option<PathBuf>,
    seed: Option<PathBuf>,
    tiles: Option<PathBuf>,
    origin: Option<String>,
    content_type: Option<String>,
    time_ms: Option<u64>,
    port: Option<u16>,
    key: Option<NoteKey>,
    witnesses: Vec<NoteKey>,
    query: Query,
    rest: Vec<OsString>,
}

pub(crate) fn run(mut parser: lexopt::Parser) -> Result<(), Failure> {
    let command = match parser.next()? {
        Some(Value(command)) => command.string()?,
        Some(Long("help")) | Some(Short('h')) => {
            println!("{}", crate::USAGE);
            return Ok(());
        }
        _ => return Err(Failure::Usage("which command?".into())),
    };
    let arguments = Arguments::parse(parser)?;
    match command.as_str() {
        "append" => append(&arguments),
        "query" => query(&arguments),
        "prove" => prove(&arguments),
        "verify" if arguments.store.is_none() => verify(&arguments),
        "verify" | "fsck" => check(&arguments),
        "key" => {
            println!("{}", arguments.signer()?.key());
            Ok(())
        }
        "serve" => {
            let log = arguments.log()?;
            let tiles = needed(arguments.tiles.as_ref(), "--tiles")?;
            serve::publish(
                &log,
                tiles,
                needed(arguments.origin.as_ref(), "--origin")?,
                arguments.signer()?,
            )?;
            drop(log);
            serve::serve(tiles, arguments.port.unwrap_or(0))
        }
        other => Err(Failure::Usage(format!("there is no command {other}"))),
    }
}

fn append(arguments: &Arguments) -> Result<(), Failure> {
    let log = arguments.log()?;
    let author = Author::from_seed(&arguments.seed()?);
    let mut body = Body { salt: [0; 32], bytes: Vec::new() };
    std::io::stdin().read_to_end(&mut body.bytes)?;
    getrandom::fill(&mut body.salt).map_err(|error| Failure::Other(error.to_string()))?;
    let content_type = arguments.content_type.clone().unwrap_or_else(|| "text/plain".into());
    let kind =
        Kind::Record { content_type: content_type.into(), trace_id: None, body: body.commitment() };
    let time_ms = arguments.time_ms.unwrap_or_else(|| Clock::system().now_ms());
    let context = arguments.query.context.unwrap_or_default();
    let mut draft = Draft::new(time_ms, context, kind);
    draft.previous = log.latest_of(&author.key());
    let event = Verified::new(draft.sign(&author)?)?;
    let id = event.id();
    let receipt = log.append_with_body(event, body)?.wait()?;
    println!("{} {id}", receipt.index);
    Ok(())
}

fn query(arguments: &Arguments) -> Result<(), Failure> {
    let log = arguments.log()?;
    let mut out = std::io::stdout().lock();
    for index in log.query(&arguments.query) {
        writeln!(out, "{}", log.json_line(index)?)?;
    }
    Ok(())
}

fn prove(arguments: &Arguments) -> Result<(), Failure> {
    let log = arguments.log()?;
    let mut indices = Vec::new();
    for index in &arguments.rest {
        indices.push(index.parse()?);
    }
    let signer = arguments.signer()?;
    let (note, _) = log.checkpoint(signer.key().name(), &signer)?;
    print!("{}", log.bundle(&indices, &note)?);
    Ok(())
}

fn verify(arguments: &Arguments) -> Result<(), Failure> {
    let [path] = &arguments.rest[..] else {
        return Err(Failure::Usage("verify one bundle, or a --store".into()));
    };
    let key = needed(arguments.key.as_ref(), "--key")?;
    let json = std::fs::read(path)?;
    let bundle = Bundle::verify(&json, key, &arguments.witnesses)
        .map_err(|error| Failure::Unverified(error.to_string()))?;
    for proven in &bundle.events {
        println!("{} {} {}", proven.index, proven.event.id(), proven.event.kind().name());
    }
    let checkpoint = &bundle.checkpoint;
    println!(
        "all in {} of {} events, root {}",
        checkpoint.origin, checkpoint.size, checkpoint.root
    );
    Ok(())
}

fn check(arguments: &Arguments) -> Result<(), Failure> {
    let files = DirFiles::inspect(needed(arguments.store.as_ref(), "--store")?)?;
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let report = fsck(&files, threads)?;
    println!("{} events, root {}", report.events, report.root);
    println!("{} bodies erased, {} torn bytes", report.erased_bodies, report.torn_bytes);
    for finding in &report.findings {
        println!("event {}: {}", finding.index, finding.error);
    }
    // A body that was never stored here is no damage; anything else is.
    let wrong = report.findings.iter().filter(|one| one.error.kind() != ErrorKind::Lost).count();
    if wrong > 0 {
        return Err(Failure::Unverified(format!("{wrong} events do not verify")));
    }
    Ok(())
}

impl Arguments {
    fn parse(mut parser: lexopt::Parser) -> Result<Self, Failure> {
        let mut all = Arguments::default();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("store") => all.store = Some(parser.value()?.into()),
                Long("seed") => all.seed = Some(parser.value()?.into()),
                Long("tiles") => all.tiles = Some(parser.value()?.into()),
                Long("origin") => all.origin = Some(parser.value()?.string()?),
                Long("type") => all.content_type = Some(parser.value()?.string()?),
                Long("time") => all.time_ms = Some(parser.value()?.parse()?),
                Long("port") => all.port = Some(parser.value()?.parse()?),
                Long("key") => all.key = Some(vkey(&parser.value()?.string()?)?),
                Long("witness") => all.witnesses.push(vkey(&parser.value()?.string()?)?),
                Long("author") => {
                    let text = parser.value()?.string()?;
                    let key = Hash::from_hex(&text);
                    let key = key.ok_or_else(|| Failure::Usage(format!("{text} is no key")))?;
                    all.query.author = Some(PublicKey(key.0));
                }
                Long("context") => {
                    let text = parser.value()?.string()?;
                    let context = Hash::from_hex(&text).unwrap_or(Hash::of(&[text.as_bytes()]));
                    all.query.context = Some(context.0);
                }
                Long("kind") => {
                    let name = parser.value()?.string()?;
                    let kind = KindTag::from_name(&name);
                    let kind = kind.ok_or_else(|| Failure::Usage(format!("{name} is no kind")))?;
                    all.query.kind = Some(kind);
                }
                Long("from") => all.query.from_ms = Some(parser.value()?.parse()?),
                Long("until") => all.query.until_ms = Some(parser.value()?.parse()?),
                Long("limit") => all.query.limit = Some(parser.value()?.parse()?),
                Value(value) => all.rest.push(value),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(all)
    }

    fn log(&self) -> Result<Log, Failure> {
        let files = DirFiles::open(needed(self.store.as_ref(), "--store")?)?;
        Ok(Log::open_unthreaded(files, Config::default())?)
    }

    fn seed(&self) -> Result<[u8; 32], Failure> {
        let text = std::fs::read_to_string(needed(self.seed.as_ref(), "--seed")?)?;
        let seed = Hash::from_hex(text.trim());
        seed.map(|seed| seed.0).ok_or_else(|| {
            Failure::Usage("the seed file does not hold 64 hexadecimal digits".into())
        })
    }

    fn signer(&self) -> Result<NoteSigner, Failure> {
        let origin = needed(self.origin.as_ref(), "--origin")?;
        let author = Author::from_seed(&self.seed()?);
        Ok(NoteSigner::new(origin, NoteAlgorithm::Ed25519, author)?)
    }
}

fn vkey(text: &str) -> Result<NoteKey, Failure> {
    NoteKey::parse(text).map_err(|error| Failure::Usage(error.to_string()))
}

fn needed<'a, T>(value: Option<&'a T>, name: &str) -> Result<&'a T, Failure> {
    value.ok_or_else(|| Failure::Usage(format!("{name} is needed")))
}
