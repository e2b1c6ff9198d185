//! Saving and loading a bank: a short header with a checksum, then its patterns in postcard.

use std::io::{Read, Write};
use std::sync::Arc;

use crate::bank::Bank;
use crate::config::BankConfig;
use crate::shelf::{Change, Entry, Usage};
use crate::{Error, ErrorKind, Pattern};

const MAGIC: [u8; 4] = *b"EKRB";
const VERSION: u16 = 1;
/// Magic, version, length of the body, CRC-32 of the body.
const HEADER: usize = 4 + 2 + 8 + 4;

/// The body of a file: settings, the next id, executors' names, and per pattern id, pattern, usage.
type Body = (BankConfig, u64, Vec<String>, Vec<(u64, Pattern, u64)>);

impl Bank {
    /// Writes patterns, usage and executors. Trajectories that wait are not saved, nor is the graph
    /// of a large bank; see [`Bank::load`]. O(n).
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if writing fails.
    pub fn save(&self, mut to: impl Write) -> Result<(), Error> {
        let (next_id, names) = {
            let writer = self.writer();
            (writer.next_id, writer.executors.names().to_vec())
        };
        let patterns =
            self.patterns().into_iter().map(|s| (s.id, s.pattern, s.usage)).collect::<Vec<_>>();
        let next_id = patterns.last().map_or(next_id, |last| next_id.max(last.0 + 1));
        let body: Body = (self.config, next_id, names, patterns);
        let body = postcard::to_stdvec(&body)
            .map_err(|e| Error::new(ErrorKind::Io, format!("the bank cannot be encoded: {e}")))?;
        let mut header = Vec::with_capacity(HEADER);
        header.extend(MAGIC);
        header.extend(VERSION.to_le_bytes());
        header.extend((body.len() as u64).to_le_bytes());
        header.extend(crc32fast::hash(&body).to_le_bytes());
        let write = to.write_all(&header).and_then(|()| to.write_all(&body));
        write.map_err(|e| Error::new(ErrorKind::Io, format!("writing the bank failed: {e}")))
    }

    /// Reads what [`Bank::save`] wrote.
    ///
    /// A bank beyond [`BankConfig::scan_limit`] makes its graph anew, pattern by pattern and for each
    /// of its copies, which takes as long as storing them did: about a second a copy for 10,000
    /// patterns of 128 values, several minutes for a million (the `build-ns` of
    /// `cargo xtask bench --only bank/lookup10000 --only bank/full/lookup1e6`). Where that is too
    /// long, keep the bank small by [`Bank::prune`] and [`Bank::consolidate`], or make it with
    /// [`Readers::Wait`](crate::Readers::Wait), which has one copy.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if reading fails; [`ErrorKind::Format`] if it is no bank, of another
    /// version, cut short, damaged, or contradicts itself.
    pub fn load(mut from: impl Read) -> Result<Self, Error> {
        let bad = |what: String| Error::new(ErrorKind::Format, what);
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes)
            .map_err(|e| Error::new(ErrorKind::Io, format!("reading the bank failed: {e}")))?;
        let Some((header, body)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(bad(format!("{} bytes: too short for a saved bank", bytes.len())));
        };
        let [m0, m1, m2, m3, v0, v1, rest @ ..] = *header;
        let [l0, l1, l2, l3, l4, l5, l6, l7, c0, c1, c2, c3] = rest;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(bad("no saved bank: it does not begin with EKRB".into()));
        }
        let version = u16::from_le_bytes([v0, v1]);
        if version != VERSION {
            return Err(bad(format!("version {version}: this build reads version {VERSION}")));
        }
        let len = u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
        let sum = u32::from_le_bytes([c0, c1, c2, c3]);
        if body.len() as u64 != len || crc32fast::hash(body) != sum {
            return Err(bad(format!(
                "{} bytes of body where {len} with checksum {sum:#010x} belong: the file is \
                 damaged",
                body.len()
            )));
        }
        let (body, left): (Body, _) = postcard::take_from_bytes(body)
            .map_err(|e| bad(format!("the body does not decode: {e}")))?;
        let (config, next_id, names, patterns) = body;
        let ascending = patterns.windows(2).all(|w| w[0].0 < w[1].0);
        if !left.is_empty() || !ascending || patterns.last().is_some_and(|p| p.0 >= next_id) {
            return Err(bad("the ids or the length of the body contradict themselves".into()));
        }
        let bank = Bank::new(config).map_err(|e| bad(e.to_string()))?;
        let mut changes = Vec::with_capacity(patterns.len());
        for (id, pattern, usage) in patterns {
            pattern.validate(config.dim).map_err(|e| bad(format!("pattern {id}: {e}")))?;
            let usage = Arc::new(Usage::new(usage, pattern.last_used));
            changes.push(Change::Put(Entry { id, pattern, usage }));
        }
        {
            let mut writer = bank.writer();
            writer.next_id = next_id;
            names.iter().for_each(|name| {
                writer.executors.intern(name);
            });
            bank.write(&changes)?;
        }
        Ok(bank)
    }
}
