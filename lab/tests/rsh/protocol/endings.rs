//! Ends that are not the command's: deadlines, signals, resets, servers that vanish or never close.

use super::scene::{SOON, Scene, assert_took, hurried, task};
use super::server::{Asked, Caller};
use lastack_model::truth::Truth;
use lastack_rsh::rcmd::Errors;
use lastack_rsh::{Carrier as _, Cause, Limits, Output, Ran, Signal, Stdin, Stop, Task};
use std::io::{ErrorKind, Read as _, Write as _};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

const SHORT: Duration = Duration::from_millis(300);
const UNKNOWN: Ran = Ran::Yes { ended: Truth::Unknown };

/// The line that ends the command's output.
fn mark(asked: &Asked, status: u8) -> String {
    let mark = asked.command.split("echo ").last().and_then(|rest| rest.split('$').next());
    format!("{}{status}\n", mark.expect("a mark"))
}

#[test]
fn at_the_deadline_the_command_is_told_to_end_and_does() {
    let scene = Scene::with(Errors::Acknowledged);
    scene.server(Caller::serve);
    let came = scene.carry(hurried("echo begun; sleep 100", SOON, SHORT));
    let failure = came.failure();
    assert_eq!((&failure.cause, came.text().0), (&Cause::TimedOut(SHORT), "begun\n"));
    assert_eq!(failure.ran, Ran::Yes { ended: Truth::Yes }, "{came:?}");
    assert_took(&came.report, SHORT);
    scene.assert_nothing_is_left();
}

#[test]
fn a_command_that_will_not_hear_is_killed() {
    let scene = Scene::with(Errors::Acknowledged);
    scene.server(Caller::serve);
    let deaf = "trap '' TERM; while :; do sleep 100; done";
    let came = scene.carry(hurried(deaf, SOON, SHORT));
    assert_eq!(came.failure().ran, Ran::Yes { ended: Truth::Yes }, "{came:?}");
    assert_took(&came.report, SHORT + Duration::from_millis(500));
    scene.assert_nothing_is_left();
}

#[test]
fn a_server_that_will_not_hear_gets_both_signals_and_a_reset() {
    let scene = Scene::with(Errors::Acknowledged);
    let (told, heard) = channel();
    scene.server(move |mut caller: Caller| {
        let (errors, _) = caller.take();
        caller.say(&[0]);
        let mut signals = Vec::new();
        let _ = errors.expect("a second connection").read_to_end(&mut signals);
        let end = caller.await_end().map_err(|error| error.kind());
        told.send((signals, end)).expect("the test listens");
    });
    let came = scene.carry(hurried("true", SOON, SHORT));
    assert_eq!((&came.failure().cause, came.failure().ran), (&Cause::TimedOut(SHORT), UNKNOWN));
    assert_took(&came.report, SHORT + Duration::from_secs(1));
    let (signals, end) = heard.recv().expect("what the server saw");
    assert_eq!((&signals[..], end), (&[15, 9][..], Err(ErrorKind::ConnectionReset)));
    scene.assert_nothing_is_left();
}

#[test]
fn without_a_way_for_signals_the_deadline_is_a_reset_and_says_what_it_cannot_know() {
    for errors in [Errors::Merged, Errors::Early] {
        let scene = Scene::with(errors);
        let (told, heard) = channel();
        scene.server(move |mut caller: Caller| {
            let (_errors, _) = caller.take();
            caller.say(b"\0beginning");
            told.send(caller.await_end().map_err(|error| error.kind())).expect("the test listens");
        });
        let came = scene.carry(hurried("true", SOON, SHORT));
        assert_eq!((came.failure().ran, came.text().0), (UNKNOWN, "beginning"), "{came:?}");
        assert!(came.report.notes[0].starts_with("no signal could be sent"), "{came:?}");
        assert_took(&came.report, SHORT);
        assert_eq!(heard.recv(), Ok(Err(ErrorKind::ConnectionReset)));
        scene.assert_nothing_is_left();
    }
}

#[test]
fn being_stopped_forwards_the_signal() {
    let scene = Scene::with(Errors::Acknowledged);
    scene.server(Caller::serve);
    let trap = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done";
    let came = scene.carry_until(task(trap), async |mut news| {
        news.recv().await.expect("it is ready");
        Signal::Interrupt
    });
    assert_eq!(came.failure().cause, Cause::Stopped(Signal::Interrupt));
    assert_eq!(came.failure().ran, Ran::Yes { ended: Truth::Yes }, "{came:?}");
    assert_eq!(came.text().0, "ready\ncaught\n");
    assert!(came.report.elapsed < SOON);
    scene.assert_nothing_is_left();
}

