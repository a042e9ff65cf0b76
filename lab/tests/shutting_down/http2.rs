//! A server of HTTP/2 that ends: its connections are told by GOAWAY, and the request that had begun is answered; by axum,
//! and by hyper without it, where HTTP/1 is looked at too.

use axum::Router;
use axum::routing::get;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use lastack_graceful::shutdown::{Orderly, Shutdown, ShutdownPlan};
use lastack_lab::namespace::Namespace;
use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::Notify;

const PATIENCE: Duration = Duration::from_secs(20);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Frame types (RFC 9113 §6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
/// `END_STREAM` and `END_HEADERS`.
const WHOLE: u8 = 5;
/// `GET http://here/` (RFC 7541, appendix A: entries 2, 6, 4, and a value for entry 1).
const REQUEST: &[u8] = b"\x82\x86\x84\x41\x04here";

struct Frame {
    kind: u8,
    flags: u8,
    payload: Vec<u8>,
}

fn send(mut stream: &TcpStream, kind: u8, flags: u8, number: u8, payload: &[u8]) {
    let length = u8::try_from(payload.len()).expect("a small frame");
    let head = [0, 0, length, kind, flags, 0, 0, 0, number];
    stream.write_all(&[&head, payload].concat()).expect("sent");
}

/// The next frame; `None` at the end of the stream.
fn next(mut stream: &TcpStream) -> Option<Frame> {
    let mut head = [0; 9];
    if stream.read(&mut head[..1]).expect("no reset") == 0 {
        return None;
    }
    stream.read_exact(&mut head[1..]).expect("a whole head");
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).expect("a whole frame");
    Some(Frame { kind: head[3], flags: head[4], payload })
}

/// Answers what must be answered, until the server closes: the kinds of frames in their order, and the data.
fn listen(stream: &TcpStream) -> (Vec<u8>, Vec<u8>) {
    let (mut kinds, mut data) = (Vec::new(), Vec::new());
    while let Some(frame) = next(stream) {
        kinds.push(frame.kind);
        match frame.kind {
            DATA => data.extend(frame.payload),
            SETTINGS | PING if frame.flags & ACK == 0 => {
                let payload = if frame.kind == PING { &frame.payload[..] } else { &[] };
                send(stream, frame.kind, ACK, 0, payload);
            }
            _ => {}
        }
    }
    (kinds, data)
}

/// A service that says when it was asked, and answers when it may.
#[derive(Clone, Default)]
struct Service {
    asked: Arc<Notify>,
    may_answer: Arc<Notify>,
}

impl Service {
    async fn answer(self) -> &'static str {
        self.asked.notify_one();
        self.may_answer.notified().await;
        "the answer"
    }
}

async fn serve_by_axum(listener: Orderly, shutdown: Shutdown, service: Service) {
    let app = Router::new().route("/", get(move || service.clone().answer()));
    let server = axum::serve(listener, app).with_graceful_shutdown(shutdown.told());
    server.await.expect("it ends");
}

async fn serve_by_hyper(mut listener: Orderly, shutdown: Shutdown, service: Service) {
    let watching = GracefulShutdown::new();
    while let Some((stream, _)) = listener.accept().await.expect("accepted") {
        let service = service.clone();
        let answer = service_fn(move |_: Request<Incoming>| {
            let service = service.clone();
            async move { Ok::<_, Infallible>(Response::new(service.answer().await.to_owned())) }
        });
        let builder = auto::Builder::new(TokioExecutor::new());
        let serving = builder.serve_connection(TokioIo::new(stream), answer);
        tokio::spawn(watching.watch(serving.into_owned()));
    }
    shutdown.told().await;
    watching.shutdown().await;
}

/// Begins a server's end while a request is being worked on: what the client hears from then on.
fn ends_during_a_request<Serving, T>(
    serve: impl FnOnce(Orderly, Shutdown, Service) -> Serving,
    ask: impl FnOnce(&TcpStream),
    hear: impl FnOnce(&TcpStream) -> T + Send + 'static,
) -> T
where
    Serving: Future<Output = ()> + Send + 'static,
    T: Send + 'static,
{
    let _namespace = Namespace::enter();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let service = Service::default();
        let shutdown = Shutdown::new(ShutdownPlan::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let listener = Orderly::new(listener, &shutdown).expect("an address");
        let stream = TcpStream::connect(listener.local_addr()).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        tokio::spawn(serve(listener, shutdown.clone(), service.clone()));

        ask(&stream);
        service.asked.notified().await;
        shutdown.begin();
        shutdown.told().await;
        service.may_answer.notify_one();

        let client = tokio::task::spawn_blocking(move || hear(&stream));
        let heard = client.await.expect("no panic");
        let report = shutdown.report().await;
        assert_eq!((report.finished, report.cut), (1, 0), "{report:?}");
        heard
    })
}

fn ask_by_http_2(mut stream: &TcpStream) {
    stream.write_all(PREFACE).expect("sent");
    send(stream, SETTINGS, 0, 0, &[]);
    send(stream, HEADERS, WHOLE, 1, REQUEST);
}

fn was_told_and_answered((kinds, data): (Vec<u8>, Vec<u8>)) {
    assert_eq!(data, b"the answer", "{kinds:?}");
    assert!(kinds.contains(&GOAWAY), "{kinds:?}");
}

#[test]
fn a_connection_of_http_2_is_told_by_goaway_and_its_request_is_answered() {
    was_told_and_answered(ends_during_a_request(serve_by_axum, ask_by_http_2, listen));
}

#[test]
fn under_hyper_without_axum_too() {
    was_told_and_answered(ends_during_a_request(serve_by_hyper, ask_by_http_2, listen));
}

#[test]
fn under_hyper_without_axum_the_last_answer_of_http_1_arrives_and_a_fin_follows() {
    let ask = |mut stream: &TcpStream| {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").expect("sent");
    };
    let hear = |mut stream: &TcpStream| {
        let mut heard = String::new();
        stream.read_to_string(&mut heard).map(|_| heard)
    };
    let heard = ends_during_a_request(serve_by_hyper, ask, hear).expect("a FIN, no reset");
    // Whether it says `connection: close` too depends on what the connection was told first.
    assert!(heard.starts_with("HTTP/1.1 200 ") && heard.ends_with("the answer"), "{heard}");
}
