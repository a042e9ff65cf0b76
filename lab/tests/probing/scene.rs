//! Servers to be probed: programs, and threads of the test that do one thing with every connection.

use lastack_graceful::close::{CloseOrderly as _, ClosePolicy, write_all_draining};
use lastack_lab::program::{Process, Run, path, run_beside_others};
use lastack_lab::states::wait_for;
use lastack_model::state::State;
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A folder that goes when the test ends.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lastack-probing-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder");
        fs::write(path.join("big"), vec![b'b'; BIG]).expect("a file");
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.0.join(name), text).expect("a file");
        self.path(name)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path in UTF-8").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Starts a program and waits until it listens on [`PORT`].
pub(crate) fn started(command: &mut Command) -> Process {
    let process = Process::start(command.stdin(Stdio::null()).stdout(Stdio::null()));
    wait_for(PORT, |socket| socket.state == State::Listen);
    process
}

/// A server that does this with every connection, in a thread each.
pub(crate) fn server(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    server_at("127.0.0.1:0", serve)
}

/// The same at this address.
pub(crate) fn server_at(
    at: impl ToSocketAddrs,
    serve: impl Fn(TcpStream) + Clone + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind(at).expect("listen");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, serve) = (stream.expect("a connection"), serve.clone());
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Reads a request's head, octet by octet so that nothing of what follows is read; false when the client closed first.
pub(crate) fn reads_head(mut stream: impl Read) -> bool {
    let (mut head, mut octet) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut octet) {
            Ok(1) => head.push(octet[0]),
            _ => return false,
        }
    }
    true
}

/// Reads an upload until nothing more comes for a moment, which is what the stream's time limit says; how much it was.
pub(crate) fn reads_upload(mut stream: impl Read) -> usize {
    let mut room = [0; 4096];
    let mut seen = 0;
    loop {
        match stream.read(&mut room) {
            Ok(0) => return seen,
            Ok(length) => seen += length,
            Err(_) if seen == 0 || (60_000..1_000_000).contains(&seen) => {}
            Err(_) => return seen,
        }
    }
}

/// An answer with a body of this length.
pub(crate) fn answer(length: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    [head.into_bytes(), vec![b'a'; length]].concat()
}

/// What a probe found.
pub(crate) struct Found {
    pub(crate) run: Run,
    pub(crate) json: Value,
}

/// Serves until the client closes: answers each request whole, and closes after the first that asks for it.
pub(crate) fn serve_well(stream: TcpStream) {
    if reads_head(&stream) {
        let limit = Duration::from_secs(20);
        let _ = write_all_draining(&stream, &answer(BIG), limit, u64::MAX);
    }
    let _report = stream.close_orderly(&ClosePolicy::server()).expect("a close");
}

/// Probes with as little patience as these servers need.
pub(crate) fn probe(target: &str, more: &[&str]) -> Found {
    let mut probe = Command::new(path());
    probe.args(["probe", target, "--json", "--patience", "700ms"]).args(more);
    found(target, run_beside_others(&mut probe))
}

/// What a run with `--json` found.
pub(crate) fn found(target: &str, run: Run) -> Found {
    assert!(!run.stdout.is_empty(), "{target}: {run:?}");
    let json = run.json();
    Found { run, json }
}

impl Found {
    /// The verdict on a question.
    pub(crate) fn verdict(&self, question: &str) -> &str {
        self.finding(question)["verdict"].as_str().expect("a verdict")
    }

    pub(crate) fn says(&self, question: &str) -> &str {
        self.finding(question)["says"].as_str().expect("a sentence")
    }

    fn finding(&self, question: &str) -> &Value {
        let all = self.json["findings"].as_array().expect("findings");
        let one = all.iter().find(|one| one["question"] == question);
        one.unwrap_or_else(|| panic!("no finding about {question}: {}", self.json))
    }

    /// The questions that have this verdict.
    pub(crate) fn with(&self, verdict: &str) -> Vec<&str> {
        let all = self.json["findings"].as_array().expect("findings");
        let those = all.iter().filter(|one| one["verdict"] == verdict);
        those.filter_map(|one| one["question"].as_str()).collect()
    }

    pub(crate) fn assert_exit(&self, code: i32) {
        assert_eq!(self.run.code, Some(code), "{:#}", self.json["findings"]);
        assert_eq!(self.json["exit"], code);
    }

    pub(crate) fn fixes(&self) -> String {
        self.json["fixes"].to_string()
    }
}

/// Where programs are told to listen.
pub(crate) const PORT: u16 = 8080;
pub(crate) const BIG: usize = 1 << 20;
