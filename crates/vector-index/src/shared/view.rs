//! What searches of a shared index see, and how a change becomes visible.
//!
//! Everything about a vector is written before its bit among the dead is cleared (release), and a
//! search copies those bits first (acquire) and never looks at a slot whose bit it saw set: that bit
//! is the one point at which a vector appears. Rows of links are rewritten word by word in place;
//! whoever reads one meanwhile sees old links and new ones, each a slot that exists or is dead to it.
//! The row of a removed vector stays as it was, for those who are on their way through.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use edgekit_kernels_simd::prefetch;

use crate::hnsw::{Graph, HnswIndex, Links, NONE, Search};
use crate::stored::{Stored, is_dead};
use crate::sync::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize};
use crate::{HnswConfig, Scratch};

/// One fixed amount of room, and what is shown of it.
pub(super) struct View {
    stored: Stored,
    links: ViewLinks,
    dead: Dead,
    /// A node of the highest layer, `NONE` while there are none.
    entry: AtomicU32,
    len: AtomicUsize,
    /// Twice the number of vectors that became visible, and one less while one does that another
    /// gives way to.
    shown: AtomicU64,
}

/// What a search takes note of as it begins.
pub(super) struct Moment {
    entry: Option<u32>,
    shown: u64,
}

impl View {
    /// Shows an index whose rows have room for `capacity`.
    pub(super) fn new(index: &HnswIndex, capacity: usize) -> Self {
        let view = View {
            stored: index.vectors.reader(),
            links: ViewLinks::new(&index.links, capacity),
            dead: Dead::new(capacity),
            entry: AtomicU32::new(index.entry.unwrap_or(NONE)),
            len: AtomicUsize::new(index.vectors.len()),
            shown: AtomicU64::new(0),
        };
        for node in index.vectors.live() {
            view.links.add(&index.links, node);
            for layer in 0..=index.links.level(node) {
                view.links.copy(&index.links, node, layer);
            }
            view.dead.show(node);
        }
        view
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    /// Bytes of heap memory besides the rows.
    pub(super) fn memory_bytes(&self) -> usize {
        self.dead.words.len() * 8 + self.links.memory_bytes()
    }

    /// Whether another vector fits, whatever its level.
    pub(super) fn has_room(&self, index: &HnswIndex) -> bool {
        index.vectors.slots() < self.links.levels.len()
            && index.links.upper_rows() + crate::hnsw::MAX_LEVEL <= self.links.upper_rows()
    }

    /// Copies the rows of links that a change wrote, but for those of a `removed` node, and returns
    /// the last slot, which is the new one if the change made one.
    pub(super) fn take_over(&self, index: &mut HnswIndex, removed: Option<u32>) -> u32 {
        let mut written = index.links.written.take().unwrap_or_default();
        written.sort_unstable();
        written.dedup();
        let last = index.vectors.slots() as u32 - 1;
        if !index.vectors.is_dead(last) {
            self.links.add(&index.links, last);
        }
        for &(node, layer) in written.iter().filter(|&&(node, _)| Some(node) != removed) {
            self.links.copy(&index.links, node, layer);
        }
        written.clear();
        index.links.written = Some(written);
        last
    }

    /// Makes a new vector visible.
    pub(super) fn show(&self, index: &HnswIndex, slot: u32) {
        // Its id may have been another's that was removed since a search copied that one's bit.
        self.shown.fetch_add(2, SeqCst);
        self.dead.show(slot);
        self.settle_on(index);
    }

    /// Makes a removed vector invisible. The entry moves away from it first: a search that starts
    /// there knows it to be alive.
    pub(super) fn hide(&self, index: &HnswIndex, slot: u32) {
        self.settle_on(index);
        self.dead.hide(slot);
    }

    /// Makes `new` visible instead of `old`.
    pub(super) fn replace(&self, index: &HnswIndex, old: Option<u32>, new: u32) {
        // Whoever sees neither this step nor the one below saw one of the two alone; whoever copied
        // the bits between them saw both, and the step.
        self.shown.fetch_add(1, SeqCst);
        self.dead.show(new);
        self.settle_on(index);
        if let Some(old) = old {
            self.dead.hide(old);
        }
        self.shown.fetch_add(1, SeqCst);
    }

    fn settle_on(&self, index: &HnswIndex) {
        self.len.store(index.vectors.len(), Relaxed);
        self.entry.store(index.entry.unwrap_or(NONE), Release);
    }

    /// Copies who is dead at this moment into `dead`.
    pub(super) fn snapshot(&self, dead: &mut Vec<u64>) -> Moment {
        let shown = self.shown.load(SeqCst);
        loop {
            let entry = self.entry.load(Acquire);
            self.dead.copy_to(dead);
            // An entry that was removed in between has been replaced by another.
            if entry == NONE || !is_dead(dead, entry) {
                return Moment { entry: (entry != NONE).then_some(entry), shown };
            }
        }
    }

    pub(super) fn searching<'a>(
        &'a self,
        config: &'a HnswConfig,
        moment: &Moment,
        dead: &'a [u64],
    ) -> Search<'a, ViewLinks> {
        let (stored, graph, len) = (&self.stored, &self.links, self.len());
        Search { config, stored, dead, len, graph, entry: moment.entry }
    }

    /// Drops from the results what was replaced while they were found: the older of two that have one
    /// id.
    pub(super) fn settle(&self, moment: &Moment, scratch: &mut Scratch) {
        if moment.shown.is_multiple_of(2) && self.shown.load(SeqCst) == moment.shown {
            return;
        }
        let Scratch { walk, some: order, results, .. } = scratch;
        let slots = &mut walk.slots;
        slots.clear();
        // Results are the nearest of the pool, in its order. Newer slots are larger.
        slots.extend(walk.pool.iter().take(results.len()).map(|(_, slot)| slot));
        order.clear();
        order.extend(0..results.len() as u32);
        order.sort_unstable_by_key(|&at| (results[at as usize].id, slots[at as usize]));
        for pair in order.windows(2) {
            let [older, newer] = [pair[0] as usize, pair[1] as usize];
            if results[older].id == results[newer].id {
                slots[older] = NONE;
            }
        }
        let mut kept = slots.iter().map(|&slot| slot != NONE);
        results.retain(|_| kept.next() == Some(true));
    }
}

