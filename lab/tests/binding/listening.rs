//! Ports of a pool that are listened on for call-backs: few serve many, and a late call-back meets nobody.

use crate::scene::silence;
use lastack_graceful::close::ClosePolicy;
use lastack_graceful::ports::{Listening, Obstacle, Ports, Purpose};
use lastack_lab::namespace::Namespace;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

const AT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LONG: Duration = Duration::from_secs(20);

fn soon() -> Instant {
    Instant::now() + LONG
}

/// A set-up whose call-back comes.
fn call_back(listening: Listening) -> u16 {
    let port = listening.port();
    let peer = TcpStream::connect(listening.local()).expect("called back");
    let (_stream, from) = listening.accept(soon()).expect("a call-back");
    assert_eq!(from, peer.local_addr().expect("an address"));
    listening.done();
    port
}

#[test]
fn a_few_listeners_serve_many_set_ups_and_give_their_ports_back() {
    let _namespace = Namespace::enter();
    let ports = Ports::reserved();
    let mut used = Vec::new();
    for _ in 0..30 {
        let three = [(); 3].map(|()| ports.listen(AT, 3, soon()).expect("a port"));
        used.extend(three.map(call_back));
    }
    used.sort_unstable();
    used.dedup();
    assert_eq!(used.len(), 3, "{used:?}");
    assert!(used.iter().all(|port| (512..=1023).contains(port)));
    let standing = ports.standing("127.0.0.1:9".parse().unwrap());
    assert_eq!((standing.free, standing.listening), (509, 3));
    // Another family asks for listeners of its own, at the price of those that nobody uses.
    let v6 = ports.listen(Ipv6Addr::LOCALHOST.into(), 3, soon()).expect("a port");
    assert!(v6.local().is_ipv6());
    call_back(v6);
    assert_eq!(ports.standing("127.0.0.1:9".parse().unwrap()).listening, 3);
}

#[test]
fn who_asks_for_more_than_the_limit_waits_for_one_that_is_done() {
    let _namespace = Namespace::enter();
    let ports = Ports::reserved();
    let one = ports.listen(AT, 1, soon()).expect("a port");
    let error = ports.listen(AT, 1, Instant::now()).expect_err("the only one is in use");
    assert_eq!(error.obstacle(), Obstacle::NoPortLeft { next: None });
    assert!(error.to_string().starts_with("listen at 127.0.0.1 for a call-back"), "{error}");
    let port = one.port();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ports.listen(AT, 1, soon()).expect("a port"));
        lastack_lab::states::wait_until("it is in the queue", || ports.counts().waited == 2);
        let reason = ports.longest_wait(Duration::ZERO).expect("it waits");
        assert_eq!(reason.purpose, Purpose::Listen { at_most: 1 });
        assert_eq!(
            reason.to_string(),
            "waiting for a port to listen on, one of at most 1 at once: 512 ports: 511 free, 1 \
             listened on"
        );
        assert_eq!(ports.longest_wait(LONG), None, "not for so long");
        one.done();
        let next = waiting.join().expect("the waiter");
        assert_eq!(next.port(), port, "the very same listener");
        next.done();
    });
    assert_eq!(ports.longest_wait(Duration::ZERO), None);
}

#[test]
fn a_late_call_back_meets_nobody() {
    let _namespace = Namespace::enter();
    let ports = Ports::of([1022, 1023]);
    let listening = ports.listen(AT, 8, soon()).expect("a port");
    let (late, left) = (listening.local(), 2045 - listening.port());
    let error = listening.accept(Instant::now() + Duration::from_millis(20)).expect_err("silence");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    drop(listening);
    silence(late.port());
    let error = TcpStream::connect(late).expect_err("nobody");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    // It stays so for a while, however often somebody listens.
    for _ in 0..3 {
        assert_eq!(call_back(ports.listen(AT, 8, soon()).expect("a port")), left);
    }
    let held = ports.listen(AT, 8, soon()).expect("the only one left");
    let error = ports.listen(AT, 8, Instant::now()).expect_err("the other rests");
    let Obstacle::NoPortLeft { next: Some(next) } = error.obstacle() else { panic!("{error:?}") };
    assert!(Duration::from_secs(100) < next && next < Duration::from_secs(131), "{next:?}");
    held.done();
}

