//! Above TLS: nothing of an answer is lost, and `close_notify` arrives, whatever the client still sends.

use super::ends::{ANSWER, End, PATIENCE, patient};
use ::rustls::pki_types::{PrivateKeyDer, ServerName};
use ::rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
};
use ::tokio::net::TcpListener;
use ::tokio::runtime::Builder;
use lastack_graceful::close::{
    AtDeadline, CloseOrderly as _, ClosePolicy, CloseReport, Delivered, FirstFin, Outcome, Reaper,
};
use lastack_lab::namespace::Namespace;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener as BlockingListener, TcpStream};
use std::sync::Arc;
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};
use tokio_rustls::TlsAcceptor;

const TRIALS: usize = 100;
const UPLOAD: usize = 8 << 20;
/// A busy machine may be late by as much.
const LATE: Duration = Duration::from_secs(3);

/// A server's certificate, and a client that trusts it.
pub(crate) struct Trust {
    pub(crate) server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Trust {
    pub(crate) fn new() -> Self {
        Self::of(::rustls::ALL_VERSIONS)
    }

    fn of(versions: &[&'static SupportedProtocolVersion]) -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
        let certified = certified.expect("a certificate");
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).expect("a key");
        let certificate = certified.cert.der().clone();
        let server = ServerConfig::builder_with_protocol_versions(versions).with_no_client_auth();
        let server = server.with_single_cert(vec![certificate.clone()], key).expect("a server");
        let mut roots = RootCertStore::empty();
        roots.add(certificate).expect("a root");
        let client = ClientConfig::builder_with_protocol_versions(versions)
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { server: Arc::new(server), client: Arc::new(client) }
    }

    fn client(&self) -> ClientConnection {
        let name = ServerName::try_from("localhost").expect("a name");
        ClientConnection::new(Arc::clone(&self.client), name).expect("a client")
    }

    /// A connection on which the handshake is over and a request of one octet was read.
    fn pair(&self) -> (Tls, StreamOwned<ClientConnection, TcpStream>) {
        let listener = BlockingListener::bind("127.0.0.1:0").expect("a listener");
        let to = listener.local_addr().expect("an address");
        let client = self.client();
        let peer = spawn(move || {
            let stream = TcpStream::connect(to).expect("connected");
            let mut stream = StreamOwned::new(client, stream);
            stream.write_all(b"?").expect("a request");
            stream
        });
        (self.accept(&listener), peer.join().expect("a client"))
    }

    fn accept(&self, listener: &BlockingListener) -> Tls {
        let (stream, _) = listener.accept().expect("a connection");
        let server = ServerConnection::new(Arc::clone(&self.server)).expect("a server");
        let mut stream = StreamOwned::new(server, stream);
        stream.read_exact(&mut [0]).expect("a request");
        stream
    }
}

type Tls = StreamOwned<ServerConnection, TcpStream>;

/// What a client does beside reading the answer.
#[derive(Clone, Copy, Debug)]
enum Client {
    /// It sends two octets too many once the answer comes.
    Extra,
    /// It uploads while it reads.
    Duplex,
}

/// What a client saw.
#[derive(Debug)]
struct Got {
    answer: usize,
    /// Whether the end was one that the server meant.
    meant: bool,
}

impl Client {
    const ALL: [Self; 2] = [Self::Extra, Self::Duplex];

    fn start(self, client: ClientConnection, to: SocketAddr) -> JoinHandle<Got> {
        spawn(move || self.run(client, TcpStream::connect(to).expect("connected")))
    }

    /// A thread that reads and one that writes would share one TLS connection; here the records are made before, and
    /// are sent by a second thread.
    fn run(self, mut client: ClientConnection, mut stream: TcpStream) -> Got {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        while client.is_handshaking() {
            client.complete_io(&mut stream).expect("a handshake");
        }
        client.set_buffer_limit(None);
        client.writer().write_all(b"?").expect("a request");
        client.complete_io(&mut stream).expect("a request is sent");
        let rest = match self {
            Self::Extra => {
                stream.peek(&mut [0]).expect("an answer comes");
                vec![0; 2]
            }
            Self::Duplex => vec![0; UPLOAD],
        };
        client.writer().write_all(&rest).expect("records");
        let mut records = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut records).expect("records in memory");
        }
        let second = stream.try_clone().expect("a second handle");
        let uploader = spawn(move || (&second).write_all(&records).is_err());
        let mut answer = Vec::new();
        let mut stream = StreamOwned::new(client, stream);
        let end = stream.read_to_end(&mut answer);
        // Whatever it has not sent is not sent any more; the server waits for the FIN.
        let upload_failed = uploader.join().expect("the upload ends");
        Got { answer: answer.len(), meant: end.is_ok() && !upload_failed }
    }
}

