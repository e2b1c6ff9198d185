//! The batching contenders behind one trait, all with batches of up to 32.

use std::convert::Infallible;
use std::future::Future;
use std::time::{Duration, Instant};

use edgekit_batcher::{Batcher, Config, Level, PreciseTimer, Request, Timer};
use tokio::sync::{mpsc, oneshot};

const BATCH: usize = 32;

/// What the processor does with a batch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// Adds one to each item.
    Nothing,
    /// The same after 1 ms + 50 µs an item, waited for on a precise timer by every contender.
    Model,
}

impl Work {
    async fn run(self, items: Vec<u64>) -> Vec<u64> {
        if let Work::Model = self {
            let takes = Duration::from_millis(1) + Duration::from_micros(50) * items.len() as u32;
            PreciseTimer.sleep_until(Instant::now() + takes).await;
        }
        items.into_iter().map(|x| x + 1).collect()
    }
}

/// The processor of [`Work::Model`] as our batcher wants it.
pub(super) async fn model(items: Vec<u64>) -> Vec<Result<u64, Infallible>> {
    Work::Model.run(items).await.into_iter().map(Ok).collect()
}

/// Something that batches: one number in, that number plus one out.
pub(super) trait Contender: Clone + Send + Sync + 'static {
    /// As in the ids of the cases.
    const NAME: &'static str;
    /// Whether it can run any work with any delay; those that cannot are in fewer cases.
    const APPLIES_TO_ALL: bool = true;

    fn new(work: Work, delay: Duration) -> Self;

    /// `None` if it was refused.
    fn call(&self, x: u64) -> impl Future<Output = Option<u64>> + Send;
}

/// Ours, with two priority levels, a deadline for every request and statistics, which are always
/// on.
#[derive(Clone)]
pub(super) struct Ours(pub(super) Batcher<u64, u64>);

impl Contender for Ours {
    const NAME: &'static str = "ours";

    fn new(work: Work, delay: Duration) -> Self {
        let level = Level { timeout: Some(Duration::from_secs(2)), ..Level::default() };
        let config = Config {
            max_batch_size: BATCH,
            max_queue_delay: delay,
            levels: vec![level.clone(), level],
            ..Config::default()
        };
        let process = move |items| async move {
            let done = work.run(items).await;
            done.into_iter().map(Ok::<_, Infallible>).collect()
        };
        Ours(Batcher::builder(config).build(process).expect("a good config"))
    }

    async fn call(&self, x: u64) -> Option<u64> {
        let request = Request::new(x).priority(1 + (x % 2) as usize);
        self.0.submit(request.timeout(Duration::from_secs(1))).await.ok()
    }
}

/// A task that takes what is there and answers it: the least that batching can cost.
#[derive(Clone)]
pub(super) struct Actor(mpsc::Sender<(u64, oneshot::Sender<u64>)>);

impl Contender for Actor {
    const NAME: &'static str = "bare-actor";

    fn new(work: Work, _: Duration) -> Self {
        let (send, mut receive) = mpsc::channel::<(u64, oneshot::Sender<u64>)>(4096);
        tokio::spawn(async move {
            let mut requests = Vec::with_capacity(BATCH);
            while receive.recv_many(&mut requests, BATCH).await > 0 {
                let (items, replies): (Vec<_>, Vec<_>) = requests.drain(..).unzip();
                for (reply, y) in replies.into_iter().zip(work.run(items).await) {
                    let _ = reply.send(y);
                }
            }
        });
        Actor(send)
    }

    async fn call(&self, x: u64) -> Option<u64> {
        let (reply, answer) = oneshot::channel();
        self.0.send((x, reply)).await.ok()?;
        answer.await.ok()
    }
}

/// `batch-aint-one`, with its quickest policy.
#[derive(Clone)]
pub(super) struct AintOne(std::sync::Arc<batch_aint_one::Batcher<AintOneWork>>);

#[derive(Clone, Debug)]
pub(super) struct AintOneWork(Work);

impl batch_aint_one::Processor for AintOneWork {
    type Key = ();
    type Input = u64;
    type Output = u64;
    type Error = String;
    type Resources = ();

