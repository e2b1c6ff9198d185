//! What the `metrics` and `tracing` features report.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use edgekit_batcher::{Batcher, BoxError, Config};

type Seen = Arc<Mutex<Vec<String>>>;

/// Three requests, of which one panics the processor and one is refused.
fn run() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let process = |items: Vec<u64>| async move {
            assert_ne!(items[0], 2);
            items.into_iter().map(Ok::<_, BoxError>).collect()
        };
        let config = Config { max_batch_weight: Some(5), ..Config::default() };
        let builder = Batcher::builder(config).name("images").weigh(|x| *x);
        let batcher = builder.build(process).unwrap();
        assert!(batcher.submit(1).await.is_ok());
        assert!(batcher.submit(2).await.is_err());
        assert!(batcher.submit(6).await.is_err());
    });
}

fn saw(seen: &Seen, what: &[&str]) {
    let seen = seen.lock().unwrap();
    for what in what {
        assert!(seen.iter().any(|seen| seen.contains(what)), "no {what} in {seen:#?}");
    }
}

#[cfg(feature = "metrics")]
#[test]
fn metrics_are_reported() {
    use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};

    struct Names(Seen);

    impl Names {
        fn note(&self, key: &Key) {
            let labels: Vec<_> =
                key.labels().map(|l| format!("{}={}", l.key(), l.value())).collect();
            self.0.lock().unwrap().push(format!("{} {}", key.name(), labels.join(" ")));
        }
    }

    impl metrics::Recorder for Names {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            self.note(key);
            Counter::noop()
        }
        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            self.note(key);
            Gauge::noop()
        }
        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            self.note(key);
            Histogram::noop()
        }
    }

    let seen = Seen::default();
    metrics::with_local_recorder(&Names(Arc::clone(&seen)), run);
    saw(
        &seen,
        &[
            "batcher_batches_total batcher=images outcome=ok",
            "batcher_batches_total batcher=images outcome=panicked",
            "batcher_rejected_total batcher=images reason=too_heavy",
            "batcher_batch_size",
            "batcher_oldest_wait_seconds",
            "batcher_service_seconds",
            "batcher_queued",
        ],
    );
}

#[cfg(feature = "tracing")]
#[test]
fn traces_are_reported() {
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    struct Writes(Seen);

    #[derive(Default)]
    struct Line(String);

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            self.0 += &format!("{}={value:?} ", field.name());
        }
    }

    impl Subscriber for Writes {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, span: &Attributes<'_>) -> Id {
            let mut line = Line(format!("span {} ", span.metadata().name()));
            span.record(&mut line);
            self.0.lock().unwrap().push(line.0);
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &Event<'_>) {
            let mut line = Line(format!("event {} ", event.metadata().level()));
            event.record(&mut line);
            self.0.lock().unwrap().push(line.0);
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    // Tests beside this one run without a subscriber and would switch call sites off, for good if
    // they meet them first; so this one runs alone, in a process of its own.
    const ALONE: &str = "EDGEKIT_BATCHER_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let alone = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "observe::traces_are_reported"])
            .env(ALONE, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&alone.stdout);
        assert!(alone.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let seen = Seen::default();
    tracing::subscriber::with_default(Writes(Arc::clone(&seen)), run);
    saw(
        &seen,
        &[
            "span batch batcher=\"images\" size=1",
            "event WARN message=batch failed batcher=\"images\" outcome=\"panicked\"",
            "event DEBUG message=requests rejected batcher=\"images\" reason=\"too_heavy\"",
        ],
    );
}
