//! Who closes first when a server ends, and how the helpers for users' tests tell it.

use lastack_graceful::close::{ClosePolicy, abort};
use lastack_graceful::shutdown::{Orderly, Shutdown, ShutdownPlan};
use lastack_graceful::testing::{assert_closed_first, time_waits, time_waits_toward};
use lastack_lab::namespace::Namespace;
use std::io::{Read as _, Write as _};
use std::net::TcpStream as Blocking;
use std::panic::catch_unwind;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

/// Ends a server with one client, which closes when the server has.
fn end(linger: ClosePolicy, client_first: bool) -> (std::net::SocketAddr, std::net::SocketAddr) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let shutdown = Shutdown::new(ShutdownPlan::new().linger(linger));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let mut listener = Orderly::new(listener, &shutdown).expect("an address");
        let mut client = Blocking::connect(listener.local_addr()).expect("connected");
        client.write_all(b"?").expect("sent");
        let (mut stream, there) = listener.accept().await.expect("accepted").expect("a client");
        stream.read_exact(&mut [0]).await.expect("what was sent");
        let client = std::thread::spawn(move || {
            if !client_first {
                assert_eq!(client.read(&mut [0]).expect("the FIN"), 0);
            }
        });
        shutdown.begin();
        drop(stream);
        assert!(listener.accept().await.expect("an end").is_none());
        assert!(shutdown.report().await.lost_nobody());
        client.join().expect("the client ends");
        (listener.local_addr(), there)
    })
}

#[test]
fn the_server_closes_first_unless_its_policy_waits_for_the_client() {
    let _namespace = Namespace::enter();
    let (server, client) = end(ClosePolicy::server(), false);
    assert_closed_first(server, client);
    assert_eq!(time_waits(server).expect("a count"), 1);
    assert_eq!(time_waits_toward(client).expect("a count"), 1);

    let patient = ClosePolicy::server().remote_first(Duration::from_secs(10));
    let (server, client) = end(patient, true);
    assert_closed_first(client, server);
    assert_eq!(time_waits(server).expect("a count"), 0);
    assert_eq!(time_waits_toward(server).expect("a count"), 1);
}

#[test]
fn the_assertion_fails_with_what_was_there_instead() {
    let _namespace = Namespace::enter();
    let (server, client) = end(ClosePolicy::server(), false);
    let said = |panic: Box<dyn std::any::Any + Send>| *panic.downcast::<String>().expect("words");
    let wrong = catch_unwind(|| assert_closed_first(client, server)).expect_err("the server was");
    assert_eq!(said(wrong), format!("{server} closed before {client} did: it is in TIME_WAIT"));

    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let here = listener.local_addr().expect("an address");
    let peer = Blocking::connect(here).expect("connected");
    let there = peer.local_addr().expect("an address");
    abort(listener.accept().expect("accepted").0).expect("a reset");
    let wrong = catch_unwind(|| assert_closed_first(here, there)).expect_err("it was reset");
    assert!(said(wrong).starts_with("neither "), "it was reset");
}
