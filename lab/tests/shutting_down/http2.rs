//! A server of HTTP/2 that ends: its connections are told by GOAWAY, and the request that had begun is answered.

use axum::Router;
use axum::routing::get;
use lastack_graceful::shutdown::{Orderly, Shutdown, ShutdownPlan};
use lastack_lab::namespace::Namespace;
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

#[test]
fn a_connection_of_http_2_is_told_by_goaway_and_its_request_is_answered() {
    let _namespace = Namespace::enter();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let (asked, may_answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (was_asked, go_on) = (asked.clone(), may_answer.clone());
        let handler = move || {
            was_asked.notify_one();
            let go_on = go_on.clone();
            async move {
                go_on.notified().await;
                "the answer"
            }
        };
        let app = Router::new().route("/", get(handler));
        let shutdown = Shutdown::new(ShutdownPlan::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let listener = Orderly::new(listener, &shutdown).expect("an address");
        let mut stream = TcpStream::connect(listener.local_addr()).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let server = axum::serve(listener, app).with_graceful_shutdown(shutdown.told());
        tokio::spawn(server.into_future());

        stream.write_all(PREFACE).expect("sent");
        send(&stream, SETTINGS, 0, 0, &[]);
        send(&stream, HEADERS, WHOLE, 1, REQUEST);
        asked.notified().await;
        shutdown.begin();
        shutdown.told().await;
        may_answer.notify_one();

        let client = tokio::task::spawn_blocking(move || listen(&stream));
        let (kinds, data) = client.await.expect("no panic");
        assert_eq!(data, b"the answer", "{kinds:?}");
        assert!(kinds.contains(&GOAWAY), "{kinds:?}");
        let report = shutdown.report().await;
        assert_eq!((report.finished, report.cut), (1, 0), "{report:?}");
    });
}
