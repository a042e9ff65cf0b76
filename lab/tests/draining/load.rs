//! Hand-overs under load: clients come without a pause while one listener follows another, and none may fail.

use crate::scene::{QUESTION, SERVER, answer, of_group, ordinary_user, outcome};
use lastack_graceful::listener::{Method, Successor, close_draining, stop_steering};
use lastack_lab::states::wait_until;
use lastack_os::connection;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A listener with a thread that accepts and answers.
struct Server {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<TcpListener>,
}

impl Server {
    fn start(listener: TcpListener, answered: &Arc<AtomicU64>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (asked, answered) = (stop.clone(), answered.clone());
        let thread = thread::spawn(move || {
            listener.set_nonblocking(true).expect("O_NONBLOCK");
            while !asked.load(Relaxed) {
                if is_ready(&listener)
                    && let Ok((stream, _)) = listener.accept()
                {
                    answer(stream);
                    answered.fetch_add(1, Relaxed);
                }
            }
            listener
        });
        Self { stop, thread }
    }

    fn stop(self) -> TcpListener {
        self.stop.store(true, Relaxed);
        self.thread.join().expect("a server that answered everybody")
    }
}

/// Looks up from waiting now and then, to see whether it is to stop.
fn is_ready(listener: &TcpListener) -> bool {
    let pause = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
    poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&pause)).is_ok_and(|ready| ready > 0)
}

/// One request on a connection of its own. The client resets in the end, so that no `TIME_WAIT` uses up its ports.
fn request() -> io::Result<bool> {
    let client = TcpStream::connect_timeout(&SERVER, Duration::from_secs(10))?;
    connection::reset_on_close(&client)?;
    (&client).write_all(QUESTION)?;
    outcome(client).map(|heard| heard.is_ok())
}

/// Hands the address over again and again while clients come; how many requests failed.
fn failed_of(successor: Successor, method: Method) -> u64 {
    let (asked, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let answered = Arc::new(AtomicU64::new(0));
    let mut server = Server::start(of_group(), &answered);
    let clients: Vec<JoinHandle<()>> = (0..CLIENTS)
        .map(|_| {
            let (asked, failed) = (asked.clone(), failed.clone());
            thread::spawn(move || {
                while asked.fetch_add(1, Relaxed) < REQUESTS {
                    let is_well = request().unwrap_or(false);
                    failed.fetch_add(u64::from(!is_well), Relaxed);
                }
            })
        })
        .collect();
    for number in 1..=HAND_OVERS {
        wait_until("enough was answered for another hand-over", || {
            answered.load(Relaxed) >= number * (REQUESTS / (HAND_OVERS + 1))
        });
        server = hand_over(server, successor, method, &answered);
    }
    for client in clients {
        client.join().expect("a client that ends");
    }
    drop(server.stop());
    assert_eq!(answered.load(Relaxed) + failed.load(Relaxed), REQUESTS);
    failed.load(Relaxed)
}

fn hand_over(
    server: Server,
    successor: Successor,
    method: Method,
    answered: &Arc<AtomicU64>,
) -> Server {
    let (old, new) = if successor == Successor::SharedSocket {
        let old = server.stop();
        let new = old.try_clone().expect("a second descriptor");
        (old, Server::start(new, answered))
    } else {
        let new = Server::start(of_group(), answered);
        (server.stop(), new)
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    let report = close_draining(old, successor, deadline, |stream| {
        answer(stream);
        answered.fetch_add(1, Relaxed);
    })
    .expect("a report");
    assert!(report.method == method && report.lost_nobody(), "{report:?}");
    if method == Method::Steered {
        let new = new.stop();
        stop_steering(&new).expect("the group's rule is dropped");
        return Server::start(new, answered);
    }
    new
}

#[test]
fn no_request_fails_while_an_ordinary_user_steers_from_listener_to_listener() {
    ordinary_user("0");
    assert_eq!(failed_of(Successor::SameGroup { index: 1 }, Method::Steered), 0);
}

#[test]
fn no_request_fails_while_an_ordinary_user_passes_one_socket_on() {
    ordinary_user("0");
    assert_eq!(failed_of(Successor::SharedSocket, Method::Shared), 0);
}

const CLIENTS: usize = 8;
const HAND_OVERS: u64 = 40;
const REQUESTS: u64 = 20_000;
