//! The end of a listener without a successor, again and again under load, by several ways of closing it.

use crate::load::{Load, Talk};
use lastack_graceful::listener::{Method, Successor, close_draining};
use lastack_lab::handover::become_nobody;
use lastack_lab::namespace::Namespace;
use lastack_lab::states::wait_until;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::spawn;
use std::time::{Duration, Instant};

const ENDS: usize = 25;
const TALK: Talk = Talk { question: b"question", answer: b"answer", half_close: false };
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon a server that nobody asks notices that it is to end.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Close,
    AcceptThenClose,
    Drain,
}

fn answer(mut stream: TcpStream) {
    let mut question = [0; TALK.question.len()];
    // A client that was reset meanwhile tells it itself.
    let _ = stream.read_exact(&mut question).and_then(|()| stream.write_all(TALK.answer));
}

/// Serves until it is to end.
fn serve(listener: &TcpListener, is_over: &AtomicBool) {
    listener.set_nonblocking(true).expect("O_NONBLOCK");
    while !is_over.load(Relaxed) {
        let mut ready = [PollFd::new(listener, PollFlags::IN)];
        if poll(&mut ready, Some(&PAUSE)).is_ok_and(|ready| ready > 0)
            && let Ok((stream, _)) = listener.accept()
        {
            answer(stream);
        }
    }
}

fn end(listener: TcpListener, way: Way) -> Option<Method> {
    match way {
        Way::Close => drop(listener),
        Way::AcceptThenClose => {
            while let Ok((stream, _)) = listener.accept() {
                answer(stream);
            }
        }
        Way::Drain => {
            let deadline = Instant::now() + PATIENCE;
            let report = close_draining(listener, Successor::None, deadline, answer);
            let report = report.expect("a report");
            assert!(report.lost_nobody(), "{report:?}");
            return Some(report.method);
        }
    }
    None
}

/// Ends it under load; how many were answered, how many were lost, and how ours was closed.
fn losses(way: Way) -> (u64, usize, Option<Method>) {
    let (mut answered, mut lost, mut method) = (0, 0, None);
    for _ in 0..ENDS {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let to = listener.local_addr().expect("an address");
        let is_over = Arc::new(AtomicBool::new(false));
        let asked = is_over.clone();
        let server = spawn(move || {
            serve(&listener, &asked);
            end(listener, way)
        });
        let load = Load::start(TALK, to, 8);
        wait_until("many were answered", || load.answered() > 100);
        is_over.store(true, Relaxed);
        method = server.join().expect("a server that ends");
        answered += load.answered();
        lost += load.losses().len();
    }
    println!("{way:?}: {answered} answered, {lost} lost in {ENDS} ends, {method:?}");
    (answered, lost, method)
}

#[test]
fn a_plain_close_under_load_loses_clients() {
    let _namespace = Namespace::enter();
    assert!(losses(Way::Close).1 > 0, "nobody was lost");
    // How many are lost between the last look and the close is a matter of chance.
    losses(Way::AcceptThenClose);
}

#[test]
fn a_drained_listener_of_root_loses_nobody() {
    let _namespace = Namespace::enter();
    let (_, lost, method) = losses(Way::Drain);
    assert_eq!((lost, method), (0, Some(Method::SynFilter)));
}

#[test]
fn a_drained_listener_of_an_ordinary_user_loses_nobody() {
    let _namespace = Namespace::enter();
    become_nobody();
    let (_, lost, method) = losses(Way::Drain);
    assert_eq!(lost, 0);
    // A filter on a TCP socket needed no privilege before 2026.
    assert!(matches!(method, Some(Method::SynFilter | Method::TtlFloor)), "{method:?}");
}
