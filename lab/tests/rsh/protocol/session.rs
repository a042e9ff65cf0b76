//! Many commands over one connection: each with its own output, errors and status, and one port for all.

use super::scene::{Came, SOON, Scene, hurried, task, time_waits, waiting_to_close};
use super::server::Caller;
use lastack_lab::states::wait_until;
use lastack_model::truth::Truth;
use lastack_rsh::rcmd::{Errors, Session};
use lastack_rsh::{Cause, Ran, Signal, Stdin, Task};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

struct Talk {
    scene: Scene,
    session: Session,
    connections: Arc<AtomicUsize>,
}

impl Talk {
    fn with(errors: Errors) -> Self {
        let scene = Scene::with(errors);
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        scene.server(move |caller: Caller| {
            count.fetch_add(1, Ordering::Relaxed);
            caller.serve();
        });
        let session = Session::new(scene.carrier(|options| options.errors = errors));
        Self { scene, session, connections }
    }

    fn say(&self, task: Task) -> Came {
        self.scene.carry_by(&self.session, task, |_| std::future::pending())
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    fn close(&self) {
        self.scene.runtime.block_on(self.session.close(SOON));
    }
}

#[test]
fn hundreds_of_commands_take_one_connection_and_the_remote_side_closes_it_first() {
    for errors in [Errors::Merged, Errors::Acknowledged] {
        let talk = Talk::with(errors);
        let began = Instant::now();
        for number in 0..300_u16 {
            let came =
                talk.say(task(&format!("echo {number}; echo bad >&2; exit {}", number % 200)));
            assert_eq!(came.report.result, Ok((number % 200) as u8), "{came:?}");
            let (out, err) = (format!("{number}\n"), "bad\n".to_owned());
            let expected = match errors {
                Errors::Merged => (out + &err, String::new()),
                Errors::Early | Errors::Acknowledged => (out, err),
            };
            assert_eq!(came.text(), (&*expected.0, &*expected.1));
        }
        // With the delayed acknowledgements of 40 ms it would take 12 s and more.
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert_eq!(talk.connections(), 1);
        talk.close();
        talk.scene.assert_nothing_is_left();
        let ours = usize::from(errors == Errors::Acknowledged);
        assert_eq!((time_waits(), talk.scene.far.run(|_| time_waits())), ((0, ours), (1, 0)));
    }
}

#[test]
fn a_command_can_leave_its_own_shell_but_not_the_sessions() {
    let talk = Talk::with(Errors::Acknowledged);
    for (command, status) in [("exit 9", 9), ("exec false", 1), ("cd /; x=1", 0), ("if", 2)] {
        assert_eq!(talk.say(task(command)).report.result, Ok(status), "{command}");
    }
    assert_eq!(talk.say(task("cat; echo \"[$x]\"")).text().0, "[]\n");
    assert_eq!(talk.connections(), 1);
    talk.close();
    talk.scene.assert_nothing_is_left();
}

#[test]
fn who_kills_the_sessions_shell_is_told_and_the_next_command_opens_another() {
    let talk = Talk::with(Errors::Acknowledged);
    assert_eq!(talk.say(task("exit 1")).report.result, Ok(1));
    let killer = talk.say(task("echo last; kill -9 $$"));
    assert_eq!((&killer.failure().cause, killer.text().0), (&Cause::NoStatus, "last\n"));
    assert_eq!(killer.failure().ran, Ran::Perhaps);
    assert!(killer.report.notes[0].contains("the next one opens another"), "{killer:?}");
    assert_eq!(talk.say(task("exit 2")).report.result, Ok(2));
    assert_eq!(talk.connections(), 2);
    talk.close();
    talk.scene.assert_nothing_is_left();
}

#[test]
fn a_deadline_and_a_stop_end_the_command_and_the_session_with_it() {
    let talk = Talk::with(Errors::Acknowledged);
    let short = Duration::from_millis(300);
    let late = talk.say(hurried("sleep 100", SOON, short));
    let over = Ran::Yes { ended: Truth::Yes };
    assert_eq!((&late.failure().cause, late.failure().ran), (&Cause::TimedOut(short), over));
    let stopped =
        talk.scene.carry_by(&talk.session, task("echo ready; sleep 100"), async |mut news| {
            news.recv().await.expect("it is ready");
            Signal::Terminate
        });
    assert_eq!(stopped.failure().cause, Cause::Stopped(Signal::Terminate));
    assert_eq!(talk.say(task("exit 3")).report.result, Ok(3));
    assert_eq!(talk.connections(), 3);
    talk.close();
    talk.scene.assert_nothing_is_left();
}

#[test]
fn input_takes_a_connection_of_its_own() {
    let talk = Talk::with(Errors::Acknowledged);
    assert_eq!(talk.say(task("exit 1")).report.result, Ok(1));
    let stdin = Stdin::Octets(Arc::from(*b"text"));
    assert_eq!(talk.say(Task { stdin, ..task("cat") }).text().0, "text");
    assert_eq!(talk.say(task("exit 2")).report.result, Ok(2));
    assert_eq!(talk.connections(), 2);
    talk.close();
    talk.scene.assert_nothing_is_left();
}

#[test]
fn a_server_that_has_closed_meanwhile_costs_nothing() {
    let scene = Scene::with(Errors::Merged);
    // It closes behind the first command.
    scene.server(|mut caller: Caller| {
        caller.take();
        caller.say(&[0]);
        let line = caller.line();
        let mark = line.rsplit("echo ").next().and_then(|rest| rest.split('$').next());
        caller.say(format!("{}4\n", mark.expect("a mark")).as_bytes());
    });
    let session = Session::new(scene.carrier(|options| options.errors = Errors::Merged));
    for _ in 0..3 {
        let came = scene.carry_by(&session, task("x"), |_| std::future::pending());
        assert_eq!(came.report.result, Ok(4), "{came:?}");
        wait_until("the server has closed", || waiting_to_close() == 1);
    }
    scene.runtime.block_on(session.close(SOON));
    scene.assert_nothing_is_left();
}
