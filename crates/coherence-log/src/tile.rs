//! Tiles in the layout of C2SP tlog-tiles: 256 hashes, or 256 entries, to a file.

use std::fmt;
use std::ops::Range;

use crate::error::{Error, malformed};
use crate::event::MAX_ENTRY_BYTES;
use crate::hash::Hash;
use crate::tree::MerkleTree;

/// How many hashes or entries a full tile holds.
pub const TILE_WIDTH: u64 = 256;

/// One tile. [`Display`](fmt::Display) writes its path, such as `tile/0/x001/x234/067.p/5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    /// What it holds.
    pub row: Row,
    /// Its number in the row.
    pub index: u64,
    /// How many it holds, 1 to 256; below 256 it is a partial tile.
    pub width: u16,
}

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Row {
    /// Entries, each behind its length as 16 bits, big endian.
    Entries,
    /// Tree hashes of level 8 times this number, 0 to 7.
    Hashes(u8),
}

impl Tile {
    /// Reads a path.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) for anything but what is written.
    pub fn parse(path: &str) -> Result<Tile, Error> {
        let bad = || malformed(format!("{path:?} is no tile"));
        let rest = path.strip_prefix("tile/").ok_or_else(bad)?;
        let (row, rest) = rest.split_once('/').ok_or_else(bad)?;
        let row = match row {
            "entries" => Row::Entries,
            level => Row::Hashes(level.parse().map_err(|_| bad())?),
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().map_err(|_| bad())?),
            None => (rest, TILE_WIDTH as u16),
        };
        let mut index = 0u64;
        for group in number.split('/') {
            let digits: u64 = group.trim_start_matches('x').parse().map_err(|_| bad())?;
            index = index.checked_mul(1000).and_then(|n| n.checked_add(digits)).ok_or_else(bad)?;
        }
        let tile = Tile { row, index, width };
        if matches!(row, Row::Hashes(8..)) || width == 0 || tile.to_string() != path {
            return Err(bad());
        }
        Ok(tile)
    }

    /// The entries, or the hashes of its level, that the tile covers.
    pub fn range(&self) -> Range<u64> {
        let start = self.index * TILE_WIDTH;
        start..start + u64::from(self.width)
    }

    /// The content of a hash tile, or `None` for one of entries or one that the tree has not.
    pub fn hashes(&self, tree: &MerkleTree) -> Option<Vec<u8>> {
        let Row::Hashes(level) = self.row else { return None };
        let range = self.range();
        let hashes =
            tree.level(usize::from(level) * 8).get(range.start as usize..range.end as usize)?;
        Some(hashes.iter().flat_map(|hash| hash.0).collect())
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            Row::Entries => f.write_str("tile/entries/")?,
            Row::Hashes(level) => write!(f, "tile/{level}/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups[1..].iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if u64::from(self.width) < TILE_WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// The tiles to publish when a log grows from `old` to `new` entries: those that are new or wider.
pub fn tiles_between(old: u64, new: u64) -> Vec<Tile> {
    let mut tiles = Vec::new();
    let rows = std::iter::once((Row::Entries, 0)).chain((0..8).map(|l| (Row::Hashes(l), 8 * l)));
    for (row, shift) in rows {
        let (have, want) = (old >> shift, new >> shift);
        if have == want {
            continue;
        }
        for index in have / TILE_WIDTH..want.div_ceil(TILE_WIDTH) {
            let width = (want - index * TILE_WIDTH).min(TILE_WIDTH) as u16;
            tiles.push(Tile { row, index, width });
        }
    }
    tiles
}

/// The content of a tile of entries.
///
/// # Errors
/// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if an entry is longer than 16 bits count.
pub fn entry_bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    for entry in entries {
        if entry.len() > MAX_ENTRY_BYTES {
            let length = entry.len();
            return Err(malformed(format!("an entry has {length} bytes, the limit is 65535")));
        }
        out.extend_from_slice(&(entry.len() as u16).to_be_bytes());
        out.extend_from_slice(entry);
    }
    Ok(out)
}

/// Reads a tile of entries.
///
/// # Errors
/// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if it ends within an entry.
pub fn parse_bundle(mut bytes: &[u8]) -> Result<Vec<&[u8]>, Error> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let cut = bytes.split_first_chunk::<2>().and_then(|(length, rest)| {
            rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
        });
        let (entry, rest) = cut.ok_or_else(|| malformed("an entry bundle ends within an entry"))?;
        entries.push(entry);
        bytes = rest;
    }
    Ok(entries)
}

/// Reads a tile of hashes.
///
/// # Errors
/// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if it is not whole hashes.
pub fn parse_hashes(bytes: &[u8]) -> Result<Vec<Hash>, Error> {
    match bytes.as_chunks::<32>() {
        (hashes, []) => Ok(hashes.iter().map(|hash| Hash(*hash)).collect()),
        _ => Err(malformed("a tile of hashes is not a whole number of them")),
    }
}
