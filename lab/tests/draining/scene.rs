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
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

/// Where a server listens, and at which addresses its clients find it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    ip: IpAddr,
    /// Clients come by one after the other.
    doors: &'static [IpAddr],
}

impl Site {
    const V4: Self = Self::of(LOOPBACK_V4, &[LOOPBACK_V4]);
    const V6: Self = Self::of(LOOPBACK_V6, &[LOOPBACK_V6]);
    /// An IPv6 listener of clients of both families, in turns.
    const DUAL_STACK: Self =
        Self::of(IpAddr::V6(Ipv6Addr::UNSPECIFIED), &[LOOPBACK_V4, LOOPBACK_V6]);
    /// An IPv6 listener at an address of IPv4.
    const MAPPED: Self = Self::of(IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped()), &[LOOPBACK_V4]);
    const ALL: [Self; 4] = [Self::V4, Self::V6, Self::DUAL_STACK, Self::MAPPED];

    pub(crate) const fn of(ip: IpAddr, doors: &'static [IpAddr]) -> Self {
        Self { ip, doors }
    }

    /// The listener's address.
    pub(crate) const fn server(self) -> SocketAddr {
        SocketAddr::new(self.ip, PORT)
    }

    /// Each address that a client may use.
    pub(crate) fn doors(self) -> impl Iterator<Item = SocketAddr> {
        self.doors.iter().map(|&ip| SocketAddr::new(ip, PORT))
    }

    /// The address that the client of this number uses.
    pub(crate) fn door(self, number: usize) -> SocketAddr {
        SocketAddr::new(self.doors[number % self.doors.len()], PORT)
    }

    /// A listener of a group.
    pub(crate) fn of_group(self) -> TcpListener {
        self.listening(Options { reuse_port: true, ..Options::default() })
    }

    /// A listener without a group.
    pub(crate) fn alone(self) -> TcpListener {
        self.listening(Options::default())
    }

    fn listening(self, options: Options) -> TcpListener {
        let family = if self.ip.is_ipv4() { Family::V4 } else { Family::V6 };
        let socket = sockets::open(Transport::Tcp, family);
        sockets::set_options(&socket, family, options);
        sockets::bind(&socket, self.server()).expect("a free address");
        sockets::listen(&socket, 128).expect("a listener");
        socket.into()
    }

    /// Clients that are connected, in their own view.
    pub(crate) fn connected(self) -> Vec<TcpStream> {
        let connect = |number| TcpStream::connect(self.door(number)).expect("a connection");
        (0..CLIENTS as usize).map(connect).collect()
    }

    /// Clients that have sent their question and wait in the listener's queue.
    pub(crate) fn queued(self, listener: &TcpListener) -> Vec<TcpStream> {
        let mut clients = self.connected();
        ask(&mut clients);
        wait_until("all are in the accept queue", || {
            listener::accept_queue(listener).expect("the queue").length == CLIENTS
        });
        clients
    }
}

/// Plays a story at every kind of address.
pub(crate) fn everywhere(story: impl Fn(Site) + Sync) {
    at_each(&Site::ALL, story);
}

/// Plays a story at each of these addresses, each time in a thread that is named after it, so that a failure tells
/// where it was.
pub(crate) fn at_each(sites: &[Site], story: impl Fn(Site) + Sync) {
    for &site in sites {
        thread::scope(|scope| {
            let named = thread::Builder::new().name(format!("at {}", site.server()));
            let played = named.spawn_scoped(scope, || story(site)).expect("a thread").join();
            played.unwrap_or_else(|failure| resume_unwind(failure));
        });
    }
}

/// A namespace in which this thread is nobody.
pub(crate) fn ordinary_user(migrate: &str) {
    let namespace = Namespace::enter();
    namespace.set("ipv4/tcp_migrate_req", migrate);
    become_nobody();
}

/// A namespace in which this thread is nobody, and every segment begins with the highest TTL there is.
pub(crate) fn ordinary_user_of_high_ttls() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/ip_default_ttl", "255");
    namespace.set("ipv6/conf/lo/hop_limit", "255");
    become_nobody();
}

/// A namespace in which this thread may do everything.
pub(crate) fn administrator() {
    Namespace::enter();
}

pub(crate) fn ask(clients: &mut [TcpStream]) {
    for client in clients {
        client.write_all(QUESTION).expect("a question sent");
    }
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
const LOOPBACK_V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOOPBACK_V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const PORT: u16 = 8080;
const QUESTION: &[u8] = b"question";
const ANSWER: &[u8] = b"answer";
const PATIENCE: Duration = Duration::from_secs(20);
