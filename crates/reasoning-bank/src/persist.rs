//! Saving and loading a bank: a short header with a checksum, its patterns in postcard, and its graph.

use std::io::{Read, Write};
use std::sync::Arc;

use crate::bank::{Bank, by_id};
use crate::config::BankConfig;
use crate::graph::Graph;
use crate::shelf::{Change, Entry, Shelf, Usage};
use crate::{Error, ErrorKind, Pattern};

const MAGIC: [u8; 4] = *b"EKRB";
/// Version 1 had patterns only.
const VERSION: u16 = 2;
/// Magic, version, length of what follows, CRC-32 of what follows.
const HEADER: usize = 4 + 2 + 8 + 4;

/// What follows first: settings, the next id, executors' names, and per pattern id, pattern, usage.
type Body = (BankConfig, u64, Vec<String>, Vec<(u64, Pattern, u64)>);
/// And then, since version 2: the graph's scale if there is one. Its index file is all the rest.
type Scale = Option<f32>;

impl Bank {
    /// Writes patterns, usage, executors and the graph of a large bank. Trajectories that wait are
    /// not saved. O(n), a copy of the file in memory included.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if writing fails.
    pub fn save(&self, mut to: impl Write) -> Result<(), Error> {
        let (next_id, names) = {
            let writer = self.writer();
            (writer.next_id, writer.executors.names().to_vec())
        };
        // Of one moment, so that they agree.
        let (patterns, graph) =
            self.read(|shelf| (by_id(shelf), shelf.graph().map(Graph::saved).transpose()));
        let (scale, graph) = graph?.unzip();
        let patterns = patterns.into_iter().map(|s| (s.id, s.pattern, s.usage)).collect::<Vec<_>>();
        let next_id = patterns.last().map_or(next_id, |last| next_id.max(last.0 + 1));
        let body: (Body, Scale) = ((self.config, next_id, names, patterns), scale);
        let mut rest = postcard::to_stdvec(&body)
            .map_err(|e| Error::new(ErrorKind::Io, format!("the bank cannot be encoded: {e}")))?;
        rest.extend(graph.unwrap_or_default());
        let mut header = Vec::with_capacity(HEADER);
        header.extend(MAGIC);
        header.extend(VERSION.to_le_bytes());
        header.extend((rest.len() as u64).to_le_bytes());
        header.extend(crc32fast::hash(&rest).to_le_bytes());
        let write = to.write_all(&header).and_then(|()| to.write_all(&rest));
        write.map_err(|e| Error::new(ErrorKind::Io, format!("writing the bank failed: {e}")))
    }

    /// Reads what [`Bank::save`] wrote. O(bytes): graph and patterns are checked against each other,
    /// and nothing is made anew.
    ///
    /// Only a file of version 1 or of a bank of other limits has no graph where one is needed; it is
    /// made then, which takes as long as storing the patterns did.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if reading fails; [`ErrorKind::Format`] if it is no bank, of another
    /// version, cut short, damaged, or contradicts itself.
    pub fn load(mut from: impl Read) -> Result<Self, Error> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes)
            .map_err(|e| Error::new(ErrorKind::Io, format!("reading the bank failed: {e}")))?;
        let (version, rest) = unwrap(&bytes)?;
        let (body, rest) = decode::<Body>(rest)?;
        let (scale, rest) = if version == 1 { (None, rest) } else { decode::<Scale>(rest)? };
        let (config, next_id, names, patterns) = body;
        let ascending = patterns.windows(2).all(|w| w[0].0 < w[1].0);
        let complete = scale.is_some() || rest.is_empty();
        if !complete || !ascending || patterns.last().is_some_and(|p| p.0 >= next_id) {
            return Err(bad("the ids or the length of the body contradict themselves".into()));
        }
        let bank = Bank::new(config).map_err(|e| bad(e.to_string()))?;
        let mut entries = Vec::with_capacity(patterns.len());
        for (id, pattern, usage) in patterns {
            pattern.validate(config.dim).map_err(|e| bad(format!("pattern {id}: {e}")))?;
            let usage = Arc::new(Usage::new(usage, pattern.last_used));
            entries.push(Entry { id, pattern, usage });
        }
        {
            let mut writer = bank.writer();
            writer.next_id = next_id;
            names.iter().for_each(|name| {
                writer.executors.intern(name);
            });
            match scale {
                Some(scale) => {
                    bank.replace(|| Shelf::restore(config, entries.clone(), scale, rest.to_vec()))?
                }
                None => bank.write(&entries.into_iter().map(Change::Put).collect::<Vec<_>>())?,
            }
        }
        Ok(bank)
    }
}

/// Version and contents of a file whose header is right.
fn unwrap(bytes: &[u8]) -> Result<(u16, &[u8]), Error> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Err(bad(format!("{} bytes: too short for a saved bank", bytes.len())));
    };
    let [m0, m1, m2, m3, v0, v1, numbers @ ..] = *header;
    let [l0, l1, l2, l3, l4, l5, l6, l7, c0, c1, c2, c3] = numbers;
    if [m0, m1, m2, m3] != MAGIC {
        return Err(bad("no saved bank: it does not begin with EKRB".into()));
    }
    let version = u16::from_le_bytes([v0, v1]);
    if !(1..=VERSION).contains(&version) {
        return Err(bad(format!("version {version}: this build reads versions 1 to {VERSION}")));
    }
    let len = u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
    let sum = u32::from_le_bytes([c0, c1, c2, c3]);
    if rest.len() as u64 != len || crc32fast::hash(rest) != sum {
        return Err(bad(format!(
            "{} bytes where {len} with checksum {sum:#010x} belong: the file is damaged",
            rest.len()
        )));
    }
    Ok((version, rest))
}

fn decode<'b, T: serde::Deserialize<'b>>(bytes: &'b [u8]) -> Result<(T, &'b [u8]), Error> {
    postcard::take_from_bytes(bytes).map_err(|e| bad(format!("the body does not decode: {e}")))
}

fn bad(what: String) -> Error {
    Error::new(ErrorKind::Format, what)
}
