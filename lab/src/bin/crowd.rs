//! A crowd of sockets in a network namespace of its own, for benchmarks.
//!
//! It says `ready` and what it made on stdout, and holds it until its stdin ends. Nothing is measured here.

use lastack_lab::crowd::{self, blocking_socket};
use lastack_lab::namespace::Namespace;
use lastack_lab::sockets;
use lastack_model::facts::{Family, Transport};
use rustix::fd::OwnedFd;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, ExitCode, Stdio};

const USAGE: &str = "\
Usage: crowd time-waits PORT COUNT            sockets in TIME_WAIT on a server's port that nobody holds
       crowd descriptors PORT COUNT PROCESSES COUNT sockets in each process, one more listens on PORT
       crowd hold COUNT [PORT]                one such process, in the namespace it is started in
";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let numbers: Option<Vec<u32>> = words.iter().skip(1).map(|word| word.parse().ok()).collect();
    match (words.first().map(String::as_str), numbers.as_deref()) {
        (Some("time-waits"), Some(&[port, count])) => time_waits(port as u16, count),
        (Some("descriptors"), Some(&[port, count, processes])) => {
            descriptors(port, count, processes);
        }
        (Some("hold"), Some(&[count])) => hold(count, None),
        (Some("hold"), Some(&[count, port])) => hold(count, Some(port as u16)),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn time_waits(port: u16, count: u32) {
    crowd::time_waits(&Namespace::enter(), port, count);
    ready(&format!("{count} connections ended by the server on port {port}"));
}

fn descriptors(port: u32, count: u32, processes: u32) {
    let _namespace = Namespace::enter();
    let mut children: Vec<Child> = (1..=processes)
        .map(|number| start_holder(count, (number == processes).then_some(port)))
        .collect();
    for child in &mut children {
        let mut line = String::new();
        let output = child.stdout.as_mut().expect("a holder's stdout");
        BufReader::new(output).read_line(&mut line).expect("a holder's line");
        assert!(line.starts_with("ready"), "a holder of descriptors failed, see above");
    }
    ready(&format!("{processes} processes with {count} sockets each, the last listens on {port}"));
    for mut child in children {
        drop(child.stdin.take());
        child.wait().expect("a holder's end");
    }
}

fn start_holder(count: u32, port: Option<u32>) -> Child {
    let mut command = Command::new(env::current_exe().expect("this program's path"));
    command.arg("hold").arg(count.to_string()).args(port.map(|port| port.to_string()));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("another of this program")
}

fn hold(count: u32, port: Option<u16>) {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).expect("a higher limit");
    let held: Vec<OwnedFd> = (0..count).map(|_| blocking_socket()).collect();
    let listener = port.map(|port| {
        let listener = sockets::open(Transport::Tcp, Family::V4);
        sockets::bind(&listener, SocketAddr::from((Ipv4Addr::LOCALHOST, port))).expect("a port");
        sockets::listen(&listener, 8).expect("a listener");
        listener
    });
    ready(&format!("{count} sockets"));
    drop((held, listener));
}

/// Says so, and returns when the reader has had enough.
fn ready(what: &str) {
    println!("ready: {what}");
    io::stdout().flush().expect("stdout");
    io::stdin().read_to_end(&mut Vec::new()).expect("the end of stdin");
}
