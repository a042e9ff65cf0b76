//! Questions asked from one network namespace about another, and connections watched for a while.

use crate::answer::{LOCAL, fresh_port, request};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Process, lastack, run};
use lastack_lab::states::{self, wait_for};
use lastack_model::state::State;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A real server in the calling thread's namespace.
fn server(port: u16) -> Process {
    let port_text = port.to_string();
    let mut command = Command::new("python3");
    command.args(["-m", "http.server", &port_text]).stdin(Stdio::null()).stdout(Stdio::null());
    let server = Process::start(&mut command);
    wait_for(port, |socket| socket.state == State::Listen);
    server
}

/// Runs in a thread with a namespace of its own, where nothing holds any port.
fn from_afar<T: Send>(ask: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let afar = scope.spawn(|| {
            Namespace::enter();
            ask()
        });
        afar.join().expect("the asking thread")
    })
}

#[test]
fn a_bind_is_judged_where_the_named_process_would_make_it() {
    Namespace::enter();
    let port = fresh_port();
    let server = server(port);
    let pid = server.pid().to_string();
    let port = port.to_string();
    let (here, there) = from_afar(|| {
        (lastack(&["why", &port, "--json"]), lastack(&["why", &port, "--pid", &pid, "--json"]))
    });
    assert_eq!((here.code, there.code), (Some(0), Some(1)), "{here:#?} {there:#?}");
    let holder = &there.json()["conflicts"][0]["holders"][0]["process"]["pid"];
    assert_eq!(holder, server.pid());
}

#[test]
fn a_bind_is_judged_in_the_named_namespace() {
    Namespace::enter();
    let port = fresh_port();
    let server = server(port);
    let name = format!("lastack-test-{}", std::process::id());
    let attached =
        run(Command::new("ip").args(["netns", "attach", &name, &server.pid().to_string()]));
    assert_eq!(attached.code, Some(0), "{attached:#?}");
    let port = port.to_string();
    let there = from_afar(|| lastack(&["why", &port, "--netns", &name, "--json"]));
    let detached = run(Command::new("ip").args(["netns", "delete", &name]));
    assert_eq!(detached.code, Some(0), "{detached:#?}");
    assert_eq!(there.json()["verdict"], "in_use", "{there:#?}");
}

#[test]
fn a_sample_counts_the_connections_that_were_made_meanwhile() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let over = AtomicBool::new(false);
    let destination = format!("127.0.0.1:{port}");
    let watched = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let client =
                    TcpStream::connect(SocketAddr::from((LOCAL, port))).expect("a connection");
                drop(client);
                drop(rustix::net::accept(&listener).expect("its other end"));
                thread::yield_now();
            }
        });
        let watched = lastack(&["why", "--connect", &destination, "--sample", "300ms", "--json"]);
        over.store(true, Ordering::Relaxed);
        watched
    });
    let answer = watched.json();
    let opened = answer["sample"]["opened"].as_u64().unwrap_or_else(|| panic!("{watched:#?}"));
    assert!(opened > 0, "{watched:#?}");
    assert_eq!(answer["sample"]["over_ms"], 300);
}
