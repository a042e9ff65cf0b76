//! Under tokio: the same listeners, and other tasks go on while one waits for a port.

use crate::scene::LOCAL;
use ::tokio::net::{TcpListener, TcpStream};
use ::tokio::runtime::Builder;
use lastack_graceful::bind::{Bind, Reason, tokio as bind};
use lastack_lab::namespace::Namespace;
use std::time::{Duration, Instant};

#[test]
fn a_task_waits_for_a_port_while_another_serves_and_lets_it_go() {
    let _namespace = Namespace::enter();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let old = TcpListener::bind(LOCAL).await.expect("the old server");
        let wanted = Bind::to(LOCAL).until(Instant::now() + Duration::from_secs(20));
        let new = ::tokio::spawn(async move { bind::listen(&wanted).await });
        // One more client is served while the new server waits.
        let client = ::tokio::spawn(TcpStream::connect(LOCAL));
        let served = old.accept().await.expect("a connection");
        client.await.expect("the task ends").expect("connected");
        assert!(!new.is_finished());
        drop((served, old));
        let new = new.await.expect("the task ends").expect("bound");
        let client = ::tokio::spawn(TcpStream::connect(LOCAL));
        new.accept().await.expect("a connection");
        client.await.expect("the task ends").expect("connected");
    });
}

#[test]
fn the_error_under_tokio_is_the_same() {
    let _namespace = Namespace::enter();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let _old = TcpListener::bind(LOCAL).await.expect("the old server");
        let error = bind::listen(&Bind::to(LOCAL)).await.expect_err("in use");
        assert_eq!(error.reason(), Reason::AddressInUse);
        assert!(error.to_string().ends_with("listens on 127.0.0.1:8080"), "{error}");
    });
}
