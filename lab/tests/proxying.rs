//! Who closes first decides how many connections a proxy can make: 50,000 to one upstream over a wire, from a range of
//! 500 ports. The proxy that passes a client's end on at once runs out of them; the example that lets its upstream close
//! first does not.

#[path = "../../crates/graceful/examples/proxy.rs"]
#[expect(dead_code, reason = "its main is for those who run it")]
mod proxy;

use lastack_graceful::close::abort;
use lastack_lab::link::{HERE, OtherHost, THERE};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{self, Process};
use lastack_lab::states::wait_until;
use std::cell::Cell;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::thread::{JoinHandle, spawn};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

const CONNECTIONS: u32 = 50_000;
const PORTS: &str = "30000 30499";
/// Fewer than there are ports, so that none is wanted while it is in use.
const CLIENTS: usize = 300;
/// How long the upstream waits for another question before it closes. Who is in a hurry closes before that.
const KEPT_ALIVE: Duration = Duration::from_millis(100);

/// What a play came to.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    answered: u32,
    unanswered: u32,
}

/// The proxy's host, and the one that clients and upstream live on.
struct Hosts {
    _here: Namespace,
    there: OtherHost,
    upstream: SocketAddr,
}

impl Hosts {
    fn set_up() -> Self {
        let here = Namespace::enter();
        let there = OtherHost::joined_to(&here);
        here.set("ipv4/ip_local_port_range", PORTS);
        let upstream = there.run(|namespace| {
            // Clients that close first keep a port each, which here must be no matter, nor long to search.
            namespace.set("ipv4/ip_local_port_range", "1024 65535");
            namespace.set("ipv4/tcp_tw_reuse", "1");
            let (ready, address) = channel();
            spawn(move || {
                alone(async {
                    let listener = TcpListener::bind((THERE, 80)).await.expect("an upstream");
                    ready.send(listener.local_addr().expect("its address")).expect("a listener");
                    while let Ok((stream, _)) = listener.accept().await {
                        spawn_local(answer(stream));
                    }
                });
            });
            address.recv().expect("an upstream")
        });
        Self { _here: here, there, upstream }
    }

    /// Clients ask through this proxy, which runs until they are done.
    fn play<F: Future<Output = ()> + 'static>(
        &self,
        proxy: impl FnOnce(TcpListener, SocketAddr) -> F,
    ) -> Outcome {
        let (answered, unanswered) = alone(async {
            let listener = TcpListener::bind((HERE, 8080)).await.expect("a listener");
            let to = listener.local_addr().expect("its address");
            let running = spawn_local(proxy(listener, self.upstream));
            let clients = self.there.run(move |_| start_clients(to));
            let counts = tokio::task::spawn_blocking(|| clients.join().expect("they end"));
            let counts = counts.await.expect("the clients end");
            running.abort();
            counts
        });
        Outcome { answered, unanswered }
    }
}

/// Runs on a runtime in the calling thread, and so on its host.
fn alone<T>(act: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, act)
}

/// A server that closes a connection on which nothing more is asked.
async fn answer(mut stream: TcpStream) {
    let mut question = [0; 8];
    if stream.read_exact(&mut question).await.is_ok() && stream.write_all(b"answer").await.is_ok() {
        let _ = timeout(KEPT_ALIVE, stream.read(&mut question)).await;
    }
}

/// How many were answered, and how many not.
fn start_clients(to: SocketAddr) -> JoinHandle<(u32, u32)> {
    spawn(move || {
        alone(async {
            let left = Rc::new(Cell::new(CONNECTIONS));
            let client = |left: Rc<Cell<u32>>| async move {
                let mut answered = 0;
                let mut unanswered = 0;
                while let Some(fewer) = left.get().checked_sub(1) {
                    left.set(fewer);
                    match ask(to).await {
                        Ok(()) => answered += 1,
                        Err(_) => unanswered += 1,
                    }
                }
                (answered, unanswered)
            };
            let clients: Vec<_> = (0..CLIENTS).map(|_| spawn_local(client(left.clone()))).collect();
            let mut total = (0, 0);
            for client in clients {
                let (answered, unanswered) = client.await.expect("a client that ends");
                total = (total.0 + answered, total.1 + unanswered);
            }
            total
        })
    })
}

