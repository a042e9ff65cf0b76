//! The pool of local ports between two hosts: whatever its callers do, no port is refused by the kernel and none of them
//! sees `EADDRINUSE` or `EADDRNOTAVAIL`.

use lastack_graceful::close::{ClosePolicy, TimeWait};
use lastack_graceful::ports::{Obstacle, Outgoing, Ports};
use lastack_lab::link::{HERE, OtherHost, THERE};
use lastack_lab::namespace::Namespace;
use lastack_lab::privilege::without_reserved_ports;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

/// Who sends the first FIN.
#[derive(Clone, Copy, Debug)]
enum First {
    Server,
    Client,
}

struct Hosts {
    namespace: Namespace,
    far: OtherHost,
}

impl Hosts {
    fn set_up() -> Self {
        let namespace = Namespace::enter();
        let far = OtherHost::joined_to(&namespace);
        Self { namespace, far }
    }

    /// A server on the other host that answers an octet by an octet, until its host ends.
    fn server(&self, port: u16, first: First) -> SocketAddr {
        self.far.run(move |_| {
            let listener = TcpListener::bind((THERE, port)).expect("a listener");
            thread::spawn(move || {
                for stream in listener.incoming() {
                    serve(stream.expect("a connection"), first);
                }
            });
        });
        SocketAddr::from((THERE, port))
    }
}

/// The server closes as soon as it has answered, or once the client has.
fn serve(mut stream: TcpStream, first: First) {
    let mut octet = [0];
    if stream.read_exact(&mut octet).is_err() || octet == *END {
        return;
    }
    let _ = stream.write_all(&octet);
    if let First::Client = first {
        let _ = stream.read(&mut octet);
    }
}

fn policy(first: First) -> ClosePolicy {
    match first {
        First::Server => ClosePolicy::client().remote_first(LONG),
        First::Client => ClosePolicy::client(),
    }
}

/// Asks and closes; who keeps `TIME_WAIT`.
fn ask(ports: &Ports, to: SocketAddr, first: First) -> (u16, TimeWait) {
    let (mut stream, lease) = ports.connect(to, Instant::now() + LONG).expect("connected");
    let port = stream.local_addr().expect("an address").port();
    assert_eq!(port, lease.port());
    stream.write_all(b"q").expect("sent");
    stream.read_exact(&mut [0]).expect("an answer");
    (port, lease.close_orderly(stream, &policy(first)).expect("a close").time_wait)
}

#[test]
fn thirty_two_reserved_ports_serve_many_commands_at_once_where_the_server_closes_first() {
    let hosts = Hosts::set_up();
    let to = hosts.server(514, First::Server);
    let ports = Ports::of(992..=1023);
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let ports = ports.clone();
            thread::spawn(move || {
                (0..100).map(|_| ask(&ports, to, First::Server)).collect::<Vec<_>>()
            })
        })
        .collect();
    let seen: Vec<_> = clients.into_iter().flat_map(|it| it.join().expect("a client")).collect();
    assert!(seen.iter().all(|(port, _)| (992..=1023).contains(port)));
    assert!(seen.iter().all(|(_, time_wait)| *time_wait == TimeWait::Peer), "{seen:?}");
    let counts = ports.counts();
    assert_eq!((counts.connected, counts.refused), (800, 0), "{counts:?}");
    let standing = ports.standing(to);
    assert_eq!((standing.free, standing.lent, standing.quarantined), (32, 0, 0));
}

#[test]
fn five_hundred_ports_serve_as_many_connections_toward_each_of_three_servers_and_then_say_when() {
    let hosts = Hosts::set_up();
    // Without timestamps the kernel takes nothing back early, so each mistake would show.
    hosts.namespace.set("ipv4/tcp_timestamps", "0");
    let servers = [1001, 1002, 1003].map(|port| hosts.server(port, First::Client));
    let ports = Ports::of(30_000..=30_499);
    for _ in 0..500 {
        for to in servers {
            let (_, time_wait) = ask(&ports, to, First::Client);
            assert!(matches!(time_wait, TimeWait::Here | TimeWait::Unknown), "{time_wait:?}");
        }
    }
    let counts = ports.counts();
    assert_eq!((counts.connected, counts.refused, counts.waited), (1500, 0, 0), "{counts:?}");
    let error = ports.connect(servers[0], Instant::now()).expect_err("dry");
    let Obstacle::NoPortLeft { next: Some(next) } = error.obstacle() else { panic!("{error:?}") };
    assert!(next <= Duration::from_secs(65), "{error}");
    let says =
        format!("connect to {}: all 500 local ports are in use toward it; the next is", servers[0]);
    assert!(error.to_string().starts_with(&says), "{error}");
    // What the pool keeps its callers from: the same port at once.
    let again = Outgoing::to(servers[0]).from(SocketAddr::from((HERE, 30_000))).connect();
    assert_eq!(again.expect_err("taken").obstacle(), Obstacle::FourTupleTaken);
}

