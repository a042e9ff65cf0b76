//! A reaper ends what it is given, never holds more than it may, and counts how each ended.

use ::tokio::net::TcpStream as Asynchronous;
use ::tokio::runtime::Builder;
use ::tokio::task::yield_now;
use lastack_graceful::close::tokio::close_orderly;
use lastack_graceful::close::{ClosePolicy, Reaper, ReaperCounts, abort};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::run_beside_others;
use lastack_lab::states::{on_port, wait_until};
use lastack_lab::wire::{Fate, NEAR, Wire};
use lastack_model::state::State;
use lastack_os::connection;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::env;
use std::fs::read_dir;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn ten_thousand_peers_that_do_not_play_along_stay_within_the_bound() {
    alone("ten_thousand_peers_that_do_not_play_along_stay_within_the_bound", || {
        let limits = getrlimit(Resource::Nofile);
        let enough = limits.maximum.is_none_or(|most| most > 11_000);
        assert!(enough, "{limits:?} descriptors are too few: raise the hard limit (ulimit -Hn)");
        let raised = Rlimit { current: limits.maximum, maximum: limits.maximum };
        setrlimit(Resource::Nofile, raised).expect("the limit can be raised");
        play(10_000, 500, |_, ours, reaper| reaper.close(ours, &POLICY));
    });
}

#[test]
fn a_thousand_dropped_futures_leave_no_task_and_stay_within_the_bound() {
    alone("a_thousand_dropped_futures_leave_no_task_and_stay_within_the_bound", || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        play(1_000, 50, |number, ours, reaper| {
            runtime.block_on(async {
                let ours = Asynchronous::from_std(ours).expect("a stream");
                let task = ::tokio::spawn(close_orderly(ours, &POLICY).left_to(reaper));
                // Half of each kind is polled once, the others are not.
                if (number / Kind::ALL.len()).is_multiple_of(2) {
                    yield_now().await;
                }
                task.abort();
                let error = task.await.expect_err("none ends at once");
                assert!(error.is_cancelled(), "{error:?}");
            });
        });
        assert_eq!(runtime.metrics().num_alive_tasks(), 0);
    });
}

/// Runs a test of this file in a process of its own: all descriptors there are its own.
fn alone(name: &str, act: impl FnOnce()) {
    if env::var_os(ALONE).is_some() {
        return act();
    }
    let mut command = Command::new(env::current_exe().expect("the path of this program"));
    command.args(["--exact", &format!("reaper::{name}"), "--nocapture"]).env(ALONE, "1");
    let run = run_beside_others(&mut command);
    let is_well = run.code == Some(0) && run.stdout.contains("1 passed");
    assert!(is_well, "{:?}\n{}{}", run.code, run.stdout, run.stderr);
}

const ALONE: &str = "LASTACK_TEST_ALONE";

/// Gives a reaper that may hold so many so many connections, and looks at it and at what is left.
fn play(peers: usize, most: usize, mut leave: impl FnMut(usize, TcpStream, &Reaper)) {
    let before = descriptors();
    let place = Place::make();
    let crowd = Crowd::gather();
    let reaper = Reaper::new(most).expect("a reaper");
    let bound = descriptors() + most;
    for (number, kind) in (1..=peers).zip(Kind::ALL.into_iter().cycle()) {
        let (ours, peer) = place.pair(kind);
        kind.prepare(&ours, &peer);
        leave(number, ours, &reaper);
        assert!(reaper.counts().held <= most);
        crowd.newcomers.send((kind, peer)).expect("the crowd lives");
        if number.is_multiple_of(peers / 50) {
            assert!(descriptors() <= bound + number, "{} of {number}", descriptors());
        }
    }
    assert_eq!(reaper.wait(PATIENCE), 0, "{:?}", reaper.counts());
    assert_counts(reaper.counts(), peers as u64);
    place.wait_until_nothing_is_left();
    crowd.let_go();
    drop((reaper, place));
    wait_until("no descriptor is left", || descriptors() == before);
}

/// Each was counted once, as what its kind deserves or as one too many.
fn assert_counts(counts: ReaperCounts, peers: u64) {
    let ReaperCounts { acknowledged, timed_out, peer_reset, discard_limit, evicted, .. } = counts;
    assert_eq!((counts.held, counts.taken), (0, peers), "{counts:?}");
    let ended = acknowledged + timed_out + peer_reset + discard_limit;
    assert_eq!(evicted + ended, peers, "{counts:?}");
    assert!(evicted > 0, "{counts:?}");
    let share = peers.div_ceil(Kind::ALL.len() as u64);
    for (count, kinds) in [(acknowledged, 2), (timed_out, 2), (peer_reset, 1), (discard_limit, 1)] {
        assert!((1..=kinds * share).contains(&count), "{counts:?}");
    }
}