/// Knows how long the answer is, says that it is done when it has it, and waits for the end: so there are never more
/// connections than clients.
async fn ask(to: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(b"question").await?;
    let mut answer = [0; 6];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await??;
    stream.shutdown().await?;
    timeout(PATIENCE, stream.read(&mut answer)).await?.map(drop)
}

/// What is often written: the end of one side is the end of the other.
async fn naive(listener: TcpListener, upstream: SocketAddr, out_of_ports: Rc<Cell<u32>>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let out_of_ports = out_of_ports.clone();
        spawn_local(async move {
            match TcpStream::connect(upstream).await {
                Ok(mut upstream) => {
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
                }
                Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
                    out_of_ports.set(out_of_ports.get() + 1);
                }
                Err(error) => panic!("neither a connection nor EADDRNOTAVAIL: {error}"),
            }
        });
    }
}

#[test]
fn a_proxy_that_closes_first_runs_out_of_ports() {
    let hosts = Hosts::set_up();
    let out_of_ports = Rc::new(Cell::new(0));
    let counter = out_of_ports.clone();
    let outcome = hosts.play(|listener, upstream| naive(listener, upstream, counter));
    // Within the minute that a TIME_WAIT lasts every port can be used once.
    assert!(out_of_ports.get() > CONNECTIONS / 2, "{outcome:?}");
    assert_eq!(outcome.unanswered, out_of_ports.get(), "{outcome:?}");
    println!("by the naive proxy: {outcome:?}");
}

#[test]
fn the_example_lets_its_upstream_close_first_and_makes_every_connection() {
    let hosts = Hosts::set_up();
    let outcome = hosts.play(|listener, upstream| async move {
        proxy::serve(listener, upstream).await.expect("a proxy that goes on");
    });
    assert_eq!((outcome.answered, outcome.unanswered), (CONNECTIONS, 0), "{outcome:?}");
    println!("by the example: {outcome:?}");
}

#[test]
fn as_a_program_the_example_passes_questions_on_and_says_how_it_is_called() {
    let hosts = Hosts::set_up();
    let built = program::path().with_file_name("examples").join("proxy");
    for wrong in [&[][..], &["8080"], &["http", "10.0.0.2:80"], &["8080", "upstream"]] {
        assert_eq!(program::run(Command::new(&built).args(wrong)).code, Some(2), "{wrong:?}");
    }
    let upstream = hosts.upstream.to_string();
    let _proxy = Process::start(Command::new(&built).args(["8080", &upstream]));
    let to = SocketAddr::from((HERE, 8080));
    let listens = move |_: &Namespace| std::net::TcpStream::connect(to).is_ok();
    wait_until("it listens", || hosts.there.run(listens));
    hosts.there.run(move |_| alone(ask(to))).expect("an answer");
}

#[test]
fn what_breaks_at_the_upstream_breaks_at_the_client_and_looks_like_no_end() {
    let _here = Namespace::enter();
    alone(async {
        let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("an upstream");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a listener");
        let to = listener.local_addr().expect("its address");
        let running =
            spawn_local(proxy::serve(listener, upstream.local_addr().expect("its address")));
        let mut client = TcpStream::connect(to).await.expect("connected");
        let (mut answering, _) = upstream.accept().await.expect("the proxy comes");
        answering.write_all(b"half of").await.expect("sent");
        let mut half = [0; 7];
        client.read_exact(&mut half).await.expect("half of it");
        abort(answering.into_std().expect("a stream")).expect("a reset");
        let end = timeout(PATIENCE, client.read(&mut half)).await.expect("an end");
        assert_eq!(end.expect_err("no proper end").kind(), ErrorKind::ConnectionReset);
        running.abort();
    });
}

const PATIENCE: Duration = Duration::from_secs(30);
