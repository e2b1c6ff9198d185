//! Pipelines: a source, any number of stages that run at the same time, and bounded queues between.

use std::sync::Arc;
use std::thread::{Builder, Scope};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::error::{BoxError, Error};
use crate::order::Sorter;
use crate::stage::{Packet, Post, Stop, feed};

/// A source and stages that each run on threads of their own, so that they overlap: while one item
/// is in the last stage, the next is in the one before.
///
/// Nothing happens until [`Pipeline::run`] or [`Pipeline::for_each`]. Queues between the stages are
/// bounded, so that a slow stage holds back those before it and memory does not grow.
///
/// The first item (by place) whose source or stage returns an error or panics stops the pipeline:
/// no more are started, those before it are finished, and the error says which it was.
pub struct Pipeline<'env, T> {
    /// Starts everything up to here and returns where its items come out.
    start: Starter<'env, T>,
    progress: Option<Box<dyn FnMut(Progress) + 'env>>,
    options: Options,
    stages: usize,
    /// How many items there will be, if the source knows.
    total: Option<usize>,
    /// A stage that cannot be.
    wrong: Option<Error>,
}

/// How a pipeline hands items on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many packets wait before each stage, at most. Default 2.
    pub queue_packets: usize,
    /// How many items a packet has. More make handing on cheaper for each item, and each item later.
    /// Default 1.
    pub packet_items: usize,
    /// The order in which items come out of stages of several workers. Default [`Order::Kept`].
    pub order: Order,
}

/// The order in which items come out of stages of several workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// That of the source, in every stage.
    #[default]
    Kept,
    /// As they are done: nobody waits for a slow item.
    Any,
}

/// How far a pipeline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Items that have been through all stages.
    pub done: usize,
    /// All items, if the source knows how many there are.
    pub total: Option<usize>,
}

/// Starts the threads of a source and some stages.
type Starter<'env, T> = Box<dyn for<'s> FnOnce(&Start<'s, 'env>) -> Receiver<Packet<T>> + 'env>;

/// What stages are started with.
struct Start<'s, 'env> {
    scope: &'s Scope<'s, 'env>,
    stop: Arc<Stop>,
    options: Options,
    failed: std::cell::RefCell<Option<Error>>,
}

impl Default for Options {
    fn default() -> Self {
        Options { queue_packets: 2, packet_items: 1, order: Order::Kept }
    }
}

