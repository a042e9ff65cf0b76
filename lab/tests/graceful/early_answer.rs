//! Real clients upload 8 MiB over a slow wire to an axum server that answers before it has read them.

use crate::tls::Trust;
use ::tokio::net::{TcpListener, TcpStream};
use ::tokio::runtime::{Builder, Runtime};
use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONNECTION;
use axum::routing::post;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use lastack_graceful::close::ClosePolicy;
use lastack_graceful::close::axum::LingeringListener;
use lastack_graceful::close::hyper::DiscardUnread;
use lastack_graceful::close::tokio::Lingering;
use lastack_lab::link::{HERE, OtherHost};
use lastack_lab::namespace::Namespace;
use lastack_lab::program;
use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How often a client is told 1 MiB early, and how often that its upload is too large.
const TRIALS: usize = 30;
const REFUSALS: usize = 20;
/// The same close by another way into it.
const FEW: usize = 5;
/// So many wires at a time. A client that waits for the server to read while the server waits for it ends only by its own
/// time limit: as many of these take no longer than one.
const WIRES: usize = 10;
const ANSWER: usize = 1 << 20;

/// What stands between axum and its clients.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Server {
    Plain,
    /// A stream whose shutdown lingers, and nothing else.
    Lingering,
    /// That, and bodies that are read on.
    Ours,
    /// The same above TLS.
    OursAboveTls,
    /// The same by hyper's own traits, without axum.
    OursUnderHyper,
}

/// A listener of TLS: one handshake after the other, which a test can do with.
struct Tls(TcpListener, TlsAcceptor);

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, from) = Listener::accept(&mut self.0).await;
            if let Ok(stream) = self.1.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

fn lingering<L>(listener: L) -> LingeringListener<L> {
    LingeringListener::new(listener, ClosePolicy::server())
}

async fn serve_by_hyper(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let stream = Lingering::new(stream, ClosePolicy::server());
        let service = service_fn(async |request: Request<Incoming>| {
            drop(DiscardUnread::new().request(request));
            let answer = Response::builder().header(CONNECTION, "close");
            answer.body("a".repeat(ANSWER))
        });
        ::tokio::spawn(http1::Builder::new().serve_connection(stream, service));
    }
}

/// A server on one end of the wire, its clients on the other.
struct Stage {
    _namespace: Namespace,
    far: OtherHost,
    _runtime: Runtime,
    base: String,
}

impl Stage {
    fn set(server: Server) -> Self {
        let namespace = Namespace::enter();
        let far = OtherHost::joined_to(&namespace);
        far.slow_down();
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind((HERE, 0))).expect("a listener");
        let to = listener.local_addr().expect("an address");
        runtime.spawn(async move {
            match server {
                Server::Plain => axum::serve(listener, app()).await,
                Server::Lingering => axum::serve(lingering(listener), app()).await,
                Server::Ours => {
                    axum::serve(lingering(listener), app().layer(DiscardUnread::new())).await
                }
                Server::OursAboveTls => {
                    let acceptor = TlsAcceptor::from(Trust::new().server);
                    let listener = lingering(Tls(listener, acceptor));
                    axum::serve(listener, app().layer(DiscardUnread::new())).await
                }
                Server::OursUnderHyper => serve_by_hyper(listener).await,
            }
        });
        let scheme = if server == Server::OursAboveTls { "https" } else { "http" };
        Self { _namespace: namespace, far, _runtime: runtime, base: format!("{scheme}://{to}") }
    }

    fn complete(&self, client: Client, want: Want, trials: usize) -> usize {
        let mut command = client.command(&self.base, want, trials);
        let run = self.far.run(move |_| program::run_beside_others(&mut command));
        let count = run.stdout.trim().parse();
        count.unwrap_or_else(|_| panic!("{client:?} should print a count: {run:?}"))
    }
}

/// How often this client got the whole of the answer. Nearly all of a trial is the wire's time, so several wires carry
/// trials side by side, each with a server of its own.
fn complete(server: Server, client: Client, want: Want, trials: usize) -> usize {
    let wires = trials.min(WIRES);
    let share = |wire| trials / wires + usize::from(wire < trials % wires);
    thread::scope(|scope| {
        let carry = |wire| move || Stage::set(server).complete(client, want, share(wire));
        let wires: Vec<_> = (0..wires).map(|wire| scope.spawn(carry(wire))).collect();
        wires.into_iter().map(|wire| wire.join().expect("a count")).sum()
    })
}

fn app() -> Router {
    Router::new()
        .route("/early", post(async || ([(CONNECTION, "close")], vec![b'a'; ANSWER])))
        .route("/limited", post(async |_: Bytes| "within the limit"))
}

/// What of the server's is asked for.
#[derive(Clone, Copy, Debug)]
enum Want {
    /// 1 MiB, sent before the upload is read.
    Early,
    /// A refusal of an upload beyond axum's limit.
    Refusal,
}

