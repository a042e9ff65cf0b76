//! A server that comes by its listener in one of the ways there are, and hands it on: for tests that need two processes.
//!
//! It says `serving` once it accepts, answers like the servers of `handover`, and ends when its stdin does or a successor
//! is ready. What goes wrong is one line on stdout, and exit code 1.

use lastack_graceful::handover::{Listeners, Mode, Result, Terms};
use lastack_graceful::listener::Successor;
use lastack_lab::handover::{SERVER, Server, drain};
use std::env;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

const USAGE: &str = "\
Usage: heir env NAME          serves the listener of that name in its environment
       heir list              says what its environment passed
       heir twice             reads its environment a second time
       heir generation PATH   serves what is offered at PATH, or a new listener if nobody offers, and offers it there
       heir receive PATH      says what is offered at PATH, and gets ready
       heir dies PATH         ends with everything received, without getting ready
       heir take PID ADDRESS  serves the listener that this process has
";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["env", name] => from_environment(name),
        ["list"] => Listeners::from_env().map(|listeners| list(&listeners)),
        ["twice"] => Listeners::from_env().and_then(|_first| Listeners::from_env()).map(drop),
        ["generation", path] => generation(path),
        ["receive", path] => Listeners::receive(path, &terms()).and_then(|(listeners, other)| {
            list(&listeners);
            other.ready()
        }),
        ["dies", path] => Listeners::receive(path, &terms()).map(|(listeners, other)| {
            list(&listeners);
            drop(other);
        }),
        ["take", pid, address] => {
            take(pid.parse().expect("a pid"), address.parse().expect("an address"))
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("failed to {error}"));
            ExitCode::FAILURE
        }
    }
}

fn from_environment(name: &str) -> Result<()> {
    serve_until_told(Listeners::from_env()?.take(name, Mode::Unchanged)?);
    Ok(())
}

fn take(pid: u32, address: SocketAddr) -> Result<()> {
    serve_until_told(Listeners::take_from(pid, address)?.take_at(address, Mode::Unchanged)?);
    Ok(())
}

fn serve_until_told(listener: TcpListener) {
    let answered = Arc::default();
    let server = Server::start(listener, &answered);
    say("serving");
    std::io::stdin().read_to_end(&mut Vec::new()).expect("the end of stdin");
    drain(server.stop(), Successor::SharedSocket, &answered);
}

fn generation(path: &str) -> Result<()> {
    let answered = Arc::default();
    let (listener, predecessor) = match Listeners::receive(path, &terms()) {
        Ok((mut listeners, predecessor)) => {
            (listeners.take("http", Mode::NonBlocking)?, Some(predecessor))
        }
        Err(_) => (TcpListener::bind(SERVER).expect("a free address"), None),
    };
    let mut listeners = Listeners::new();
    listeners.add("http", &listener)?;
    let server = Server::start(listener, &answered);
    if let Some(predecessor) = predecessor {
        predecessor.ready()?;
    }
    let mut offer = listeners.offer(path, &terms())?;
    say("serving");
    offer.wait(PATIENCE)?;
    drain(server.stop(), Successor::SharedSocket, &answered);
    say("done");
    Ok(())
}

fn list(listeners: &Listeners) {
    for (name, address) in listeners.iter() {
        say(&format!("{name} {address}"));
    }
    for other in listeners.others() {
        say(&format!("other {} {}: it is {}", other.number, other.name, other.what));
    }
}

fn terms() -> Terms {
    Terms::default().patience(PATIENCE)
}

fn say(line: &str) {
    println!("{line}");
    std::io::stdout().flush().expect("stdout");
}

const PATIENCE: Duration = Duration::from_secs(30);
