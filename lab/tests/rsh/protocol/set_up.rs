//! What can go wrong before the command runs: each is told for what it is, in time, and nothing is left.

use super::scene::{SOON, Scene, assert_took, hurried, task};
use super::server::Caller;
use lastack_rsh::rcmd::Errors;
use lastack_rsh::{Cause, Ran, Signal, Stage, Task};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(300);

#[test]
fn nobody_there_a_cut_wire_and_silence_are_told_apart_and_may_be_tried_again() {
    let scene = Scene::with(Errors::Acknowledged);
    let refused = scene.run("true");
    let failure = refused.failure();
    assert_eq!((failure.stage, failure.ran), (Stage::Connect, Ran::No));
    assert!(failure.to_string().contains("nobody listens there"), "{failure}");
    scene.far.fall_silent();
    let silent = scene.carry(hurried("true", SHORT, SOON));
    assert_eq!(silent.failure().cause, Cause::TimedOut(SHORT));
    assert_eq!((silent.failure().stage, silent.failure().ran), (Stage::Connect, Ran::No));
    assert_took(&silent.report, SHORT);
}

#[test]
fn a_server_that_says_no_is_quoted() {
    for errors in [Errors::Merged, Errors::Acknowledged] {
        let scene = Scene::with(errors);
        scene.server(|mut caller: Caller| {
            let (_errors, asked) = caller.take();
            assert_eq!((&*asked.local_user, &*asked.remote_user), ("joe", "ann"));
            caller.say(b"\x01Permission \x1b[1mdenied.\nbye\n");
        });
        let came = scene.carry(Task { user: Some("ann".into()), ..task("true") });
        let failure = came.failure();
        assert_eq!(failure.cause, Cause::Refused("Permission \\u{1b}[1mdenied.".into()));
        assert_eq!((failure.stage, failure.ran), (Stage::SetUp, Ran::No));
        scene.assert_nothing_is_left();
    }
}

#[test]
fn a_server_of_something_else_is_shown_as_such() {
    let scene = Scene::with(Errors::Acknowledged);
    scene.server(|mut caller: Caller| {
        caller.say(b"SSH-2.0-OpenSSH_9.2\r\n");
        let _ = caller.await_end();
    });
    let came = scene.run("true");
    assert_eq!(came.failure().cause, Cause::NotTheProtocol("SSH-2.0-OpenSSH_9.2".into()));
    scene.assert_nothing_is_left();
}

#[test]
fn a_server_that_closes_at_once_or_instead_of_calling_back_has_run_nothing() {
    let scene = Scene::with(Errors::Acknowledged);
    scene.server(|mut caller: Caller| {
        caller.port();
    });
    let came = scene.run("true");
    assert_eq!((&came.failure().cause, came.failure().ran), (&Cause::Closed, Ran::No));
    assert!(came.report.notes[0].contains("reserved ports are probably spent"), "{came:?}");
    scene.assert_nothing_is_left();

    let scene = Scene::with(Errors::Acknowledged);
    scene.server(drop);
    let came = scene.run("true");
    assert!(matches!(came.failure().cause, Cause::Closed | Cause::Reset), "{came:?}");
    assert_eq!(came.failure().ran, Ran::No);
    scene.assert_nothing_is_left();
}

#[test]
fn a_server_that_hangs_before_its_answer_meets_the_deadline() {
    for errors in [Errors::Merged, Errors::Early, Errors::Acknowledged] {
        let scene = Scene::with(errors);
        scene.server(|mut caller: Caller| {
            let (_errors, _) = caller.take();
            let _ = caller.await_end();
        });
        let came = scene.carry(hurried("true", SHORT, SOON));
        assert_eq!(came.failure().cause, Cause::TimedOut(SHORT), "{errors:?}");
        // It has the whole request: it may have run it.
        assert_eq!((came.failure().stage, came.failure().ran), (Stage::SetUp, Ran::Perhaps));
        assert_took(&came.report, SHORT);
        scene.assert_nothing_is_left();
    }
}

#[test]
fn a_server_that_hangs_in_its_excuse_is_quoted_as_far_as_it_got() {
    let scene = Scene::with(Errors::Merged);
    scene.server(|mut caller: Caller| {
        caller.take();
        caller.say(b"\x01I am so");
        let _ = caller.await_end();
    });
    let came = scene.carry(hurried("true", SHORT, SOON));
    assert_eq!(came.failure().cause, Cause::Refused("I am so".into()));
    scene.assert_nothing_is_left();
}

#[test]
fn a_reset_before_the_answer_is_a_reset() {
    let scene = Scene::with(Errors::Merged);
    scene.server(|mut caller: Caller| {
        caller.take();
        caller.reset();
    });
    let came = scene.run("true");
    assert_eq!((&came.failure().cause, came.failure().ran), (&Cause::Reset, Ran::Perhaps));
    scene.assert_nothing_is_left();
}

#[test]
fn being_stopped_ends_a_set_up_at_once() {
    let scene = Scene::with(Errors::Acknowledged);
    let (told, connected) = tokio::sync::oneshot::channel();
    let told = std::sync::Arc::new(std::sync::Mutex::new(Some(told)));
    scene.server(move |mut caller: Caller| {
        caller.port();
        let told = told.lock().expect("one client").take();
        told.expect("one client").send(()).expect("the test listens");
        let _ = caller.await_end();
    });
    let came = scene.carry_until(task("true"), async |_| {
        connected.await.expect("it has connected");
        Signal::Interrupt
    });
    assert_eq!(came.failure().cause, Cause::Stopped(Signal::Interrupt));
    assert_eq!((came.failure().stage, came.failure().ran), (Stage::SetUp, Ran::No));
    assert!(came.report.elapsed < SOON);
}

#[test]
fn what_no_server_would_understand_is_not_sent() {
    let scene = Scene::with(Errors::Acknowledged);
    for (command, user) in [("a\0b", "joe"), ("true", "seventeen-letters"), ("true", "")] {
        let came = scene.carry(Task { user: Some(user.into()), ..task(command) });
        assert_eq!((came.failure().stage, came.failure().ran), (Stage::SetUp, Ran::No));
    }
    assert_eq!(scene.rsh.ports().counts().connected, 0);
}