#[test]
fn a_port_that_comes_back_wakes_the_one_who_has_waited_longest() {
    let hosts = Hosts::set_up();
    let to = hosts.server(514, First::Server);
    let ports = Ports::of([1023]);
    let held = ports.connect(to, Instant::now() + LONG).expect("connected");
    let (sender, order) = std::sync::mpsc::channel();
    let mut waiting = Vec::new();
    for number in 0..4 {
        let (pool, sender) = (ports.clone(), sender.clone());
        waiting.push(thread::spawn(move || {
            let (mut stream, lease) = pool.connect(to, Instant::now() + LONG).expect("a port");
            sender.send(number).expect("told");
            stream.write_all(b"q").expect("sent");
            let _ = lease.close_orderly(stream, &policy(First::Server)).expect("a close");
        }));
        lastack_lab::states::wait_until("it is in the queue", || ports.counts().waited > number);
    }
    let (mut stream, lease) = held;
    stream.write_all(b"q").expect("sent");
    let _ = lease.close_orderly(stream, &policy(First::Server)).expect("a close");
    for it in waiting {
        it.join().expect("a client");
    }
    assert_eq!(order.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn ports_that_others_have_are_passed_over_unseen() {
    let hosts = Hosts::set_up();
    let to = hosts.server(514, First::Server);
    let _others: Vec<TcpListener> =
        (1000..1004).map(|port| TcpListener::bind((HERE, port)).expect("taken")).collect();
    let ports = Ports::of_address(HERE.into(), 1000..1005);
    assert_eq!(ask(&ports, to, First::Server).0, 1004);
    assert_eq!((ports.counts().connected, ports.counts().refused), (1, 4));
}

#[test]
fn what_the_peer_or_the_system_refuses_is_told_and_costs_no_port() {
    let hosts = Hosts::set_up();
    let ports = Ports::reserved();
    let nobody = SocketAddr::from((THERE, 7));
    for _ in 0..3 {
        let error = ports.connect(nobody, Instant::now() + LONG).expect_err("nobody listens");
        assert_eq!(error.obstacle(), Obstacle::Refused, "{error}");
    }
    let error = without_reserved_ports(|| ports.connect(nobody, Instant::now() + LONG));
    assert_eq!(error.expect_err("not permitted").obstacle(), Obstacle::NotPermitted);
    assert_eq!(ports.standing(nobody).free, 512);
    hosts.far.fall_silent();
    let began = Instant::now();
    let error = ports.connect(nobody, began + Duration::from_millis(200)).expect_err("silence");
    assert_eq!(error.obstacle(), Obstacle::TimedOut, "{error}");
    assert!(began.elapsed() < LONG);
}

#[test]
fn a_lease_that_is_dropped_keeps_its_port_from_its_destination_alone() {
    let hosts = Hosts::set_up();
    let (one, other) = (hosts.server(514, First::Server), hosts.server(515, First::Server));
    let ports = Ports::of([1023]);
    drop(ports.connect(one, Instant::now() + LONG).expect("connected"));
    assert_eq!(ports.standing(one).quarantined, 1);
    assert_eq!(ask(&ports, other, First::Server).0, 1023);
}

#[test]
fn under_tokio_the_same_pool_serves_tasks_and_a_dropped_one_gives_its_place_up() {
    use lastack_graceful::close::tokio::close_orderly;
    use lastack_graceful::ports::tokio::connect;
    let hosts = Hosts::set_up();
    let to = hosts.server(514, First::Server);
    let ports = Ports::of([1022, 1023]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        use tokio::io::AsyncWriteExt as _;
        let far = Instant::now() + LONG;
        let held = [connect(&ports, to, far).await, connect(&ports, to, far).await];
        let dropped = connect(&ports, to, far);
        let soon = tokio::time::timeout(Duration::from_millis(50), dropped).await;
        assert!(soon.is_err(), "there is no third");
        let error = connect(&ports, to, Instant::now()).await.expect_err("dry");
        assert_eq!(error.obstacle(), Obstacle::NoPortLeft { next: None });
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                let ports = ports.clone();
                tokio::spawn(async move {
                    let (mut stream, lease) = connect(&ports, to, far).await.expect("a port");
                    stream.write_all(b"q").await.expect("sent");
                    let report = close_orderly(stream, &policy(First::Server)).await;
                    lease.ended(&report.expect("a close"));
                })
            })
            .collect();
        for held in held {
            let (mut stream, lease) = held.expect("connected");
            stream.write_all(END).await.expect("sent");
            lease.ended(&close_orderly(stream, &policy(First::Server)).await.expect("a close"));
        }
        for task in tasks {
            task.await.expect("the task ends");
        }
    });
    let counts = ports.counts();
    assert_eq!((counts.connected, counts.refused), (202, 0), "{counts:?}");
    assert_eq!(ports.standing(to).free, 2);
}

const END: &[u8; 1] = b"e";