#[test]
fn a_call_that_was_not_accepted_is_nobodys_call_back_later() {
    let _namespace = Namespace::enter();
    let ports = Ports::of([1023]);
    let listening = ports.listen(AT, 8, soon()).expect("a port");
    let stranger = TcpStream::connect(listening.local()).expect("connected");
    lastack_lab::states::wait_for(1023, |socket| {
        socket.remote == stranger.local_addr().ok() && socket.local.port() == 1023
    });
    listening.done();
    let next = ports.listen(AT, 8, soon()).expect("the same");
    let error = next.accept(Instant::now()).expect_err("the stranger was sent away");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    next.done();
}

#[test]
fn a_port_with_connections_may_be_listened_on_and_makes_none_meanwhile() {
    let _namespace = Namespace::enter();
    let servers = [(); 2].map(|()| TcpListener::bind((AT, 0)).expect("a server"));
    let to = [0, 1].map(|at: usize| servers[at].local_addr().expect("an address"));
    let ports = Ports::of([1023]);
    let (stream, lease) = ports.connect(to[0], soon()).expect("connected");
    let listening = ports.listen(AT, 8, soon()).expect("the same port");
    assert_eq!(listening.port(), 1023);
    let error = ports.connect(to[1], Instant::now()).expect_err("it is listened on");
    assert_eq!(error.obstacle(), Obstacle::NoPortLeft { next: None });
    call_back(listening);
    // The listener that nobody uses gives way.
    let (other, other_lease) = ports.connect(to[1], soon()).expect("connected");
    drop(servers);
    let policy = ClosePolicy::client().remote_first(LONG);
    let _ = other_lease.close_orderly(other, &policy).expect("a close");
    let _ = lease.close_orderly(stream, &policy).expect("a close");
    assert_eq!((ports.standing(to[0]).free, ports.counts().refused), (1, 0));
}

#[test]
fn ports_that_others_listen_on_are_passed_over() {
    let _namespace = Namespace::enter();
    let _others = [1020, 1021, 1022].map(|port| TcpListener::bind((AT, port)).expect("taken"));
    let ports = Ports::of(1020..=1023);
    assert_eq!(call_back(ports.listen(AT, 8, soon()).expect("a port")), 1023);
    assert_eq!(ports.counts().refused, 3);
    let elsewhere = ports.listen(Ipv4Addr::new(192, 0, 2, 1).into(), 8, soon());
    let error = elsewhere.expect_err("not ours");
    assert_eq!(error.obstacle(), Obstacle::AddressNotAvailable, "{error}");
}

#[test]
fn under_tokio_four_listeners_serve_two_hundred_set_ups_at_once() {
    use lastack_graceful::ports::tokio::listen;
    let _namespace = Namespace::enter();
    let ports = Ports::reserved();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let set_up = |ports: Ports| async move {
            let listening = listen(&ports, AT, 4, soon()).await.expect("a port");
            let to: SocketAddr = listening.local();
            let peer = tokio::net::TcpStream::connect(to).await.expect("called back");
            let (_stream, from) = listening.accept(soon()).await.expect("a call-back");
            assert_eq!(from, peer.local_addr().expect("an address"));
            listening.done();
            to.port()
        };
        let tasks: Vec<_> = (0..200).map(|_| tokio::spawn(set_up(ports.clone()))).collect();
        let mut used = Vec::new();
        for task in tasks {
            used.push(task.await.expect("a set-up"));
        }
        used.sort_unstable();
        used.dedup();
        assert!(used.len() <= 4, "{used:?}");
        // One that is dropped while it waits gives its place up.
        let held = listen(&ports, AT, 1, soon()).await.expect("a port");
        let dropped = listen(&ports, AT, 1, soon());
        let early = tokio::time::timeout(Duration::from_millis(50), dropped).await;
        assert!(early.is_err(), "there is no second");
        held.done();
        listen(&ports, AT, 1, soon()).await.expect("a port").done();
    });
}