/// The links as readers see them; nothing here is ordered, the bits of the dead order it.
pub(crate) struct ViewLinks {
    m: usize,
    base: Box<[AtomicU32]>,
    /// How far into `base` the first cache line begins.
    offset: usize,
    upper: Box<[AtomicU32]>,
    upper_start: Box<[AtomicU32]>,
    levels: Box<[AtomicU8]>,
}

impl ViewLinks {
    pub(super) fn new(links: &Links, capacity: usize) -> Self {
        const LINE: usize = 16;
        let m = links.width(1);
        // Of further vectors about one in m has rows in upper layers; the rest is for luck.
        let more = capacity.saturating_sub(links.len());
        let upper = links.upper_rows() + 2 * more / (m - 1) + 8 * crate::hnsw::MAX_LEVEL;
        let nones = |len: usize| (0..len).map(|_| AtomicU32::new(NONE)).collect::<Box<[_]>>();
        let base = nones(capacity * 2 * m + LINE);
        let offset = base.as_ptr().align_offset(4 * LINE).min(LINE);
        ViewLinks {
            m,
            base,
            offset,
            upper: nones(upper * m),
            upper_start: nones(capacity),
            levels: (0..capacity).map(|_| AtomicU8::new(0)).collect(),
        }
    }

    fn upper_rows(&self) -> usize {
        self.upper.len() / self.m
    }

    fn memory_bytes(&self) -> usize {
        (self.base.len() + self.upper.len() + self.upper_start.len()) * 4 + self.levels.len()
    }

    /// Makes room known for the links of a node.
    pub(super) fn add(&self, links: &Links, node: u32) {
        self.upper_start[node as usize].store(links.upper_start[node as usize], Relaxed);
        self.levels[node as usize].store(links.level(node) as u8, Relaxed);
    }

    /// Copies a row.
    pub(super) fn copy(&self, links: &Links, node: u32, layer: usize) {
        for (shown, &link) in self.row(node, layer).iter().zip(links.row(node, layer)) {
            shown.store(link, Relaxed);
        }
    }

    fn row(&self, node: u32, layer: usize) -> &[AtomicU32] {
        let width = self.width(layer);
        if layer == 0 {
            let start = self.offset + node as usize * width;
            &self.base[start..start + width]
        } else {
            let rows = self.upper_start[node as usize].load(Relaxed) as usize + layer - 1;
            &self.upper[rows * width..(rows + 1) * width]
        }
    }
}

impl Graph for ViewLinks {
    fn width(&self, layer: usize) -> usize {
        if layer == 0 { 2 * self.m } else { self.m }
    }

    fn level(&self, node: u32) -> usize {
        self.levels[node as usize].load(Relaxed).into()
    }

    fn neighbors(&self, node: u32, layer: usize) -> impl Iterator<Item = u32> {
        let links = self.row(node, layer).iter().map(|link| link.load(Relaxed));
        links.take_while(|&link| link != NONE)
    }

    fn prefetch(&self, node: u32, layer: usize) {
        prefetch(self.row(node, layer));
    }
}

/// A bit for each slot that searches must not visit.
pub(super) struct Dead {
    words: Box<[AtomicU64]>,
}

impl Dead {
    /// All of them.
    pub(super) fn new(slots: usize) -> Self {
        Dead { words: (0..slots.div_ceil(64)).map(|_| AtomicU64::new(!0)).collect() }
    }

    pub(super) fn show(&self, slot: u32) {
        self.words[slot as usize / 64].fetch_and(!(1 << (slot % 64)), Release);
    }

    pub(super) fn hide(&self, slot: u32) {
        self.words[slot as usize / 64].fetch_or(1 << (slot % 64), Release);
    }

