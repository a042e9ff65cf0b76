//! The server's second connection: from anywhere, but from a reserved port, and in time.

use super::scene::{OURS, SOON, Scene, hurried};
use super::server::{Caller, connect};
use lastack_lab::link::{THERE, ip};
use lastack_rsh::rcmd::Errors;
use lastack_rsh::{Cause, Ran};
use std::io::{ErrorKind, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::channel;
use std::time::Duration;

#[test]
fn it_may_come_from_another_address_of_the_server() {
    let scene = Scene::with(Errors::Acknowledged);
    scene.far.run(|_| ip("address add 10.77.0.3/24 dev in"));
    scene.server(|mut caller: Caller| {
        let port = caller.port();
        let from = SocketAddr::from((Ipv4Addr::new(10, 77, 0, 3), 1000));
        let mut errors = connect(from, SocketAddr::from((OURS, port))).expect("called back");
        let asked = caller.asked();
        caller.say(&[0]);
        errors.write_all(b"complaint").expect("sent");
        let mark = asked.command.split("echo ").last().and_then(|rest| rest.split('$').next());
        caller.say(format!("{}0\n", mark.expect("a mark")).as_bytes());
    });
    let came = scene.run("true");
    assert_eq!((came.report.result.clone(), came.text().1), (Ok(0), "complaint"), "{came:?}");
    scene.assert_nothing_is_left();
}

#[test]
fn from_a_port_that_anybody_may_have_it_is_refused_and_the_right_one_still_waited_for() {
    let scene = Scene::with(Errors::Acknowledged);
    scene.server(|caller: Caller| {
        let mut caller = caller;
        let port = caller.port();
        let from = SocketAddr::from((THERE, 40_000));
        let stranger = connect(from, SocketAddr::from((OURS, port))).expect("connected");
        let errors = caller.call_back(port);
        let asked = caller.asked();
        caller.say(&[0]);
        let mark = asked.command.split("echo ").last().and_then(|rest| rest.split('$').next());
        caller.say(format!("{}0\n", mark.expect("a mark")).as_bytes());
        drop((stranger, errors));
    });
    let came = scene.run("true");
    assert_eq!(came.report.result, Ok(0));
    assert!(came.report.notes[0].starts_with("1 call-backs came from ports outside"), "{came:?}");
    scene.assert_nothing_is_left();
}

#[test]
fn when_only_strangers_call_the_time_ends_and_nothing_ran() {
    let scene = Scene::with(Errors::Early);
    scene.server(|mut caller: Caller| {
        let port = caller.port();
        let from = SocketAddr::from((THERE, 40_000));
        let _stranger = connect(from, SocketAddr::from((OURS, port))).expect("connected");
        let _ = caller.await_end();
    });
    let short = Duration::from_millis(300);
    let came = scene.carry(hurried("true", short, SOON));
    assert_eq!((&came.failure().cause, came.failure().ran), (&Cause::TimedOut(short), Ran::No));
    assert_eq!(came.report.notes.len(), 1, "{came:?}");
}

#[test]
fn a_late_one_meets_nobody() {
    let scene = Scene::with(Errors::Acknowledged);
    let (told, port) = channel();
    scene.server(move |mut caller: Caller| {
        let port = caller.port();
        if told.send(port).is_ok() {
            let _ = caller.await_end();
        }
    });
    let came = scene.carry(hurried("true", Duration::from_millis(200), SOON));
    assert_eq!(came.failure().ran, Ran::No);
    let late = port.recv().expect("it was told a port");
    // Others are told other ports, and it calls back now.
    let mut others = Vec::new();
    for _ in 0..3 {
        let _ = scene.carry(hurried("true", Duration::from_millis(100), SOON));
        others.push(port.recv().expect("a port"));
    }
    assert!(!others.contains(&late), "{late} again: {others:?}");
    let from = SocketAddr::from((THERE, 700));
    let error = scene.far.run(move |_| connect(from, SocketAddr::from((OURS, late))));
    assert_eq!(error.expect_err("nobody").kind(), ErrorKind::ConnectionRefused);
    let standing = scene.rsh.ports().standing(SocketAddr::from((THERE, 514)));
    assert_eq!(standing.lent, 0, "{standing:?}");
}
