//! Holds a port of a network namespace and lets it go when told, for benchmarks: it says when a bind first succeeded.
//!
//! It reads one word a line from its stdin and answers with one line. Nothing is measured here but that moment.

use lastack_lab::namespace::Namespace;
use lastack_lab::{sockets, states};
use lastack_model::bind::{Options, Request};
use lastack_model::facts::{Kind, Transport};
use lastack_model::ids::{Port, Uid};
use lastack_model::state::State;
use rustix::fd::OwnedFd;
use std::env;
use std::io::{self, BufRead, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const USAGE: &str = "\
Usage: holder PORT          in a namespace of its own
       holder PORT here     in the one that it is started in, with SO_REUSEADDR
       holder now           says what time it is, in nanoseconds

Words on stdin: listener   listens on the port
                release    closes it
                orphan     leaves a FIN_WAIT_2 on it, which a timer of one second ends, and awaits that
";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<u16>().ok();
    match words.as_slice() {
        ["now"] => println!("{}", now()),
        [port, rest @ ..] if number(port).is_some() && matches!(rest, [] | ["here"]) => {
            let port = Port(number(port).unwrap_or_default());
            let namespace = rest.is_empty().then(Namespace::enter);
            if let Some(namespace) = &namespace {
                namespace.set("ipv4/tcp_fin_timeout", "1");
            }
            obey(&request(port, namespace.is_none()));
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn obey(request: &Request) {
    let mut held: Vec<OwnedFd> = Vec::new();
    say("ready");
    for word in io::stdin().lock().lines() {
        match word.expect("stdin").as_str() {
            "listener" => {
                held = vec![states::listening(request)];
                say("held");
            }
            "release" => {
                held.clear();
                say(&now().to_string());
            }
            "orphan" => {
                held = vec![orphan(request)];
                say("held");
                say(&until_free(request).to_string());
            }
            other => panic!("{other:?} is no word that a holder knows"),
        }
    }
}

/// The peer's end of a connection that the server has closed.
fn orphan(request: &Request) -> OwnedFd {
    let listener = states::listening(request);
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, request.port.0));
    let peer = states::orphan_fin_wait_2(states::established(&listener, to));
    drop(listener);
    peer
}

/// Binds again and again; when that first succeeded. Rests until shortly before the timer's end, so as not to compete
/// with those who wait.
fn until_free(request: &Request) -> u128 {
    let left = states::on_port(request.port.0)
        .iter()
        .filter(|socket| socket.kind == Kind::Minisock && socket.state == State::FinWait2)
        .map(|socket| socket.timer.remaining_ms)
        .max();
    std::thread::sleep(Duration::from_millis(left.unwrap_or_default().saturating_sub(20).into()));
    loop {
        let socket = sockets::prepare(request);
        if sockets::bind(&socket, sockets::address(request)).is_ok() {
            return now();
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn request(port: Port, reuse_address: bool) -> Request {
    Request {
        transport: Transport::Tcp,
        address: Ipv4Addr::UNSPECIFIED.into(),
        port,
        options: Options { reuse_address, ..Options::default() },
        uid: Uid(0),
        may_bind_reserved: true,
    }
}

fn say(line: &str) {
    println!("{line}");
    io::stdout().flush().expect("stdout");
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_nanos()
}