    async fn acquire_resources(&self, (): ()) -> Result<(), String> {
        Ok(())
    }

    async fn process(
        &self,
        (): (),
        inputs: impl Iterator<Item = u64> + Send,
        (): (),
    ) -> Result<Vec<u64>, String> {
        Ok(self.0.run(inputs.collect()).await)
    }
}

impl Contender for AintOne {
    const NAME: &'static str = "batch-aint-one";

    fn new(work: Work, delay: Duration) -> Self {
        use batch_aint_one::{BatchingPolicy, Limits, OnFull};
        let policy = if delay.is_zero() {
            BatchingPolicy::Immediate
        } else {
            BatchingPolicy::Duration(delay, OnFull::Process)
        };
        let limits = Limits::builder()
            .max_batch_size(BATCH)
            .max_key_concurrency(1)
            .max_key_queued_items(4096)
            .build();
        let batcher = batch_aint_one::Batcher::builder()
            .name("rival")
            .processor(AintOneWork(work))
            .limits(limits)
            .batching_policy(policy)
            .build();
        AintOne(std::sync::Arc::new(batcher))
    }

    async fn call(&self, x: u64) -> Option<u64> {
        self.0.add((), x).await.ok()
    }
}

#[cfg(feature = "peers")]
pub(super) use peers::{BatchedFn, TowerControl};

#[cfg(feature = "peers")]
mod peers {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tower::{Service, ServiceExt};
    use tower_batch_control::{Batch, BatchControl, BoxError, RequestWeight};

    use super::*;

    /// `tower-batch-control`, whose service answers every item as its batch is flushed.
    #[derive(Clone)]
    pub(in super::super) struct TowerControl(Batch<Collects, Item>);

    #[derive(Clone, Copy, Debug)]
    pub(in super::super) struct Item(u64);

    impl RequestWeight for Item {}

    pub(in super::super) struct Collects {
        work: Work,
        batch: Vec<(u64, oneshot::Sender<u64>)>,
    }

    impl Service<BatchControl<Item>> for Collects {
        type Response = u64;
        type Error = BoxError;
        type Future = Pin<Box<dyn Future<Output = Result<u64, BoxError>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: BatchControl<Item>) -> Self::Future {
            match request {
                BatchControl::Item(Item(x)) => {
                    let (reply, answer) = oneshot::channel();
                    self.batch.push((x, reply));
                    Box::pin(async move { Ok(answer.await?) })
                }
                BatchControl::Flush => {
                    let work = self.work;
                    let (items, replies): (Vec<_>, Vec<_>) = self.batch.drain(..).unzip();
                    Box::pin(async move {
                        for (reply, y) in replies.into_iter().zip(work.run(items).await) {
                            let _ = reply.send(y);
                        }
                        Ok(0)
                    })
                }
            }
        }
    }

    impl Contender for TowerControl {
        const NAME: &'static str = "tower-batch-control";

        fn new(work: Work, delay: Duration) -> Self {
            let collects = Collects { work, batch: Vec::new() };
            // Without a delay it would never batch; a millisecond is its finest.
            let delay = delay.max(Duration::from_millis(1));
            TowerControl(Batch::new(collects, BATCH, 1, delay))
        }

        async fn call(&self, x: u64) -> Option<u64> {
            self.0.clone().ready().await.ok()?.call(Item(x)).await.ok()
        }
    }

    /// `batched-fn`, whose processor is a plain function on a thread of its own.
    #[derive(Clone)]
    pub(in super::super) struct BatchedFn;

    impl Contender for BatchedFn {
        const NAME: &'static str = "batched-fn";
        const APPLIES_TO_ALL: bool = false;

        fn new(_: Work, _: Duration) -> Self {
            BatchedFn
        }

        async fn call(&self, x: u64) -> Option<u64> {
            let call = batched_fn::batched_fn! {
                handler = |batch: Vec<u64>| -> Vec<u64> {
                    batch.into_iter().map(|x| x + 1).collect()
                };
                config = { max_batch_size: 32, max_delay: 0 };
                context = {};
            };
            call(x).await.ok()
        }
    }
}
