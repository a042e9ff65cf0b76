//! Bodies dropped at every point: what is read on, how far, and what is left alone.

use super::*;
use ::hyper::body::Bytes;
use ::tokio::runtime::{Builder, Runtime};
use ::tokio::sync::mpsc::{Receiver, Sender, channel};
use std::io;

/// A body from a channel, that of pieces or of errors.
#[derive(Debug)]
struct Pieces {
    from: Receiver<io::Result<Bytes>>,
    is_over: bool,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = self.from.poll_recv(context);
        self.is_over = matches!(piece, Poll::Ready(None));
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A request, and where the client puts the pieces of its body.
fn request(head: &[(&str, &str)]) -> (Sender<io::Result<Bytes>>, Request<Pieces>) {
    let (client, from) = channel(1);
    let mut request = Request::new(Pieces { from, is_over: false });
    for (name, value) in head {
        let name = header::HeaderName::from_bytes(name.as_bytes()).expect("a name");
        request.headers_mut().insert(name, value.parse().expect("a value"));
    }
    (client, request)
}

/// How many of these pieces are taken before nobody reads any more.
async fn taken(client: &Sender<io::Result<Bytes>>, pieces: usize) -> usize {
    for taken in 0..pieces {
        if client.send(Ok(Bytes::from_static(&[0; 100]))).await.is_err() {
            return taken;
        }
    }
    pieces
}

#[test]
fn what_a_handler_leaves_unread_is_read_on_to_the_end() {
    runtime().block_on(async {
        let (client, request) = request(&[]);
        drop(DiscardUnread::new().request(request));
        assert_eq!(taken(&client, 1000).await, 1000);
        drop(client);
    });
}

#[test]
fn a_body_read_half_way_is_read_on_too() {
    runtime().block_on(async {
        let (client, request) = request(&[]);
        let mut body = DiscardUnread::new().request(request).into_body();
        assert_eq!(taken(&client, 1).await, 1);
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let data = frame.expect("a frame").expect("no error").into_data().expect("data");
        assert_eq!(data.len(), 100);
        drop(body);
        assert_eq!(taken(&client, 1000).await, 1000);
    });
}

#[test]
fn no_more_is_read_than_the_limit_and_one_piece() {
    runtime().block_on(async {
        let (client, request) = request(&[]);
        drop(DiscardUnread::new().limit(1000).request(request));
        // Ten, the one that is too many, and at most one more that waits in the channel.
        let taken = taken(&client, 1000).await;
        assert!((11..=12).contains(&taken), "{taken}");
        client.closed().await;
    });
}

#[test]
fn silence_and_time_are_bounded() {
    let short = Duration::from_millis(20);
    for bounds in [DiscardUnread::new().idle(short), DiscardUnread::new().within(short)] {
        runtime().block_on(async {
            let began = Instant::now();
            let (client, request) = request(&[]);
            drop(bounds.request(request));
            client.closed().await;
            assert!(began.elapsed() >= short && began.elapsed() < bounds.idle.max(bounds.total));
        });
    }
}

#[test]
fn a_client_that_trickles_ends_with_the_total_and_not_with_the_silence() {
    runtime().block_on(async {
        let bounds = DiscardUnread::new().within(Duration::from_millis(200));
        let (client, request) = request(&[]);
        drop(bounds.request(request));
        let began = Instant::now();
        while client.send(Ok(Bytes::from_static(b"x"))).await.is_ok() {
            ::tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(began.elapsed() < bounds.idle, "{:?}", began.elapsed());
    });
}

#[test]
fn a_client_that_never_lets_up_ends_with_the_total_too() {
    runtime().block_on(async {
        let bounds = DiscardUnread::new().limit(u64::MAX).within(Duration::from_millis(200));
        let (client, request) = request(&[]);
        drop(bounds.request(request));
        let began = Instant::now();
        while client.send(Ok(Bytes::from_static(b"x"))).await.is_ok() {
            assert!(began.elapsed() < bounds.idle, "{:?}", began.elapsed());
        }
    });
}

#[test]
fn an_expectation_that_is_too_old_to_be_heeded_is_none() {
    runtime().block_on(async {
        let (client, mut request) = request(&[("expect", "100-continue")]);
        *request.version_mut() = Version::HTTP_10;
        drop(DiscardUnread::new().request(request));
        assert_eq!(taken(&client, 10).await, 10);
    });
}

#[test]
fn an_error_ends_it() {
    runtime().block_on(async {
        let (client, request) = request(&[]);
        drop(DiscardUnread::new().request(request));
        client.send(Err(io::ErrorKind::ConnectionReset.into())).await.expect("taken");
        client.closed().await;
    });
}

#[test]
fn a_client_that_asks_whether_to_send_is_not_asked_to_by_reading_on() {
    let expects = [("expect", "100-continue")];
    runtime().block_on(async {
        let (client, asks) = request(&expects);
        drop(DiscardUnread::new().request(asks));
        assert!(client.is_closed());

        // The handler has asked for it.
        let (client, asks) = request(&expects);
        let mut body = DiscardUnread::new().request(asks).into_body();
        let once =
            poll_fn(|context| Poll::Ready(Pin::new(&mut body).poll_frame(context).is_pending()));
        assert!(once.await);
        drop(body);
        assert_eq!(taken(&client, 10).await, 10);
    });
}

#[test]
fn http_2_is_left_alone() {
    runtime().block_on(async {
        let (client, mut second) = request(&[]);
        *second.version_mut() = Version::HTTP_2;
        drop(DiscardUnread::new().request(second));
        assert!(client.is_closed());
    });
}

#[test]
fn a_body_that_is_over_costs_no_task() {
    let runtime = runtime();
    runtime.block_on(async {
        let (client, request) = request(&[]);
        let mut body = DiscardUnread::new().request(request).into_body();
        drop(client);
        assert!(!body.is_end_stream());
        assert!(poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await.is_none());
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
        assert!(poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await.is_none());
        drop(body);
    });
    assert_eq!(runtime.metrics().num_alive_tasks(), 0);
}

#[test]
fn without_a_runtime_a_body_is_just_dropped() {
    let (client, request) = request(&[]);
    drop(DiscardUnread::new().request(request));
    assert!(client.is_closed());
}