fn descriptors() -> usize {
    read_dir("/proc/self/fd").expect("the descriptors").count()
}

const POLICY: ClosePolicy = ClosePolicy::server()
    .within(Duration::from_secs(4))
    .idle(Duration::from_secs(2))
    .discard_limit(1 << 16);

/// How a peer does not play along.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    NeverCloses,
    /// And so does not acknowledge all.
    NeverReads,
    Trickles,
    ResetsInMidDrain,
    SendsForEver,
    Vanishes,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::NeverCloses,
        Self::NeverReads,
        Self::Trickles,
        Self::ResetsInMidDrain,
        Self::SendsForEver,
        Self::Vanishes,
    ];

    /// What both have sent when the connection is to be closed.
    fn prepare(self, mut ours: &TcpStream, mut peer: &TcpStream) {
        ours.set_nonblocking(true).expect("a mode");
        peer.set_nonblocking(true).expect("a mode");
        match self {
            Self::NeverReads => while ours.write(&[0; 1 << 12]).is_ok() {},
            Self::ResetsInMidDrain => peer.write_all(b"unwanted").expect("sent"),
            Self::NeverCloses | Self::Trickles | Self::SendsForEver | Self::Vanishes => {
                ours.write_all(b"answer").expect("sent");
            }
        }
    }

    /// What the peer does again and again; an error when it can do no more.
    fn act(self, mut peer: &TcpStream) -> io::Result<()> {
        match self {
            Self::NeverCloses | Self::NeverReads | Self::Vanishes => Ok(()),
            Self::Trickles => peer.write(&[0]).map(drop),
            Self::SendsForEver => (0..16).try_for_each(|_| peer.write(&[0; 1 << 12]).map(drop)),
            Self::ResetsInMidDrain => {
                assert_eq!(peer.read(&mut [0])?, 0, "nothing was sent to it");
                connection::reset_on_close(peer)?;
                Err(ErrorKind::ConnectionAborted.into())
            }
        }
    }
}

/// Where they meet: a listener, and a wire to another host whose peers vanish as soon as they are connected.
struct Place {
    wire: Wire,
    listener: TcpListener,
    at: SocketAddr,
}

impl Place {
    fn make() -> Self {
        let namespace = Namespace::enter();
        // So that little fills the buffers.
        namespace.set("ipv4/tcp_rmem", "4096 8192 8192");
        namespace.set("ipv4/tcp_wmem", "4096 8192 8192");
        let wire = Wire::laid_from(&namespace);
        wire.follow(|segment| {
            let arrives = *segment.to.ip() == NEAR || segment.is_syn();
            if arrives { Fate::Pass } else { Fate::Lose }
        });
        let listener = TcpListener::bind((NEAR, 0)).expect("a listener");
        let at = listener.local_addr().expect("an address");
        Self { wire, listener, at }
    }

    /// Ours, and the peer's end.
    fn pair(&self, kind: Kind) -> (TcpStream, TcpStream) {
        let at = self.at;
        let connect = move || TcpStream::connect(at).expect("connected");
        let peer =
            if kind == Kind::Vanishes { self.wire.far.run(move |_| connect()) } else { connect() };
        (self.listener.accept().expect("a connection").0, peer)
    }

    fn wait_until_nothing_is_left(&self) {
        wait_until("nothing is left", || {
            let left = on_port(self.at.port());
            let mut ours = left.iter().filter(|socket| socket.local.port() == self.at.port());
            ours.all(|socket| socket.state == State::Listen)
        });
    }
}

/// The peers, who do what they do in a thread until they are let go.
struct Crowd {
    newcomers: Sender<(Kind, TcpStream)>,
    thread: JoinHandle<()>,
}

impl Crowd {
    fn gather() -> Self {
        let (newcomers, inbox) = channel();
        Self { newcomers, thread: spawn(move || live(&inbox)) }
    }

    fn let_go(self) {
        drop(self.newcomers);
        self.thread.join().expect("the crowd ends");
    }
}

fn live(inbox: &Receiver<(Kind, TcpStream)>) {
    let mut peers = Vec::new();
    loop {
        match inbox.try_recv() {
            Ok(newcomer) => peers.push(newcomer),
            Err(TryRecvError::Empty) => {
                peers.retain(|(kind, peer)| {
                    let acted = kind.act(peer);
                    !acted.is_err_and(|error| error.kind() != ErrorKind::WouldBlock)
                });
                sleep(Duration::from_millis(5));
            }
            Err(TryRecvError::Disconnected) => break,
        }
    }
    // Nobody may go on telling those who vanished that theirs has closed.
    for (_, peer) in &peers {
        connection::reset_on_close(peer).expect("SO_LINGER");
    }
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
