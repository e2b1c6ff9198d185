//! Publishing a log into a directory and serving that on loopback, to readers of this machine.

use std::future::Future;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use edgekit_coherence_log::log::LARGE_PREFIX;
use edgekit_coherence_log::note::NoteSigner;
use edgekit_coherence_log::publish::Publisher;
use edgekit_coherence_log::tile::Tile;
use edgekit_coherence_log::{Hash, Log};

use crate::Failure;

/// The longest request line that is read.
const MAX_REQUEST_BYTES: u64 = 4096;

pub(crate) fn publish(
    log: &Log,
    tiles: &Path,
    origin: &str,
    signer: NoteSigner,
) -> Result<(), Failure> {
    let publisher = Publisher::directory(tiles, origin, signer)?;
    block_on(publisher.publish(log))?;
    Ok(())
}

/// Serves checkpoint, tiles and large events, one reader at a time, until the process ends.
pub(crate) fn serve(tiles: &Path, port: u16) -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    println!("http://{}/checkpoint", listener.local_addr()?);
    for stream in listener.incoming() {
        // A reader that goes away or sends nonsense is its own affair.
        let _ = stream.and_then(|stream| answer(stream, tiles));
    }
    Ok(())
}

fn answer(mut stream: TcpStream, tiles: &Path) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    let mut line = String::new();
    BufReader::new((&stream).take(MAX_REQUEST_BYTES)).read_line(&mut line)?;
    let path = line.strip_prefix("GET /").and_then(|rest| rest.split(' ').next());
    let found = path.filter(|path| is_published(path)).map(|path| std::fs::read(tiles.join(path)));
    let (status, content) = match (path, found) {
        (None, _) => ("400 Bad Request", Vec::new()),
        (_, Some(Ok(content))) => ("200 OK", content),
        _ => ("404 Not Found", Vec::new()),
    };
    let length = content.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(&content)
}

/// Only what a publisher writes has a name here, so no path leads out of the directory.
fn is_published(path: &str) -> bool {
    let large = path.strip_prefix(LARGE_PREFIX).and_then(Hash::from_hex);
    path == "checkpoint" || Tile::parse(path).is_ok() || large.is_some()
}

/// Publishing to a directory needs no runtime: without one its file operations run in place.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
