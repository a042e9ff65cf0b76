//! A listener taken out of a process that does not know of it.

use crate::heir::{Heir, is_answered};
use lastack_graceful::handover::{Listeners, Mode};
use lastack_lab::handover::{SERVER, become_nobody};
use lastack_lab::link::OtherHost;
use lastack_lab::namespace::Namespace;
use lastack_lab::program::Process;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

const SCRIPT: &str =
    "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$HEIR\" env unknown 3<&2 2>/dev/null";

fn server() -> Heir {
    let listener = TcpListener::bind(SERVER).expect("a listener");
    Heir::passed(&listener, SCRIPT).serving()
}

/// A program that knows nothing of this and listens on port 8080 of these addresses.
fn python(addresses: &str) -> Process {
    let script = "import socket, sys, time
def listen(address):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind((address, 8080))
    s.listen()
    return s
held = [listen(address) for address in sys.argv[1].split()]
print('listening', flush=True)
time.sleep(600)";
    let mut command = Command::new("python3");
    let mut server = Process::start(command.args(["-c", script, addresses]).stdout(Stdio::piped()));
    let output = server.child().stdout.take().expect("its stdout");
    let line = BufReader::new(output).lines().next().expect("a line").expect("in UTF-8");
    assert_eq!(line, "listening");
    server
}

fn error(pid: u32, address: SocketAddr) -> String {
    Listeners::take_from(pid, address).expect_err("nothing to take").to_string()
}

#[test]
fn what_is_taken_serves_on_when_the_process_is_killed() {
    let _namespace = Namespace::enter();
    let old = server();
    let mut taken = Listeners::take_from(old.pid(), SERVER).expect("taken");
    assert!(is_answered(), "the old one serves as before");
    drop(old);
    let listener = taken.take_at(SERVER, Mode::Blocking).expect("there");
    let mut client = TcpStream::connect(SERVER).expect("the queue is open");
    client.write_all(b"question").expect("sent");
    listener.accept().expect("a connection");
}

#[test]
fn a_server_in_another_language_and_another_namespace_is_no_obstacle() {
    let _namespace = Namespace::enter();
    let host = OtherHost::alone();
    let server = host.run(|_| python("0.0.0.0"));
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080));
    let mut taken = Listeners::take_from(server.pid(), any).expect("taken");
    let listener = taken.take_at(any, Mode::Unchanged).expect("there");
    drop(server);
    host.run(|_| TcpStream::connect(SERVER).expect("it listens there"))
        .write_all(b"?")
        .expect("sent");
    listener.accept().expect("a connection of that namespace");
}

#[test]
fn a_wildcard_means_the_one_address_and_is_refused_where_there_are_two() {
    let _namespace = Namespace::enter();
    let old = server();
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, SERVER.port()));
    let taken = Listeners::take_from(old.pid(), any).expect("taken");
    assert_eq!(taken.iter().map(|(_, address)| address).collect::<Vec<_>>(), [SERVER]);
    drop(old);
    drop(taken);

    let both = python("127.0.0.1 127.0.0.2");
    let said = error(both.pid(), any);
    assert!(said.contains("127.0.0.1:8080 and 127.0.0.2:8080"), "{said}");
    assert!(said.contains("name one"), "{said}");
}

#[test]
fn a_whole_group_is_taken() {
    let _namespace = Namespace::enter();
    let group = python("127.0.0.1 127.0.0.1 127.0.0.1");
    let taken = Listeners::take_from(group.pid(), SERVER).expect("taken");
    assert_eq!(taken.len(), 3);
}

#[test]
fn a_process_of_another_user_is_refused_with_what_would_help() {
    let _namespace = Namespace::enter();
    let old = server();
    let pid = old.pid();
    let said = std::thread::scope(|scope| {
        let asker = scope.spawn(|| {
            become_nobody();
            error(pid, SERVER)
        });
        asker.join().expect("an answer")
    });
    assert!(said.contains("CAP_SYS_PTRACE"), "{said}");
    assert!(is_answered(), "nothing has changed");
}

#[test]
fn an_address_that_it_does_not_have_and_a_process_that_is_gone_are_told() {
    let _namespace = Namespace::enter();
    let mut old = server();
    let said = error(old.pid(), SocketAddr::from((Ipv4Addr::LOCALHOST, 9)));
    assert!(said.contains("does not listen there"), "{said}");
    assert!(old.end().success());
    let said = error(old.pid(), SERVER);
    assert!(said.contains("no such process"), "{said}");
}
