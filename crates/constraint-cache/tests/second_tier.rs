//! The second tier, on a Redis server that the test starts itself.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use edgekit_constraint_cache::{CacheConfig, ConstraintCache, ErrorKind, RemoteConfig, Tokenizer};
use redis::Connection;
use serde_json::json;

use crate::support::*;

struct Server {
    process: Child,
    url: String,
}

impl Server {
    /// `None`, with a note, if there is no `redis-server` on this machine.
    fn start() -> Option<Server> {
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .spawn();
        let Ok(process) = process else {
            let what = "there is no redis-server (Debian package redis-server)";
            assert!(std::env::var_os("CI").is_none(), "{what}");
            println!("skipped: {what}");
            return None;
        };
        let server = Server { process, url: format!("redis://127.0.0.1:{port}/") };
        for _ in 0..200 {
            if server.try_connect().is_ok() {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server does not answer");
    }

    fn try_connect(&self) -> redis::RedisResult<Connection> {
        redis::Client::open(self.url.as_str())?.get_connection()
    }

    fn cache(&self) -> ConstraintCache {
        remote_cache(&self.url)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }
}

fn remote_cache(url: &str) -> ConstraintCache {
    let redis = RemoteConfig { url: url.into(), ..RemoteConfig::default() };
    cache_with(CacheConfig { redis: Some(redis), ..CacheConfig::default() })
}

#[test]
fn one_process_publishes_and_another_compiles_it_by_id() {
    let Some(server) = Server::start() else { return };
    let (here, there) = (server.cache(), server.cache());
    let schema = json!({"const": "shared"});
    let id = here.schema_key(&schema).id();
    assert!(there.published(id).unwrap().is_none());
    here.schema(&schema).unwrap();
    let mut found = None;
    for _ in 0..200 {
        found = there.published(id).unwrap();
        if found.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(accepts(&found.expect("published"), "\"shared\""));
    assert_eq!(there.stats().remote_failures, 0);
    there.schema(&schema).unwrap();
    assert_eq!(there.stats().compilations, 1);
    // What is here already needs no server.
    drop(server);
    let hits = there.stats().hits;
    assert!(accepts(&there.published(id).unwrap().expect("compiled"), "\"shared\""));
    assert_eq!(there.stats().hits, hits + 1);
}

#[test]
fn what_the_server_answers_is_not_trusted() {
    let Some(server) = Server::start() else { return };
    let cache = server.cache();
    let wanted = cache.schema_key(&json!({"const": 1}));
    let other = cache.schema_key(&json!({"const": 2}));
    let mut connection = server.try_connect().unwrap();
    let forged: [&[u8]; 3] = [other.bytes(), b"nonsense", &wanted.bytes()[..40]];
    for (i, bytes) in forged.into_iter().enumerate() {
        let name = format!("edgekit:constraint:{}", wanted.id());
        redis::cmd("SET").arg(name).arg(bytes).query::<()>(&mut connection).unwrap();
        assert!(cache.published(wanted.id()).unwrap().is_none());
        assert_eq!(cache.stats().remote_failures, i as u64 + 1);
    }
    // A list where text is expected.
    let name = format!("edgekit:constraint:{}", other.id());
    redis::cmd("LPUSH").arg(name).arg("x").query::<()>(&mut connection).unwrap();
    assert!(cache.published(other.id()).unwrap().is_none());
    assert_eq!(cache.stats().entries, 0);
}

#[test]
fn without_a_server_everything_works_and_failures_are_counted() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let cache = remote_cache(&format!("redis://127.0.0.1:{port}/"));
    let schema = json!({"const": 3});
    let template = cache.schema(&schema).unwrap();
    assert!(accepts(&template, "3"));
    assert!(cache.published(cache.schema_key(&json!(true)).id()).unwrap().is_none());
    assert!(cache.stats().remote_failures >= 1);
    let redis = Some(RemoteConfig { url: "no url".into(), ..RemoteConfig::default() });
    let config = CacheConfig { redis, ..CacheConfig::default() };
    let error = ConstraintCache::new(Tokenizer::o200k().unwrap(), config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
}

/// A server that takes long holds up nobody who compiles.
#[test]
fn a_slow_server_holds_up_no_compilation() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let redis = RemoteConfig {
        url: format!("redis://{}/", silent.local_addr().unwrap()),
        timeout: Duration::from_secs(600),
        ..RemoteConfig::default()
    };
    let cache = cache_with(CacheConfig {
        compile_threads: Some(1),
        redis: Some(redis),
        ..CacheConfig::default()
    });
    // More than may wait for the server: the rest is left out and counted.
    let schemas: Vec<_> = (0..300).map(|n| json!({"const": n})).collect();
    assert!(cache.warm_up(&schemas).is_empty());
    let stats = cache.stats();
    assert_eq!((stats.compilations, stats.in_flight), (300, 0));
    assert!((40..=44).contains(&stats.remote_failures), "{}", stats.remote_failures);
}
