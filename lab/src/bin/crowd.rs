//! A crowd of sockets in a network namespace of its own, for benchmarks.
//!
//! It says `ready` and what it made on stdout, and holds it until its stdin ends. Nothing is measured here.

use lastack_lab::namespace::Namespace;
use lastack_lab::sockets;
use lastack_model::facts::{Family, Transport};
use rustix::fd::OwnedFd;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;

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

/// They live for a minute, so every processor makes its share, on an address of its own.
fn time_waits(port: u16, count: u32) {
    let namespace = Namespace::enter();
    namespace.set("ipv4/tcp_max_tw_buckets", "1000000");
    let workers = thread::available_parallelism().map_or(1, |n| n.get() as u32);
    thread::scope(|scope| {
        for worker in 0..workers {
            let share = count / workers + u32::from(worker < count % workers);
            scope.spawn(move || end_connections(worker as u8, port, share));
        }
    });
    ready(&format!("{count} connections ended by the server on port {port}"));
}

/// Opens and ends connections one after the other. The server closes first, so its end is the one that waits.
fn end_connections(worker: u8, port: u16, count: u32) {
    let server = SocketAddr::from((Ipv4Addr::new(127, 0, 0, worker + 1), port));
    let listener = blocking_socket();
    net::sockopt::set_socket_reuseaddr(&listener, true).expect("SO_REUSEADDR");
    sockets::bind(&listener, server).expect("a free address");
    sockets::listen(&listener, 8).expect("a listener");
    for number in 0..count {
        let client = blocking_socket();
        net::sockopt::set_socket_reuseaddr(&client, true).expect("SO_REUSEADDR");
        sockets::bind(&client, client_address(worker, number)).expect("a client's address");
        net::connect(&client, &server).expect("a connection");
        let accepted = net::accept(&listener).expect("its server's end");
        drop(accepted);
        drop(client);
    }
}

/// Never the same twice: a second connection from one address and port would take the place of the first one's rest.
fn client_address(worker: u8, number: u32) -> SocketAddr {
    let address = Ipv4Addr::new(127, 1, worker, (number / PORTS_EACH) as u8 + 1);
    SocketAddr::new(IpAddr::V4(address), (number % PORTS_EACH + FIRST_PORT) as u16)
}

fn blocking_socket() -> OwnedFd {
    net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .expect("a socket")
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

const FIRST_PORT: u32 = 10_000;
const PORTS_EACH: u32 = 50_000;