/// How the server runs.
#[derive(Clone, Copy, Debug)]
enum Way {
    Blocking,
    Tokio(End),
}

/// How many answers were cut, and how many more ended otherwise than the server meant.
fn play(client: Client, way: Way) -> (usize, usize) {
    let _namespace = Namespace::enter();
    let trust = Trust::new();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let reaper = Reaper::new(TRIALS).expect("a reaper");
    let acceptor = TlsAcceptor::from(Arc::clone(&trust.server));
    let listener = BlockingListener::bind("127.0.0.1:0").expect("a listener");
    let to = listener.local_addr().expect("an address");
    listener.set_nonblocking(!matches!(way, Way::Blocking)).expect("a mode");
    let asynchronous = || TcpListener::from_std(listener.try_clone().expect("a handle"));
    let (mut cut, mut spoiled) = (0, 0);
    for _ in 0..TRIALS {
        let client = client.start(trust.client(), to);
        match way {
            Way::Blocking => {
                let mut stream = trust.accept(&listener);
                stream.write_all(&vec![0; ANSWER]).expect("written");
                let report = stream.close_orderly(&patient()).expect("a close");
                assert_eq!(report.outcome, Outcome::Orderly, "{report:?}");
            }
            Way::Tokio(end) => runtime.block_on(async {
                let listener = asynchronous().expect("a listener");
                let (stream, _) = listener.accept().await.expect("a connection");
                end.serve(acceptor.accept(stream).await.expect("a handshake"), &reaper).await;
            }),
        }
        let got = client.join().expect("the client ends");
        cut += usize::from(got.answer < ANSWER);
        spoiled += usize::from(got.answer == ANSWER && !got.meant);
    }
    if let Way::Tokio(end) = way {
        end.assert_reaped(&reaper, TRIALS);
    }
    eprintln!("{client:?}, {way:?}: {cut} cut, {spoiled} spoiled of {TRIALS}");
    (cut, spoiled)
}

#[test]
fn a_tls_stream_that_is_shut_down_and_dropped_harms_its_clients() {
    for client in Client::ALL {
        let (cut, spoiled) = play(client, Way::Tokio(End::ShutDownAndDrop));
        assert!(cut + spoiled > 0, "nobody was harmed in {TRIALS} trials: {client:?}");
    }
}

#[test]
fn an_orderly_close_of_tls_loses_nothing_and_says_that_it_is_the_end() {
    for client in Client::ALL {
        assert_eq!(play(client, Way::Tokio(End::Orderly)), (0, 0), "{client:?}");
    }
}

#[test]
fn a_blocking_one_does_the_same() {
    for client in Client::ALL {
        assert_eq!(play(client, Way::Blocking), (0, 0), "{client:?}");
    }
}

#[test]
fn a_lingering_tls_stream_loses_nothing_and_says_that_it_is_the_end_only_when_it_is_shut_down() {
    for client in Client::ALL {
        assert_eq!(play(client, Way::Tokio(End::Lingering)), (0, 0), "{client:?}");
        let dropped = play(client, Way::Tokio(End::LingeringDropped));
        assert_eq!(dropped, (0, TRIALS), "nobody said that it is whole: {client:?}");
    }
}

#[test]
fn a_close_of_tls_whose_future_is_dropped_loses_nothing() {
    assert_eq!(play(Client::Duplex, Way::Tokio(End::DroppedUnpolled)), (0, 0));
}

const IDLE: Duration = Duration::from_millis(200);
const TOTAL: Duration = Duration::from_millis(600);

/// Closes within its bounds, whatever the peer does.
fn close(stream: Tls, policy: &ClosePolicy) -> CloseReport {
    let began = Instant::now();
    let report = stream.close_orderly(policy).expect("a close");
    assert!(began.elapsed() < policy.total + LATE, "{report:?} took {:?}", began.elapsed());
    report
}

