//! Merging what is nearly the same.

use std::sync::Arc;

use edgekit_vector_index::{
    FlatIndex, HnswConfig, HnswIndex, Index, Metric, Scratch, SearchParams,
};

use crate::Error;
use crate::bank::BankConfig;
use crate::graph::from_index;
use crate::shelf::{Change, Entry, Usage};

/// The changes that leave no two entries `threshold` or more similar.
///
/// Rounds: each entry, the weightiest first, takes in all that are similar enough to it and not yet
/// taken. Taking in moves a centroid, so what was apart may be near then; the next round sees it.
/// Every round but the last removes at least one entry.
pub(crate) fn consolidate(
    mut entries: Vec<Entry>,
    threshold: f32,
    config: &BankConfig,
) -> Result<Vec<Change>, Error> {
    let mut changed = vec![false; entries.len()];
    let mut order: Vec<usize> = (0..entries.len()).collect();
    let mut changes = Vec::new();
    let mut scratch = Scratch::new();
    loop {
        order.sort_unstable_by_key(|&at| {
            (std::cmp::Reverse(entries[at].pattern.samples), entries[at].id)
        });
        let index = neighbourhood(&entries, &order, config)?;
        let mut taken = vec![false; entries.len()];
        let before = order.len();
        for &leader in &order {
            if taken[leader] {
                continue;
            }
            let centre = entries[leader].pattern.centroid.clone();
            for near in similar(&*index, &centre, threshold, config.ef, &mut scratch)? {
                if near == leader || taken[near] {
                    continue;
                }
                taken[near] = true;
                changed[leader] = true;
                let other = entries[near].clone();
                changes.push(Change::Remove(other.id));
                let entry = &mut entries[leader];
                let count = entry.usage.count() + other.usage.count();
                entry.pattern = entry.current();
                entry.pattern.absorb(&other.current());
                entry.usage = Arc::new(Usage::new(count, entry.pattern.last_used));
            }
            // So that nobody else takes the leader in, now that it has moved.
            taken[leader] |= changed[leader];
        }
        let gone: Vec<u64> = changes
            .iter()
            .filter_map(|c| if let Change::Remove(id) = c { Some(*id) } else { None })
            .collect();
        let gone: std::collections::BTreeSet<u64> = gone.into_iter().collect();
        order.retain(|&at| !gone.contains(&entries[at].id));
        if order.len() == before {
            break;
        }
    }
    let merged =
        order.into_iter().filter(|&at| changed[at]).map(|at| Change::Put(entries[at].clone()));
    changes.extend(merged);
    Ok(changes)
}

/// An index of the entries' directions under their places in `entries`.
fn neighbourhood(
    entries: &[Entry],
    order: &[usize],
    config: &BankConfig,
) -> Result<Box<dyn Index>, Error> {
    let mut index: Box<dyn Index> = if order.len() <= config.scan_limit {
        Box::new(FlatIndex::new(config.dim, Metric::Cosine).map_err(from_index)?)
    } else {
        let hnsw = HnswConfig {
            metric: Metric::Cosine,
            m: config.m,
            ef_construction: config.ef_construction,
            seed: config.seed,
            ..HnswConfig::default()
        };
        Box::new(HnswIndex::new(config.dim, hnsw).map_err(from_index)?)
    };
    index.reserve(order.len());
    for &at in order {
        index.insert(at as u64, &entries[at].pattern.centroid).map_err(from_index)?;
    }
    Ok(index)
}

/// All that are at least so similar to `centre`, most similar first.
fn similar(
    index: &dyn Index,
    centre: &[f32],
    threshold: f32,
    ef: usize,
    scratch: &mut Scratch,
) -> Result<Vec<usize>, Error> {
    let mut fetch = 16;
    loop {
        let found =
            index.search(centre, fetch, &SearchParams { ef, ..SearchParams::default() }, scratch).map_err(from_index)?;
        let inside = found.partition_point(|n| 1.0 - n.distance >= threshold);
        if inside < found.len() || found.len() < fetch {
            return Ok(found[..inside].iter().map(|n| n.id as usize).collect());
        }
        fetch *= 4;
    }
}