    /// Upwards: of two slots for one id the newer is larger, so that whoever sees the older one
    /// hidden sees the newer one.
    pub(super) fn copy_to(&self, dead: &mut Vec<u64>) {
        dead.clear();
        dead.extend(self.words.iter().map(|word| word.load(Acquire)));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{Index, Method, Metric, SearchParams};

    /// The bits of the dead are copied word by word: one who is interrupted between two of them sees
    /// what was removed after the first and what was inserted before the second.
    #[test]
    fn an_id_that_moved_while_the_dead_were_copied_is_found_once() {
        let config = HnswConfig { metric: Metric::L2Squared, ..HnswConfig::default() };
        let mut index = HnswIndex::new(1, config).unwrap();
        (0..64_u8).for_each(|id| index.insert(id.into(), &[id.into()]).unwrap());
        let mut index = index.picked(&(0..64).collect::<Vec<_>>(), Some(128));
        let view = View::new(&index, 128);
        index.links.written = Some(Vec::new());

        let mut dead = Vec::new();
        let moment = view.snapshot(&mut dead);
        let slot = index.vectors.slot(7).unwrap();
        index.remove(7).unwrap();
        view.take_over(&mut index, Some(slot));
        view.hide(&index, slot);
        index.insert(7, &[9.5]).unwrap();
        let slot = view.take_over(&mut index, None);
        view.show(&index, slot);
        dead[1] = view.dead.words[1].load(Acquire);

        let (mut scratch, scan) = (Scratch::new(), SearchParams { ef: 64, method: Method::Scan });
        view.searching(&config, &moment, &dead).nearest(&[7.0], 64, &scan, &mut scratch).unwrap();
        view.settle(&moment, &mut scratch);
        let found: Vec<f32> =
            scratch.results.iter().filter(|near| near.id == 7).map(|near| near.distance).collect();
        assert_eq!(found, [6.25], "the newer of the two alone");
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::{Index, Metric};

    /// Two vectors, of which the second is the entry's only neighbour, with room for one more.
    fn small() -> (HnswIndex, View) {
        let config = HnswConfig { metric: Metric::L2Squared, m: 2, ..HnswConfig::default() };
        let mut index = HnswIndex::new(1, config).unwrap();
        index.insert(10, &[1.0]).unwrap();
        index.insert(20, &[2.0]).unwrap();
        let mut copy = index.picked(&[0, 1], Some(3));
        let view = View::new(&copy, 3);
        copy.links.written = Some(Vec::new());
        (copy, view)
    }

    /// All that a search starting now sees as alive, read from its row and through its links.
    fn seen(view: &View) -> (Moment, Vec<u64>, Vec<f32>) {
        let mut dead = Vec::new();
        let moment = view.snapshot(&mut dead);
        let live: Vec<u32> = view.stored.live(&dead).collect();
        for &slot in &live {
            for link in view.links.neighbors(slot, 0) {
                assert!(link < 3, "a link to {link}");
            }
        }
        assert!(moment.entry.is_none_or(|entry| live.contains(&entry)));
        let row = |&slot: &u32| view.stored.exact().row(slot, &mut [0.0])[0];
        (
            moment,
            live.iter().map(|&slot| view.stored.id(slot)).collect(),
            live.iter().map(row).collect(),
        )
    }

    fn writing(
        change: impl Fn(&mut HnswIndex, &View) + Copy + Send + Sync + 'static,
        check: impl Fn(&View) + Send + Sync + 'static,
    ) {
        loom::model(move || {
            let (mut index, view) = small();
            let view = Arc::new(view);
            let writer = {
                let view = Arc::clone(&view);
                thread::spawn(move || change(&mut index, &view))
            };
            check(&view);
            writer.join().unwrap();
        });
    }

    #[test]
    fn a_vector_appears_whole() {
        writing(
            |index, view| {
                index.insert(30, &[3.0]).unwrap();
                let slot = view.take_over(index, None);
                view.show(index, slot);
            },
            |view| {
                let (_, ids, rows) = seen(view);
                assert!(ids.starts_with(&[10, 20]) && rows.starts_with(&[1.0, 2.0]));
                assert!(ids.len() == 2 || (ids[2], rows[2]) == (30, 3.0));
            },
        );
    }

    #[test]
    fn an_entry_that_is_removed_is_nobodys_start() {
        writing(
            |index, view| {
                let slot = index.entry.unwrap();
                let id = index.vectors.id(slot);
                index.remove(id).unwrap();
                view.take_over(index, Some(slot));
                view.hide(index, slot);
            },
            |view| {
                let (moment, ids, _) = seen(view);
                assert!(moment.entry.is_some() && !ids.is_empty());
            },
        );
    }

    #[test]
    fn an_upsert_shows_one_of_the_two_or_is_noticed() {
        writing(
            |index, view| {
                let old = index.vectors.slot(10);
                index.upsert(10, &[5.0]).unwrap();
                let new = view.take_over(index, old);
                view.replace(index, old, new);
            },
            |view| {
                let (moment, ids, rows) = seen(view);
                let found = ids.iter().filter(|&&id| id == 10).count();
                assert!(found >= 1, "neither the old nor the new one");
                let noticed = moment.shown % 2 == 1 || view.shown.load(SeqCst) != moment.shown;
                assert!(found == 1 || noticed, "both, and nobody knows: {rows:?}");
            },
        );
    }
}
