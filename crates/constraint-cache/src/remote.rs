//! The second tier: requests by id in a Redis server that several processes share.
//!
//! What is stored is a key's bytes, the canonical request: small, and compiled anew by whoever reads
//! it. Nothing that comes back is trusted: it must hash to the id that was asked for and decode as a
//! request. Every failure is counted and falls back to local compilation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use edgekit_constraint_ir::ContentId;
use redis::{Client, Connection, RedisResult};

use crate::{Error, ErrorKind, Key, Request};

/// Where the second tier is and how long it is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteConfig {
    /// `redis://host:port/`.
    pub url: String,
    /// What comes before the id in a key of the server.
    pub prefix: String,
    /// How long the server keeps a request.
    pub time_to_live: Duration,
    /// How long one exchange may take.
    pub timeout: Duration,
    /// How long the server is left alone after a failure.
    pub pause_after_failure: Duration,
    /// The largest request that is written or read, in bytes.
    pub max_bytes: usize,
}

impl Default for RemoteConfig {
    fn default() -> Self {
        RemoteConfig {
            url: "redis://127.0.0.1:6379/".into(),
            prefix: "edgekit:constraint:".into(),
            time_to_live: Duration::from_secs(24 * 3600),
            timeout: Duration::from_millis(100),
            pause_after_failure: Duration::from_secs(1),
            max_bytes: 8 << 20,
        }
    }
}

/// The second tier as a cache uses it.
pub(crate) struct Remote {
    server: Arc<Server>,
    /// Keys that wait to be published, by a thread of their own: nobody else waits for the server.
    waiting: SyncSender<Key>,
}

/// More keys than these wait for no server.
const MOST_WAITING: usize = 256;

/// A connection that is made when it is needed and made again after a failure.
struct Server {
    config: RemoteConfig,
    client: Client,
    link: Mutex<Link>,
    failures: AtomicU64,
}

enum Link {
    Up(Box<Connection>),
    Down { since: Option<Instant> },
}

impl Remote {
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] if the URL is none, a limit is 0, or no thread can be started.
    pub(crate) fn new(config: &RemoteConfig) -> Result<Self, Error> {
        let client = Client::open(config.url.as_str()).map_err(|e| {
            Error::new(ErrorKind::InvalidConfig, format!("redis.url is {:?}: {e}", config.url))
        })?;
        if config.max_bytes == 0 || config.timeout.is_zero() || config.time_to_live.as_secs() == 0 {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                "redis.max_bytes, redis.timeout and redis.time_to_live (whole seconds) must not be 0",
            ));
        }
        let server = Arc::new(Server {
            config: config.clone(),
            client,
            link: Mutex::new(Link::Down { since: None }),
            failures: AtomicU64::new(0),
        });
        let (waiting, keys) = sync_channel::<Key>(MOST_WAITING);
        let publisher = Arc::clone(&server);
        // Ends with the cache, when the sender is dropped.
        std::thread::Builder::new()
            .name("constraint-publish".into())
            .spawn(move || keys.into_iter().for_each(|key| publisher.publish(&key)))
            .map_err(|e| Error::new(ErrorKind::InvalidConfig, format!("redis: {e}")))?;
        Ok(Remote { server, waiting })
    }

    /// Stores a request some time soon, if the server is there and keeps up.
    pub(crate) fn publish(&self, key: &Key) {
        if self.waiting.try_send(key.clone()).is_err() {
            self.server.fail();
        }
    }

    /// The request of this id, if the server has it and it is one.
    pub(crate) fn fetch(&self, id: ContentId) -> Option<(Key, Request)> {
        self.server.fetch(id)
    }

    /// How many exchanges failed or were left out.
    pub(crate) fn failures(&self) -> u64 {
        self.server.failures.load(Ordering::Relaxed)
    }
}

impl Server {
    fn publish(&self, key: &Key) {
        if key.bytes().len() <= self.config.max_bytes {
            self.exchange(|connection| {
                redis::cmd("SET")
                    .arg(self.name(key.id()))
                    .arg(key.bytes())
                    .arg("EX")
                    .arg(self.config.time_to_live.as_secs())
                    .query::<()>(connection)
            });
        }
    }

    fn fetch(&self, id: ContentId) -> Option<(Key, Request)> {
        // A range, so that a hostile value cannot fill the memory.
        let bytes = self.exchange(|connection| {
            redis::cmd("GETRANGE")
                .arg(self.name(id))
                .arg(0)
                .arg(self.config.max_bytes)
                .query::<Vec<u8>>(connection)
        })?;
        if bytes.is_empty() {
            return None;
        }
        let key = Key::of(bytes);
        let request = Request::decode(key.bytes()).ok().filter(|_| key.id() == id);
        if request.is_none() {
            self.fail();
        }
        request.map(|request| (key, request))
    }

    fn fail(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    fn name(&self, id: ContentId) -> String {
        format!("{}{id}", self.config.prefix)
    }

    fn exchange<T>(&self, f: impl FnOnce(&mut Connection) -> RedisResult<T>) -> Option<T> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if let Link::Down { since } = *link {
            if since.is_some_and(|at| at.elapsed() < self.config.pause_after_failure) {
                self.fail();
                return None;
            }
            if let Ok(connection) = self.connect() {
                *link = Link::Up(Box::new(connection));
            }
        }
        let answer = match &mut *link {
            Link::Up(connection) => f(connection).ok(),
            Link::Down { .. } => None,
        };
        if answer.is_none() {
            *link = Link::Down { since: Some(Instant::now()) };
            self.fail();
        }
        answer
    }

    fn connect(&self) -> RedisResult<Connection> {
        let connection = self.client.get_connection_with_timeout(self.config.timeout)?;
        connection.set_read_timeout(Some(self.config.timeout))?;
        connection.set_write_timeout(Some(self.config.timeout))?;
        Ok(connection)
    }
}
