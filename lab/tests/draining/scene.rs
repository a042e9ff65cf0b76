//! Listeners with clients waiting in them, and what these clients hear.

use lastack_graceful::listener::{DrainReport, Successor, close_draining};
use lastack_lab::handover::become_nobody;
use lastack_lab::namespace::Namespace;
use lastack_lab::sockets;
use lastack_lab::states::wait_until;
use lastack_model::bind::Options;
use lastack_model::facts::{Family, Transport};
use lastack_os::listener;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// A namespace in which this thread is nobody.
pub(crate) fn ordinary_user(migrate: &str) {
    let namespace = Namespace::enter();
    namespace.set("ipv4/tcp_migrate_req", migrate);
    become_nobody();
}

/// A namespace in which this thread may do everything.
pub(crate) fn administrator() {
    Namespace::enter();
}

/// A listener of a group.
pub(crate) fn of_group() -> TcpListener {
    let options = Options { reuse_port: true, ..Options::default() };
    listening(options)
}

/// A listener without a group.
pub(crate) fn alone() -> TcpListener {
    listening(Options::default())
}

/// Clients that are connected, in their own view.
pub(crate) fn connected() -> Vec<TcpStream> {
    (0..CLIENTS).map(|_| TcpStream::connect(SERVER).expect("a connection")).collect()
}

pub(crate) fn ask(clients: &mut [TcpStream]) {
    for client in clients {
        client.write_all(QUESTION).expect("a question sent");
    }
}

/// Clients that have sent their question and wait in the listener's queue.
pub(crate) fn queued(listener: &TcpListener) -> Vec<TcpStream> {
    let mut clients = connected();
    ask(&mut clients);
    wait_until("all are in the accept queue", || {
        listener::accept_queue(listener).expect("the queue").length == CLIENTS
    });
    clients
}

/// Accepts and answers until there is nobody left.
pub(crate) fn serve_queue(listener: &TcpListener) -> u32 {
    listener.set_nonblocking(true).expect("O_NONBLOCK");
    let mut served = 0;
    while let Ok((stream, _)) = listener.accept() {
        answer(stream);
        served += 1;
    }
    served
}

pub(crate) fn answer(mut stream: TcpStream) {
    let mut question = [0; QUESTION.len()];
    stream.read_exact(&mut question).expect("a question");
    stream.write_all(ANSWER).expect("an answer sent");
}

/// How many clients got their answer, and how many were reset instead.
pub(crate) fn outcomes(clients: Vec<TcpStream>) -> (u32, u32) {
    let (mut served, mut reset) = (0, 0);
    for client in clients {
        match outcome(client) {
            Ok(Ok(())) => served += 1,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => reset += 1,
            other => panic!("neither an answer nor a reset: {other:?}"),
        }
    }
    (served, reset)
}

/// What a client hears: the answer, or something else instead.
fn outcome(mut client: TcpStream) -> io::Result<Result<(), Vec<u8>>> {
    client.set_read_timeout(Some(PATIENCE))?;
    let mut heard = Vec::new();
    client.read_to_end(&mut heard)?;
    Ok(if heard == ANSWER { Ok(()) } else { Err(heard) })
}

/// Closes it our way, answering everybody.
pub(crate) fn drain(listener: TcpListener, successor: Successor) -> DrainReport {
    close_draining(listener, successor, Instant::now() + PATIENCE, answer).expect("a report")
}

pub(crate) const CLIENTS: u32 = 50;
pub(crate) const SERVER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const QUESTION: &[u8] = b"question";
const ANSWER: &[u8] = b"answer";
const PATIENCE: Duration = Duration::from_secs(20);

fn listening(options: Options) -> TcpListener {
    let socket = sockets::open(Transport::Tcp, Family::V4);
    sockets::set_options(&socket, Family::V4, options);
    sockets::bind(&socket, SERVER).expect("a free address");
    sockets::listen(&socket, 128).expect("a listener");
    socket.into()
}
