//! Under tokio: the same listeners, and other tasks go on while one waits for a port.

use crate::retry::thread_time;
use crate::scene::{LOCAL, LOCAL_V6, python_server};
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
fn a_server_of_another_process_that_goes_is_followed_while_tasks_go_on() {
    let _namespace = Namespace::enter();
    let server = python_server(LOCAL);
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let wanted = Bind::to(LOCAL).until(Instant::now() + Duration::from_secs(20));
        let new = ::tokio::spawn(async move { bind::listen(&wanted).await });
        ::tokio::time::sleep(Duration::from_millis(600)).await;
        assert!(!new.is_finished());
        let began = Instant::now();
        drop(server);
        new.await.expect("the task ends").expect("bound");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    });
}

#[test]
fn attempts_in_vain_leave_the_runtime_to_others() {
    let _namespace = Namespace::enter();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let _taken = TcpListener::bind(LOCAL_V6).await.expect("taken");
        let (began, before) = (Instant::now(), thread_time());
        let wanted = Bind::to(LOCAL).and(LOCAL_V6).until(began + Duration::from_millis(1200));
        assert!(bind::listen_all(&wanted).await.is_err());
        let used = thread_time().saturating_sub(before);
        assert!(used < began.elapsed() / 2, "{used:?} of {:?}", began.elapsed());
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
