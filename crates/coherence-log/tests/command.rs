//! The command-line program, the way a script uses it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(dir: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_edgekit-log"))
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn append_query_prove_verify_fsck_serve() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("seed"), "07".repeat(32)).unwrap();
    let store = ["--store", "store"];
    let with = |more: &[&'static str]| -> Vec<&'static str> {
        more[..1].iter().chain(&store).chain(&more[1..]).copied().collect()
    };
    for body in ["first", "second", "third"] {
        let output = run(dir, &with(&["append", "--seed", "seed", "--context", "task"]), body);
        assert!(output.status.success(), "{output:?}");
    }
    let lines = text(&run(dir, &with(&["query", "--context", "task", "--limit", "2"]), ""));
    assert_eq!(lines.lines().count(), 2);
    assert!(lines.contains("\"body\":\"second\"") && lines.contains("\"previous\""));
    assert_eq!(text(&run(dir, &with(&["query", "--context", "other"]), "")), "");

    let signing = ["--origin", "example.com/log", "--seed", "seed"];
    let key = text(&run(dir, &[&["key"][..], &signing].concat(), ""));
    let bundle = run(dir, &[&with(&["prove"])[..], &signing, &["1"]].concat(), "");
    std::fs::write(dir.join("bundle.json"), &bundle.stdout).unwrap();
    let verify = ["verify", "--key", key.trim(), "bundle.json"];
    let verified = run(dir, &verify, "");
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    let changed = text(&bundle).replace("\"index\": 1", "\"index\": 2");
    std::fs::write(dir.join("bundle.json"), changed).unwrap();
    assert_eq!(run(dir, &verify, "").status.code(), Some(1));
    assert_eq!(run(dir, &["verify"], "").status.code(), Some(2));
    assert_eq!(run(dir, &["dance"], "").status.code(), Some(2));
    assert_eq!(run(dir, &["fsck", "--store", "nowhere"], "").status.code(), Some(3));
    assert_eq!(run(dir, &with(&["fsck"]), "").status.code(), Some(0));

    let mut server = Command::new(env!("CARGO_BIN_EXE_edgekit-log"))
        .args([&with(&["serve", "--tiles", "tiles"])[..], &signing].concat())
        .current_dir(dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("http://").unwrap().split('/').next().unwrap();
    let get = |path: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET /{path} HTTP/1.1\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap_or_default();
        answer
    };
    let answers = [get("checkpoint"), get("../seed"), get("seed"), get("tile/0/000")];
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(answers[0].starts_with("HTTP/1.1 200") && answers[0].contains("example.com/log\n3\n"));
    assert!(answers[1..].iter().all(|answer| answer.starts_with("HTTP/1.1 404")), "{answers:?}");

    // Damage to what is durable is found, and has its own exit code.
    let segment = dir.join("store").join(format!("{:020}.seg", 0));
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[150] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    for command in ["verify", "fsck"] {
        let output = run(dir, &with(&[command]), "");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{output:?}");
    }
}
