//! However a command ends, its status is the right one, nothing of it is left on the server, and no port is kept.

use crate::ours::{assert_every_port_is_back, hosts, ours, ours_with};
use lastack_lab::carried::task;
use lastack_lab::namespace::Namespace;
use lastack_lab::rshd::Rshd;
use lastack_lab::states::wait_until;
use lastack_model::truth::Truth;
use lastack_rsh::rcmd::Errors;
use lastack_rsh::{Cause, Failure, Ran, Signal, Stage, Stdin};
use std::time::{Duration, Instant};

const EVERY: [Errors; 3] = [Errors::Merged, Errors::Early, Errors::Acknowledged];

#[test]
fn a_status_is_what_the_command_ended_with() {
    let here = Namespace::enter();
    let _rshd = Rshd::started(&here, 1, 1);
    let host = &hosts(1)[0];
    for errors in EVERY {
        let carriage = ours(errors);
        for (command, status) in [
            ("exit 7", 7),
            ("true", 0),
            ("no-such-command 2>/dev/null", 127),
            ("kill -TERM $$", 143),
            ("sh -c 'kill -9 $$'", 137),
            ("exit 255", 255),
            ("echo 'not closed", 2),
        ] {
            let report = carriage.one(task(host, command)).report;
            if command.starts_with("kill") || command.contains("not closed") {
                // The shell that would have said the status is the one that ended, or never began.
                assert!(report.result != Ok(0), "{command:?}, {errors:?}: {report:?}");
            } else {
                assert_eq!(report.result, Ok(status), "{command:?}, {errors:?}: {report:?}");
            }
        }
        assert_every_port_is_back(&carriage, host);
    }
}

#[test]
fn both_outputs_come_apart_or_together_and_input_is_passed_on() {
    let here = Namespace::enter();
    let _rshd = Rshd::started(&here, 1, 1);
    for errors in EVERY {
        let mut both = task(&hosts(1)[0], "cat; echo out; echo err >&2");
        both.stdin = Stdin::Octets(b"in\n".as_slice().into());
        let carried = ours(errors).one(both);
        assert_eq!(carried.report.result, Ok(0), "{errors:?}: {carried:?}");
        let apart = errors != Errors::Merged;
        let expected: (&[u8], &[u8]) =
            if apart { (b"in\nout\n", b"err\n") } else { (b"in\nout\nerr\n", b"") };
        assert_eq!((&*carried.stdout, &*carried.stderr), expected, "{errors:?}");
    }
}

#[test]
fn a_command_whose_time_is_over_is_gone_from_the_server() {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 1, 1);
    let carriage = ours(Errors::Acknowledged);
    let mut long = task(&hosts(1)[0], "sleep 1000");
    long.limits.command = Some(Duration::from_millis(500));
    let report = carriage.one(long).report;
    let failure = report.result.expect_err("its time was over");
    assert_eq!(failure.stage, Stage::Command);
    assert_eq!(failure.cause, Cause::TimedOut(Duration::from_millis(500)));
    assert_eq!(failure.ran, Ran::Yes { ended: Truth::Yes });
    assert!(report.elapsed < Duration::from_secs(10), "{:?}", report.elapsed);
    wait_until("nothing of it is left", || rshd.residents(1).is_empty());
    assert_every_port_is_back(&carriage, &hosts(1)[0]);
}

#[test]
fn an_interrupt_reaches_the_command() {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 1, 1);
    let carriage = ours(Errors::Acknowledged);
    let ready = task(&hosts(1)[0], "echo ready; exec sleep 1000");
    let carried = carriage.all(vec![ready], 1, |_| carriage.stop(Signal::Interrupt));
    let failure = carried[0].report.result.clone().expect_err("it was interrupted");
    assert_eq!(failure.cause, Cause::Stopped(Signal::Interrupt));
    wait_until("nothing of it is left", || rshd.residents(1).is_empty());
    assert_every_port_is_back(&carriage, &hosts(1)[0]);
}

#[test]
fn a_server_that_vanishes_is_noticed() {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 2, 1);
    let carriage = ours_with(|options| options.silence = Duration::from_secs(3));
    let began = Instant::now();
    let tasks = hosts(2).into_iter().map(|host| task(&host, "echo ready; sleep 4"));
    let mut gone = false;
    let carried = carriage.all(tasks.collect(), 2, |piece| {
        if piece.task == 0 && !gone {
            rshd.cut_off(1);
            gone = true;
        }
    });
    let failure = carried[0].report.result.clone().expect_err("it vanished");
    let Failure { stage, ran, .. } = failure;
    assert_eq!((stage, ran), (Stage::Command, Ran::Yes { ended: Truth::Unknown }));
    assert_eq!(carried[1].report.result, Ok(0), "the other one goes on");
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    assert_every_port_is_back(&carriage, &hosts(2)[0]);
}
