//! Saving and loading an agent: a short header with a checksum, then the state in postcard.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{Read, Write};

use crate::multi_step::Trail;
use crate::{Agent, AgentConfig, Algorithm, Error, ErrorKind, Rows, Table};

const MAGIC: [u8; 4] = *b"EKQA";
/// Version 1 had one number for upper confidence bounds where there is a schedule now.
const VERSION: u16 = 2;
/// Magic, version, table kind, length of the body, CRC-32 of the body.
const HEADER: usize = 4 + 2 + 1 + 8 + 4;

/// The body of a file, in this order.
type Body<T> = (AgentConfig, T, Option<Rows>, rand_pcg::Pcg64Mcg, u64, Trail);

impl<T: Table + Serialize + DeserializeOwned + Clone> Agent<T> {
    /// Writes everything, the random state and the running episode included: a loaded agent goes
    /// on exactly as this one would.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if writing fails.
    pub fn save(&self, mut to: impl Write) -> Result<(), Error> {
        let body = (&self.config, &self.table, &self.second, &self.rng, self.steps, &self.trail);
        let body = postcard::to_stdvec(&body)
            .map_err(|e| Error::new(ErrorKind::Io, format!("the agent cannot be encoded: {e}")))?;
        let mut header = Vec::with_capacity(HEADER);
        header.extend(MAGIC);
        header.extend(VERSION.to_le_bytes());
        header.extend([T::KIND]);
        header.extend((body.len() as u64).to_le_bytes());
        header.extend(crc32fast::hash(&body).to_le_bytes());
        let write = to.write_all(&header).and_then(|()| to.write_all(&body));
        write.map_err(|e| Error::new(ErrorKind::Io, format!("writing the agent failed: {e}")))
    }

    /// Reads what [`Agent::save`] wrote.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if reading fails; [`ErrorKind::Format`] if it is no agent, of another
    /// version or table kind, cut short, damaged, or contradicts itself.
    pub fn load(mut from: impl Read) -> Result<Self, Error> {
        let bad = |what: String| Error::new(ErrorKind::Format, what);
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes)
            .map_err(|e| Error::new(ErrorKind::Io, format!("reading the agent failed: {e}")))?;
        let Some((header, body)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(bad(format!("{} bytes: too short for a saved agent", bytes.len())));
        };
        let [m0, m1, m2, m3, v0, v1, kind, rest @ ..] = *header;
        let [l0, l1, l2, l3, l4, l5, l6, l7, c0, c1, c2, c3] = rest;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(bad("no saved agent: it does not begin with EKQA".into()));
        }
        let version = u16::from_le_bytes([v0, v1]);
        if version != VERSION {
            return Err(bad(format!("version {version}: this build reads version {VERSION}")));
        }
        if kind != T::KIND {
            return Err(bad(format!("table kind {kind} where {} was asked for", T::KIND)));
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
        let (body, left): (Body<T>, _) = postcard::take_from_bytes(body)
            .map_err(|e| bad(format!("the body does not decode: {e}")))?;
        if !left.is_empty() {
            return Err(bad(format!("{} bytes follow the agent", left.len())));
        }
        let (config, table, second, rng, steps, trail) = body;
        config.validate().map_err(|e| bad(e.to_string()))?;
        let rows = table.rows();
        let second_fits = match &second {
            None => config.algorithm != Algorithm::DoubleQ,
            Some(second) => config.algorithm == Algorithm::DoubleQ && second.continues(rows),
        };
        if !second_fits || !trail.fits(rows.len(), rows.actions()) {
            return Err(bad("the parts of the agent do not fit each other".into()));
        }
        Ok(Agent { config, table, second, rng, steps, trail, changed: Vec::new() })
    }
}