#[test]
fn being_stopped_does_not_wait_for_who_reads_nothing() {
    let scene = Scene::with(Errors::Merged);
    scene.server(move |mut caller: Caller| {
        let (_errors, _) = caller.take();
        caller.say(&[0]);
        while caller.main.write(&[b'x'; 4096]).is_ok() {}
    });
    let (queue, pieces) = mpsc::channel(1);
    let (puller, stop) = Stop::new();
    let task = Task { limits: Limits { grace: SHORT, ..Limits::default() }, ..task("true") };
    let running = scene.rsh.run(task, Output::new(0, queue), stop);
    let report = scene.runtime.block_on(async {
        let stopping = async {
            tokio::time::sleep(SHORT).await;
            puller.send(Some(Signal::Terminate)).expect("it runs");
        };
        tokio::join!(running, stopping).0
    });
    drop(pieces);
    assert_took(&report, SHORT * 2);
    assert!(report.notes.iter().any(|note| note.contains("nobody took it")), "{report:?}");
    scene.assert_nothing_is_left();
}

#[test]
fn what_is_left_behind_holds_the_connection_to_the_deadline_and_the_status_stands() {
    let scene = Scene::with(Errors::Acknowledged);
    scene.server(Caller::serve);
    let came = scene.carry(hurried("sleep 3 & exit 4", SOON, SHORT));
    assert_eq!(came.report.result, Ok(4));
    assert!(came.report.notes[0].contains("left behind held the connection"), "{came:?}");
    assert_took(&came.report, SHORT);
    scene.assert_nothing_is_left();
    // Given time, it is waited for, and what it says comes too.
    let came = scene.run("(sleep 0.3; echo late) & echo early");
    assert_eq!((came.report.result.clone(), came.text().0), (Ok(0), "early\nlate\n"), "{came:?}");
    scene.assert_nothing_is_left();
}

#[test]
fn a_server_that_never_closes_meets_the_deadline() {
    for errors in [Errors::Merged, Errors::Early, Errors::Acknowledged] {
        let scene = Scene::with(errors);
        scene.server(|mut caller: Caller| {
            let (_errors, asked) = caller.take();
            caller.say(&[0]);
            caller.say(mark(&asked, 2).as_bytes());
            let _ = caller.await_end();
        });
        let came = scene.carry(hurried("true", SOON, SHORT));
        assert_eq!((&came.report.result, came.report.notes.len()), (&Ok(2), 1), "{came:?}");
        assert_took(&came.report, SHORT);
        scene.assert_nothing_is_left();
    }
}

#[test]
fn a_reset_in_the_midst_of_output_is_told_and_costs_no_port() {
    for errors in [Errors::Merged, Errors::Early, Errors::Acknowledged] {
        let scene = Scene::with(errors);
        scene.server(|mut caller: Caller| {
            let (_errors, _) = caller.take();
            caller.say(b"\0begin");
            // It has been read when the client answers with nothing more to say, so the reset overtakes nothing.
            lastack_lab::states::wait_until("it is acknowledged", || {
                lastack_os::connection::unacknowledged(&caller.main).is_ok_and(|left| left == 0)
            });
            caller.reset();
        });
        let came = scene.run("true");
        assert_eq!((&came.failure().cause, came.failure().ran), (&Cause::Reset, UNKNOWN));
        assert!(came.report.elapsed < SOON);
        scene.assert_nothing_is_left();
    }
}

#[test]
fn a_server_that_vanishes_in_mid_command_is_noticed_without_a_deadline() {
    for errors in [Errors::Merged, Errors::Early, Errors::Acknowledged] {
        let silence = Duration::from_secs(3);
        let scene = Scene::set_up(|options| {
            options.errors = errors;
            options.silence = silence;
        });
        let (told, begun) = channel();
        scene.server(move |mut caller: Caller| {
            let (_errors, _) = caller.take();
            caller.say(b"\0begin");
            told.send(()).expect("the test listens");
            let _ = caller.await_end();
        });
        let limits = Limits { command: None, ..task("").limits };
        let came = scene.carry_until(Task { limits, ..task("true") }, async |mut news| {
            news.recv().await.expect("it has begun");
            begun.recv().expect("it has begun");
            scene.far.fall_silent();
            std::future::pending().await
        });
        let failure = came.failure();
        assert_eq!(failure.ran, UNKNOWN, "{came:?}");
        assert!(failure.to_string().contains("no sign of life for 3 s"), "{failure}");
        assert!(came.report.elapsed < silence * 2 + super::scene::LATE, "{came:?}");
        scene.assert_nothing_is_left();
    }
}

