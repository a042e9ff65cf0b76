//! Above any layer that keeps octets back and has an end of its own: by every driver the whole of it arrives in order,
//! also at a client that reads only after it has sent, and a peer that does not read holds nothing up for ever.

use ::tokio::runtime::Builder;
use lastack_graceful::close::tokio::close_orderly;
use lastack_graceful::close::{
    AtDeadline, CloseOrderly as _, ClosePolicy, CloseReport, Delivered, FirstFin, HalfClose,
    LastWords, Outcome, Reaper, abort,
};
use lastack_lab::namespace::Namespace;
use rustix::net::sockopt;
use std::future::{Future as _, poll_fn};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::pin::Pin;
use std::task::Poll;
use std::thread::spawn;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);
const IDLE: Duration = Duration::from_millis(200);
const TOTAL: Duration = Duration::from_millis(600);
/// A busy machine may be late by as much.
const LATE: Duration = Duration::from_secs(3);
const UPLOAD: usize = 8 << 20;
/// More than all buffers between two ends hold.
const KEPT: usize = 32 << 20;
const ROOM_TO_SEND: usize = 64 << 10;
const FAREWELL: &[u8] = b"that is all";

/// A layer that has sent nothing yet.
pub(crate) struct Layer<T>(pub(crate) T);

impl<T> HalfClose for Layer<T> {
    type Below = T;

    fn half_close(self) -> (T, LastWords) {
        (self.0, LastWords::new(vec![b'k'; KEPT], FAREWELL))
    }
}

/// What does the waiting.
#[derive(Clone, Copy, Debug)]
enum Driver {
    Blocking,
    Tokio,
    /// After the future was dropped half way.
    DroppedTokio,
    Reaper,
}

impl Driver {
    const ALL: [Self; 4] = [Self::Blocking, Self::Tokio, Self::DroppedTokio, Self::Reaper];

    /// How it went, and the report where the driver gives one.
    fn close(self, stream: TcpStream, policy: &ClosePolicy) -> (Outcome, Option<CloseReport>) {
        let began = Instant::now();
        let reaper = Reaper::new(1).expect("a reaper");
        let report = match self {
            Self::Blocking => Some(Layer(stream).close_orderly(policy).expect("a close")),
            Self::Tokio | Self::DroppedTokio => {
                stream.set_nonblocking(true).expect("a mode");
                let runtime = Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime").block_on(async {
                    let stream = ::tokio::net::TcpStream::from_std(stream).expect("a stream");
                    let closing = close_orderly(Layer(stream), policy).left_to(&reaper);
                    if matches!(self, Self::Tokio) {
                        return Some(closing.await.expect("a close"));
                    }
                    let mut closing = closing;
                    let once = poll_fn(|context| Poll::Ready(Pin::new(&mut closing).poll(context)));
                    assert!(once.await.is_pending(), "32 MiB at once");
                    None
                })
            }
            Self::Reaper => {
                reaper.close(Layer(stream), policy);
                None
            }
        };
        assert_eq!(reaper.wait(policy.total + LATE), 0, "{:?}", reaper.counts());
        assert!(began.elapsed() < policy.total + LATE, "{self:?} took {:?}", began.elapsed());
        let outcome = report.map_or_else(|| only_outcome(&reaper), |report| report.outcome);
        (outcome, report)
    }
}

fn only_outcome(reaper: &Reaper) -> Outcome {
    let counts = reaper.counts();
    let by_outcome = [
        (counts.orderly, Outcome::Orderly),
        (counts.acknowledged, Outcome::Acknowledged),
        (counts.peer_reset, Outcome::PeerReset),
        (counts.timed_out, Outcome::TimedOut),
        (counts.discard_limit, Outcome::DiscardLimit),
    ];
    let found = by_outcome.iter().find(|(count, _)| *count == 1);
    found.unwrap_or_else(|| panic!("{counts:?}")).1
}

/// Ours, and the peer's end.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let peer = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
    let ours = listener.accept().expect("a connection").0;
    // So that no peer, however fast it reads, takes everything while we are polled once.
    sockopt::set_socket_send_buffer_size(&ours, ROOM_TO_SEND).expect("a small buffer");
    (ours, peer)
}

