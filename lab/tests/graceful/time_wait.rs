//! Who is left with `TIME_WAIT` after 1,500 short connections between two hosts: as the reports say, and as `/proc`
//! counts.

use lastack_graceful::close::{CloseOrderly as _, ClosePolicy, FirstFin, Outcome, TimeWait, abort};
use lastack_lab::link::{HERE, OtherHost};
use lastack_lab::namespace::Namespace;
use lastack_lab::states::wait_until;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

const CONNECTIONS: usize = 1500;
/// So many of the client's can be in `TIME_WAIT` toward one server.
const FEW_PORTS: usize = 500;

/// How many `TIME_WAIT`s the calling thread's host has.
pub(super) fn time_waits() -> usize {
    let counts = std::fs::read_to_string("/proc/thread-self/net/sockstat").expect("counts");
    let tcp = counts.lines().find(|line| line.starts_with("TCP:")).expect("those of TCP");
    let mut words = tcp.split(' ').skip_while(|&word| word != "tw");
    words.nth(1).and_then(|count| count.parse().ok()).expect("the count")
}

struct Hosts {
    _namespace: Namespace,
    far: OtherHost,
    listener: TcpListener,
}

/// How a client that was told the length ends: closing at once, or at the end of the stream.
#[derive(Clone, Copy)]
enum Client {
    ClosesFirst,
    WaitsForTheEnd,
}

impl Hosts {
    fn set_up() -> Self {
        let namespace = Namespace::enter();
        let far = OtherHost::joined_to(&namespace);
        namespace.keep_time_waits();
        far.run(Namespace::keep_time_waits);
        let listener = TcpListener::bind((HERE, 0)).expect("a listener");
        Self { _namespace: namespace, far, listener }
    }

    /// Serves each connection, and says how many clients could not connect and how many saw a reset.
    fn play(&self, client: Client, serve: impl Fn(TcpStream)) -> (usize, usize) {
        let to = self.listener.local_addr().expect("an address");
        let clients = self.far.run(move |_| std::thread::spawn(move || run_clients(to, client)));
        loop {
            let (mut stream, _) = self.listener.accept().expect("a connection");
            let mut head = [0];
            stream.read_exact(&mut head).expect("a head");
            if head == *LAST {
                drop(stream);
                break;
            }
            stream.write_all(b"answer").expect("sent");
            serve(stream);
        }
        clients.join().expect("the clients end")
    }

    /// What is left here and there, less the connection that ends the play, which the server closes first.
    fn left(&self, here: usize, there: usize) {
        wait_until("the last connection is over", || time_waits() > here);
        assert_eq!(time_waits(), here + 1, "on the server's host");
        assert_eq!(self.far.run(|_| time_waits()), there, "on the clients' host");
    }
}

fn run_clients(to: SocketAddr, client: Client) -> (usize, usize) {
    let (mut refused, mut resets) = (0, 0);
    for _ in 0..CONNECTIONS {
        let mut stream = match TcpStream::connect(to) {
            Ok(stream) => stream,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::AddrNotAvailable, "{error}");
                refused += 1;
                continue;
            }
        };
        stream.write_all(b"h").expect("sent");
        let mut answer = [0; 6];
        let read = stream.read_exact(&mut answer);
        let end = match client {
            Client::ClosesFirst => read.map(|()| 0),
            Client::WaitsForTheEnd => read.and_then(|()| stream.read(&mut answer)),
        };
        resets += usize::from(end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    }
    // A port of its own, should all others be spent.
    std::fs::write(PORTS, "20000 20009").expect("a range of ports");
    let mut last = TcpStream::connect(to).expect("a last connection");
    last.write_all(LAST).expect("sent");
    assert_eq!(last.read(&mut [0]).expect("the end"), 0);
    (refused, resets)
}

#[test]
fn the_server_first_leaves_time_wait_with_the_server() {
    let hosts = Hosts::set_up();
    let seen = hosts.play(Client::WaitsForTheEnd, |stream| {
        let report = stream.close_orderly(&ClosePolicy::server()).expect("a close");
        assert_eq!(report.outcome, Outcome::Orderly, "{report:?}");
        // Without a wire's delay all can be over before the kernel is asked, and then the report must not guess.
        let told = matches!(report.time_wait, TimeWait::Here | TimeWait::Unknown);
        assert!(told, "{report:?}");
    });
    assert_eq!(seen, (0, 0));
    hosts.left(CONNECTIONS, 0);
}

#[test]
fn the_client_first_leaves_it_with_the_client() {
    let hosts = Hosts::set_up();
    let policy = ClosePolicy::server().remote_first(ClosePolicy::REMOTE_WAIT * 5);
    let seen = hosts.play(Client::ClosesFirst, |stream| {
        let report = stream.close_orderly(&policy).expect("a close");
        assert_eq!(report.first_fin, FirstFin::Remote, "{report:?}");
        assert_eq!(report.time_wait, TimeWait::Peer, "{report:?}");
    });
    assert_eq!(seen, (0, 0));
    hosts.left(0, CONNECTIONS);
}

#[test]
fn a_client_that_closes_first_spends_its_ports_and_one_that_lets_the_server_does_not() {
    for (client, spent) in
        [(Client::ClosesFirst, CONNECTIONS - FEW_PORTS), (Client::WaitsForTheEnd, 0)]
    {
        let hosts = Hosts::set_up();
        hosts.far.run(|_| std::fs::write(PORTS, "30000 30499").expect("a range of ports"));
        let policy = match client {
            Client::ClosesFirst => ClosePolicy::server().remote_first(ClosePolicy::REMOTE_WAIT * 5),
            Client::WaitsForTheEnd => ClosePolicy::server(),
        };
        let seen = hosts.play(client, |stream| {
            let _ = stream.close_orderly(&policy).expect("a close");
        });
        assert_eq!(seen, (spent, 0));
    }
}

#[test]
fn a_reset_leaves_it_with_nobody_and_every_client_sees_it() {
    let hosts = Hosts::set_up();
    let seen = hosts.play(Client::WaitsForTheEnd, |stream| {
        abort(stream).expect("a reset");
    });
    assert_eq!(seen.0, 0);
    assert_eq!(seen.1, CONNECTIONS);
    hosts.left(0, 0);
}

const PORTS: &str = "/proc/sys/net/ipv4/ip_local_port_range";
const LAST: &[u8; 1] = b"l";