#[test]
fn a_command_that_does_not_read_its_input_is_not_taken_for_gone() {
    for errors in [Errors::Merged, Errors::Acknowledged] {
        let scene = Scene::set_up(|options| {
            options.errors = errors;
            options.silence = Duration::from_secs(1);
        });
        scene.server(Caller::serve);
        let stdin = Stdin::Octets(vec![b'x'; 16 << 20].into());
        let came = scene.carry(Task { stdin, ..task("sleep 4; wc -c") });
        let counted = (came.report.result.clone(), came.text().0.trim());
        assert_eq!(counted, (Ok(0), "16777216"), "{came:?}");
        scene.assert_nothing_is_left();
    }
}

#[test]
fn a_server_that_vanishes_with_input_under_way_is_noticed() {
    for errors in [Errors::Merged, Errors::Acknowledged] {
        let scene = Scene::set_up(|options| {
            options.errors = errors;
            options.silence = Duration::from_secs(1);
        });
        let (_until_then, test_ends) = channel::<()>();
        let test_ends = Arc::new(Mutex::new(test_ends));
        scene.server(move |mut caller: Caller| {
            let (_errors, _) = caller.take();
            caller.say(b"\0begun");
            // It takes nothing of what is sent.
            let _ = test_ends.lock().expect("one client").recv();
        });
        let stdin = Stdin::Octets(vec![b'x'; 16 << 20].into());
        let came = scene.carry_until(Task { stdin, ..task("true") }, async |mut news| {
            news.recv().await.expect("it has begun");
            scene.far.fall_silent();
            std::future::pending().await
        });
        let failure = came.failure();
        assert!(failure.to_string().contains("no sign of life for 1 s"), "{came:?}");
        assert_eq!(failure.ran, UNKNOWN);
        assert!(came.report.elapsed < SOON, "{came:?}");
        scene.assert_nothing_is_left();
    }
}

#[test]
fn endless_output_without_a_newline_is_bounded_by_the_deadline_and_by_who_reads_it() {
    let scene = Scene::with(Errors::Acknowledged);
    let (told, heard) = channel();
    scene.server(move |mut caller: Caller| {
        let (_errors, _) = caller.take();
        caller.say(&[0]);
        let (piece, mut sent) = ([b'x'; 4096], 0);
        while let Ok(octets) = caller.main.write(&piece) {
            sent += octets;
        }
        told.send(sent).expect("the test listens");
    });
    let came = scene.carry(hurried("true", SOON, SHORT));
    assert_eq!(came.failure().cause, Cause::TimedOut(SHORT));
    assert!(came.stdout.iter().all(|octet| *octet == b'x') && !came.stdout.is_empty());
    assert!(heard.recv().expect("an end") >= came.stdout.len());
    // Nobody reads: the server is held up, and the deadline holds all the same.
    let (queue, pieces) = mpsc::channel(1);
    let (_puller, stop) = Stop::new();
    let running = scene.rsh.run(hurried("true", SOON, SHORT), Output::new(0, queue), stop);
    let report = scene.runtime.block_on(running);
    drop(pieces);
    assert_took(&report, SHORT);
    let sent = heard.recv().expect("an end");
    assert!(sent < 16 << 20, "{sent} octets went nowhere");
    assert!(report.notes.iter().any(|note| note.contains("nobody took it")), "{report:?}");
    scene.assert_nothing_is_left();
}

#[test]
fn a_server_that_says_yes_before_it_says_no_is_not_believed() {
    let scene = Scene::with(Errors::Merged);
    scene.server(|mut caller: Caller| {
        caller.take();
        caller.say(b"\0Authentication failure\n");
    });
    let came = scene.run("true");
    assert_eq!((&came.failure().cause, came.failure().ran), (&Cause::NoStatus, Ran::Perhaps));
    assert_eq!(came.text().0, "Authentication failure\n");
    assert!(came.report.notes[0].contains("says yes before it says no"), "{came:?}");
    scene.assert_nothing_is_left();
}