impl Want {
    const fn path(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::Refusal => "limited",
        }
    }

    /// The status, and how long the answer is at least.
    const fn answer(self) -> (u16, usize) {
        match self {
            Self::Early => (200, ANSWER),
            Self::Refusal => (413, 1),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Client {
    Curl,
    /// It sends the head, and the body only when it is told to, or after a second.
    CurlThatAsks,
    Python,
    Node,
}

impl Client {
    /// Prints how many answers were whole.
    fn command(self, base: &str, want: Want, trials: usize) -> Command {
        let url = format!("{base}/{}", want.path());
        let (status, length) = want.answer();
        let (name, option, script) = match self {
            Self::Curl | Self::CurlThatAsks => ("sh", "-c", CURL),
            Self::Python => ("python3", "-c", PYTHON),
            Self::Node => ("node", "-e", NODE),
        };
        let mut command = Command::new(name);
        // The server's certificate is its own word.
        command.env("NODE_TLS_REJECT_UNAUTHORIZED", "0");
        command.args([option, script]);
        if matches!(self, Self::Curl | Self::CurlThatAsks) {
            command.arg("sh");
        }
        command.args([url, status.to_string(), length.to_string(), trials.to_string()]);
        if matches!(self, Self::Curl) {
            command.args(["-H", "Expect:"]);
        }
        command
    }
}

const CURL: &str = r#"
command -v curl >/dev/null || { echo "install curl; cargo xtask test does"; exit 1; }
url=$1 status=$2 length=$3 trials=$4; shift 4
whole=0
for _ in $(seq "$trials"); do
    got=$(head -c 8388608 /dev/zero | curl -sk -m 10 -o /dev/null -w '%{http_code} %{size_download}' \
        --data-binary @- "$@" "$url") || continue
    [ "${got% *}" = "$status" ] && [ "${got#* }" -ge "$length" ] && whole=$((whole + 1))
done
echo $whole
"#;

const PYTHON: &str = r#"
import http.client, ssl, sys, urllib.parse
url, status, length, trials = sys.argv[1], *map(int, sys.argv[2:5])
url = urllib.parse.urlparse(url)
whole = 0
for _ in range(trials):
    if url.scheme == "https":
        trusting = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(url.netloc, timeout=10, context=trusting)
    else:
        connection = http.client.HTTPConnection(url.netloc, timeout=3)
    try:
        connection.request("POST", url.path, body=bytes(8 << 20))
        answer = connection.getresponse()
        whole += answer.status == status and len(answer.read()) >= length
    except (OSError, http.client.HTTPException):
        pass
    connection.close()
print(whole)
"#;

const NODE: &str = r#"
(async () => {
    const [url, status, length, trials] = process.argv.slice(1);
    let whole = 0;
    for (let trial = 0; trial < trials; trial++) {
        try {
            const body = Buffer.alloc(8 << 20);
            const signal = AbortSignal.timeout(10000);
            const answer = await fetch(url, { method: "POST", body, signal });
            const got = (await answer.arrayBuffer()).byteLength;
            if (answer.status == status && got >= length) whole++;
        } catch {}
    }
    console.log(whole);
})();
"#;

/// Ours serves all, plain axum fails all but those before whose close it is held up.
fn is_spared(client: Client, want: Want, trials: usize) {
    let ours = complete(Server::Ours, client, want, trials);
    let plain = complete(Server::Plain, client, want, trials);
    eprintln!("{client:?}, {want:?}: ours {ours}/{trials}, plain axum {plain}/{trials}");
    assert_eq!(ours, trials, "{client:?}");
    assert!(plain <= trials / 10, "plain axum served {client:?} {plain} times");
}

#[test]
fn curl_gets_an_early_answer() {
    is_spared(Client::Curl, Want::Early, TRIALS);
}

#[test]
fn node_gets_an_early_answer() {
    is_spared(Client::Node, Want::Early, TRIALS);
}

#[test]
fn python_which_reads_only_after_it_has_sent_gets_an_early_answer() {
    is_spared(Client::Python, Want::Early, TRIALS);
}

#[test]
fn python_gets_the_refusal_of_an_upload_that_is_too_large() {
    is_spared(Client::Python, Want::Refusal, REFUSALS);
}

#[test]
fn above_tls_each_client_gets_an_early_answer() {
    for client in [Client::Curl, Client::Node, Client::Python] {
        assert_eq!(complete(Server::OursAboveTls, client, Want::Early, FEW), FEW, "{client:?}");
    }
}

#[test]
fn under_hyper_without_axum_each_client_gets_an_early_answer() {
    for client in [Client::Curl, Client::Node, Client::Python] {
        assert_eq!(complete(Server::OursUnderHyper, client, Want::Early, FEW), FEW, "{client:?}");
    }
}

#[test]
fn a_client_that_asks_whether_it_shall_send_gets_its_answer_too() {
    for want in [Want::Early, Want::Refusal] {
        assert_eq!(complete(Server::Ours, Client::CurlThatAsks, want, FEW), FEW);
    }
}

#[test]
fn a_lingering_stream_alone_serves_clients_that_read_while_they_send_and_stalls_others() {
    let complete = |client, want| complete(Server::Lingering, client, want, FEW);
    assert_eq!(complete(Client::Curl, Want::Early), FEW);
    assert_eq!(complete(Client::Python, Want::Refusal), FEW);
    let served = complete(Client::Python, Want::Early);
    assert!(served < FEW / 2, "{served} of {FEW} were served");
}
