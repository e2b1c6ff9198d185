//! Searching on one to three threads while another changes the index: a shared index, and a lock
//! around one. How a lock divides the time among the threads is the system's choice; so both searches
//! and changes are counted.

use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use edgekit_vector_index::{
    HnswConfig, HnswIndex, Index, Method, Originals, Scratch, SearchParams, SharedHnsw, Storage,
};

use super::data::Dataset;
use super::{K, build};
use crate::{Suite, Unit};

const PARAMS: SearchParams = SearchParams { ef: 32, method: Method::Graph };

/// How long each side is watched.
const SPAN: Duration = Duration::from_secs(1);

pub(super) fn declare(suite: &mut Suite) {
    if !suite.wants("index/shared") {
        return;
    }
    let data = Dataset::debian(128);
    let storage = Storage::Int8(Originals::F16);
    let config = HnswConfig { metric: data.metric, storage, ..HnswConfig::default() };
    let shared = SharedHnsw::new(build(config, &data)).expect("it is not mapped");
    let locked = RwLock::new(build(config, &data));
    let on_shared = |query: &[f32], scratch: &mut Scratch| {
        shared.search(query, K, &PARAMS, scratch).expect("the query is finite").len()
    };
    let on_locked = |query: &[f32], scratch: &mut Scratch| {
        let index = locked.read().expect("nobody panicked");
        index.search(query, K, &PARAMS, scratch).expect("the query is finite").len()
    };
    let nothing = |_, _: &[f32]| std::thread::sleep(Duration::from_millis(1));
    let in_shared = |id, row: &[f32]| shared.upsert(id, row).expect("the data is finite");
    let in_locked = |id, row: &[f32]| {
        let mut index = locked.write().expect("nobody panicked");
        index.upsert(id, row).expect("the data is finite");
    };
    // The writer has a core of its own.
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    for readers in 1..cores.clamp(2, 4) {
        let mut print = |side: &str, seen| print(suite, readers, side, seen);
        print("at-rest/shared", watch(&data, readers, nothing, on_shared));
        print("at-rest/lock", watch(&data, readers, nothing, on_locked));
        print("changing/shared", watch(&data, readers, in_shared, on_shared));
        print("changing/lock", watch(&data, readers, in_locked, on_locked));
    }
    longest(suite, "index/shared", &data);
}

/// The longest that one insertion takes while an empty index grows to all of the data, alone and
/// shared, and the longest replacement when all of it is then replaced in the shared one. Largest
/// of all: a page that the system hands out late or a pause of the thread is in it too.
pub(super) fn longest(suite: &mut Suite, prefix: &str, data: &Dataset) {
    let storage = Storage::Int8(Originals::F16);
    let config = HnswConfig { metric: data.metric, storage, ..HnswConfig::default() };
    let sample: Vec<f32> = data.base().take(1_000).flatten().copied().collect();
    let empty = || HnswIndex::trained(data.dim, config, &sample).expect("the data is finite");
    let mut alone = empty();
    let shared = SharedHnsw::new(empty()).expect("it is not mapped");
    let mut print = |what: &str, change: &mut dyn FnMut(u64, &[f32])| {
        let time = |(id, row)| {
            let begun = Instant::now();
            change(id, row);
            begun.elapsed().as_nanos()
        };
        let longest = (0..).zip(data.base()).map(time).max().unwrap_or(0);
        suite.value(format!("{prefix}/longest/{what}"), Unit::Nanos, longest as f64);
    };
    let fine = "the data is finite";
    print("insert-alone", &mut |id, row| alone.insert(id, row).expect(fine));
    print("insert-shared", &mut |id, row| shared.insert(id, row).expect(fine));
    print("replace-shared", &mut |id, row| shared.upsert(id, row).expect(fine));
}

/// What the readers together and the writer got done beside each other.
struct Seen {
    searches_per_second: f64,
    changes_per_second: f64,
    /// What 99 % of the searches took at most, in nanoseconds.
    p99: f64,
}

fn print(suite: &mut Suite, readers: usize, side: &str, seen: Seen) {
    let prefix = format!("index/shared/readers-{readers}/{side}");
    suite.value(format!("{prefix}/searches"), Unit::PerSecond, seen.searches_per_second);
    if side.starts_with("changing") {
        suite.value(format!("{prefix}/changes"), Unit::PerSecond, seen.changes_per_second);
    }
    suite.value(format!("{prefix}/p99"), Unit::Nanos, seen.p99);
}

fn watch(
    data: &Dataset,
    readers: usize,
    change: impl Fn(u64, &[f32]) + Sync,
    search: impl Fn(&[f32], &mut Scratch) -> usize + Sync,
) -> Seen {
    let (reading, changes) = (AtomicBool::new(true), AtomicU64::new(0));
    let start = Instant::now();
    let read = |reader: usize| {
        let (mut scratch, mut times) = (Scratch::new(), Vec::new());
        // Each from another place, so that they do not ask for the same in step.
        let first = reader * data.queries.len() / readers;
        for query in data.queries.iter().cycle().skip(first) {
            let begun = Instant::now();
            std::hint::black_box(search(query, &mut scratch));
            times.push(begun.elapsed().as_nanos() as u64);
            if start.elapsed() >= SPAN {
                break;
            }
        }
        times
    };
    let read = &read;
    let mut times = std::thread::scope(|scope| {
        scope.spawn(|| {
            let rows: Vec<&[f32]> = data.base().rev().collect();
            for (id, row) in (0..rows.len() as u64).zip(&rows).cycle() {
                change(id, row);
                changes.fetch_add(1, Relaxed);
                if !reading.load(Relaxed) {
                    break;
                }
            }
        });
        let threads: Vec<_> =
            (0..readers).map(|reader| scope.spawn(move || read(reader))).collect();
        let times: Vec<u64> = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no search panics"))
            .collect();
        reading.store(false, Relaxed);
        times
    });
    let seconds = start.elapsed().as_secs_f64();
    times.sort_unstable();
    Seen {
        searches_per_second: times.len() as f64 / seconds,
        changes_per_second: changes.load(Relaxed) as f64 / seconds,
        p99: times[times.len() * 99 / 100] as f64,
    }
}