/// Writes until the kernel takes no more and TLS keeps as much as it may; how much it was.
fn fill(ours: &mut Tls, peer: &StreamOwned<ClientConnection, TcpStream>) -> usize {
    // Else the kernel may find room for all that TLS keeps.
    sockopt::set_socket_send_buffer_size(&ours.sock, 1 << 14).expect("SO_SNDBUF");
    sockopt::set_socket_recv_buffer_size(&peer.sock, 1 << 14).expect("SO_RCVBUF");
    ours.sock.set_nonblocking(true).expect("a mode");
    let mut written = 0;
    loop {
        let more = ours.conn.writer().write(&[0; 1 << 12]).expect("records");
        let mut sent = 0;
        while let Ok(octets @ 1..) = ours.conn.write_tls(&mut ours.sock) {
            sent += octets;
        }
        written += more;
        let mut socket = [PollFd::new(&ours.sock, PollFlags::OUT)];
        let patience = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        if more + sent == 0 && poll(&mut socket, Some(&patience)).expect("poll") == 0 {
            return written;
        }
    }
}

#[test]
fn a_peer_that_never_reads_does_not_hold_up_close_notify_for_ever() {
    let _namespace = Namespace::enter();
    let trust = Trust::new();
    let policy = ClosePolicy::server().idle(IDLE).within(TOTAL);
    for policy in [policy, policy.remote_first(IDLE), policy.at_deadline(AtDeadline::Orphan)] {
        let (mut ours, mut peer) = trust.pair();
        fill(&mut ours, &peer);
        let report = close(ours, &policy);
        assert_eq!((report.outcome, report.delivered()), (Outcome::TimedOut, Delivered::No));
        // Cut, and never taken for whole.
        let end = peer.read_to_end(&mut Vec::new()).expect_err("the reset");
        assert_eq!(end.kind(), ErrorKind::ConnectionReset, "{policy:?}");
    }
}

#[test]
fn a_peer_that_reads_only_after_it_has_sent_gets_what_tls_had_kept() {
    let _namespace = Namespace::enter();
    let trust = Trust::new();
    let (mut ours, mut peer) = trust.pair();
    let written = fill(&mut ours, &peer);
    let client = spawn(move || {
        peer.write_all(&vec![0; UPLOAD]).expect("the upload");
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).map(|_| answer.len())
    });
    let report = close(ours, &patient());
    assert_eq!((report.outcome, report.unacked), (Outcome::Orderly, Some(0)), "{report:?}");
    assert!(report.discarded > UPLOAD as u64, "{report:?}");
    assert_eq!(client.join().expect("the client ends").expect("the end was meant"), written);
}

#[test]
fn a_peer_that_reads_and_never_closes_has_everything_and_knows_it() {
    let _namespace = Namespace::enter();
    let trust = Trust::new();
    let (mut ours, mut peer) = trust.pair();
    ours.write_all(b"answer").expect("written");
    let report = close(ours, &ClosePolicy::server().idle(IDLE).at_deadline(AtDeadline::Orphan));
    assert_eq!(report.outcome, Outcome::Acknowledged);
    assert_eq!((report.unacked, report.delivered()), (Some(0), Delivered::ToKernel));
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).expect("an end that was meant");
    assert_eq!(answer, b"answer");
}

#[test]
fn tls_1_2_ends_the_same_way() {
    let _namespace = Namespace::enter();
    let trust = Trust::of(&[&::rustls::version::TLS12]);
    let (mut ours, mut peer) = trust.pair();
    let written = fill(&mut ours, &peer);
    let client = spawn(move || {
        peer.write_all(&vec![0; UPLOAD]).expect("the upload");
        peer.read_to_end(&mut Vec::new())
    });
    let report = close(ours, &patient());
    assert_eq!((report.outcome, report.unacked), (Outcome::Orderly, Some(0)), "{report:?}");
    assert_eq!(client.join().expect("the client ends").expect("the end was meant"), written);
}

/// Its kernel answers our `close_notify` by a reset; the message had arrived by then.
#[test]
fn a_client_that_closes_first_and_at_once_leaves_nothing_of_the_message_unacknowledged() {
    let _namespace = Namespace::enter();
    let trust = Trust::new();
    let (mut ours, mut peer) = trust.pair();
    ours.write_all(b"answer").expect("written");
    peer.read_exact(&mut [0; 6]).expect("the answer");
    peer.conn.send_close_notify();
    peer.conn.write_tls(&mut peer.sock).expect("sent");
    drop(peer);
    let report = close(ours, &ClosePolicy::server().remote_first(PATIENCE));
    assert_eq!((report.first_fin, report.unacked), (FirstFin::Remote, Some(0)), "{report:?}");
    assert!(matches!(report.outcome, Outcome::PeerReset | Outcome::Orderly), "{report:?}");
}
