//! What searches of a shared index see, and how a change becomes visible.
//!
//! Everything about a vector is written before its bit among the live is set (release), and a search
//! copies those bits first (acquire) and never looks at a slot whose bit it did not see set: that bit
//! is the one point at which a vector appears. Rows of links are rewritten word by word in place;
//! whoever reads one meanwhile sees old links and new ones, each a slot that exists or is dead to it.
//! The row of a removed vector stays as it was, for those who are on their way through.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use edgekit_kernels_simd::prefetch;

use crate::hnsw::{Graph, HnswIndex, Links, NONE, Search};
use crate::room::{Atomics, Room};
use crate::stored::{Stored, is_dead};
use crate::sync::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize};
use crate::{HnswConfig, Scratch};

/// One room, and what is shown of it.
pub(super) struct View {
    stored: Stored,
    links: ViewLinks,
    live: Live,
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
    /// Shows an index that was picked into `room`.
    pub(super) fn new(index: &HnswIndex, room: &Room) -> Self {
        let view = View {
            stored: index.vectors.reader(),
            links: ViewLinks::new(&index.links, room),
            live: Live::new(room),
            entry: AtomicU32::new(index.entry.unwrap_or(NONE)),
            len: AtomicUsize::new(index.vectors.len()),
            shown: AtomicU64::new(0),
        };
        for node in index.vectors.live() {
            view.links.add(&index.links, node);
            view.live.show(node);
        }
        view
    }

    /// Bytes of room that a view takes at most.
    pub(super) fn room_bytes(index: &HnswIndex, slots: usize) -> u64 {
        index.links.room_bytes(slots) + Room::bytes(slots.div_ceil(64), 8)
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    /// Bytes of memory besides the rows.
    pub(super) fn memory_bytes(&self, index: &HnswIndex) -> usize {
        let slots = index.vectors.slots();
        self.live.words.memory_bytes(slots.div_ceil(64))
            + self.links.memory_bytes(slots, index.links.upper_rows())
    }

    /// Whether another vector fits, whatever its level.
    pub(super) fn has_room(&self, index: &HnswIndex) -> bool {
        index.vectors.slots() < self.links.levels.len()
            && index.links.upper_rows() + crate::hnsw::MAX_LEVEL <= self.links.upper_rows()
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn has_room_for(&self, slots: usize) -> bool {
        slots <= self.links.levels.len()
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
        self.live.show(slot);
        self.settle_on(index);
    }

    /// Makes a removed vector invisible. The entry moves away from it first: a search that starts
    /// there knows it to be alive.
    pub(super) fn hide(&self, index: &HnswIndex, slot: u32) {
        self.settle_on(index);
        self.live.hide(slot);
    }

    /// Makes `new` visible instead of `old`.
    pub(super) fn replace(&self, index: &HnswIndex, old: Option<u32>, new: u32) {
        // Whoever sees neither this step nor the one below saw one of the two alone; whoever copied
        // the bits between them saw both, and the step.
        self.shown.fetch_add(1, SeqCst);
        self.live.show(new);
        self.settle_on(index);
        if let Some(old) = old {
            self.live.hide(old);
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
            self.live.copy_dead_to(dead);
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

/// The links as readers see them; nothing here is ordered, the bits of the live order it.
pub(crate) struct ViewLinks {
    m: usize,
    base: Atomics<AtomicU32>,
    upper: Atomics<AtomicU32>,
    upper_start: Atomics<AtomicU32>,
    levels: Atomics<AtomicU8>,
}

impl ViewLinks {
    pub(super) fn new(links: &Links, room: &Room) -> Self {
        let (m, slots) = (links.width(1), room.slots());
        ViewLinks {
            m,
            base: Atomics::take(room, slots * 2 * m),
            upper: Atomics::take(room, links.upper_room(slots) * m),
            upper_start: Atomics::take(room, slots),
            levels: Atomics::take(room, slots),
        }
    }

    fn upper_rows(&self) -> usize {
        self.upper.len() / self.m
    }

    fn memory_bytes(&self, slots: usize, upper_rows: usize) -> usize {
        self.base.memory_bytes(slots * 2 * self.m)
            + self.upper.memory_bytes(upper_rows * self.m)
            + self.upper_start.memory_bytes(slots)
            + self.levels.memory_bytes(slots)
    }

    /// Copies the rows of a node that nobody knows of yet. Where none were, there are zeros, which are
    /// links, too.
    pub(super) fn add(&self, links: &Links, node: u32) {
        self.upper_start[node as usize].store(links.upper_start[node as usize], Relaxed);
        self.levels[node as usize].store(links.level(node) as u8, Relaxed);
        for layer in 0..=links.level(node) {
            self.copy(links, node, layer);
        }
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
            let start = node as usize * width;
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

/// A bit for each slot that searches may visit.
pub(super) struct Live {
    words: Atomics<AtomicU64>,
    /// How many words have had a bit.
    used: AtomicUsize,
}

impl Live {
    pub(super) fn new(room: &Room) -> Self {
        let words = room.slots().div_ceil(64);
        Live { words: Atomics::take(room, words), used: AtomicUsize::new(0) }
    }

    pub(super) fn show(&self, slot: u32) {
        let word = slot as usize / 64;
        // Before the bit: whoever sees what is hidden next must find it.
        self.used.store(self.used.load(Relaxed).max(word + 1), Release);
        self.words[word].fetch_or(1 << (slot % 64), Release);
    }

    pub(super) fn hide(&self, slot: u32) {
        self.words[slot as usize / 64].fetch_and(!(1 << (slot % 64)), Release);
    }

    /// Copies who is not live. Upwards, and beyond what was used at first: of two slots for one id the
    /// newer is larger, so that whoever sees the older one hidden sees the newer one.
    pub(super) fn copy_dead_to(&self, dead: &mut Vec<u64>) {
        dead.clear();
        loop {
            let used = self.used.load(Acquire);
            if dead.len() == used {
                return;
            }
            dead.extend(self.words[dead.len()..used].iter().map(|word| !word.load(Acquire)));
        }
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
        let room = Room::fixed(128);
        let mut index = index.picked(&(0..64).collect::<Vec<_>>(), Some(&room));
        let view = View::new(&index, &room);
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
        dead.push(!view.live.words[1].load(Acquire));

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
        let room = Room::fixed(3);
        let mut copy = index.picked(&[0, 1], Some(&room));
        let view = View::new(&copy, &room);
        copy.links.written = Some(Vec::new());
        (copy, view)
    }

    /// The newer of two slots lies in a word that had no bit when the copying began.
    #[test]
    fn loom_a_slot_beyond_the_last_word_is_found_before_the_old_one_is_missed() {
        loom::model(|| {
            let live = Arc::new(Live::new(&Room::fixed(128)));
            live.show(0);
            let writer = {
                let live = Arc::clone(&live);
                thread::spawn(move || {
                    live.show(64);
                    live.hide(0);
                })
            };
            let mut dead = Vec::new();
            live.copy_dead_to(&mut dead);
            assert!(!is_dead(&dead, 0) || !is_dead(&dead, 64), "neither: {dead:x?}");
            writer.join().unwrap();
        });
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
