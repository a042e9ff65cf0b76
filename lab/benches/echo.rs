//! What an orderly close costs: connections per second of an echo server, beside one that closes plainly, in one run.
//!
//! `cargo xtask bench echo` runs it, as root. Rounds of either way take turns; the ratio is that of each pair.

use lastack_graceful::close::{self, CloseOrderly as _, ClosePolicy, Outcome};
use lastack_lab::namespace::Namespace;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

/// Who closes first.
#[derive(Clone, Copy, Debug)]
enum First {
    Server,
    Client,
}

/// How the server closes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Close {
    Plain,
    Orderly,
}

/// What the server runs on.
#[derive(Clone, Copy, Debug)]
enum Runtime {
    Threads,
    /// As `#[tokio::main]` has it.
    Tokio,
    /// Where all of it is one thread's work.
    TokioOneThread,
}

impl Runtime {
    const fn name(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::Tokio => "tokio",
            Self::TokioOneThread => "tokio, one thread",
        }
    }
}

fn main() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/ip_local_port_range", "1024 65535");
    // A connection for which there is no room in TIME_WAIT answers the last FIN with a reset.
    namespace.set("ipv4/tcp_max_tw_buckets", "2000000");
    println!(
        "{:<20}{:<14}{:>16}{:>16}{:>10}{:>10}{:>10}",
        "server", "closes first", "plain, conn/s", "orderly, conn/s", "ratio", "least", "most"
    );
    for runtime in [Runtime::Threads, Runtime::Tokio, Runtime::TokioOneThread] {
        for first in [First::Server, First::Client] {
            println!("{}", measure(runtime, first));
        }
    }
}

fn measure(runtime: Runtime, first: First) -> String {
    let mut pairs: Vec<_> = (0..ROUNDS)
        .map(|round| {
            let rate = |close| rate(runtime, first, close);
            // Whoever comes second may find a warmer machine.
            if round % 2 == 0 {
                let plain = rate(Close::Plain);
                (plain, rate(Close::Orderly))
            } else {
                let orderly = rate(Close::Orderly);
                (rate(Close::Plain), orderly)
            }
        })
        .collect();
    pairs.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
    let ratio = |at: usize| pairs[at].1 / pairs[at].0;
    let (plain, orderly) = pairs[pairs.len() / 2];
    format!(
        "{:<20}{:<14}{plain:>16.0}{orderly:>16.0}{:>10.3}{:>10.3}{:>10.3}",
        runtime.name(),
        format!("{first:?}").to_lowercase(),
        ratio(pairs.len() / 2),
        ratio(0),
        ratio(pairs.len() - 1),
    )
}

/// Connections per second of one round.
fn rate(runtime: Runtime, first: First, close: Close) -> f64 {
    let listener = TcpListener::bind("0.0.0.0:0").expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    let over = AtomicBool::new(false);
    let served = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| match runtime {
            Runtime::Threads => serve_in_threads(&listener, first, close),
            Runtime::Tokio => {
                serve_under_tokio(Builder::new_multi_thread(), &listener, first, close);
            }
            Runtime::TokioOneThread => {
                serve_under_tokio(Builder::new_current_thread(), &listener, first, close);
            }
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn({
                    let (over, served) = (&over, &served);
                    move || ask(client, port, first, over, served)
                })
            })
            .collect();
        let began = Instant::now();
        thread::sleep(ROUND);
        let count = served.load(Ordering::Relaxed);
        let count = u32::try_from(count).expect("not that many");
        let rate = f64::from(count) / began.elapsed().as_secs_f64();
        over.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().expect("the client ends");
        }
        // A connection without a message ends a server.
        for _ in 0..SERVERS {
            drop(TcpStream::connect((Ipv4Addr::LOCALHOST, port)));
        }
        rate
    })
}

/// A client without faults: it sends, reads the echo, and closes at once or at the end of the stream.
fn ask(client: u8, port: u16, first: First, over: &AtomicBool, served: &AtomicU64) {
    // Enough addresses that the ports do not run out within a round.
    let mut host = client;
    while !over.load(Ordering::Relaxed) {
        host = host.wrapping_add(CLIENTS) % 64;
        let to = SocketAddr::from((Ipv4Addr::new(127, 0, 1, host), port));
        let mut stream = TcpStream::connect(to).expect("a connection");
        let mut message = [b'm'; MESSAGE];
        stream.write_all(&message).expect("sent");
        stream.read_exact(&mut message).expect("the echo");
        if matches!(first, First::Server) {
            assert_eq!(stream.read(&mut message).expect("the end"), 0);
        }
        drop(stream);
        served.fetch_add(1, Ordering::Relaxed);
    }
}

fn serve_in_threads(listener: &TcpListener, first: First, close: Close) {
    thread::scope(|scope| {
        for _ in 0..SERVERS {
            scope.spawn(|| {
                while listener.accept().is_ok_and(|(stream, _)| echo(stream, first, close)) {}
            });
        }
    });
}

/// Whether there was something to echo.
fn echo(mut stream: TcpStream, first: First, close: Close) -> bool {
    let mut message = [0; MESSAGE];
    if stream.read_exact(&mut message).is_err() {
        return false;
    }
    stream.write_all(&message).expect("sent");
    match close {
        Close::Plain => {
            if matches!(first, First::Client) {
                assert_eq!(stream.read(&mut message).expect("the end"), 0);
            }
        }
        Close::Orderly => {
            let report = stream.close_orderly(&policy(first)).expect("a close");
            assert_eq!(report.outcome, Outcome::Orderly, "{report:?}");
        }
    }
    true
}

fn serve_under_tokio(mut runtime: Builder, listener: &TcpListener, first: First, close: Close) {
    let runtime = runtime.enable_all().build().expect("a runtime");
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("not blocking");
        let listener = listener.try_clone().expect("a second handle");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let (end, mut ended) = tokio::sync::mpsc::channel::<()>(1);
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (stream, _) = accepted.expect("a connection");
                    tokio::spawn(echo_under_tokio(stream, first, close, end.clone()));
                }
                _ = ended.recv() => return,
            }
        }
    });
}

async fn echo_under_tokio(
    mut stream: tokio::net::TcpStream,
    first: First,
    close: Close,
    end: tokio::sync::mpsc::Sender<()>,
) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut message = [0; MESSAGE];
    if stream.read_exact(&mut message).await.is_err() {
        let _ = end.send(()).await;
        return;
    }
    stream.write_all(&message).await.expect("sent");
    match close {
        Close::Plain => {
            if matches!(first, First::Client) {
                assert_eq!(stream.read(&mut message).await.expect("the end"), 0);
            }
        }
        Close::Orderly => {
            let closing = close::tokio::close_orderly(stream, &policy(first));
            let report = closing.await.expect("a close");
            assert_eq!(report.outcome, Outcome::Orderly, "{report:?}");
        }
    }
}

const fn policy(first: First) -> ClosePolicy {
    match first {
        First::Server => ClosePolicy::server(),
        First::Client => ClosePolicy::server().remote_first(ClosePolicy::REMOTE_WAIT),
    }
}

const MESSAGE: usize = 64;
const CLIENTS: u8 = 4;
const SERVERS: u8 = 4;
const ROUNDS: usize = 101;
const ROUND: Duration = Duration::from_millis(350);
