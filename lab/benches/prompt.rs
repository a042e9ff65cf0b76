//! How soon real clients close, once they have an answer: what the wait for them to close first is measured by.
//!
//! `cargo xtask bench prompt` runs it, as root. The time is from the moment when the server has handed the whole answer to
//! its kernel until it reads the client's FIN, over loopback; to another host there is the way there and back besides.

use lastack_lab::namespace::Namespace;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What the client is told of the answer's end.
#[derive(Clone, Copy, Debug)]
enum Told {
    /// `Content-Length`.
    Length,
    /// `Transfer-Encoding: chunked`.
    Chunks,
    /// Nothing: the end of the stream is the answer's.
    Nothing,
}

/// A program that asks a URL so many times, both its last words.
#[derive(Clone, Copy, Debug)]
struct Client {
    name: &'static str,
    program: &'static str,
    words: &'static [&'static str],
}

const CLIENTS: [Client; 4] = [
    Client { name: "curl", program: "sh", words: &["-c", CURL, "sh"] },
    Client { name: "Python urllib", program: "python3", words: &["-c", URLLIB] },
    Client { name: "Python http.client", program: "python3", words: &["-c", HTTP_CLIENT] },
    Client { name: "Node fetch", program: "node", words: &["-e", FETCH] },
];

const CURL: &str = r#"for _ in $(seq "$2"); do curl -s -o /dev/null "$1" || exit; done"#;

const URLLIB: &str = "
import sys, urllib.request
for _ in range(int(sys.argv[2])):
    urllib.request.urlopen(sys.argv[1]).read()
";

const HTTP_CLIENT: &str = "
import sys, http.client, urllib.parse
for _ in range(int(sys.argv[2])):
    connection = http.client.HTTPConnection(urllib.parse.urlparse(sys.argv[1]).netloc)
    connection.request('GET', '/')
    connection.getresponse().read()
";

const FETCH: &str = "
(async () => {
    const [url, count] = process.argv.slice(1);
    for (let at = 0; at < count; at++) await (await fetch(url)).arrayBuffer();
})();
";

fn main() {
    let _namespace = Namespace::enter();
    println!(
        "{:<20}{:<9}{:>9}{:>10}{:>10}{:>10}{:>10}{:>12}",
        "client", "told", "answers", "least ms", "p50 ms", "p99 ms", "most ms", "later"
    );
    for told in [Told::Length, Told::Chunks, Told::Nothing] {
        for client in CLIENTS {
            measure(client, told);
        }
    }
}

fn measure(Client { name, program, words }: Client, told: Told) {
    let count = if matches!(told, Told::Nothing) { FEW } else { MANY };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let mut command = Command::new(program);
    command.args(words).args([url, count.to_string()]).stdin(Stdio::null());
    let mut client = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}; {INSTALL}"));
    let mut times: Vec<_> = (0..count)
        .filter_map(|_| {
            wait_for_question(&listener, &mut client, name);
            answer(listener.accept().expect("a client").0, told)
        })
        .collect();
    let status = client.wait().expect("it is waited for");
    assert!(status.success(), "{name} {status}");
    times.sort_unstable();
    let at = |hundredth: usize| {
        let time = times.get((times.len() * hundredth / 100).min(times.len().saturating_sub(1)));
        time.map_or_else(|| "-".to_owned(), |time| format!("{:.2}", time.as_secs_f64() * 1e3))
    };
    println!(
        "{name:<20}{:<9}{count:>9}{:>10}{:>10}{:>10}{:>10}{:>12}",
        format!("{told:?}").to_lowercase(),
        at(0),
        at(50),
        at(99),
        at(100),
        count - times.len(),
    );
}

/// A client that has ended asks nothing more.
fn wait_for_question(listener: &TcpListener, client: &mut Child, name: &str) {
    let mut sockets = [PollFd::new(listener, PollFlags::IN)];
    let second = Timespec { tv_sec: 1, tv_nsec: 0 };
    while poll(&mut sockets, Some(&second)).expect("a wait") == 0 {
        let ended = client.try_wait().expect("its status");
        assert!(ended.is_none(), "{name} asks no more ({ended:?}); {INSTALL}");
    }
}

/// How long the client took to close, if it did in time.
fn answer(mut stream: TcpStream, told: Told) -> Option<Duration> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).expect("a request");
        head.push(octet[0]);
    }
    let body = "a".repeat(BODY);
    let answer = match told {
        Told::Length => format!("Content-Length: {BODY}\r\n\r\n{body}"),
        Told::Chunks => {
            format!("Transfer-Encoding: chunked\r\n\r\n{BODY:x}\r\n{body}\r\n0\r\n\r\n")
        }
        Told::Nothing => format!("\r\n{body}"),
    };
    let answer = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{answer}");
    stream.write_all(answer.as_bytes()).expect("sent");
    let sent = Instant::now();
    stream.set_read_timeout(Some(WAIT)).expect("a time limit");
    match stream.read(&mut [0]) {
        Ok(0) => Some(sent.elapsed()),
        Ok(_) => panic!("a client sent more than its request"),
        Err(_) => None,
    }
}

const INSTALL: &str = "`cargo xtask test` installs what is missing";
const BODY: usize = 16 << 10;
const MANY: usize = 500;
const FEW: usize = 5;
/// As long as `ClosePolicy::REMOTE_WAIT`.
const WAIT: Duration = Duration::from_secs(1);
