//! The graph as a file's sections, and what must hold of a graph from anywhere.

use super::{Graph, HnswConfig, HnswIndex, Links, MAX_LEVEL, NONE};
use crate::Error;
use crate::file::{Parsed, Tag, refuse};
use crate::vectors::Vectors;

impl HnswIndex {
    pub(crate) fn from_parts(
        config: HnswConfig,
        vectors: Vectors,
        links: Links,
        entry: Option<u32>,
    ) -> Self {
        HnswIndex { config, vectors, links, entry, build: Box::new(super::Build::new()) }
    }

    /// Checks all that the graph relies on: links of upper layers lead to vectors that are there, layers
    /// have rows, the entry is in the highest, and the permanent links form one tree, so that every
    /// vector is reachable. For tests and for
    /// those who doubt; costs one pass over the links.
    ///
    /// # Errors
    ///
    /// [`Format`](crate::ErrorKind::Format) with the first thing found wrong.
    pub fn validate(&self) -> Result<(), Error> {
        let mut rows = 0;
        for node in 0..self.links.len() as u32 {
            let level = self.links.level(node);
            if level > MAX_LEVEL || self.links.upper_start[node as usize] != rows {
                return refuse(format!(
                    "node {node} is said to be in {level} layers, or its links to lie elsewhere"
                ));
            }
            if self.vectors.is_dead(node) && self.links.parent(node) != NONE {
                return refuse(format!("node {node} is removed and has a parent"));
            }
            rows += level as u32;
        }
        let highest = self.vectors.live().map(|node| self.links.level(node) + 1).max();
        if highest.unwrap_or(0) != self.layers() {
            return refuse(format!("the search would start at {:?}, below others", self.entry));
        }
        if self.links.upper.len() != rows as usize * self.config.m {
            return refuse(format!("upper layers have {} links", self.links.upper.len()));
        }
        self.links.check(&self.vectors)
    }
}

impl Links {
    pub(crate) fn sections(&self) -> [(Tag, &[u8]); 5] {
        [
            (Tag::Base, bytemuck::cast_slice(&self.base)),
            (Tag::Upper, bytemuck::cast_slice(&self.upper)),
            (Tag::UpperStart, bytemuck::cast_slice(&self.upper_start)),
            (Tag::Levels, &self.levels),
            (Tag::Parents, bytemuck::cast_slice(&self.parents)),
        ]
    }

    pub(crate) fn parse(parsed: &Parsed, m: usize, n: usize) -> Result<Self, Error> {
        let mut links = Links::new(m);
        links.base = parsed.exact(Tag::Base, n.checked_mul(2 * m))?;
        links.upper = parsed.array(Tag::Upper)?;
        links.upper_start = parsed.exact(Tag::UpperStart, Some(n))?;
        links.levels = parsed.exact(Tag::Levels, Some(n))?;
        links.parents = parsed.exact(Tag::Parents, Some(n))?;
        Ok(links)
    }

    /// What [`HnswIndex::validate`] says.
    pub(crate) fn check(&self, vectors: &Vectors) -> Result<(), Error> {
        let n = self.len() as u32;
        let mut roots = 0;
        // In which row a node was seen last.
        let (mut rows, mut seen) = (0_u64, vec![0_u64; n as usize]);
        // How a node is known to hang on a root: 0 not yet, 1 on the way, 2 it does.
        let mut state = vec![0_u8; n as usize];
        for node in 0..n {
            for layer in 0..=self.level(node) {
                let row = self.row(node, layer);
                let len = self.neighbors(node, layer).count();
                let tail = row.get(len..).unwrap_or(&[]);
                if tail.iter().any(|&slot| slot != NONE) || vectors.is_dead(node) && len > 0 {
                    return refuse(format!("node {node} has links where none belong"));
                }
            }
        }
        for node in vectors.live() {
            for layer in 0..=self.level(node) {
                if self.row(node, layer).len() != self.width(layer) {
                    return refuse(format!("node {node} has no links in layer {layer}"));
                }
                rows += 1;
                for link in self.neighbors(node, layer) {
                    if link >= n || link == node || seen[link as usize] == rows {
                        return refuse(format!("node {node} is linked to {link} of {n}, or twice"));
                    }
                    seen[link as usize] = rows;
                    // A stale link of the bottom layer may lead to a free slot or to one that was used
                    // again.
                    if layer > 0 && vectors.is_dead(link) {
                        return refuse(format!(
                            "node {node} is linked to {link}, which is removed"
                        ));
                    }
                    if self.level(link) < layer || self.row(link, layer).is_empty() {
                        return refuse(format!("node {link} has no links in layer {layer}"));
                    }
                }
            }
            let mut path = Vec::new();
            let mut at = node;
            while state[at as usize] == 0 {
                state[at as usize] = 1;
                path.push(at);
                let parent = self.parent(at);
                if parent == NONE {
                    roots += 1;
                    break;
                }
                if parent >= n || vectors.is_dead(parent) {
                    return refuse(format!(
                        "the parent of node {at} is {parent}, which is not there"
                    ));
                }
                let linked = |a, b| self.neighbors(a, 0).any(|link| link == b);
                if !linked(at, parent) || !linked(parent, at) {
                    return refuse(format!("node {at} and its parent {parent} are not linked"));
                }
                at = parent;
            }
            if !path.contains(&at) && state[at as usize] == 1
                || path.contains(&at) && self.parent(at) != NONE
            {
                return refuse(format!("node {at} is its own ancestor"));
            }
            path.iter().for_each(|&node| state[node as usize] = 2);
        }
        if roots > 1 {
            return refuse(format!("the graph is in {roots} pieces"));
        }
        Ok(())
    }
}
