//! Opening a store whose only segment is whatever it is.
#![no_main]
use edgekit_coherence_log::{Config, Log, store::MemoryFiles};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let name = format!("{:020}.seg", 0);
    let files = MemoryFiles::with_contents([(name, bytes.to_vec())]);
    if let Ok(log) = Log::open_unthreaded(files.clone(), Config::default()) {
        let head = log.head();
        drop(log);
        let again = Log::open_unthreaded(files, Config::default()).expect("it opened before");
        assert_eq!(again.head(), head);
    }
});