#[test]
fn a_client_that_reads_only_after_it_has_sent_gets_what_was_kept_and_then_the_end() {
    let _namespace = Namespace::enter();
    let patient = ClosePolicy::server().within(PATIENCE).idle(PATIENCE);
    for driver in Driver::ALL {
        let (ours, mut peer) = pair();
        let client = spawn(move || {
            peer.write_all(&vec![0; UPLOAD]).expect("the upload");
            let mut answer = Vec::new();
            peer.read_to_end(&mut answer).map(|_| answer)
        });
        let (outcome, report) = driver.close(ours, &patient);
        assert_eq!(outcome, Outcome::Orderly, "{driver:?}: {report:?}");
        if let Some(report) = report {
            assert_eq!((report.unacked, report.discarded), (Some(0), UPLOAD as u64));
            // `ToKernel` where its FIN and the acknowledgement of ours were found together.
            assert!(matches!(report.delivered(), Delivered::Yes | Delivered::ToKernel));
        }
        let answer = client.join().expect("the client ends").expect("a proper end");
        assert_eq!(answer.len(), KEPT + FAREWELL.len(), "{driver:?}");
        assert!(answer.ends_with(FAREWELL), "{driver:?}");
        assert!(answer[..KEPT].iter().all(|&octet| octet == b'k'), "{driver:?}");
    }
}

#[test]
fn a_client_that_has_closed_its_side_gets_it_too() {
    let _namespace = Namespace::enter();
    let patient = ClosePolicy::server().within(PATIENCE).idle(PATIENCE);
    for driver in Driver::ALL {
        let (ours, mut peer) = pair();
        peer.shutdown(Shutdown::Write).expect("its FIN");
        let client = spawn(move || {
            let mut answer = Vec::new();
            peer.read_to_end(&mut answer).map(|_| answer.len())
        });
        let (outcome, report) = driver.close(ours, &patient.remote_first(PATIENCE));
        assert_eq!(outcome, Outcome::Orderly, "{driver:?}: {report:?}");
        assert!(report.is_none_or(|report| report.first_fin == FirstFin::Remote), "{report:?}");
        let length = client.join().expect("the client ends").expect("a proper end");
        assert_eq!(length, KEPT + FAREWELL.len(), "{driver:?}");
    }
}

#[test]
fn a_peer_that_never_reads_is_reset_in_time_even_where_the_kernel_was_to_go_on() {
    let _namespace = Namespace::enter();
    let policy = ClosePolicy::server().idle(IDLE).within(TOTAL).at_deadline(AtDeadline::Orphan);
    for driver in Driver::ALL {
        let (ours, mut peer) = pair();
        let (outcome, report) = driver.close(ours, &policy);
        assert_eq!(outcome, Outcome::TimedOut, "{driver:?}: {report:?}");
        if let Some(report) = report {
            assert!(report.unacked > Some(KEPT as u64 / 2), "{report:?}");
            assert_eq!(report.delivered(), Delivered::No);
        }
        let end = peer.read_to_end(&mut Vec::new()).expect_err("no end of a cut message");
        assert_eq!(end.kind(), ErrorKind::ConnectionReset, "{driver:?}");
    }
}

#[test]
fn a_peer_that_floods_and_never_reads_is_left_at_the_limit() {
    let _namespace = Namespace::enter();
    let policy = ClosePolicy::server().within(PATIENCE).discard_limit(1 << 20);
    for driver in Driver::ALL {
        let (ours, mut peer) = pair();
        let flood = spawn(move || while peer.write_all(&[0; 1 << 12]).is_ok() {});
        assert_eq!(driver.close(ours, &policy).0, Outcome::DiscardLimit, "{driver:?}");
        flood.join().expect("the reset ends it");
    }
}

#[test]
fn a_peer_that_resets_while_it_is_told_the_rest_ends_it_at_once() {
    let _namespace = Namespace::enter();
    for driver in Driver::ALL {
        let (ours, mut peer) = pair();
        let client = spawn(move || {
            peer.read_exact(&mut vec![0; 16 << 20]).expect("half of it");
            abort(peer).expect("a reset");
        });
        let (outcome, report) = driver.close(ours, &ClosePolicy::server());
        assert_eq!(outcome, Outcome::PeerReset, "{driver:?}: {report:?}");
        assert!(report.is_none_or(|report| report.delivered() == Delivered::No), "{report:?}");
        client.join().expect("the client ends");
    }
}

#[test]
fn a_program_that_has_sent_its_fin_itself_is_told_that_the_rest_did_not_go() {
    let _namespace = Namespace::enter();
    let (ours, _peer) = pair();
    ours.shutdown(Shutdown::Write).expect("our FIN");
    let report = Layer(ours).close_orderly(&ClosePolicy::server().idle(IDLE)).expect("a close");
    assert_eq!((report.outcome, report.unacked), (Outcome::Acknowledged, Some(KEPT as u64)));
    assert_eq!(report.delivered(), Delivered::No);
}