impl<'env, T: Send + 'env> Pipeline<'env, T> {
    /// A pipeline that begins with the items of an iterator, which is driven by a thread of its own:
    /// it may read files, wait for frames, or be the receiving end of a channel.
    pub fn source<I>(items: I) -> Self
    where
        I: IntoIterator<Item = T, IntoIter: Send + 'env>,
    {
        Self::try_source(items.into_iter().map(Ok::<T, BoxError>))
    }

    /// A pipeline whose source can fail, as reading can.
    pub fn try_source<I, E>(items: I) -> Self
    where
        I: IntoIterator<Item = Result<T, E>, IntoIter: Send + 'env>,
        E: Into<BoxError>,
    {
        let items = items.into_iter();
        let total = match items.size_hint() {
            (least, Some(most)) if least == most => Some(most),
            _ => None,
        };
        let start = move |start: &Start<'_, 'env>| {
            let (output, queue) = start.queue();
            let (stop, packet_items) = (Arc::clone(&start.stop), start.options.packet_items);
            let items = items.map(|item| item.map_err(Into::into));
            start.spawn("source", move || feed(items, packet_items, &stop, &output));
            queue
        };
        Pipeline {
            start: Box::new(start),
            progress: None,
            options: Options::default(),
            stages: 0,
            total,
            wrong: None,
        }
    }

    /// Adds a stage of one thread, which may keep state: it sees the items one by one, in order if
    /// order is kept.
    pub fn stage<U, F>(self, mut f: F) -> Pipeline<'env, U>
    where
        U: Send + 'env,
        F: FnMut(T) -> U + Send + 'env,
    {
        self.try_stage(move |item| Ok::<U, BoxError>(f(item)))
    }

    /// Adds a stage of one thread that can fail.
    pub fn try_stage<U, E, F>(self, mut f: F) -> Pipeline<'env, U>
    where
        U: Send + 'env,
        E: Into<BoxError>,
        F: FnMut(T) -> Result<U, E> + Send + 'env,
    {
        let stage = self.stages + 1;
        let before = self.start;
        let start = move |start: &Start<'_, 'env>| {
            let input = before(start);
            let (output, queue) = start.queue();
            let stop = Arc::clone(&start.stop);
            start.spawn("stage", move || {
                let post = Post { stage, stop: &stop, input, output, sorter: None };
                post.work(|item| f(item).map_err(Into::into));
            });
            queue
        };
        Pipeline {
            start: Box::new(start),
            progress: self.progress,
            options: self.options,
            stages: stage,
            total: self.total,
            wrong: self.wrong,
        }
    }

    /// Adds a stage of several threads.
    pub fn stage_n<U, F>(self, workers: usize, f: F) -> Pipeline<'env, U>
    where
        U: Send + 'env,
        F: Fn(T) -> U + Send + Sync + 'env,
    {
        self.try_stage_n(workers, move |item| Ok::<U, BoxError>(f(item)))
    }

    /// Adds a stage of several threads that can fail.
    pub fn try_stage_n<U, E, F>(self, workers: usize, f: F) -> Pipeline<'env, U>
    where
        U: Send + 'env,
        E: Into<BoxError>,
        F: Fn(T) -> Result<U, E> + Send + Sync + 'env,
    {
        let stage = self.stages + 1;
        let none = || {
            Error::config(format!("stage {stage} has 0 workers and would never end; give it one"))
        };
        let wrong = self.wrong.or_else(|| (workers == 0).then(none));
        let before = self.start;
        let start = move |start: &Start<'_, 'env>| {
            let input = before(start);
            let (output, queue) = start.queue();
            // Twice as many as work: half of them may be early while one is slow.
            let sorter = (workers > 1 && start.options.order == Order::Kept)
                .then(|| Arc::new(Sorter::new(2 * workers)));
            let f = Arc::new(f);
            for _ in 0..workers {
                let (stop, f, sorter) = (Arc::clone(&start.stop), Arc::clone(&f), sorter.clone());
                let (input, output) = (input.clone(), output.clone());
                start.spawn("stage", move || {
                    let sorter = sorter.as_deref();
                    let post = Post { stage, stop: &stop, input, output, sorter };
                    post.work(|item| f(item).map_err(Into::into));
                });
            }
            queue
        };
        Pipeline {
            start: Box::new(start),
            progress: self.progress,
            options: self.options,
            stages: stage,
            total: self.total,
            wrong,
        }
    }

    /// Sets how items are handed on, for the whole pipeline.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Calls back, on the caller's thread, for every packet that has been through all stages.
    pub fn progress(mut self, progress: impl FnMut(Progress) + 'env) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    /// Runs the pipeline and returns what comes out of it.
    ///
    /// # Errors
    ///
    /// The first item's that went wrong; [`ErrorKind::Config`](crate::ErrorKind::Config) if the
    /// options cannot work or threads cannot be started.
    pub fn run(self) -> Result<Vec<T>, Error> {
        let mut all = Vec::with_capacity(self.total.unwrap_or(0));
        self.for_each(|item| all.push(item))?;
        Ok(all)
    }

    /// Runs the pipeline and hands what comes out of it to `f`, on the caller's thread. A slow `f`
    /// holds the pipeline back.
    ///
    /// # Errors
    ///
    /// As for [`Pipeline::run`]; `f` has seen only items before the one that went wrong if order is
    /// kept.
    ///
    /// # Panics
    ///
    /// If `f` or the progress callback does; the pipeline is stopped first.
    pub fn for_each(self, mut f: impl FnMut(T)) -> Result<(), Error> {
        let Pipeline { start, mut progress, options, stages: _, total, wrong } = self;
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        let positive =
            [("queue_packets", options.queue_packets), ("packet_items", options.packet_items)];
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(Error::config(format!("{name} is 0; make it at least 1")));
        }
        let stop = Arc::new(Stop::default());
        std::thread::scope(|scope| {
            let failed = std::cell::RefCell::new(None);
            let from = Start { scope, stop: Arc::clone(&stop), options, failed };
            let output = start(&from);
            if let Some(error) = from.failed.into_inner() {
                // Dropping the output lets the threads that did start run out.
                return Err(error);
            }
            let mut done = 0;
            for Packet { first, items, .. } in output {
                let before = done;
                for (place, item) in (first..).zip(items) {
                    // Another worker may have passed the bad item before it was known.
                    if !stop.covers(place) {
                        done += 1;
                        f(item);
                    }
                }
                if let (Some(progress), true) = (&mut progress, done > before) {
                    progress(Progress { done, total });
                }
            }
            Ok(())
        })?;
        stop.take_error().map_or(Ok(()), Err)
    }
}

impl<'env> Start<'_, 'env> {
    fn queue<T>(&self) -> (Sender<Packet<T>>, Receiver<Packet<T>>) {
        bounded(self.options.queue_packets)
    }
}

impl<'s, 'env> Start<'s, 'env> {
    fn spawn(&self, name: &str, work: impl FnOnce() + Send + 's) {
        let spawned =
            Builder::new().name(format!("pipeline-{name}")).spawn_scoped(self.scope, work);
        if let Err(error) = spawned {
            let error =
                Error::config(format!("cannot start a thread ({error}); use fewer workers"));
            self.failed.borrow_mut().get_or_insert(error);
        }
    }
}
