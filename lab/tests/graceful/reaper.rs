//! A reaper ends what it is given, never holds more than it may, and counts how each ended.

use lastack_graceful::close::{ClosePolicy, Reaper, ReaperCounts, abort};
use lastack_lab::namespace::Namespace;
use lastack_lab::states::{on_port, wait_until};
use lastack_model::state::State;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

const PEERS: u32 = 10_000;
const HELD: u32 = 500;
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn ten_thousand_peers_that_never_close_stay_within_the_bound() {
    let _namespace = Namespace::enter();
    let limits = getrlimit(Resource::Nofile);
    let enough = limits.maximum.is_none_or(|most| most > u64::from(PEERS + 2 * HELD));
    assert!(enough, "{limits:?} descriptors are too few: raise the hard limit (ulimit -Hn)");
    let raised = Rlimit { current: limits.maximum, maximum: limits.maximum };
    setrlimit(Resource::Nofile, raised).expect("the limit can be raised");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let to = listener.local_addr().expect("an address");
    let reaper = Reaper::new(HELD as usize).expect("a reaper");
    let policy = ClosePolicy::server().within(PATIENCE).idle(Duration::from_secs(2));
    let mut peers = Vec::new();
    for _ in 0..PEERS {
        peers.push(TcpStream::connect(to).expect("connected"));
        let (ours, _) = listener.accept().expect("a connection");
        reaper.close(ours, &policy);
        assert!(reaper.counts().held <= HELD as usize);
    }
    assert_eq!(reaper.wait(PATIENCE), 0, "{:?}", reaper.counts());
    let counts = reaper.counts();
    assert_eq!(counts.taken, u64::from(PEERS));
    assert_eq!(counts.evicted + counts.acknowledged, u64::from(PEERS), "{counts:?}");
    assert!(counts.acknowledged > 0 && counts.evicted > 0, "{counts:?}");
    // A child that another test starts at this moment may still have a copy of a descriptor.
    wait_until("nothing is left", || {
        let left = on_port(to.port());
        let mut ours = left.iter().filter(|socket| socket.local.port() == to.port());
        ours.all(|socket| socket.state == State::Listen)
    });
}

fn pair(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let peer = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
    (listener.accept().expect("a connection").0, peer)
}

#[test]
fn each_end_is_counted_as_what_it_was() {
    let _namespace = Namespace::enter();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let reaper = Reaper::new(10).expect("a reaper");
    let patient = ClosePolicy::server().within(PATIENCE).idle(PATIENCE);

    let (ours, peer) = pair(&listener);
    reaper.close(ours, &patient);
    drop(peer);
    let (ours, peer) = pair(&listener);
    reaper.close(ours, &patient);
    wait_until("the reaper has sent the FIN", || {
        peer.set_nonblocking(true).expect("a mode");
        !(&peer).read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    });
    abort(peer).expect("a reset");
    let (ours, mut peer) = pair(&listener);
    peer.write_all(b"too much").expect("sent");
    reaper.close(ours, &patient.discard_limit(1));
    let (ours, silent) = pair(&listener);
    reaper.close(ours, &patient.idle(Duration::ZERO));

    assert_eq!(reaper.wait(PATIENCE), 0, "{:?}", reaper.counts());
    let ReaperCounts { taken, orderly, peer_reset, discard_limit, .. } = reaper.counts();
    assert_eq!((taken, orderly, peer_reset, discard_limit), (4, 1, 1, 1), "{:?}", reaper.counts());
    drop(silent);
}

#[test]
fn when_the_last_handle_is_dropped_what_is_left_is_reset() {
    let _namespace = Namespace::enter();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let reaper = Reaper::new(10).expect("a reaper");
    let (ours, mut peer) = pair(&listener);
    reaper.close(ours, &ClosePolicy::server());
    assert_eq!(peer.read(&mut [0]).expect("the FIN"), 0);
    drop(reaper.clone());
    assert_eq!(reaper.counts().held, 1);
    drop(reaper);
    wait_until("the reset is here", || peer.take_error().expect("SO_ERROR").is_some());
}
