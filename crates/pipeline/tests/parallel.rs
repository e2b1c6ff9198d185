//! The maps against plain iterators, and whose threads they use.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use edgekit_pipeline::{ErrorKind, Failed, Workers, optimal_threads};
use proptest::prelude::*;

/// Every kind of map gives what an iterator does, in its order.
fn check(items: &[u32], threads: usize, chunk: usize) {
    let workers = Workers::scoped(threads).unwrap();
    let f = |x: &u32| x.wrapping_mul(7) ^ 3;
    let right: Vec<u32> = items.iter().map(f).collect();
    assert_eq!(workers.map(items, f), right);
    assert_eq!(workers.map_chunked(items, chunk, f), right);
    assert_eq!(workers.map_unbalanced(items, f), right);
    assert_eq!(workers.try_map(items, |x| Ok::<_, ()>(f(x))), Ok(right.clone()));
    assert_eq!(workers.map(items.to_vec(), |x| f(&x)), right);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn maps_are_those_of_iterators(
        items in proptest::collection::vec(any::<u32>(), 0..300),
        threads in 1..5_usize,
        chunk in 0..50_usize,
    ) {
        check(&items, threads, chunk);
    }

    #[test]
    fn the_first_error_is_the_first_by_place(
        bad in proptest::collection::hash_set(0..500_usize, 0..6),
        threads in 1..5_usize,
    ) {
        let workers = Workers::scoped(threads).unwrap();
        let f = |i: usize| if bad.contains(&i) { Err(i) } else { Ok(i) };
        let first = bad.iter().min();
        let expected = first.map_or_else(
            || Ok((0..500).collect()),
            |&index| Err(Failed { index, error: index }),
        );
        prop_assert_eq!(workers.try_map(0..500, f), expected);
    }
}

#[test]
fn items_behind_a_known_error_are_not_started() {
    let started = AtomicUsize::new(0);
    let f = |i: usize| {
        started.fetch_add(1, SeqCst);
        if i == 0 { Err("bad") } else { Ok(()) }
    };
    let failed = Workers::scoped(1).unwrap().try_map(0..10_000, f).unwrap_err();
    assert_eq!((failed.index, failed.error), (0, "bad"));
    assert_eq!(failed.to_string(), "item 0: bad");
    assert!(started.load(SeqCst) < 10, "{} items were started", started.load(SeqCst));
}

#[test]
fn the_callers_pool_and_the_scoped_one_are_used() {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .thread_name(|i| format!("mine-{i}"))
        .build()
        .unwrap();
    let names = |workers: &Workers<'_>| {
        let name = |_| std::thread::current().name().map(str::to_owned);
        workers.map_unbalanced(0..64, name).into_iter().collect::<HashSet<_>>()
    };
    let mine = |name: &Option<String>| name.as_ref().is_some_and(|name| name.starts_with("mine-"));
    assert!(names(&Workers::of(&pool)).iter().all(mine));
    assert!(pool.install(|| names(&Workers::current())).iter().all(mine));
    assert!(!names(&Workers::scoped(2).unwrap()).iter().any(mine));
}

#[test]
fn a_pool_of_no_threads_is_refused() {
    let error = Workers::scoped(0).err().unwrap();
    assert_eq!((error.kind(), error.index(), error.stage()), (ErrorKind::Config, None, None));
}

#[test]
fn unbalanced_items_are_taken_one_at_a_time() {
    // Two threads, and the dear items are neighbours: whoever has the first must not have the
    // second as well, or they would wait for each other for ever.
    let barrier = std::sync::Barrier::new(2);
    let workers = Workers::scoped(2).unwrap();
    let met = workers.map_unbalanced(0..100, |i| {
        if i < 2 {
            barrier.wait();
        }
        i
    });
    assert_eq!(met, (0..100).collect::<Vec<_>>());
}

#[test]
fn chunks_stay_on_one_thread() {
    let by_thread = Mutex::new(Vec::new());
    Workers::scoped(4).unwrap().map_chunked(0..400, 100, |i: usize| {
        by_thread.lock().unwrap().push((i, std::thread::current().id()));
    });
    let mut by_thread = by_thread.into_inner().unwrap();
    by_thread.sort_by_key(|(i, _)| *i);
    let switches = by_thread.windows(2).filter(|two| two[0].1 != two[1].1).count();
    assert!(switches <= 3, "{switches} changes of thread in 4 chunks");
}

#[test]
fn a_panic_goes_on_in_the_caller() {
    let workers = Workers::scoped(2).unwrap();
    let map = || workers.map(0..10, |i| assert_ne!(i, 7, "seven"));
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(map)).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("seven"));
    assert_eq!(workers.map(0..3, |i| i), [0, 1, 2], "the pool lives on");
}

#[test]
fn threads_are_no_more_than_the_quota_allows() {
    let threads = optimal_threads();
    assert!(threads >= 1);
    // Version 2 of control groups, where this process is in the root of its namespace.
    let quota = std::fs::read_to_string("/sys/fs/cgroup/cpu.max").unwrap_or_default();
    let numbers: Vec<f64> = quota.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    if let [quota, period] = numbers[..] {
        assert!(threads as f64 <= (quota / period).max(1.0), "{threads} threads of {quota}");
    }
}

/// Runs this test again on one core, where the system has a command for that.
#[cfg(target_os = "linux")]
#[test]
fn threads_respect_the_affinity() {
    const INNER: &str = "EDGEKIT_PIPELINE_ONE_CORE";
    if std::env::var_os(INNER).is_some() {
        assert_eq!(optimal_threads(), 1);
        return;
    }
    let allowed = std::fs::read_to_string("/proc/self/status").unwrap();
    let list = allowed.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    let core = list.trim().split([',', '-']).next().unwrap().to_owned();
    let run = std::process::Command::new("taskset")
        .args(["-c", &core])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "parallel::threads_respect_the_affinity"])
        .env(INNER, "1")
        .output();
    // Without `taskset` there is nobody to change the affinity.
    if let Ok(run) = run {
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    }
}
